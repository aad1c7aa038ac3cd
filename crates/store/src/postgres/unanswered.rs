//! The end of a transaction was sent, and the server went away.

use lab::{Cluster, Options};
use protocol::model::{CodeId, UserKey};
use protocol::turn::{Change, Rely};

use super::Postgres;
use super::link::Connector;
use super::url::Address;
use crate::conformance::rows::*;
use crate::{CommitError, Fault, Mode, Store};

async fn furnished(cluster: &mut Cluster) -> (Postgres, String) {
    let url = cluster.database();
    let store = Postgres::open(&url, Mode::Create).await.expect("the database can be opened");
    furnish(&store).await;
    (store, url)
}

/// Lets every commit wait for a standby that does not exist: it is on disk here, and nobody is told.
fn hold_up_answers(cluster: &Cluster) {
    cluster.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    cluster.sql("postgres", "SELECT pg_reload_conf()");
    while cluster.sql("postgres", "SHOW synchronous_standby_names") != "nobody" {}
}

async fn wait_for(cluster: &Cluster, event: &str) {
    let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type || wait_event = '{event}'");
    while cluster.sql("postgres", &sql) == "0" {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// Crashes the server while it does what waits for `event`, and starts it again.
async fn crash_at(cluster: &mut Cluster, event: &str) {
    wait_for(cluster, event).await;
    cluster.crash();
    cluster.set("synchronous_standby_names=");
    cluster.start_again();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_before_the_answer_was_lost_is_found_and_told() {
    let mut cluster = Cluster::start(&Options::default());
    let (store, _) = furnished(&mut cluster).await;
    hold_up_answers(&cluster);
    // One of the frequent kind, and one that is written by itself.
    let redeem = vec![Change::SpendCode(CodeId(1)), Change::PutAccess(Box::new(access(70, 1, 1)))];
    let begin = vec![Change::PutSession(Box::new(session(70, 1)))];
    let (redeemed, begun, ()) = tokio::join!(store.commit(redeem), store.commit(begin), async {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        while cluster.sql("postgres", sql) != "2" {}
        crash_at(&mut cluster, "IPCSyncRep").await;
    });
    assert_eq!((redeemed, begun), (Ok(()), Ok(())));
    must_lose(&store, Change::SpendCode(CodeId(1))).await;
    assert!(facts(&store, 70).await.access.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_written_when_the_server_went_away_is_written_then() {
    let mut cluster = Cluster::start(&Options::default());
    let (store, url) = furnished(&mut cluster).await;
    let connector = Connector::new(Address::parse(&url).unwrap()).unwrap();
    let other = connector.connect(super::AT_LEISURE).await.unwrap();
    other.simple("BEGIN; SELECT 1 FROM users WHERE key = 1 FOR UPDATE").await.unwrap();
    let redeem = vec![
        Change::Rely(Rely::User(UserKey(1), 1)),
        Change::SpendCode(CodeId(1)),
        Change::PutAccess(Box::new(access(70, 1, 1))),
    ];
    let (redeemed, ()) = tokio::join!(store.commit(redeem), crash_at(&mut cluster, "Locktransactionid"));
    assert_eq!(redeemed, Ok(()));
    must_lose(&store, Change::SpendCode(CodeId(1))).await;
    assert!(facts(&store, 70).await.access.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_no_row_of_its_own_is_said_to_be_unknown() {
    let mut cluster = Cluster::start(&Options::default());
    let (store, _) = furnished(&mut cluster).await;
    hold_up_answers(&cluster);
    let (spent, ()) =
        tokio::join!(store.commit(vec![Change::SpendCode(CodeId(1))]), crash_at(&mut cluster, "IPCSyncRep"));
    match spent {
        Err(CommitError::Fault(Fault::Unavailable { cause })) => assert!(cause.contains("is not known"), "{cause}"),
        other => panic!("{other:?}"),
    }
    must_lose(&store, Change::SpendCode(CodeId(1))).await;
}
