//! What one token costs on PostgreSQL: bytes on disk, bytes of write-ahead log, syncs.
//!
//! `cargo run --release -p store --example cost [TOKENS]`; it starts a PostgreSQL of its own, in the folder for temporary
//! files, with every write on disk.
#![allow(clippy::disallowed_methods, reason = "a measurement reads its arguments")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use lab::{Cluster, Options};
use protocol::model::{Access, AccessId, Client, ClientKey, ClientKind, Grant, GrantId, Refresh, User, UserKey};
use protocol::policy::Policy;
use protocol::registration;
use protocol::scope::Scope;
use protocol::secret::Digest;
use protocol::time::UnixTime;
use protocol::turn::{Change, Rely};
use store::{Mode, Store};

const NOW: UnixTime = UnixTime(1_000_000);
/// Turns that wait at the same time.
const IN_FLIGHT: usize = 64;

fn digest(id: i64) -> Digest {
    Digest::of(&id.to_be_bytes())
}

fn access(id: i64, grant: Option<i64>) -> Change {
    Change::PutAccess(Box::new(Access {
        id: AccessId(id),
        digest: digest(id),
        client: ClientKey(1),
        user: grant.map(|_| UserKey(1)),
        grant: grant.map(GrantId),
        scope: Scope::of(["profile"]),
        audience: Vec::new(),
        issued_at: NOW,
        expires_at: NOW.plus(3_600),
    }))
}

fn grant(id: i64) -> Change {
    Change::PutGrant(Box::new(Grant {
        id: GrantId(id),
        user: UserKey(1),
        client: ClientKey(1),
        scope: Scope::of(["profile"]),
        audience: Vec::new(),
        auth_time: NOW,
        created_at: NOW,
        expires_at: NOW.plus(86_400),
        refresh: Some(Refresh { current: digest(id), previous: None, answer: None, idle_until: NOW.plus(86_400) }),
        is_revoked: false,
    }))
}

/// What the turn with this number decides.
type Kind = fn(i64) -> Vec<Change>;

/// Commits so many turns, a number of them at a time.
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

#[tokio::main]
async fn main() {
    let turns = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let options = Options { is_synced: true, settings: vec!["max_wal_size=4GB".to_owned()], ..Options::default() };
    let mut cluster = Cluster::start(&options);
    let store = store::open(&cluster.database(), Mode::Create).await.expect("it opens");
    let client = Client {
        key: ClientKey(1),
        client_id: "app".to_owned(),
        name: "App".to_owned(),
        created_at: NOW,
        ..registration::client(ClientKind::Confidential, &Policy::standard(""))
    };
    let user = User::new(UserKey(1), "sub-1".to_owned(), "Alice", NOW);
    let rows = vec![Change::PutClient(Box::new(client)), Change::PutUser(Box::new(user))];
    store.commit(rows).await.expect("an empty store takes them");
    let kinds: [(&str, &str, Kind); 2] = [
        ("an access token of a client", "access_tokens", |id| {
            vec![Change::Rely(Rely::Client(ClientKey(1), 1)), access(id, None)]
        }),
        ("a grant with its first access and refresh token", "grants", |id| {
            let relied = [Change::Rely(Rely::Client(ClientKey(1), 1)), Change::Rely(Rely::User(UserKey(1), 1))];
            [&relied[..], &[grant(id), access(id, Some(id))]].concat()
        }),
    ];
    let number = |cluster: &Cluster, sql: &str| cluster.sql("test_1", sql).parse::<f64>().expect("a number");
    println!("{turns} turns of each kind, {IN_FLIGHT} at a time");
    for (at, (name, table, turn)) in kinds.into_iter().enumerate() {
        cluster.sql("test_1", "CHECKPOINT");
        let size = format!("SELECT pg_total_relation_size('{table}')");
        let position = "SELECT pg_current_wal_lsn() - '0/0'";
        let syncs = "SELECT wal_sync FROM pg_stat_wal";
        let before = (number(&cluster, &size), number(&cluster, position), number(&cluster, syncs));
        commit_all(&store, turns, turn, 1 + i64::try_from(at).expect("two kinds") * turns).await;
        // The statistics are told when a backend has a moment.
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        let after = (number(&cluster, &size), number(&cluster, position), number(&cluster, syncs));
        #[allow(clippy::cast_precision_loss, reason = "a count of turns")]
        let each = turns as f64;
        println!(
            "{name}: {:.0} bytes in {table} with its indexes, {:.0} bytes of write-ahead log, {:.1} syncs for 1,000",
            (after.0 - before.0) / each,
            (after.1 - before.1) / each,
            (after.2 - before.2) / each * 1_000.0,
        );
    }
}
