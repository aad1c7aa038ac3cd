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
use super::super::writer::FRAMES_WAIT;
use crate::conformance::rows::*;
use crate::{Mode, Store};

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
        assert_eq!(store.readers.slots.kept(), 0, "the snapshot outlived a commit");
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
        assert_eq!(store.readers.slots.kept(), 0, "the snapshot outlived a commit of another process");
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

/// The thread that ends snapshots is asleep when the first one begins, and is not woken by those that begin later.
#[tokio::test]
async fn a_snapshot_stays_for_a_period_while_nobody_writes_also_when_others_begin() {
    let (_folder, _path, store) = furnished().await;
    let begun = Instant::now();
    keep(&store).await;
    // Another snapshot in the same period.
    commit(&store, [Write::PutClient(Box::new(Client { version: 2, ..client(1) }))]).await;
    facts(&store, 1).await;
    keep(&store).await;
    let mut looks = 0;
    loop {
        let kept = store.readers.slots.kept();
        if begun.elapsed() >= super::KEPT_MAX {
            break;
        }
        assert_eq!(kept, 1, "it ended after {:?}", begun.elapsed());
        looks += 1;
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(looks > 1, "the machine is too slow to see anything");
}

/// A read that goes on until it is told to end.
struct SlowRead {
    end: std::sync::mpsc::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl SlowRead {
    fn begin(store: &Arc<Sqlite>) -> Self {
        let store = Arc::clone(store);
        let (end, ended) = std::sync::mpsc::channel();
        let (begun, has_begun) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let read = store.readers.read(|connection| {
                // The snapshot lasts for as long as there are more rows.
                let mut statement = connection.prepare("SELECT key FROM clients")?;
                let mut rows = statement.query([])?;
                assert!(rows.next()?.is_some());
                begun.send(()).expect("the test waits");
                Ok(ended.recv())
            });
            read.expect("the store can be read").expect("the test says when it ends");
        });
        has_begun.recv().expect("the read begins");
        Self { end, thread }
    }

    fn end(self) {
        self.end.send(()).expect("the read goes on");
        self.thread.join().expect("the read goes well");
    }
}

/// Adds about as many pages to the log as it says. Fails if that is held up.
async fn grow(store: &Sqlite, id: i64, pages: u32) {
    let bytes = u64::from(pages) * PAGE_BYTES;
    let row = protocol::model::Session {
        agent: "x".repeat(usize::try_from(bytes).expect("a small number")),
        ..session(id, 1)
    };
    let written =
        tokio::time::timeout(Duration::from_secs(20), store.commit([Write::PutSession(Box::new(row))].into()));
    written.await.expect("a read holds up those who write").expect("it can be written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_read_holds_nobody_up_before_the_log_is_twice_as_long_as_it_should_be() {
    const PAGES: u32 = 200;
    let (_folder, _path, store) = furnished().await;
    let store = Arc::new(store);
    let frames = || store.readers.slots.index.header().map_or(0, |header| header.frames());
    let mut ids = 1_000..;
    let mut id = || ids.next().expect("there is no last number");
    let slow = SlowRead::begin(&store);
    while frames() < FRAMES_WAIT - 2 * PAGES {
        grow(&store, id(), PAGES).await;
    }
    slow.end();
    // The next batch ends what is left, and the one after it begins the log anew.
    for _ in 0..3 {
        grow(&store, id(), 1).await;
    }
    assert!(frames() < FRAMES_MAX, "the log still has {} pages", frames());
    // A read that never ends must not let the log grow without bound.
    let endless = SlowRead::begin(&store);
    while frames() < FRAMES_WAIT {
        grow(&store, id(), PAGES).await;
    }
    let held_up = tokio::spawn({
        let (store, id) = (Arc::clone(&store), id());
        async move { grow(&store, id, 1).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!held_up.is_finished(), "the writer does not wait");
    endless.end();
    held_up.await.expect("it is written");
    for _ in 0..3 {
        grow(&store, id(), 1).await;
    }
    assert!(frames() < FRAMES_MAX, "the log still has {} pages", frames());
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
