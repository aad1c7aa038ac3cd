//! Tests of commits whose answer is lost because the server goes away.

use std::time::Duration;

use lab::{Cluster, Options};
use protocol::line::{Changes, Write};
use protocol::model::CodeId;
use tokio::time::Instant;

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

/// Waits until this number of sessions wait for an event.
async fn wait_for(cluster: &Cluster, event: &str, sessions: usize) {
    let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE wait_event = '{event}'");
    let begun = Instant::now();
    while cluster.sql("postgres", &sql) != sessions.to_string() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{sessions} never wait for {event}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Makes every commit wait for a standby that does not exist: the commit is on the local disk, but is not acknowledged.
/// Returns when one session waits.
async fn hold_up_answers(cluster: &Cluster, url: &str) {
    cluster.alter("SET synchronous_standby_names = 'nobody'");
    let connector = Connector::new(Address::parse(url).unwrap()).unwrap();
    let link = connector.connect(super::AT_LEISURE).await.unwrap();
    tokio::spawn(async move {
        // The first commit after every process has read the configuration waits.
        for attempt in 0.. {
            if link.simple(&format!("CREATE TABLE probe_{attempt} ()")).await.is_err() {
                return;
            }
        }
    });
    wait_for(cluster, "SyncRep", 1).await;
}

fn crash_and_start_again(cluster: &mut Cluster) {
    cluster.crash();
    cluster.start_again();
}

fn redeem() -> Changes {
    [Write::SpendCode(CodeId(1)), Write::PutAccess(Box::new(access(70, 1, 1)))].into()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_before_the_answer_was_lost_is_found_and_told() {
    let mut cluster = Cluster::start(&Options::default());
    let (store, url) = furnished(&mut cluster).await;
    hold_up_answers(&cluster, &url).await;
    // One turn that is written in a batch, and one that is written alone.
    let begin = Write::PutPersonal(Box::new(personal(70, 1))).into();
    let (redeemed, begun, ()) = tokio::join!(store.commit(redeem()), store.commit(begin), async {
        wait_for(&cluster, "SyncRep", 3).await;
        cluster.set("synchronous_standby_names=");
        crash_and_start_again(&mut cluster);
    });
    assert_eq!((redeemed, begun), (Ok(()), Ok(())));
    must_lose(&store, Write::SpendCode(CodeId(1))).await;
    assert!(facts(&store, 70).await.access.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_was_written_before_the_answer_was_lost_is_found() {
    let mut cluster = Cluster::start(&Options::default());
    let (store, url) = furnished(&mut cluster).await;
    hold_up_answers(&cluster, &url).await;
    let put = Write::PutTicket(Box::new(ticket(70, 1, 1)));
    let (done, ()) = tokio::join!(store.commit(put.clone().into()), async {
        wait_for(&cluster, "SyncRep", 2).await;
        cluster.set("synchronous_standby_names=");
        crash_and_start_again(&mut cluster);
    });
    assert_eq!(done, Ok(()));
    must_lose(&store, put).await;
}

/// Commits a turn that must not be acknowledged before the standby has it: neither at first, nor after a crash, when
/// the store searches for its row or writes it again.
async fn must_wait_for_the_standby(turn: Changes) {
    let mut cluster = Cluster::start(&Options::default());
    let (store, url) = furnished(&mut cluster).await;
    hold_up_answers(&cluster, &url).await;
    let committed = store.commit(turn);
    tokio::pin!(committed);
    let crash = async {
        wait_for(&cluster, "SyncRep", 2).await;
        crash_and_start_again(&mut cluster);
        wait_for(&cluster, "SyncRep", 1).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    tokio::select! {
        told = &mut committed => panic!("told too early: {told:?}"),
        () = crash => {}
    }
    cluster.alter("RESET synchronous_standby_names");
    assert_eq!(committed.await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_standby_may_not_have_is_not_told_until_it_has_it() {
    // The store searches for the row, and finds it.
    must_wait_for_the_standby(redeem()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_before_is_told_only_when_the_standby_has_it() {
    // The turn has no row, and is written again on the next connection.
    must_wait_for_the_standby([Write::AwaitDurability].into()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_written_when_the_server_went_away_is_written_then() {
    let mut cluster = Cluster::start(&Options::default());
    let (store, _) = furnished(&mut cluster).await;
    // New tokens take a minute, until a crash empties this unlogged table.
    for sql in [
        "CREATE UNLOGGED TABLE slow AS SELECT 1",
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN IF EXISTS (SELECT 1 FROM slow) THEN PERFORM pg_sleep(60); END IF; RETURN NEW; END $$",
        "CREATE TRIGGER waits BEFORE INSERT ON access_tokens FOR EACH ROW EXECUTE FUNCTION wait()",
    ] {
        cluster.sql("test_1", sql);
    }
    let (redeemed, ()) = tokio::join!(store.commit(redeem()), async {
        wait_for(&cluster, "PgSleep", 1).await;
        crash_and_start_again(&mut cluster);
    });
    assert_eq!(redeemed, Ok(()));
    must_lose(&store, Write::SpendCode(CodeId(1))).await;
    assert!(facts(&store, 70).await.access.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_no_row_of_its_own_is_said_to_be_unknown() {
    let mut cluster = Cluster::start(&Options::default());
    let (store, url) = furnished(&mut cluster).await;
    hold_up_answers(&cluster, &url).await;
    let (spent, ()) = tokio::join!(store.commit([Write::SpendCode(CodeId(1))].into()), async {
        wait_for(&cluster, "SyncRep", 2).await;
        cluster.set("synchronous_standby_names=");
        crash_and_start_again(&mut cluster);
    });
    match spent {
        Err(CommitError::Fault(Fault::Unavailable { cause })) => assert!(cause.contains("is not known"), "{cause}"),
        other => panic!("{other:?}"),
    }
    must_lose(&store, Write::SpendCode(CodeId(1))).await;
}

/// The statements of a batch are sent before the transaction around them is known to have begun.
#[tokio::test]
async fn whoever_writes_can_write_nothing_outside_of_a_transaction() {
    let mut cluster = Cluster::start(&Options::default());
    let (_store, url) = furnished(&mut cluster).await;
    let connector = Connector::new(Address::parse(&url).unwrap()).unwrap();
    let link = connector.connect(super::WRITING).await.unwrap();
    for sql in ["DELETE FROM codes", "SELECT 1 FROM users FOR SHARE"] {
        let refused = link.simple(sql).await.expect_err("it is outside");
        assert!(format!("{refused:?}").contains("25006"), "{refused:?}");
    }
    link.begin(super::gate::BEGIN).await.unwrap();
    link.simple("DELETE FROM codes").await.unwrap();
}
