//! What turns cost that are written together, and what they may rely on.

#![allow(clippy::disallowed_methods, reason = "tests make folders and sockets")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use protocol::line::{Change, Rely};
use protocol::model::{ClientKey, CodeId, Consent, SessionId, UserKey};
use protocol::secret::Digest;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::Postgres;
use crate::conformance::rows::*;
use crate::{CommitError, Mode, Store};

/// A socket in front of a server, which counts how often somebody speaks after having listened.
struct Meter {
    url: String,
    trips: Arc<AtomicU64>,
    _folder: TempDir,
}

impl Meter {
    /// In front of the server at an address `postgres://postgres@FOLDER:PORT/DATABASE`.
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

fn rely_on_both() -> Vec<Change> {
    vec![Change::Rely(Rely::Client(ClientKey(2), 1)), Change::Rely(Rely::User(UserKey(1), 1))]
}

fn no_consent() -> Change {
    Change::Rely(Rely::Consent { user: UserKey(1), client: ClientKey(2), id: None })
}

fn counter(key: u8, is_cleared: bool) -> Change {
    Change::PassCounter { key: Digest([key; 32]), limit: 5, now: NOW, is_cleared }
}

/// What the token and authorize endpoints decide, by the kind of turn. `id` is a number that was not used yet.
fn kinds(id: i64) -> Vec<(&'static str, Vec<Change>)> {
    let visit = || {
        let own = [Change::Rely(Rely::Session(SessionId(1))), Change::Note(event("code", Some(1)))];
        [rely_on_both(), own.to_vec(), vec![Change::PutCode(Box::new(code(id, 1, 2)))]].concat()
    };
    let begin = || {
        let rows = [Change::PutGrant(Box::new(grant(id, 1, 2))), Change::PutAccess(Box::new(access(id, 1, 2)))];
        [rely_on_both(), rows.to_vec()].concat()
    };
    let with = |turn: Vec<Change>, more: Vec<Change>| [more, turn].concat();
    let remembered = Change::Rely(Rely::Consent { user: UserKey(1), client: ClientKey(1), id: Some(consent(1, 1).id) });
    vec![
        ("client credentials", vec![Change::PutAccess(Box::new(own_access(id, 1)))]),
        ("an imported secret", vec![counter(1, false), Change::PutAccess(Box::new(own_access(id, 1)))]),
        ("a visit with a remembered consent", with(visit(), vec![remembered])),
        ("a visit without any", with(visit(), vec![no_consent()])),
        (
            "a sign-in",
            with(visit(), vec![no_consent(), counter(1, true), Change::PutSession(Box::new(session(id, 1)))]),
        ),
        ("an access token at once", with(begin(), vec![no_consent()])),
        ("a password", with(begin(), vec![counter(1, true), counter(2, false)])),
        ("a code", with(begin(), vec![Change::SpendCode(CodeId(id))])),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_token_and_authorize_endpoints_decide_takes_one_trip() {
    let meter = Meter::before(&lab::database());
    let store = Postgres::open(&meter.url, Mode::Create).await.expect("the database can be opened");
    furnish(&store).await;
    let mut id = 1_000;
    for kind in 0..kinds(0).len() {
        // A lane begins by dropping its plans once in five seconds, and the socket may part what was sent at once.
        let (mut fewest, mut name) = (u64::MAX, "");
        for _ in 0..5 {
            id += 1;
            let turn;
            (name, turn) = kinds(id).swap_remove(kind);
            if name == "a code" {
                commit(&store, [Change::PutCode(Box::new(code(id, 1, 2)))]).await;
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
        let rely = Change::Rely(Rely::Consent { user: UserKey(1), client: ClientKey(2), id: known });
        let turn = vec![rely, Change::PutConsent(consent(1, 2)), Change::PutCode(Box::new(code(id, 1, 2)))];
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
            vec![no_consent(), Change::PutConsent(given), Change::PutCode(Box::new(code(id, 1, 2)))]
        };
        // Two at one node, which may travel together, and one at another.
        let [one, other] = &stores;
        let (a, b, c) = tokio::join!(one.commit(give(1)), one.commit(give(2)), other.commit(give(3)));
        let written = [a, b, c].into_iter().filter(|done| match done {
            Ok(()) => true,
            Err(CommitError::Lost) => false,
            Err(error) => panic!("{error:?}"),
        });
        assert_eq!(written.count(), 1, "round {round}");
        commit(one, [Change::WithdrawConsent { user: UserKey(1), client: ClientKey(2) }]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_that_somebody_gives_meanwhile_is_no_absence() {
    let url = lab::database();
    let store = Postgres::open(&url, Mode::Create).await.expect("it opens");
    furnish(&store).await;
    commit(&store, [no_consent(), Change::PutCode(Box::new(code(20_001, 1, 2)))]).await;
    commit(&store, [Change::PutConsent(consent(1, 2))]).await;
    let late = vec![no_consent(), Change::PutCode(Box::new(code(20_002, 1, 2)))];
    assert_eq!(store.commit(late).await, Err(CommitError::Lost));
    assert!(facts(&store, 20_002).await.code.is_none());
}
