//! Tests of kept snapshots: reads never see old rows, and writers are not delayed.

#![allow(clippy::disallowed_methods, reason = "tests start processes and look at files")]

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use protocol::line::{Key, Write};
use protocol::model::{AccessId, Client, ClientKey};
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::Sqlite;
use super::super::index::FRAMES_MAX;
use crate::Mode;
use crate::conformance::rows::*;

/// The environment variable with the database for [`the_other_process`].
const PATH: &str = "GRANTRY_TEST_DATABASE";
const PAGE_BYTES: u64 = 4_096;

async fn furnished() -> (TempDir, PathBuf, Sqlite) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("test.db");
    let store = Sqlite::open(&path, Mode::Create).expect("the database can be opened");
    furnish(&store).await;
    (folder, path, store)
}

/// Reads until a snapshot is kept: at the second read without a commit in between, once the writer has seen its own commit
/// in the index.
async fn keep(store: &Sqlite) {
    let begun = Instant::now();
    while store.readers.slots.kept() == 0 {
        facts(store, 1).await;
        assert!(begun.elapsed() < Duration::from_secs(20), "no snapshot is kept");
    }
}

async fn version_seen(store: &Sqlite) -> u32 {
    facts(store, 1).await.client.expect("the client is there").version
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never came about that {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn a_snapshot_is_kept_until_somebody_commits() {
    let (_folder, path, store) = furnished().await;
    let other = Sqlite::open(&path, Mode::Existing).expect("the database is there");
    for version in 2..12 {
        keep(&store).await;
        let writer = if version % 2 == 0 { &store } else { &other };
        commit(writer, [Write::PutClient(Box::new(Client { version, ..client(1) }))]).await;
        assert_eq!(version_seen(&store).await, version);
    }
    keep(&store).await;
    commit(&other, [Write::DeleteClient(ClientKey(1))]).await;
    assert!(facts(&store, 1).await.client.is_none());
}

/// Not a test by itself, but the other process of a test. It writes each number that it receives as the version of a
/// client.
#[test]
fn the_other_process() {
    let Some(path) = std::env::var_os(PATH) else { return };
    let connection = Connection::open(path).expect("the database is there");
    for line in std::io::stdin().lines() {
        let version: u32 = line.expect("a line").parse().expect("a number");
        let row = Client { version, ..client(1) };
        let document = serde_json::to_string(&row).expect("a client becomes JSON");
        let sql = "UPDATE clients SET version = ?1, document = ?2 WHERE key = 1";
        assert_eq!(connection.execute(sql, rusqlite::params![version, document]), Ok(1));
        println!("written {version}");
    }
}

fn other_process(path: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("a test has a path"));
    command.args(["--exact", "sqlite::readers::tests::the_other_process", "--nocapture"]).env(PATH, path);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a test can be started")
}

#[tokio::test]
async fn the_first_read_after_a_commit_of_another_process_sees_it() {
    let (_folder, path, store) = furnished().await;
    let mut other = other_process(&path);
    let mut asks = other.stdin.take().expect("its input is piped");
    let mut answers = BufReader::new(other.stdout.take().expect("its output is piped")).lines();
    for version in 2..200 {
        keep(&store).await;
        writeln!(asks, "{version}").expect("it listens");
        let written = format!("written {version}");
        assert!(answers.any(|line| line.is_ok_and(|line| line.ends_with(&written))), "it ended early");
        assert_eq!(version_seen(&store).await, version);
    }
    drop(asks);
    assert!(other.wait().expect("it ends").success());
}

#[tokio::test]
async fn a_kept_snapshot_ends_by_itself() {
    let (_folder, _path, store) = furnished().await;
    keep(&store).await;
    eventually("no snapshot is kept", || store.readers.slots.kept() == 0);
    keep(&store).await;
    eventually("no snapshot is kept", || store.readers.slots.kept() == 0);
}

#[tokio::test]
async fn without_an_index_nothing_is_kept_and_everything_is_read() {
    let (_folder, path, store) = furnished().await;
    let unindexed = super::Readers::new(path).expect("a thread can be started");
    let read = || {
        let sql = "SELECT version FROM clients WHERE key = 1";
        let version = unindexed.read(|connection| Ok(connection.query_row(sql, [], |row| row.get::<_, u32>(0))?));
        version.expect("the store can be read")
    };
    for version in 2..6 {
        assert_eq!((read(), read(), read()), (version - 1, version - 1, version - 1));
        commit(&store, [Write::PutClient(Box::new(Client { version, ..client(1) }))]).await;
    }
    assert_eq!(unindexed.slots.kept(), 0);
}

/// Threads that read continuously until the value is dropped.
struct Crowd {
    is_over: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Crowd {
    fn gather(store: &Arc<Sqlite>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let threads = (0..3).map(|_| {
            let (store, is_over) = (Arc::clone(store), Arc::clone(&is_over));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
                while !is_over.load(Ordering::Relaxed) {
                    assert!(runtime.block_on(facts(&*store, 1)).client.is_some());
                }
            })
        });
        Self { threads: threads.collect(), is_over }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            assert!(thread.join().is_ok() || std::thread::panicking(), "a reader failed");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_does_not_grow_without_bound_beside_constant_reads() {
    const PAGES_OF_ROW: u64 = 50;
    let (_folder, path, store) = furnished().await;
    let store = Arc::new(store);
    let crowd = Crowd::gather(&store);
    let log_bytes = || std::fs::metadata(format!("{}-wal", path.display())).map_or(0, |log| log.len());
    let bound_bytes = 3 * u64::from(FRAMES_MAX) * PAGE_BYTES;
    // More than twice as much as the log may hold.
    for id in 0..8 * u64::from(FRAMES_MAX) / PAGES_OF_ROW {
        let mut row = session(1_000 + i64::try_from(id).expect("a small number"), 1);
        row.agent = "x".repeat(usize::try_from(PAGES_OF_ROW * PAGE_BYTES).expect("a small number"));
        commit(&*store, [Write::PutSession(Box::new(row))]).await;
        assert!(log_bytes() < bound_bytes, "the log has {} bytes", log_bytes());
    }
    drop(crowd);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_can_empty_the_log_beside_constant_reads() {
    let (_folder, path, store) = furnished().await;
    let store = Arc::new(store);
    let crowd = Crowd::gather(&store);
    eventually("a snapshot is kept", || store.readers.slots.kept() > 0);
    let other = Connection::open(&path).unwrap();
    other.busy_timeout(Duration::from_secs(20)).unwrap();
    let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
    let (is_busy, frames): (bool, i64) = other.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!((is_busy, frames), (false, 0));
    drop(crowd);
    commit(&*store, [Write::PutAccess(Box::new(own_access(2_000, 1)))]).await;
    let found = load(&*store, Key::Access(AccessId(2_000))).await;
    assert!(access_in(&found, 2_000).is_some());
}
