//! Tests of turns that are written together: their cost in round trips, and their preconditions.

#![allow(clippy::disallowed_methods, reason = "tests make folders and sockets")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use protocol::line::{Changes, Rely, Write};
use protocol::model::{
    AccessId, ClientKey, CodeId, Consent, GrantId, Identity, PersonalId, Session, SessionId, TicketId, User, UserKey,
};
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

fn fail(key: u8) -> Write {
    let key = Digest([key; 32]);
    Write::CountFailure { key, limit: 99, now: NOW, resets_at: later(100), user: Some(UserKey(1)) }
}

fn note() -> Write {
    Write::Note(event("kind", Some(1)))
}

/// A kind of turn: its name, the rows that there must be before, and the turn.
type Kind = (&'static str, Changes, Changes);

/// What the token endpoint decides, by the kind of turn. `id` is a number that was not used yet.
fn kinds_of_tokens(id: i64) -> Vec<Kind> {
    let both = || Changes::from([Rely::Client(ClientKey(2), 1), Rely::User(UserKey(1), 1)]);
    let begin =
        || both().with([Write::PutGrant(Box::new(grant(id, 1, 2))), Write::PutAccess(Box::new(access(id, 1, 2)))]);
    let own = || Changes::from(Write::PutAccess(Box::new(own_access(id, 1))));
    let granted = || Changes::from(Write::PutGrant(Box::new(grant(id, 1, 2))));
    let more = || both().with(Write::PutAccess(Box::new(access(id, 1, 2))));
    let rotated = Write::RotateRefresh {
        grant: GrantId(id),
        from: digest("first"),
        to: refresh("second"),
        expires_at: later(2_000),
    };
    let secret = Write::TouchSecret { client: ClientKey(1), secret: digest("secret"), used_at: NOW };
    let burnt = || burn(&id.to_string(), 60);
    let joined = || [Write::PutIdentity(identity(id, id)), Write::PutUser(Box::new(user(id)))];
    let known = || Changes::from(Write::PutUser(Box::new(user(id))));
    vec![
        ("client credentials", Changes::default(), own().with(secret)),
        ("an imported secret", Changes::default(), own().with(counter(1))),
        ("a wrong client secret", Changes::default(), [fail(20), fail(21), note()].into()),
        ("a password", Changes::default(), begin().with([counter(1), counter(2)]).with(clear(1))),
        ("a wrong password", Changes::default(), [fail(33), fail(32), fail(31), fail(30), note(), note()].into()),
        (
            "a password and a wrong code",
            Changes::default(),
            Changes::from(counter(1)).with([clear(1), fail(40), note()]),
        ),
        ("a password and a code", known(), begin().with(counter(1)).with([clear(1), next(id), note()])),
        (
            "a code",
            Changes::from(Write::PutCode(Box::new(code(id, 1, 2)))),
            begin().with([Write::SpendCode(CodeId(id)), note()]),
        ),
        ("a code that comes again", granted(), [Write::RevokeGrant(GrantId(id)), note()].into()),
        ("a refresh token", granted(), more().with([rotated, note()])),
        ("a refresh token that comes again", Changes::default(), Write::AwaitDurability.into()),
        ("a refresh token that is good for another access token", granted(), more().with(Rely::Grant(GrantId(id)))),
        ("an assertion", Changes::default(), begin().with([burnt(), note()])),
        ("an assertion about a new account", Changes::default(), begin().with(burnt()).with(joined()).with(note())),
        (
            "an assertion and a code",
            known(),
            begin().with(counter(1)).with([clear(1), next(id), burnt(), Write::PutIdentity(identity(id, id))]),
        ),
        (
            "a token that is revoked",
            Changes::from(Write::PutAccess(Box::new(own_access(id, 1)))),
            [Write::RevokeAccess(AccessId(id)), note()].into(),
        ),
        (
            "a personal token that is revoked",
            Changes::from(Write::PutPersonal(Box::new(personal(id, 1)))),
            [Write::RevokePersonal(PersonalId(id)), note()].into(),
        ),
    ]
}

/// The user with a used code of a second factor.
fn next(id: i64) -> Write {
    Write::PutUser(Box::new(User { version: 2, ..user(id) }))
}

/// What the authorize endpoint decides, by the kind of turn. `id` is a number that was not used yet.
fn kinds_of_visits(id: i64) -> Vec<Kind> {
    let visit = |rely: Rely| {
        let writes = [Write::Note(event("code", Some(1))), Write::PutCode(Box::new(code(id, 1, 2)))];
        Changes::new(
            [Rely::Client(ClientKey(2), 1), Rely::User(UserKey(1), 1), Rely::Session(SessionId(1)), rely],
            writes,
        )
    };
    let at_once = [Write::PutGrant(Box::new(grant(id, 1, 2))), Write::PutAccess(Box::new(access(id, 1, 2)))];
    let remembered = Rely::Consent { user: UserKey(1), client: ClientKey(1), id: Some(consent(1, 1).id) };
    let seen = Write::TouchSession { id: SessionId(1), seen_at: NOW, idle_until: later(90) };
    let begun = |user: i64| Write::PutSession(Box::new(session(id, user)));
    // The session of the sign-in, or of the user before.
    let other = Session { id: SessionId(-id), ..session(id, 1) };
    let there = || Changes::from(Write::PutSession(Box::new(other.clone())));
    let ended = || Write::EndSession(other.id);
    let known = || there().with(Write::PutUser(Box::new(user(id))));
    let linked = || Write::PutIdentity(Identity { user: UserKey(1), ..identity(id, 1) });
    let joined = || [Write::PutIdentity(identity(id, id)), Write::PutUser(Box::new(user(id)))];
    let ticketed = || Write::PutTicket(Box::new(ticket(id, 1, 2)));
    let spent = Write::SpendTicket { id: TicketId(id), version: 1 };
    let proven = || Changes::from([counter(1), counter(2), Rely::Session(other.id)]).with([clear(1), next(id)]);
    vec![
        ("a visit with a remembered consent", Changes::default(), visit(remembered).with(seen)),
        ("a visit without any", Changes::default(), visit(no_consent())),
        ("a visit that ends at once", Changes::default(), Changes::from(no_consent()).with(at_once)),
        ("a sign-in", Changes::default(), visit(no_consent()).with(counter(1)).with([clear(1), begun(1)])),
        ("a sign-in of another user", there(), visit(no_consent()).with([ended(), begun(1), note()])),
        ("a wrong code", Changes::default(), [fail(52), fail(51), fail(50), note()].into()),
        ("a code of the second factor", known(), proven().with([note(), ended(), begun(id)])),
        (
            "a code that links an identity",
            known(),
            proven().with([Write::PutIdentity(identity(id, id)), note(), note(), ended(), begun(id)]),
        ),
        ("a sign-in elsewhere", Changes::default(), visit(no_consent()).with([linked(), note(), begun(1)])),
        ("a sign-in elsewhere of a new user", there(), Changes::from(joined()).with([note(), ended(), begun(id)])),
        ("a ticket", Changes::default(), Changes::from(Rely::Client(ClientKey(2), 1)).with(ticketed())),
        ("a visit with a ticket", ticketed().into(), visit(no_consent()).with(spent)),
    ]
}

/// Every kind of turn that the two endpoints decide.
fn kinds(id: i64) -> Vec<Kind> {
    kinds_of_tokens(id).into_iter().chain(kinds_of_visits(id)).collect()
}

/// The writes that the two endpoints decide. `PutConsent` has a test of its own below.
const DECIDED: [&str; 22] = [
    "AwaitDurability",
    "BurnJti",
    "ClearCounter",
    "CountFailure",
    "EndSession",
    "Note",
    "PutAccess",
    "PutCode",
    "PutGrant",
    "PutIdentity",
    "PutSession",
    "PutTicket",
    "PutUser",
    "RevokeAccess",
    "RevokeGrant",
    "RevokePersonal",
    "RotateRefresh",
    "SpendCode",
    "SpendTicket",
    "TouchSecret",
    "TouchSession",
    "a new user",
];

/// The name of a write in [`DECIDED`]; absent for one that the two endpoints never decide. A new write does not compile until
/// it is known which of the two it is.
fn decided(write: &Write) -> Option<&'static str> {
    match write {
        Write::SpendCode(_) => Some("SpendCode"),
        Write::RotateRefresh { .. } => Some("RotateRefresh"),
        Write::AwaitDurability => Some("AwaitDurability"),
        Write::CountFailure { .. } => Some("CountFailure"),
        Write::ClearCounter { .. } => Some("ClearCounter"),
        Write::PutUser(row) if row.version == 1 => Some("a new user"),
        Write::PutUser(_) => Some("PutUser"),
        Write::PutCode(_) => Some("PutCode"),
        Write::PutGrant(_) => Some("PutGrant"),
        Write::PutAccess(_) => Some("PutAccess"),
        Write::PutSession(_) => Some("PutSession"),
        Write::PutTicket(_) => Some("PutTicket"),
        Write::SpendTicket { .. } => Some("SpendTicket"),
        Write::PutIdentity(_) => Some("PutIdentity"),
        Write::BurnJti { .. } => Some("BurnJti"),
        Write::PutConsent(_) => Some("PutConsent"),
        Write::TouchSession { .. } => Some("TouchSession"),
        Write::TouchSecret { .. } => Some("TouchSecret"),
        Write::RevokeGrant(_) => Some("RevokeGrant"),
        Write::RevokeAccess(_) => Some("RevokeAccess"),
        Write::RevokePersonal(_) => Some("RevokePersonal"),
        Write::EndSession(_) => Some("EndSession"),
        Write::Note(_) => Some("Note"),
        // The operator, the account and developer pages, introspection, and work in the background.
        Write::ForgetFailures(_)
        | Write::PutClient(_)
        | Write::PutPersonal(_)
        | Write::ChangeTicket(_)
        | Write::PutSealKey(_)
        | Write::DropSealKey(_)
        | Write::PutSigningKey(_)
        | Write::DropSigningKey(_)
        | Write::TouchPersonal { .. }
        | Write::WithdrawConsent { .. }
        | Write::EndSessions { .. }
        | Write::DropIdentity(_)
        | Write::DeleteUser(_)
        | Write::DeleteClient(_)
        | Write::Enqueue(_) => None,
    }
}

#[test]
fn every_write_of_the_token_and_authorize_endpoints_is_in_a_kind_of_turn() {
    let kinds = kinds(1_000);
    let found: BTreeSet<&str> = kinds.iter().flat_map(|(_, _, turn)| &turn.writes).filter_map(decided).collect();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), DECIDED);
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
            let (before, turn);
            (name, before, turn) = kinds(id).swap_remove(kind);
            commit(&store, before).await;
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
