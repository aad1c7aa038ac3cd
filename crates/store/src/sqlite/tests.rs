//! Tests of what only a store in a file has: restarts, other processes, full disks, foreign files.

#![allow(clippy::disallowed_methods, reason = "tests make and look at files")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use protocol::line::{Key, Write};
use protocol::model::{AccessId, Client, ClientKey, CodeId, EventKind, GrantId, User, UserKey};
use protocol::time::UnixTime;
use rusqlite::Connection;
use tempfile::TempDir;

use super::writer::Work;
use super::{Sqlite, schema};
use crate::conformance::jobs::{damaged_jobs_are_buried, put_four_jobs};
use crate::conformance::old_names;
use crate::conformance::rows::*;
use crate::{CommitError, EventFilter, Fault, Mode, OpenError, Store};

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("test.db");
    (folder, path)
}

fn create(path: &Path) -> Sqlite {
    Sqlite::open(path, Mode::Create).expect("the database can be opened")
}

fn refused(path: &Path, mode: Mode) -> OpenError {
    Sqlite::open(path, mode).err().expect("the database is refused")
}

#[tokio::test]
async fn everything_survives_a_restart() {
    let (_folder, path) = folder();
    let store = create(&path);
    furnish(&store).await;
    commit(&store, [Write::SpendCode(CodeId(1)), Write::RevokeGrant(GrantId(1))]).await;
    let before = everything(&store).await;
    drop(store);
    let store = Sqlite::open(&path, Mode::Existing).expect("the database is there");
    assert_eq!(everything(&store).await, before);
    must_lose(&store, Write::SpendCode(CodeId(1))).await;
}

#[tokio::test]
async fn two_processes_see_each_others_changes_at_once() {
    let (_folder, path) = folder();
    let (server, command) = (create(&path), create(&path));
    furnish(&command).await;
    assert!(facts(&server, 1).await.access.expect("the token is there").client.is_some_and(|own| !own.is_disabled));
    for version in 2..20 {
        let is_disabled = version % 2 == 0;
        let row = Client { is_disabled, version, ..client(1) };
        commit(&command, [Write::PutClient(Box::new(row))]).await;
        let held = access_in(&load(&server, Key::Access(AccessId(1))).await, 1).expect("the token is there");
        assert_eq!(held.client.expect("the client is there").is_disabled, is_disabled);
        assert_eq!(facts(&server, 1).await.client.expect("the client is there").is_disabled, is_disabled);
    }
    commit(&command, [Write::DeleteClient(ClientKey(1))]).await;
    let found = facts(&server, 1).await;
    assert!(found.client.is_none() && found.access.expect("the token is there").client.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_write_at_once_lose_nothing() {
    let (_folder, path) = folder();
    let stores = [Arc::new(create(&path)), Arc::new(create(&path))];
    furnish(&*stores[0]).await;
    let mut tasks = Vec::new();
    for task in 0..8 {
        let store = Arc::clone(&stores[task % 2]);
        let first = 1_000 + 100 * i64::try_from(task).expect("a small number");
        tasks.push(tokio::spawn(async move {
            for id in first..first + 25 {
                commit(&*store, [Write::PutAccess(Box::new(own_access(id, 1)))]).await;
            }
        }));
    }
    for task in tasks {
        task.await.expect("no task panics");
    }
    let counts = (&*stores[0] as &dyn Store).counts().await.unwrap();
    assert!(counts.rows.contains(&("access_tokens", 201)), "{counts:?}");
}

#[tokio::test]
async fn a_commit_waits_for_another_process_that_writes() {
    let (_folder, path) = folder();
    let store = create(&path);
    furnish(&store).await;
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; DELETE FROM personal_tokens").unwrap();
    let release = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        other.execute_batch("COMMIT").unwrap();
    });
    commit(&store, [Write::SpendCode(CodeId(1))]).await;
    release.join().expect("the other process ends well");
    assert!(facts(&store, 1).await.personal.is_none());
}

