//! Tests of what only a store behind a network has: broken connections, other nodes, poolers, certificates, two
//! versions at once.

#![allow(clippy::disallowed_methods, reason = "tests start programs and write files")]

mod growth;
mod jobs;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lab::{Cluster, Options};
use protocol::line::{Changes, Key, Rely, Wants, Write};
use protocol::model::{Client, CodeId, GrantId, User, UserKey};
use protocol::time::UnixTime;

use super::{Postgres, View};
use crate::conformance::jobs::race_for_jobs;
use crate::conformance::old_names;
use crate::conformance::preconditions::race_for_ids;
use crate::conformance::rows::*;
use crate::{CommitError, Fault, Mode, OpenError, Store, Window};

async fn open(url: &str) -> Postgres {
    Postgres::open(url, Mode::Create).await.unwrap_or_else(|refused| panic!("{url}: {refused}"))
}

async fn refused(url: &str, mode: Mode) -> OpenError {
    Postgres::open(url, mode).await.err().expect("the database is refused")
}

#[tokio::test]
async fn everything_survives_a_crash_of_the_server_and_nobody_has_to_help() {
    let mut cluster = Cluster::start(&Options::default());
    let store = open(&cluster.database()).await;
    furnish(&store).await;
    commit(&store, [Write::SpendCode(CodeId(1)), Write::RevokeGrant(GrantId(1))]).await;
    let before = everything(&store).await;
    cluster.crash();
    cluster.start_again();
    assert_eq!(everything(&store).await, before);
    must_lose(&store, Write::SpendCode(CodeId(1))).await;
}

#[tokio::test]
async fn while_the_server_is_away_everything_says_so_and_nothing_is_lost_in_silence() {
    let mut cluster = Cluster::start(&Options::default());
    let store = open(&cluster.database()).await;
    furnish(&store).await;
    cluster.crash();
    let (read, written) = tokio::join!(store.load(wants(1)), store.commit([Write::SpendCode(CodeId(1))].into()));
    assert!(matches!(read, Err(Fault::Unavailable { .. })), "{read:?}");
    assert!(matches!(written, Err(CommitError::Fault(Fault::Unavailable { .. }))), "{written:?}");
    cluster.start_again();
    commit(&store, [Write::SpendCode(CodeId(1))]).await;
}

#[tokio::test]
async fn a_host_that_takes_connections_and_says_nothing_does_not_hide_the_next_one() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut taken = vec![];
        while let Ok(connection) = silent.accept().await {
            taken.push(connection);
        }
    });
    let mut cluster = Cluster::start(&Options::default());
    let url = cluster.database().replace('@', &format!("@127.0.0.1:{silent_port},"));
    let store = open(&url).await;
    furnish(&store).await;
    commit(&store, [Write::SpendCode(CodeId(1))]).await;
}

#[tokio::test]
async fn a_server_that_says_nothing_keeps_nobody_waiting_for_long_and_is_found_again() {
    let mut cluster = Cluster::start(&Options::default());
    let store = open(&cluster.database()).await;
    furnish(&store).await;
    cluster.freeze();
    let began = Instant::now();
    // Each turn is written alone, and there are more turns than lanes.
    let turns = (0..40).map(|at| store.commit([Write::PutPersonal(Box::new(personal(300 + at, 1)))].into()));
    let written = futures_util::future::join_all(turns).await;
    assert!(written.iter().all(|answer| matches!(answer, Err(CommitError::Fault(Fault::Unavailable { .. })))));
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert!(matches!(store.load(wants(1)).await, Err(Fault::Unavailable { .. })));
    // Once the outage is known, callers do not wait.
    let began = Instant::now();
    assert!(matches!(store.load(wants(1)).await, Err(Fault::Unavailable { .. })));
    let spent = store.commit([Write::SpendCode(CodeId(1))].into()).await;
    assert!(spent.is_err() && began.elapsed() < Duration::from_secs(6), "{spent:?} {:?}", began.elapsed());
    cluster.thaw();
    while store.load(wants(1)).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(40), "it is not found again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    commit(&store, [Write::SpendCode(CodeId(1))]).await;
    // Connections that came back and broke before they were used must not cause errors.
    tokio::time::sleep(Duration::from_secs(2)).await;
    cluster.terminate_backends();
    for id in 400..412 {
        commit(&store, [Write::PutPersonal(Box::new(personal(id, 1)))]).await;
    }
}

