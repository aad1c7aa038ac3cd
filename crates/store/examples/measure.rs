//! Measures the SQLite store: the time of a load, and the number of turns per second that reach the disk.
//!
//! `cargo run --release -p store --example measure [TOKENS]`. On a shared machine the figures vary between runs.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock and its arguments")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use protocol::client::registration;
use protocol::line::{Changes, Key, Rely, Wants, Write};
use protocol::model::Code;
use protocol::model::{
    Access, AccessId, AuthMethod, Authorization, Circumstances, Client, ClientKey, ClientKind, CodeId, Grant, GrantId,
    GrantType, Permission, Refresh, User, UserKey,
};
use protocol::policy::Policy;
use protocol::scope::Scope;
use protocol::secret::Digest;
use protocol::time::UnixTime;
use store::{Mode, Sqlite, Store};

const CLIENTS: i64 = 100;
const USERS: i64 = 1_000;
const NOW: UnixTime = UnixTime(1_000_000);
/// Number of authorization codes in the store: more than one run can redeem.
const CODES: i64 = 200_000;
const LOADS: i64 = 200_000;
const RUN: Duration = Duration::from_secs(3);

fn client(key: i64) -> Client {
    Client {
        key: ClientKey(key),
        client_id: format!("3f6c2a1e9b{key:06}"),
        name: format!("Client {key}"),
        auth_methods: vec![AuthMethod::ClientSecretBasic],
        redirect_uris: vec!["https://client.example/cb".to_owned()],
        grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials],
        scope: Scope::of(["profile", "email"]),
        created_at: NOW,
        ..registration::client(ClientKind::Confidential, &Policy::standard(""))
    }
}

fn user(key: i64) -> User {
    User {
        username: Some(format!("user{key}")),
        email: Some(format!("user{key}@example.com")),
        email_verified: true,
        ..User::new(UserKey(key), format!("sub-{key}"), format!("User {key}"), NOW)
    }
}

fn digest(id: i64) -> Digest {
    Digest::of(&id.to_be_bytes())
}

fn access(id: i64, has_user: bool) -> Write {
    Write::PutAccess(Box::new(Access {
        id: AccessId(id),
        digest: digest(id),
        client: ClientKey(id % CLIENTS + 1),
        user: has_user.then_some(UserKey(id % USERS + 1)),
        grant: has_user.then_some(GrantId(id)),
        permission: Permission { scope: Scope::of(["profile", "email"]), audience: Vec::new() },
        issued_at: NOW,
        expires_at: NOW.plus(3_600),
    }))
}

fn grant(id: i64) -> Write {
    let refresh =
        Refresh { current: digest(id), previous: None, answer: None, idle_until: NOW.plus(9_000), generation: 0 };
    Write::PutGrant(Box::new(Grant {
        id: GrantId(id),
        authorization: Authorization {
            user: UserKey(id % USERS + 1),
            client: ClientKey(id % CLIENTS + 1),
            permission: Permission { scope: Scope::of(["profile", "email"]), audience: Vec::new() },
            auth_time: NOW,
            circumstances: Circumstances::default(),
        },
        created_at: NOW,
        expires_at: NOW.plus(90_000),
        refresh: Some(refresh),
        is_revoked: false,
    }))
}

fn code(id: i64) -> Write {
    Write::PutCode(Box::new(Code {
        id: CodeId(id),
        digest: digest(id),
        grant: GrantId(id),
        authorization: Authorization {
            user: UserKey(id % USERS + 1),
            client: ClientKey(id % CLIENTS + 1),
            permission: Permission { scope: Scope::of(["profile", "email"]), audience: Vec::new() },
            auth_time: NOW,
            circumstances: Circumstances::default(),
        },
        redirect_uri: "https://client.example/cb".to_owned(),
        is_redirect_uri_named: true,
        challenge: Some(digest(id)),
        issued_at: NOW,
        expires_at: NOW.plus(60),
        is_spent: false,
    }))
}

/// Processor time of this process in microseconds, user and system.
fn cpu_us() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    // utime and stime, in hundredths of a second; see proc(5).
    (ticks(11) + ticks(12)) * 10_000
}