#[tokio::test]
async fn a_full_disk_refuses_everything_and_heals() {
    let (_folder, path) = folder();
    let store = create(&path);
    furnish(&store).await;
    let before = everything(&store).await;
    store.writer.ask(Work::LimitPages(1)).await.expect("the limit can be set");
    let fat = |id| {
        let mut row = session(id, 1);
        row.agent = "x".repeat(200_000);
        Write::PutSession(Box::new(row))
    };
    // Turns that are committed together fail together, and nothing of them is written in part.
    let full = |answer| matches!(answer, Err(CommitError::Fault(Fault::Unavailable { .. })));
    let (one, two) = tokio::join!(
        store.commit([Write::RevokeAccess(AccessId(1)), fat(2)].into()),
        store.commit([fat(3), Write::SpendCode(CodeId(1))].into()),
    );
    assert!(full(one) && full(two));
    assert_eq!(everything(&store).await, before);
    store.writer.ask(Work::LimitPages(u32::MAX - 1)).await.expect("the limit can be lifted");
    commit(&store, [fat(2), Write::SpendCode(CodeId(1))]).await;
    assert!(facts(&store, 2).await.session.is_some());
}

#[tokio::test]
async fn a_panic_in_a_reader_leaves_no_old_snapshot_behind() {
    let (_folder, path) = folder();
    let store = create(&path);
    furnish(&store).await;
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let read = store.readers.read(|connection| {
            super::load::in_snapshot(connection, || -> Result<(), super::error::SqliteError> {
                connection.query_row("SELECT count(*) FROM clients", [], |_| Ok(()))?;
                panic!("on purpose")
            })
        });
        assert!(read.is_ok());
    }));
    assert!(panicked.is_err());
    commit(&store, [Write::EndSession(protocol::model::SessionId(1))]).await;
    assert!(facts(&store, 1).await.session.is_none());
}

#[tokio::test]
async fn a_backup_holds_everything_and_overwrites_nothing() {
    let (folder, path) = folder();
    let store = create(&path);
    furnish(&store).await;
    let copy = folder.path().join("copy.db");
    store.backup(&copy).await.expect("a backup can be made");
    commit(&store, [Write::SpendCode(CodeId(1))]).await;
    assert!(matches!(store.backup(&copy).await, Err(Fault::Unavailable { .. })), "there is one already");
    let other = folder.path().join("notes.txt");
    std::fs::write(&other, "not a database, but somebody's").unwrap();
    assert!(store.backup(&other).await.is_err());
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "not a database, but somebody's");
    assert!(store.backup(&folder.path().join("nowhere/copy.db")).await.is_err());
    let restored = Sqlite::open(&copy, Mode::Existing).expect("a backup can be opened");
    assert!(!facts(&restored, 1).await.code.expect("the code is there").row.is_spent);
    commit(&restored, [Write::SpendCode(CodeId(1))]).await;
    assert_eq!(everything(&restored).await, everything(&store).await);
}

#[tokio::test]
async fn the_files_are_for_their_owner_alone() {
    // The program may be started with any umask. Other tests of this process do not check the modes of files.
    rustix::process::umask(rustix::fs::Mode::empty());
    let (folder, path) = folder();
    let store = create(&path);
    furnish(&store).await;
    store.backup(&folder.path().join("copy.db")).await.unwrap();
    store.distrust().await.unwrap();
    let mut seen = Vec::new();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
        seen.push(file.file_name().into_string().unwrap());
    }
    seen.sort();
    assert_eq!(seen, ["copy.db", "test.db", "test.db-shm", "test.db-wal", "test.db.damaged"]);
}

#[test]
fn processes_that_start_at_once_migrate_once() {
    let (_folder, path) = folder();
    std::thread::scope(|scope| {
        let starts: Vec<_> = (0..6).map(|_| scope.spawn(|| Sqlite::open(&path, Mode::Create).map(drop))).collect();
        for start in starts {
            assert_eq!(start.join().expect("no start panics").err(), None);
        }
    });
    let sql = "SELECT max(version), count(*) - count(DISTINCT version) FROM refinery_schema_history";
    let applied: (u32, u32) =
        Connection::open(&path).unwrap().query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(applied, (schema::known(), 0));
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let (_folder, path) = folder();
    drop(create(&path));
    let raw = Connection::open(&path).unwrap();
    raw.execute("UPDATE refinery_schema_history SET version = 900 WHERE version = 1", []).unwrap();
    let (found, known) = (900, schema::known());
    let error = refused(&path, Mode::Create);
    assert_eq!(error, OpenError::Newer { path: path.display().to_string(), found, known });
    assert!(error.to_string().contains(&format!("has schema 900, but this program knows only {known}")), "{error}");
    assert_eq!(Sqlite::inspect(&path), Err(error));
}

