//! Tests of turns that are written together: their cost in round trips, and their preconditions.

#![allow(clippy::disallowed_methods, reason = "tests make folders and sockets")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use protocol::line::{Changes, Rely, Write};
use protocol::model::{ClientKey, CodeId, Consent, SessionId, UserKey};
use protocol::secret::Digest;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::Postgres;
use crate::conformance::rows::*;
use crate::{CommitError, Mode, Store};

/// A proxy in front of a server that counts round trips.
struct Meter {
    url: String,
    trips: Arc<AtomicU64>,
    _folder: TempDir,
}

impl Meter {
    /// Starts the proxy in front of the server with the URL `postgres://postgres@FOLDER:PORT/DATABASE`.
    fn before(url: &str) -> Self {
        let (head, rest) = url.split_once('@').expect("an address has a user");
        let (host, rest) = rest.split_once(':').expect("an address has a port");
        let (port, database) = rest.split_once('/').expect("an address has a database");
        let socket = |folder: PathBuf| folder.join(format!(".s.PGSQL.{port}"));
        let server = socket(PathBuf::from(host.replace("%2F", "/")));
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let listener = UnixListener::bind(socket(folder.path().to_owned())).expect("the socket can be made");
        let trips = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&trips);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&server).await.expect("the server listens");
                let has_listened = Arc::new(AtomicBool::new(true));
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let (asks, answers) = (Arc::clone(&has_listened), has_listened);
                let trips = Arc::clone(&counted);
                tokio::spawn(pump(from_client, to_server, move || {
                    if asks.swap(false, Ordering::SeqCst) {
                        trips.fetch_add(1, Ordering::SeqCst);
                    }
                }));
                tokio::spawn(pump(from_server, to_client, move || answers.store(true, Ordering::SeqCst)));
            }
        });
        let host = folder.path().display().to_string().replace('/', "%2F");
        Self { url: format!("{head}@{host}:{port}/{database}"), trips, _folder: folder }
    }

    fn trips(&self) -> u64 {
        self.trips.load(Ordering::SeqCst)
    }
}

async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, note: impl Fn()) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        note();
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}

fn no_consent() -> Rely {
    Rely::Consent { user: UserKey(1), client: ClientKey(2), id: None }
}

fn counter(key: u8) -> Rely {
    Rely::CounterBelow { key: Digest([key; 32]), limit: 5, now: NOW }
}

fn clear(key: u8) -> Write {
    Write::ClearCounter { key: Digest([key; 32]), limit: 5, now: NOW }
}

/// Returns the changes that token and authorization requests decide, by the kind of turn. `id` must be unused.
fn kinds(id: i64) -> Vec<(&'static str, Changes)> {
    let both = [Rely::Client(ClientKey(2), 1), Rely::User(UserKey(1), 1)];
    let visit = |rely: Rely| {
        let writes = [Write::Note(event("code", Some(1))), Write::PutCode(Box::new(code(id, 1, 2)))];
        Changes::new([both[0], both[1], Rely::Session(SessionId(1)), rely], writes)
    };
    let begin = || {
        Changes::new(both, [Write::PutGrant(Box::new(grant(id, 1, 2))), Write::PutAccess(Box::new(access(id, 1, 2)))])
    };
    let own = || Changes::from(Write::PutAccess(Box::new(own_access(id, 1))));
    let remembered = Rely::Consent { user: UserKey(1), client: ClientKey(1), id: Some(consent(1, 1).id) };
    vec![
        ("client credentials", own()),
        ("an imported secret", own().with(counter(1))),
        ("a visit with a remembered consent", visit(remembered)),
        ("a visit without any", visit(no_consent())),
        (
            "a sign-in",
            visit(no_consent()).with(counter(1)).with([clear(1), Write::PutSession(Box::new(session(id, 1)))]),
        ),
        ("an access token at once", begin().with(no_consent())),
        ("a password", begin().with([counter(1), counter(2)]).with(clear(1))),
        ("a code", begin().with(Write::SpendCode(CodeId(id)))),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_token_and_authorize_endpoints_decide_takes_one_trip() {
    let meter = Meter::before(&lab::database());
    let store = Postgres::open(&meter.url, Mode::Create).await.expect("the database can be opened");
    furnish(&store).await;
    let mut id = 1_000;
    for kind in 0..kinds(0).len() {
        // The fewest round trips count, because a lane discards its plans once in five seconds, and the socket may
        // split what was sent together.
        let (mut fewest, mut name) = (u64::MAX, "");
        for _ in 0..5 {
            id += 1;
            let turn;
            (name, turn) = kinds(id).swap_remove(kind);
            if name == "a code" {
                commit(&store, Write::PutCode(Box::new(code(id, 1, 2)))).await;
            }
            let before = meter.trips();
            assert_eq!(store.commit(turn).await, Ok(()), "{name}");
            fewest = fewest.min(meter.trips() - before);
        }
        assert_eq!(fewest, 1, "{name}");
    }
    let mut fewest = u64::MAX;
    for known in [None, Some(consent(1, 2).id), Some(consent(1, 2).id)] {
        id += 1;
        let rely = Rely::Consent { user: UserKey(1), client: ClientKey(2), id: known };
        let writes = [Write::PutConsent(consent(1, 2)), Write::PutCode(Box::new(code(id, 1, 2)))];
        let turn = Changes::new([rely], writes);
        let before = meter.trips();
        assert_eq!(store.commit(turn).await, Ok(()));
        fewest = fewest.min(meter.trips() - before);
    }
    assert_eq!(fewest, 1, "a consent that is given");
    assert!(facts(&store, 1_001).await.access.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_turns_that_rely_on_there_being_no_consent_and_give_one_just_one_is_written() {
    let url = lab::database();
    let open = || Postgres::open(&url, Mode::Create);
    let stores = [open().await.expect("it opens"), open().await.expect("it opens")];
    furnish(&stores[0]).await;
    for round in 0..25_i64 {
        let give = |number: i64| {
            let id = 10_000 + 10 * round + number;
            let given = Consent { id, ..consent(1, 2) };
            Changes::new([no_consent()], [Write::PutConsent(given), Write::PutCode(Box::new(code(id, 1, 2)))])
        };
        // Two turns at one node, which may be sent together, and one at another node.
        let [one, other] = &stores;
        let (a, b, c) = tokio::join!(one.commit(give(1)), one.commit(give(2)), other.commit(give(3)));
        let written = [a, b, c].into_iter().filter(|done| match done {
            Ok(()) => true,
            Err(CommitError::Lost) => false,
            Err(error) => panic!("{error:?}"),
        });
        assert_eq!(written.count(), 1, "round {round}");
        commit(one, Write::WithdrawConsent { user: UserKey(1), client: ClientKey(2) }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_that_somebody_gives_meanwhile_is_no_absence() {
    let url = lab::database();
    let store = Postgres::open(&url, Mode::Create).await.expect("it opens");
    furnish(&store).await;
    let visit = |id| Changes::new([no_consent()], [Write::PutCode(Box::new(code(id, 1, 2)))]);
    commit(&store, visit(20_001)).await;
    commit(&store, Write::PutConsent(consent(1, 2))).await;
    assert_eq!(store.commit(visit(20_002)).await, Err(CommitError::Lost));
    assert!(facts(&store, 20_002).await.code.is_none());
}