#[tokio::test]
async fn the_server_keeps_no_process_for_a_connection_that_was_given_up() {
    let mut cluster = Cluster::start(&Options::default());
    let url = cluster.database();
    let (_, link) = super::reach(&url).await.unwrap();
    link.simple("CREATE TABLE t (a INT)").await.unwrap();
    cluster.alter("SET synchronous_standby_names = 'nobody'");
    let connections =
        || cluster.sql("test_1", "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'grantry'");
    let mut inserted = Ok(Ok(()));
    while inserted.is_ok() {
        inserted = tokio::time::timeout(Duration::from_millis(500), link.simple("INSERT INTO t VALUES (1)")).await;
    }
    assert_eq!(connections(), "1", "it waits for the standby");
    drop(link);
    let began = Instant::now();
    while connections() != "0" {
        assert!(began.elapsed() < Duration::from_secs(10), "the server keeps it");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn what_is_written_is_on_disk_whatever_the_server_is_told() {
    let mut cluster = Cluster::start(&Options::default());
    let url = cluster.database();
    drop(open(&url).await);
    let (connector, _) = super::reach(&url).await.unwrap();
    let tell = |value: &str| {
        cluster.alter(&format!("SET synchronous_commit = {value}"));
        while cluster.sql("test_1", "SHOW synchronous_commit") != value {}
    };
    for (before, promised) in [("off", "on"), ("local", "local"), ("remote_apply", "remote_apply")] {
        for purpose in [super::WRITING, super::AT_LEISURE] {
            tell(before);
            let link = connector.connect(purpose).await.unwrap();
            let level = async || link.rows("SHOW synchronous_commit", &[]).await.unwrap()[0].get::<_, String>(0);
            assert_eq!(level().await, promised);
            tell("off");
            assert_eq!(level().await, promised);
        }
    }
}

#[tokio::test]
async fn connections_that_the_server_ends_are_had_again_and_nobody_notices() {
    let mut cluster = Cluster::start(&Options::default());
    let store = open(&cluster.database()).await;
    furnish(&store).await;
    for round in 0..5 {
        cluster.terminate_backends();
        assert!(facts(&store, 1).await.access.is_some());
        commit(&store, [Write::PutAccess(Box::new(own_access(100 + round, 1)))]).await;
        cluster.terminate_backends();
        commit(&store, [Write::PutSession(Box::new(session(200 + round, 1)))]).await;
        store.counts_now().await;
    }
}

#[tokio::test]
async fn tables_that_are_too_large_to_be_counted_are_estimated_and_named() {
    let mut cluster = Cluster::start(&Options::default());
    let store = open(&cluster.database()).await;
    furnish(&store).await;
    let many: Vec<Write> = (100..5_100).map(|id| Write::PutAccess(Box::new(own_access(id, 1)))).collect();
    commit(&store, many).await;
    cluster.sql("test_1", "ANALYZE");
    let link = store.connector.connect(super::AT_LEISURE).await.expect("the server is there");
    let view = View { link: &link, documents: &store.documents };
    let rows = |counts: &crate::Counts, table: &str| {
        counts.rows.iter().find(|(name, _)| *name == table).map(|(_, rows)| *rows).expect("it is listed")
    };
    let exact = view.counts(1 << 30).await.expect("the store can be counted");
    assert_eq!((rows(&exact, "access_tokens"), exact.estimated.len()), (5_001, 0));
    let rough = view.counts(100_000).await.expect("the store can be counted");
    assert_eq!((&*rough.estimated, rows(&rough, "clients")), (&["access_tokens"][..], 2));
    assert!((4_500..5_500).contains(&rows(&rough, "access_tokens")), "{rough:?}");
    assert_eq!(rough.ages, exact.ages, "the ends are looked up by their keys");
    // Tables that would have to be read completely are left out.
    let least = view.counts(0).await.expect("the store can be counted");
    assert!(exact.ages.iter().any(|age| age.0 == "consents") && least.ages.iter().all(|age| age.0 != "consents"));
    let store: &dyn Store = &store;
    assert_eq!(store.schema().await, Ok(exact.schema));
}

impl Postgres {
    async fn counts_now(&self) {
        let store: &dyn Store = self;
        store.counts().await.expect("the store can be counted");
    }
}

/// Two turns that rely on rows and change them in opposite orders wait for each other.
#[tokio::test]
async fn turns_that_embrace_each_other_are_parted_and_both_are_judged() {
    let url = lab::database();
    let (one, other) = (open(&url).await, open(&url).await);
    furnish(&one).await;
    for round in 0..20_u32 {
        let put = |key: i64| {
            let row = User { version: 2 + round, name: format!("Round {round}"), ..user(key) };
            Write::PutUser(Box::new(row))
        };
        let rely = |key: i64| Rely::User(UserKey(key), 1 + round);
        let turn = |relied, written| Changes::new([rely(relied)], [put(written)]);
        let (a, b) = tokio::join!(one.commit(turn(1, 2)), other.commit(turn(2, 1)));
        let results = [a, b];
        // The turns run one after the other, and the second relied on what the first changed.
        assert_eq!(results.iter().filter(|done| done.is_ok()).count(), 1, "{results:?}");
        assert!(results.contains(&Err(CommitError::Lost)), "{results:?}");
        let behind = if results[0].is_ok() { put(1) } else { put(2) };
        commit(&one, [behind]).await;
    }
}

#[tokio::test]
async fn a_withdrawn_consent_takes_along_what_a_turn_at_another_node_is_about_to_give() {
    let url = lab::database();
    let (one, other) = (open(&url).await, open(&url).await);
    furnish(&one).await;
    for round in 0..40_i64 {
        let id = 1_000 + round;
        commit(&one, [Write::PutConsent(consent(1, 1)), Write::PutCode(Box::new(code(id, 1, 1)))]).await;
        let writes = [Write::SpendCode(CodeId(id)), Write::PutGrant(Box::new(grant(id, 1, 1)))];
        let redeem = Changes::new([Rely::User(UserKey(1), 1)], writes);
        let withdraw = Write::WithdrawConsent { user: UserKey(1), client: protocol::model::ClientKey(1) };
        let (redeemed, withdrawn) = tokio::join!(one.commit(redeem), other.commit(withdraw.into()));
        assert_eq!(withdrawn, Ok(()));
        let grant = facts(&one, id).await.grant;
        match redeemed {
            Ok(()) => assert!(grant.expect("it was begun").is_grant_revoked, "round {round}: it outlived the consent"),
            lost => assert!(lost == Err(CommitError::Lost) && grant.is_none(), "round {round}: {lost:?}"),
        }
    }
}

#[tokio::test]
async fn what_a_node_does_another_sees_at_once_and_is_told_of_new_keys() {
    let url = lab::database();
    let (one, other) = (open(&url).await, open(&url).await);
    let mut news = other.news().expect("nodes are told");
    // The listener counts a notification when it begins to listen.
    tokio::time::timeout(Duration::from_secs(20), news.changed()).await.expect("in time").expect("it is there");
    furnish(&one).await;
    assert!(facts(&other, 1).await.access.is_some());
    tokio::time::timeout(Duration::from_secs(20), news.changed()).await.expect("in time").expect("it is there");
    commit(&one, [Write::DropSealKey(7)]).await;
    tokio::time::timeout(Duration::from_secs(20), news.changed()).await.expect("in time").expect("it is there");
}

#[tokio::test]
async fn of_a_client_and_a_user_of_two_nodes_who_race_for_an_id_one_gets_it() {
    let url = lab::database();
    let (one, other) = (open(&url).await, open(&url).await);
    race_for_ids(&one, &other).await;
    assert_eq!(Postgres::shared_ids(&url).await, Ok(Vec::new()));
}

#[tokio::test]
async fn of_workers_on_two_nodes_each_gets_other_jobs() {
    let url = lab::database();
    let (one, other) = (open(&url).await, open(&url).await);
    race_for_jobs(&one, &other).await;
}

#[tokio::test]
async fn names_that_were_stored_before_they_were_composed_go_on_working() {
    let url = lab::database();
    let store = open(&url).await;
    for (key, name) in [(3, "José"), (4, "placeholder"), (5, "placeholder-5")] {
        commit(&store, [Write::PutUser(Box::new(old_names::named(key, name)))]).await;
    }
    let (_, link) = super::reach(&url).await.expect("the database is there");
    for (key, stored, name) in old_names::STORED {
        let document = serde_json::to_string(&old_names::named(key, name)).expect("a user becomes JSON");
        let sql = "UPDATE users SET username_lower = $2, document = $3 WHERE key = $1";
        let values = super::link::typed![INT8 key, TEXT stored, TEXT document];
        assert_eq!(link.run(sql, values).await.expect("the row can be written"), 1);
    }
    drop(store);
    old_names::go_on_working(&open(&url).await).await;
}

#[tokio::test]
async fn one_node_has_a_lease_until_it_lets_it_run_out() {
    let url = lab::database();
    let (one, other) = (open(&url).await, open(&url).await);
    assert_eq!(one.lease("sweep", 1, 1).await, Ok(true));
    assert_eq!(other.lease("sweep", 2, 1).await, Ok(false));
    assert_eq!(other.lease("other work", 2, 1).await, Ok(true));
    assert_eq!(one.lease("sweep", 1, 1).await, Ok(true), "its holder keeps it");
    drop(one);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(other.lease("sweep", 2, 60).await, Ok(true), "its holder is gone");
}

#[tokio::test]
async fn what_nodes_counted_is_added_up_until_the_window_is_over() {
    let url = lab::database();
    let (one, other) = (open(&url).await, open(&url).await);
    let window = |key: &str, began_at: i64, used| Window {
        key: digest(key),
        began_at: UnixTime(began_at),
        until: UnixTime(began_at + 60),
        used,
    };
    let told = async |store: &Postgres, now, windows: &[Window]| {
        let mut known = store.tally(UnixTime(now), windows).await.unwrap().expect("the store is shared");
        known.sort_by_key(|window| window.used);
        known
    };
    assert_eq!(told(&one, 100, &[window("a", 100, 3)]).await, [window("a", 100, 3)]);
    let both = [window("a", 110, 4), window("b", 110, 1)];
    assert_eq!(told(&other, 110, &both).await, [window("b", 110, 1), window("a", 100, 7)]);
    assert_eq!(told(&other, 160, &[window("a", 160, 2)]).await, [window("a", 160, 2)]);
    one.sweep(UnixTime(1_000), 10).await.unwrap();
    assert_eq!(told(&one, 170, &[window("a", 170, 1)]).await, [window("a", 170, 1)], "what was over is forgotten");
}

#[tokio::test]
async fn nodes_that_start_at_once_make_the_schema_once() {
    let url = lab::database();
    let (a, b, c) = tokio::join!(open(&url), open(&url), open(&url));
    furnish(&a).await;
    assert!(facts(&b, 1).await.access.is_some() && facts(&c, 1).await.access.is_some());
}

/// While an installation is upgraded, nodes of the previous version run beside those of the next one.
#[tokio::test]
async fn a_newer_schema_is_borne_as_far_as_it_says_that_it_can_be() {
    let mut cluster = Cluster::start(&Options::default());
    let url = cluster.database();
    let store = open(&url).await;
    cluster.sql("test_1", "INSERT INTO refinery_schema_history VALUES (99, 'next', '2026-11-29T00:00:00Z', '1')");
    cluster.sql("test_1", "ALTER TABLE access_tokens ADD COLUMN colour TEXT");
    cluster.sql("test_1", "CREATE TABLE next (id BIGINT PRIMARY KEY)");
    furnish(&store).await;
    let started_anew = open(&url).await;
    assert!(facts(&started_anew, 1).await.access.is_some());
    // Members of a newer version survive a change by this version.
    for table in ["clients", "users"] {
        let newer = format!(
            "UPDATE {table} SET document = (document::jsonb || '{{\"next\":[7],\"version\":2}}')::text, version = 2"
        );
        cluster.sql("test_1", &newer);
    }
    let found = facts(&started_anew, 1).await;
    let (client, user) = (found.client.unwrap(), found.subject.unwrap());
    let client = Client { name: "Other".to_owned(), version: 3, ..Client::clone(&client) };
    let user = User { name: "Other".to_owned(), version: 3, ..User::clone(&user) };
    commit(&started_anew, [Write::PutClient(Box::new(client)), Write::PutUser(Box::new(user))]).await;
    for table in ["clients", "users"] {
        let kept =
            format!("SELECT count(*) FROM {table} WHERE document::jsonb @> '{{\"name\":\"Other\",\"next\":[7]}}'");
        assert_eq!(cluster.sql("test_1", &kept), "1", "{table}");
    }
    cluster.sql("test_1", "UPDATE compatibility SET oldest = 98");
    let refused = refused(&url, Mode::Create).await;
    assert!(matches!(refused, OpenError::Newer { found: 99, .. }), "{refused}");
}

#[tokio::test]
async fn what_cannot_be_opened_is_named() {
    let mut cluster = Cluster::start(&Options::default());
    let empty = cluster.database();
    assert!(matches!(refused(&empty, Mode::Existing).await, OpenError::Empty { .. }));
    cluster.sql("test_1", "CREATE TABLE users (name TEXT)");
    assert!(matches!(refused(&empty, Mode::Create).await, OpenError::Foreign { .. }));
    let absent = refused(&cluster.url("nothing"), Mode::Create).await.to_string();
    assert!(absent.contains("\"nothing\" does not exist"), "{absent}");
    cluster.crash();
    let away = refused(&empty, Mode::Create).await.to_string();
    assert!(away.contains("cannot be reached"), "{away}");
    let nonsense = refused("postgres://x@localhost/y?sslmode=require", Mode::Create).await.to_string();
    assert!(nonsense.contains("verify-full"), "{nonsense}");
}

/// Returns a port that was free a moment ago.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn a_server_has_to_prove_who_it_is_and_the_password_never_travels() {
    let port = free_port();
    let mut cluster = Cluster::start(&Options { port: Some(port), ..Options::default() });
    drop(cluster.database());
    let password = lab::PASSWORD.replace(' ', "%20");
    let authority = cluster.authority().display().to_string();
    let url = |host: &str, more: &str| format!("postgres://postgres:{password}@{host}:{port}/test_1?{more}");
    let trusted = format!("sslmode=verify-full&sslrootcert={authority}");
    let store = open(&url("localhost", &trusted)).await;
    furnish(&store).await;
    let encrypted = cluster.sql(
        "test_1",
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
        WHERE application_name = 'grantry'",
    );
    assert_eq!(encrypted, "t");
    // The certificate is for `localhost`, and its authority is unknown to the system.
    let other_name = refused(&url("127.0.0.1", &trusted), Mode::Create).await.to_string();
    assert!(other_name.contains("certificate"), "{other_name}");
    let unknown = refused(&url("localhost", "sslmode=verify-full"), Mode::Create).await.to_string();
    assert!(unknown.contains("certificate"), "{unknown}");
    let wrong = url("localhost", &trusted).replace(&password, "wrong");
    let wrong = refused(&wrong, Mode::Create).await.to_string();
    assert!(wrong.contains("password authentication failed"), "{wrong}");
}

/// A PgBouncer that hands out its connections for one transaction.
struct Pooler {
    process: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Pooler {
    async fn start(cluster: &Cluster) -> (Self, String) {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let text = format!(
            "[databases]\ntest_1 = host={} port=5432 user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 3\n\
             user = nobody\n",
            cluster.folder().display()
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, text).unwrap();
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), readable).unwrap();
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(cluster.folder(), readable).unwrap();
        let mut command = Command::new("pgbouncer");
        command.arg("--quiet").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("tests need PgBouncer: on Debian, `apt-get install pgbouncer`");
        let pooler = Self { process, _folder: folder };
        for _ in 0..200 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        (pooler, format!("postgres://postgres@127.0.0.1:{port}/test_1?pgbouncer=true"))
    }
}

#[tokio::test]
async fn a_pooler_may_hand_out_its_connections_for_one_transaction() {
    let mut cluster = Cluster::start(&Options::default());
    drop(cluster.database());
    let (pooler, url) = Pooler::start(&cluster).await;
    let store = open(&url).await;
    furnish(&store).await;
    let direct = open(&cluster.url("test_1")).await;
    assert_eq!(everything(&store).await, everything(&direct).await);
    assert!(store.news().is_none(), "nobody can listen behind a pooler");
    let many = futures_util::future::join_all((100..200).map(|id| {
        let store = &store;
        async move {
            let access = Write::PutAccess(Box::new(own_access(id, 1)));
            commit(store, Changes::new([Rely::User(UserKey(1), 1)], [access])).await;
            assert!(facts(store, id).await.access.is_some());
        }
    }));
    many.await;
    must_lose(&store, Write::PutAccess(Box::new(own_access(150, 1)))).await;
    drop(pooler);
}
