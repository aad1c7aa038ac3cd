//! Measures what one token costs. On PostgreSQL: bytes on disk, bytes of write-ahead log (WAL), and syncs of the WAL.
//! In an SQLite file: bytes on disk, and bytes written in total.
//!
//! `cargo run --release -p store --example cost [TOKENS]`. Starts its own PostgreSQL in the folder for temporary files,
//! with `fsync` on.
#![allow(clippy::disallowed_methods, reason = "a measurement reads its arguments")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use lab::{Cluster, Options};
use protocol::client::registration;
use protocol::line::{Changes, Rely, Write};
use protocol::model::{
    Access, AccessId, Authorization, Circumstances, Client, ClientKey, ClientKind, Grant, GrantId, Permission, Refresh,
    User, UserKey,
};
use protocol::policy::Policy;
use protocol::scope::Scope;
use protocol::secret::Digest;
use protocol::time::UnixTime;
use store::{Mode, Store};

const NOW: UnixTime = UnixTime(1_000_000);
/// The first id. It is as large as those of real rows, because SQLite stores small integers in fewer bytes.
const FIRST: i64 = 1 << 60;
/// Number of turns that are committed concurrently.
const IN_FLIGHT: usize = 64;

fn digest(id: i64) -> Digest {
    Digest::of(&id.to_be_bytes())
}

fn access(id: i64, grant: Option<i64>) -> Write {
    Write::PutAccess(Box::new(Access {
        id: AccessId(id),
        digest: digest(id),
        client: ClientKey(1),
        user: grant.map(|_| UserKey(1)),
        grant: grant.map(GrantId),
        permission: Permission { scope: Scope::of(["profile"]), audience: Vec::new() },
        issued_at: NOW,
        expires_at: NOW.plus(3_600),
    }))
}

fn grant(id: i64) -> Write {
    Write::PutGrant(Box::new(Grant {
        id: GrantId(id),
        authorization: Authorization {
            user: UserKey(1),
            client: ClientKey(1),
            permission: Permission { scope: Scope::of(["profile"]), audience: Vec::new() },
            auth_time: NOW,
            circumstances: Circumstances::default(),
        },
        created_at: NOW,
        expires_at: NOW.plus(86_400),
        refresh: Some(Refresh {
            current: digest(id),
            previous: None,
            answer: None,
            idle_until: NOW.plus(86_400),
            generation: 0,
        }),
        is_revoked: false,
    }))
}

/// Returns the changes of the turn with the given number.
type Kind = fn(i64) -> Changes;

/// Commits `turns` turns, numbered from `first`, [`IN_FLIGHT`] at a time.
async fn commit_all(store: &Arc<dyn Store>, turns: i64, turn: Kind, first: i64) {
    let next = Arc::new(AtomicI64::new(first));
    let workers: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let (store, next) = (Arc::clone(store), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let id = next.fetch_add(1, Ordering::Relaxed);
                    if id >= first + turns {
                        return;
                    }
                    store.commit(turn(id)).await.expect("nothing stands against it");
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.expect("no worker panics");
    }
}

/// The kinds of turns: name, table of the first row, and changes.
const KINDS: [(&str, &str, Kind); 2] = [
    ("an access token of a client", "access_tokens", |id| {
        Changes::new([Rely::Client(ClientKey(1), 1)], [access(id, None)])
    }),
    ("a grant with its first access and refresh token", "grants", |id| {
        let relied = [Rely::Client(ClientKey(1), 1), Rely::User(UserKey(1), 1)];
        Changes::new(relied, [grant(id), access(id, Some(id))])
    }),
];

/// Creates the store at `url`, with one application and one user.
async fn furnished(url: &str) -> Arc<dyn Store> {
    let store = store::open(url, Mode::Create).await.expect("it opens");
    let client = Client {
        key: ClientKey(1),
        client_id: "app".to_owned(),
        name: "App".to_owned(),
        created_at: NOW,
        ..registration::client(ClientKind::Confidential, &Policy::standard(""))
    };
    let user = User::new(UserKey(1), "sub-1".to_owned(), "Alice", NOW);
    let rows = [Write::PutClient(Box::new(client)), Write::PutUser(Box::new(user))];
    store.commit(rows.into()).await.expect("an empty store takes them");
    store
}

#[allow(clippy::cast_precision_loss, reason = "counts and sizes")]
fn each(grown: u64, turns: i64) -> f64 {
    grown as f64 / turns as f64
}

#[tokio::main]
async fn main() {
    let turns = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    println!("{turns} turns of each kind, {IN_FLIGHT} at a time");
    println!("on PostgreSQL");
    on_postgres(turns).await;
    println!("in a file");
    in_a_file(turns).await;
}

async fn on_postgres(turns: i64) {
    let options = Options { is_synced: true, settings: vec!["max_wal_size=4GB".to_owned()], ..Options::default() };
    let mut cluster = Cluster::start(&options);
    let store = furnished(&cluster.database()).await;
    let number = |sql: &str| cluster.sql("test_1", sql).parse::<u64>().expect("a number");
    for (first, (name, table, turn)) in (FIRST..).step_by(usize::try_from(turns).expect("not negative")).zip(KINDS) {
        cluster.sql("test_1", "CHECKPOINT");
        let size = format!("SELECT pg_total_relation_size('{table}')");
        let figures = [size.as_str(), "SELECT pg_current_wal_lsn() - '0/0'", "SELECT wal_sync FROM pg_stat_wal"];
        let before = figures.map(number);
        commit_all(&store, turns, turn, first).await;
        // PostgreSQL's backends report their statistics with a delay of up to a second or so.
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        let after = figures.map(number);
        let [size, log, syncs] = [0, 1, 2].map(|at| each(after[at] - before[at], turns));
        println!(
            "  {name}: {size:.0} bytes in {table} with its indexes, {log:.0} bytes of write-ahead log, \
             {:.1} syncs for 1,000",
            syncs * 1_000.0
        );
    }
}

/// Returns the number of bytes that this process has written so far, to files, pipes and terminals together: `wchar` in
/// proc_pid_io(5).
fn bytes_written() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").expect("Linux tells");
    let line = text.lines().find_map(|line| line.strip_prefix("wchar: ")).expect("it has this line");
    line.parse().expect("a number")
}

async fn in_a_file(turns: i64) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("grantry.db");
    let url = format!("sqlite:{}", path.display());
    // Closing the store moves everything from the write-ahead log to the database file.
    let size = || std::fs::metadata(&path).expect("it is there").len();
    drop(furnished(&url).await);
    for (first, (name, _, turn)) in (FIRST..).step_by(usize::try_from(turns).expect("not negative")).zip(KINDS) {
        let before = (size(), bytes_written());
        let store = store::open(&url, Mode::Existing).await.expect("it opens");
        commit_all(&store, turns, turn, first).await;
        drop(store);
        while path.with_extension("db-wal").exists() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let (size, written) = (each(size() - before.0, turns), each(bytes_written() - before.1, turns));
        println!("  {name}: {size:.0} bytes in the file, {written:.0} bytes written");
    }
}