#[test]
fn a_changed_migration_is_refused() {
    let (_folder, path) = folder();
    drop(create(&path));
    let raw = Connection::open(&path).unwrap();
    // As if the newest migration were missing and an older one had another content.
    raw.execute("DELETE FROM refinery_schema_history WHERE version = ?1", [schema::known()]).unwrap();
    raw.execute("UPDATE refinery_schema_history SET checksum = '1' WHERE version = 1", []).unwrap();
    assert!(matches!(refused(&path, Mode::Create), OpenError::Schema { .. }));
}

#[test]
fn a_file_of_another_kind_is_refused_and_left_alone() {
    let (folder, path) = folder();
    let text = "this is a letter, and a long one, so that it cannot be taken for the head of a database\n".repeat(20);
    std::fs::write(&path, &text).unwrap();
    let error = refused(&path, Mode::Create);
    assert!(error.to_string().ends_with("is not a Grantry database: it is not a SQLite file"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    let other = folder.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
    let error = refused(&other, Mode::Create);
    assert!(error.to_string().contains("another program's tables"), "{error}");
    assert!(matches!(refused(folder.path(), Mode::Create), OpenError::Unreadable { .. }));
}

#[test]
fn what_is_missing_is_named() {
    let (folder, path) = folder();
    assert_eq!(refused(&path, Mode::Existing), OpenError::Missing { path: path.display().to_string() });
    assert!(!path.exists(), "looking makes no file");
    assert_eq!(Sqlite::inspect(&path), Ok(None));
    let error = refused(&folder.path().join("no/such.db"), Mode::Create);
    assert!(matches!(&error, OpenError::Unreadable { cause, .. } if cause.starts_with("its folder: ")), "{error:?}");
    drop(create(&path));
    assert_eq!(Sqlite::inspect(&path), Ok(Some(schema::known())));
}

#[tokio::test]
async fn addresses_of_no_store_are_refused() {
    for url in ["", "sqlite:", "sqlite::memory:", "memory", "memory:x", "postgres:x", "grantry.db"] {
        assert_eq!(crate::open(url, Mode::Create).await.err(), Some(OpenError::Url), "{url}");
    }
    assert!(crate::open("memory:", Mode::Existing).await.is_ok());
    let (_folder, path) = folder();
    assert!(crate::open(&format!("sqlite:{}", path.display()), Mode::Create).await.is_ok());
}

/// A look-up on the hot path that scans a table would only be slow in production, with many rows.
#[test]
fn no_statement_of_load_walks_through_a_table() {
    let (_folder, path) = folder();
    drop(create(&path));
    let connection = Connection::open(&path).unwrap();
    for sql in super::load::statements_all() {
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let parameters: Vec<i64> = vec![1; plan.parameter_count()];
        let steps: Vec<String> = plan
            .query_map(rusqlite::params_from_iter(parameters), |row| row.get(3))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert!(steps.iter().any(|step| step.starts_with("SEARCH")), "{sql}: {steps:?}");
        assert!(!steps.iter().any(|step| step.starts_with("SCAN")), "{sql}: {steps:?}");
    }
}

/// The table of events may have millions of rows. The times of events have an index too, but it is of use only where no other
/// question is asked.
#[test]
fn events_of_a_user_a_client_an_address_or_a_time_are_found_by_an_index() {
    let (_folder, path) = folder();
    drop(create(&path));
    let connection = Connection::open(&path).unwrap();
    let any = || EventFilter { rows_max: 9, kinds: vec![EventKind::SignedIn], ..EventFilter::default() };
    for (filter, index) in [
        (EventFilter { user: Some(UserKey(1)), ..any() }, "events_by_user"),
        (EventFilter { client: Some(ClientKey(1)), ..any() }, "events_by_client"),
        (EventFilter { address: Some("192.0.2.1".into()), ..any() }, "events_by_address"),
        (EventFilter { since: Some(UnixTime(1)), ..any() }, "events_by_time"),
        (EventFilter { since: Some(UnixTime(1)), after: Some(i64::MIN), ..any() }, "events_by_time"),
    ] {
        let sql = super::list::events_statement(&filter);
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let parameters: Vec<i64> = vec![1; plan.parameter_count()];
        let steps: Vec<String> = plan
            .query_map(rusqlite::params_from_iter(parameters), |row| row.get(3))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert!(steps.iter().any(|step| step.contains(index)), "{sql}: {steps:?}");
    }
}

/// SQLite's memory statistics use a lock that all threads share. The setting that disables them is in
/// `.cargo/config.toml`.
#[test]
fn sqlite_keeps_no_memory_statistics() {
    let connection = Connection::open_in_memory().unwrap();
    let options: Vec<String> = connection
        .prepare("PRAGMA compile_options")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(options.iter().any(|option| option == "DEFAULT_MEMSTATUS=0"), "{options:?}");
}

#[tokio::test]
async fn a_damaged_document_is_a_fault_that_quotes_nothing() {
    let (_folder, path) = folder();
    let store = create(&path);
    furnish(&store).await;
    let raw = Connection::open(&path).unwrap();
    raw.execute(r#"UPDATE users SET version = 2, document = '{"key":1,"password":"$argon2$hush'"#, []).unwrap();
    let fault = store.load(wants(1)).await.expect_err("the document cannot be read");
    assert!(matches!(fault, Fault::Broken { .. }));
    assert!(!fault.to_string().contains("hush"), "{fault}");
}

/// A statement that SQLite plans again for every use costs ten times as much. No other test would notice.
#[tokio::test]
async fn a_kept_statement_is_not_planned_again() {
    let (_folder, path) = folder();
    let store = create(&path);
    furnish(&store).await;
    let planned = |connection: &Connection| {
        let mut statement = connection.prepare_cached("SELECT version FROM clients WHERE key = ?1")?;
        for key in [1_i64, 2, 1] {
            assert_eq!(statement.query_row([key], |row| row.get::<_, u32>(0))?, 1);
        }
        Ok(statement.get_status(rusqlite::StatementStatus::RePrepare))
    };
    assert_eq!(store.readers.read(planned).expect("the store can be read"), 0);
}

#[tokio::test]
async fn names_that_were_stored_before_they_were_composed_go_on_working() {
    let (_folder, path) = folder();
    let store = create(&path);
    furnish(&store).await;
    for (key, name) in [(3, "José"), (4, "placeholder"), (5, "placeholder-5")] {
        commit(&store, [Write::PutUser(Box::new(old_names::named(key, name)))]).await;
    }
    let connection = Connection::open(&path).expect("the file can be opened");
    for (key, stored, name) in old_names::STORED {
        let document = serde_json::to_string(&old_names::named(key, name)).expect("a user becomes JSON");
        let sql = "UPDATE users SET username_lower = ?2, document = ?3 WHERE key = ?1";
        assert_eq!(connection.execute(sql, rusqlite::params![key, stored, document]), Ok(1));
    }
    drop(store);
    old_names::go_on_working(&create(&path)).await;
}

#[tokio::test]
async fn a_client_and_a_user_who_share_an_id_from_before_are_kept_and_named() {
    let (_folder, path) = folder();
    assert_eq!(Sqlite::shared_ids(&path), Ok(Vec::new()));
    let store = create(&path);
    furnish(&store).await;
    assert_eq!(Sqlite::shared_ids(&path), Ok(Vec::new()));
    let connection = Connection::open(&path).expect("the file can be opened");
    let document = serde_json::to_string(&User { sub: "client-1".to_owned(), ..user(1) }).expect("a user becomes JSON");
    let sql = "UPDATE users SET sub = 'client-1', document = ?1 WHERE key = 1";
    assert_eq!(connection.execute(sql, [document]), Ok(1));
    assert_eq!(Sqlite::shared_ids(&path), Ok(vec!["client-1".to_owned()]));
    drop(store);
    let store = create(&path);
    let changed = User { sub: "client-1".to_owned(), version: 2, ..user(1) };
    commit(&store, [Write::PutUser(Box::new(changed))]).await;
    commit(&store, [Write::PutClient(Box::new(Client { version: 2, ..client(1) }))]).await;
}

#[tokio::test]
async fn a_job_whose_row_cannot_be_read_is_buried_and_listed() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("test.db");
    let store = Sqlite::open(&path, Mode::Create).expect("the database can be opened");
    put_four_jobs(&store).await;
    let damage = "UPDATE jobs SET document = '[1]' WHERE id = 2; UPDATE jobs SET attempts = 1 << 40 WHERE id = 3";
    Connection::open(&path).expect("the file is there").execute_batch(damage).expect("the rows can be written");
    damaged_jobs_are_buried(&store).await;
}