async fn load(store: &Sqlite, what: &str, wants: impl Fn(i64) -> Wants) {
    let (start, cpu) = (Instant::now(), cpu_us());
    let mut found = 0_u32;
    for n in 0..LOADS {
        // Spreads the loads over all tokens, by a step that shares no factor with their number.
        let facts = store.load(wants(n.wrapping_mul(7_919))).await.expect("loads");
        found += u32::from(facts.clients().next().is_some());
    }
    let us = |micros: f64| micros / LOADS as f64;
    println!(
        "load {what:<28} {:>6.2} µs  ({:>5.2} µs CPU, {found} found)",
        us(start.elapsed().as_micros() as f64),
        us((cpu_us() - cpu) as f64)
    );
}

async fn commit(store: &Arc<Sqlite>, what: &str, in_flight: usize, changes: fn(i64) -> Changes, next: &Arc<AtomicI64>) {
    let (start, cpu) = (Instant::now(), cpu_us());
    let tasks: Vec<_> = (0..in_flight)
        .map(|_| {
            let (store, next) = (Arc::clone(store), Arc::clone(next));
            tokio::spawn(async move {
                let (mut turns, mut slowest) = (0_u64, Duration::ZERO);
                while start.elapsed() < RUN {
                    let began = Instant::now();
                    store.commit(changes(next.fetch_add(1, Ordering::Relaxed))).await.expect("commits");
                    slowest = slowest.max(began.elapsed());
                    turns += 1;
                }
                (turns, slowest)
            })
        })
        .collect();
    let (mut turns, mut slowest) = (0, Duration::ZERO);
    for task in tasks {
        let (own, worst) = task.await.expect("no task panics");
        turns += own;
        slowest = slowest.max(worst);
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "commit {what:<26} {in_flight:>4} in flight {:>8.0} turns/s  {:>6.1} µs CPU each  slowest {:>5.1} ms",
        turns as f64 / seconds,
        (cpu_us() - cpu) as f64 / turns as f64,
        slowest.as_secs_f64() * 1e3
    );
}

fn memory_kib() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("RssAnon")).collect::<Vec<_>>().join(" ")
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let tokens: i64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(Sqlite::open(&folder.path().join("measure.db"), Mode::Create).expect("opens"));
    println!("opened: {}", memory_kib());
    store.commit((1..=CLIENTS).map(|key| Write::PutClient(Box::new(client(key)))).collect()).await.expect("commits");
    store.commit((1..=USERS).map(|key| Write::PutUser(Box::new(user(key)))).collect()).await.expect("commits");
    for first in (0..tokens).step_by(10_000) {
        let rows = first..(first + 10_000).min(tokens);
        store.commit(rows.flat_map(|id| [access(id, true), grant(id)]).collect()).await.expect("commits");
    }
    println!("{tokens} tokens: {}", memory_kib());
    let of = |n: i64| n.rem_euclid(tokens);
    let calling = |n: i64| Key::Client(client(n.rem_euclid(CLIENTS) + 1).client_id);
    load(&store, "client", |n| Wants::of([calling(n)])).await;
    load(&store, "access", |n| Wants::of([Key::Access(AccessId(of(n)))])).await;
    load(&store, "client and access", |n| Wants::of([calling(n), Key::Access(AccessId(of(n)))])).await;
    load(&store, "client and grant", |n| Wants::of([calling(n), Key::Grant(GrantId(of(n)))])).await;
    println!("after loads: {}", memory_kib());
    let next = Arc::new(AtomicI64::new(tokens));
    let one = |id| access(id, false).into();
    let relying = |id| Changes::new([Rely::Client(ClientKey(id % CLIENTS + 1), 1)], [access(id, false)]);
    let redeem = |id| [Write::SpendCode(CodeId(id)), grant(id), access(id, true)].into();
    for in_flight in [1, 64, 256] {
        commit(&store, "one access token", in_flight, one, &next).await;
        commit(&store, "client, access token", in_flight, relying, &next).await;
    }
    commit(&store, "code", 64, |id| code(id).into(), &next).await;
    let codes = next.load(Ordering::Relaxed);
    for first in (codes..codes + CODES).step_by(2_000) {
        store.commit((first..first + 2_000).map(code).collect()).await.expect("commits");
    }
    commit(&store, "redeemed code", 64, redeem, &next).await;
    println!("at the end: {}", memory_kib());
    let (start, now) = (Instant::now(), NOW.plus(10));
    let removed = store.sweep(now, 1_000).await.expect("sweeps");
    println!("a sweep that finds {removed}: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
}
