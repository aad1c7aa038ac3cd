//! Turns of one batch beside each other: whatever comes of them, they might have come one after the other.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use lab::{Cluster, Options};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use protocol::line::{Changes, Key, Rely, Write};
use protocol::model::{ClientKey, Consent, GrantId, Identity, SessionId, User, UserKey};
use protocol::secret::Digest;

use super::batch::Batch;
use super::commit::Turns;
use super::lane::LaneWork;
use super::link::{Connector, Link};
use super::url::Address;
use super::{Postgres, gate};
use crate::conformance::rows::*;
use crate::{CommitError, Memory, Mode, Store};

async fn connect(url: &str) -> Link {
    let address = Address::parse(url).expect("it is an address");
    let connector = Connector::new(address).expect("it needs no files");
    connector.connect(super::WRITING).await.expect("the server is there")
}

/// Writes turns in one batch.
async fn together(link: &Link, turns: Vec<Changes>) -> Vec<Result<(), CommitError>> {
    let mut turns = Turns::together(turns);
    let stop = turns.run(link).await.err();
    turns.answers(stop)
}

async fn furnished() -> (Postgres, Link) {
    let url = lab::database();
    let store = Postgres::open(&url, Mode::Create).await.expect("the database can be opened");
    furnish(&store).await;
    (store, connect(&url).await)
}

fn renamed(key: i64, version: u32) -> Write {
    Write::PutUser(Box::new(User { version, name: format!("Version {version}"), ..user(key) }))
}

fn fail(key: u8, limit: u32) -> Write {
    Write::CountFailure { key: Digest([key; 32]), limit, now: NOW, resets_at: later(100), user: None }
}

const LOST: Result<(), CommitError> = Err(CommitError::Lost);

#[tokio::test]
async fn of_two_turns_that_each_change_what_the_other_relies_on_one_is_written() {
    let (store, link) = furnished().await;
    let turns = vec![
        Changes::new([Rely::User(UserKey(2), 1)], [renamed(1, 2)]),
        Changes::new([Rely::User(UserKey(1), 1)], [renamed(2, 2)]),
    ];
    assert_eq!(together(&link, turns).await, [Ok(()), LOST]);
    commit(&store, Write::PutSession(Box::new(session(2, 1)))).await;
    let turns = vec![
        Changes::new([Rely::Session(SessionId(1))], [Write::EndSession(SessionId(2))]),
        Changes::new([Rely::Session(SessionId(2))], [Write::EndSession(SessionId(1))]),
    ];
    assert_eq!(together(&link, turns).await, [Ok(()), LOST]);
    assert!(facts(&store, 1).await.session.is_some() && facts(&store, 2).await.session.is_none());
}

#[tokio::test]
async fn a_turn_that_relies_on_what_another_changes_comes_first() {
    let (store, link) = furnished().await;
    let relies = || Changes::new([Rely::User(UserKey(1), 1)], [Write::PutCode(Box::new(code(50, 1, 1)))]);
    assert_eq!(together(&link, vec![renamed(1, 2).into(), relies()]).await, [Ok(()), Ok(())]);
    assert_eq!(together(&link, vec![relies()]).await, [LOST]);
    assert_eq!(facts(&store, 1).await.subject.map(|user| user.version), Some(2));
}

#[tokio::test]
async fn each_failure_at_a_counter_meets_its_own_limit() {
    let (store, link) = furnished().await;
    let turns =
        vec![[fail(1, 2), fail(2, 9)].into(), [fail(2, 9), fail(1, 2)].into(), fail(1, 2).into(), fail(2, 9).into()];
    assert_eq!(together(&link, turns).await, [Ok(()), Ok(()), LOST, Ok(())]);
    let counted = async |key: u8| failures(&store, Digest([key; 32])).await.map(|own| own.failures);
    assert_eq!((counted(1).await, counted(2).await), (Some(2), Some(3)));
    let clear = Write::ClearCounter { key: Digest([2; 32]), limit: 9, now: NOW };
    assert_eq!(together(&link, vec![fail(2, 9).into(), [clear, fail(2, 9)].into()]).await, [Ok(()), Ok(())]);
    assert_eq!(counted(2).await, Some(1), "the second turn cleared the counter");
}

#[tokio::test]
async fn a_name_that_two_new_users_want_is_given_once_and_the_other_is_told_which() {
    let (store, link) = furnished().await;
    let joins = |key: i64, username: &str, email: Option<&str>| {
        let (username, email) = (Some(username.to_owned()), email.map(ToOwned::to_owned));
        Changes::from(Write::PutUser(Box::new(User { username, email, ..user(key) })))
    };
    let turns = vec![
        joins(10, "Jos\u{e9}", None),
        joins(11, "ze", Some("JOSE\u{301}")),
        joins(12, "USER1", None),
        Changes::from(Write::PutAccess(Box::new(own_access(50, 1)))),
        joins(13, "fine", Some("jose@example.com")),
    ];
    let taken = |name| Err(CommitError::Taken(name));
    assert_eq!(together(&link, turns).await, [Ok(()), taken("email"), taken("username"), Ok(()), Ok(())]);
    assert_eq!(login(&store, "jos\u{e9}").await.map(|user| user.key), Some(UserKey(10)));
    assert_eq!(login(&store, "fine").await.map(|user| user.key), Some(UserKey(13)));
}

#[tokio::test]
async fn what_is_good_once_is_taken_by_one_of_a_batch() {
    let (_store, link) = furnished().await;
    let burns = |jti: &str, id| Changes::from([burn(jti, 60), Write::PutAccess(Box::new(own_access(id, 1)))]);
    let turns = vec![burns("one", 50), burns("two", 51), burns("one", 52)];
    assert_eq!(together(&link, turns).await, [Ok(()), Ok(()), LOST]);
    let links = |subject, user| Changes::from(Write::PutIdentity(identity(subject, user)));
    assert_eq!(together(&link, vec![links(3, 1), links(3, 2), links(4, 2)]).await, [Ok(()), LOST, Ok(())]);
    let proves = |code| Changes::from([renamed(1, 2), Write::PutCode(Box::new(self::code(code, 1, 1)))]);
    assert_eq!(together(&link, vec![proves(60), proves(61)]).await, [Ok(()), LOST]);
}

#[tokio::test]
async fn only_the_user_who_is_written_is_held_alone() {
    let url = lab::database();
    let store = Postgres::open(&url, Mode::Create).await.expect("the database can be opened");
    furnish(&store).await;
    let (link, other) = (connect(&url).await, connect(&url).await);
    let absent = |user| Rely::Consent { user: UserKey(user), client: ClientKey(2), id: None };
    let gives = Changes::new([absent(1)], [Write::PutConsent(consent(1, 2))]);
    let visits = Changes::new([absent(2), Rely::User(UserKey(2), 1)], [Write::PutCode(Box::new(code(50, 2, 2)))]);
    let turns = [gives, visits];
    let (batch, count) = Batch::of(&turns).expect("they are frequent");
    assert_eq!(count, 2);
    link.begin(gate::BEGIN).await.expect("the server is there");
    Box::pin(batch.write_inside(&link)).await.expect("nothing stands against it");
    let mut can_share = Vec::new();
    for user in [1, 2] {
        other.begin(gate::BEGIN).await.expect("the server is there");
        can_share.push(other.simple(&format!("SELECT 1 FROM users WHERE key = {user} FOR SHARE NOWAIT")).await.is_ok());
        other.simple("ROLLBACK").await.expect("the server is there");
    }
    assert_eq!(can_share, [false, true]);
}

/// Two nodes that write at the same time, in batches and alone, and never wait for each other in a circle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_two_nodes_never_wait_for_each_other_in_a_circle() {
    const ROUNDS: i64 = 60;
    let mut cluster = Cluster::start(&Options::default());
    // A circle is found before the wait for a row is given up, and counted.
    cluster.alter("SET deadlock_timeout = '20ms'");
    let url = cluster.database();
    let open = || Postgres::open(&url, Mode::Create);
    let stores = [open().await.expect("it opens"), open().await.expect("it opens")];
    furnish(&stores[0]).await;
    for round in 0..ROUNDS {
        let id = |number: i64| 10_000 + 100 * round + number;
        let fresh = [1, 2, 3, 4].map(|number| Write::PutSession(Box::new(session(id(number), number % 2 + 1))));
        commit(&stores[0], fresh).await;
        let both = |reversed: bool, one: Write, other: Write| {
            Changes::from(if reversed { [other, one] } else { [one, other] })
        };
        let turns_of = |node: usize| {
            let reversed = node == 1;
            let own = i64::try_from(node).expect("a small number");
            let (mine, theirs) = if reversed { (2, 1) } else { (1, 2) };
            let visit = |user: i64, number: i64| {
                let rely = Rely::Consent { user: UserKey(user), client: ClientKey(2), id: None };
                Changes::new([rely], [Write::PutCode(Box::new(code(id(number), user, 2)))])
            };
            let give = |user: i64| {
                let given = Consent { id: id(60 + own), ..consent(user, 2) };
                Changes::from(Write::PutConsent(given))
            };
            let sign_in =
                |user: i64, version: u32| Changes::new([Rely::User(UserKey(3 - user), 1)], [renamed(user, version)]);
            let crossed =
                Changes::new([Rely::Session(SessionId(id(mine)))], [Write::EndSession(SessionId(id(theirs)))]);
            let fresh = u8::try_from(round).expect("a small number");
            vec![
                visit(theirs, 10 + own),
                give(mine),
                both(reversed, fail(1, 9_999), fail(2, 9_999)),
                both(reversed, fail(100 + fresh, 9), fail(180 + fresh % 60, 999)),
                Changes::from(Write::ClearCounter { key: Digest([2; 32]), limit: 9_999, now: NOW })
                    .with(fail(1, 9_999)),
                crossed,
                both(reversed, Write::EndSession(SessionId(id(3))), Write::EndSession(SessionId(id(4)))),
                both(reversed, burn(&format!("a{round}"), 9), burn(&format!("b{round}"), 9)),
                both(
                    reversed,
                    Write::PutIdentity(Identity { user: UserKey(mine), ..identity(id(70), 1) }),
                    Write::PutIdentity(Identity { user: UserKey(mine), ..identity(id(71), 1) }),
                ),
                sign_in(mine, 9),
                both(reversed, Write::RevokeGrant(GrantId(1)), fail(3, 9_999)),
            ]
        };
        let all = [0, 1].map(|node| {
            let store = &stores[node];
            join_all(
                turns_of(node).into_iter().map(move |turn| async move { (turn.clone(), store.commit(turn).await) }),
            )
        });
        let done =
            tokio::time::timeout(Duration::from_secs(20), join_all(all)).await.expect("they wait for each other");
        for (turn, answer) in done.into_iter().flatten() {
            assert!(matches!(answer, Ok(()) | Err(CommitError::Lost)), "{answer:?} {turn:?}");
        }
        for user in [1, 2] {
            commit(&stores[0], Write::WithdrawConsent { user: UserKey(user), client: ClientKey(2) }).await;
        }
    }
    let counted = cluster.sql("test_1", "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()");
    assert_eq!(counted, "0", "transactions waited for each other in a circle");
}

/// A change that meets others at few rows. Rows that it adds are nobody else's.
fn change() -> impl Strategy<Value = Changes> {
    let row = || 1..=2_i64;
    let key = || (1..=2_u8).prop_map(|key| Digest([key; 32]));
    let consent_id = || prop::option::of(prop_oneof![Just(101_i64), Just(102)]);
    prop_oneof![
        row().prop_map(|user| Rely::User(UserKey(user), 1).into()),
        row().prop_map(|id| Rely::Session(SessionId(id)).into()),
        row().prop_map(|id| Rely::Grant(GrantId(id)).into()),
        (row(), consent_id()).prop_map(|(client, id)| Rely::Consent {
            user: UserKey(1),
            client: ClientKey(client),
            id
        }
        .into()),
        (key(), 1..3_u32).prop_map(|(key, limit)| Rely::CounterBelow { key, limit, now: NOW }.into()),
        (row(), 2..4_u32).prop_map(|(user, version)| renamed(user, version).into()),
        row().prop_map(|id| Write::EndSession(SessionId(id)).into()),
        row().prop_map(|id| Write::RevokeGrant(GrantId(id)).into()),
        row().prop_map(|id| {
            let from = digest("first");
            Write::RotateRefresh { grant: GrantId(id), from, to: refresh("second"), expires_at: later(400) }.into()
        }),
        (row(), row()).prop_map(|(client, number)| {
            Write::PutConsent(Consent { id: 100 * number + client, ..consent(1, client) }).into()
        }),
        (key(), 1..4_u32).prop_map(|(key, limit)| {
            Write::CountFailure { key, limit, now: NOW, resets_at: later(50), user: None }.into()
        }),
        (key(), 1..4_u32).prop_map(|(key, limit)| Write::ClearCounter { key, limit, now: NOW }.into()),
        row().prop_map(|subject| Write::PutIdentity(identity(10 + subject, 1)).into()),
        row().prop_map(|jti| burn(&jti.to_string(), 60).into()),
        (3..5_i64, any::<bool>()).prop_map(|(key, is_new)| {
            let username = Some(if is_new { "someone".to_owned() } else { format!("user{key}") });
            Write::PutUser(Box::new(User { username, email: None, ..user(key) })).into()
        }),
    ]
}

/// A turn that relies on one row and changes another one, as a second turn may do the other way round.
fn crossed() -> impl Strategy<Value = Changes> {
    (0..4_u8, any::<bool>(), 1..3_u32).prop_map(|(kind, is_first, version)| {
        let (one, other) = if is_first { (1_u8, 2_u8) } else { (2, 1) };
        let (from, to) = (i64::from(one), i64::from(other));
        match kind {
            0 => Changes::new([Rely::User(UserKey(from), version)], [renamed(to, version + 1)]),
            1 => Changes::new([Rely::Session(SessionId(from))], [Write::EndSession(SessionId(to))]),
            2 => {
                let rely = Rely::CounterBelow { key: Digest([one; 32]), limit: 1, now: NOW };
                Changes::new([rely], [fail(other, 9)])
            }
            _ => {
                let rely = Rely::Consent { user: UserKey(from), client: ClientKey(2), id: None };
                Changes::new([rely], [Write::PutConsent(consent(to, 2))])
            }
        }
    })
}

fn groups() -> impl Strategy<Value = Vec<Vec<Changes>>> {
    let any = prop::collection::vec(change(), 1..4)
        .prop_map(|parts| parts.into_iter().fold(Changes::default(), Changes::with));
    let turn = prop_oneof![any, crossed()];
    prop::collection::vec(prop::collection::vec(turn, 2..4), 1..5)
}

/// Adds the rows that the turns are about.
async fn furnish_for_turns(store: &dyn Store) {
    furnish(store).await;
    commit(store, [Write::PutSession(Box::new(session(2, 2))), Write::PutGrant(Box::new(grant(2, 2, 2)))]).await;
}

/// The state that the turns of [`change`] can change.
async fn state(store: &dyn Store) -> String {
    let mut text = everything(store).await;
    for key in [1, 2] {
        text.push_str(&format!("{:?}", failures(store, Digest([key; 32])).await));
        text.push_str(&format!("{:?}", load(store, Key::UsedJti(digest(&key.to_string()))).await));
        text.push_str(&format!("{:?}", load(store, Key::Identity(identity_name(10 + i64::from(key)))).await));
    }
    text
}

/// All orders of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let shorter = orders(last);
    let longer = shorter.into_iter().flat_map(|order| {
        (0..=last).map(move |at| {
            let mut order = order.clone();
            order.insert(at, last);
            order
        })
    });
    longer.collect()
}

/// Makes the turns one after the other in a store in memory that had these turns before. Returns it if they are answered alike.
async fn replayed(
    before: &[Changes],
    turns: &[Changes],
    answers: &[Result<(), CommitError>],
    order: &[usize],
) -> Option<Memory> {
    let memory = Memory::default();
    furnish_for_turns(&memory).await;
    for turn in before {
        commit(&memory, turn.clone()).await;
    }
    for at in order {
        if memory.commit(turns[*at].clone()).await != answers[*at] {
            return None;
        }
    }
    Some(memory)
}

async fn must_have_an_order(groups: Vec<Vec<Changes>>) {
    let store = Arc::new(Postgres::open(&lab::database(), Mode::Create).await.expect("the database can be opened"));
    furnish_for_turns(&*store).await;
    let mut before: Vec<Changes> = Vec::new();
    for turns in groups {
        let answers = join_all(turns.iter().map(|turn| store.commit(turn.clone()))).await;
        let found = state(&*store).await;
        let mut fitting = None;
        for order in orders(turns.len()) {
            let Some(memory) = replayed(&before, &turns, &answers, &order).await else { continue };
            if state(&memory).await == found {
                fitting = Some(order);
                break;
            }
        }
        let order = fitting.unwrap_or_else(|| panic!("no order of these turns is answered so: {turns:#?} {answers:?}"));
        before.extend(order.iter().filter(|at| answers[**at].is_ok()).map(|at| turns[*at].clone()));
    }
}

#[test]
fn turns_that_are_committed_at_the_same_time_are_answered_as_in_some_order() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
    let config = ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() };
    let ran = TestRunner::new(config).run(&groups(), |groups| {
        runtime.block_on(must_have_an_order(groups));
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
}
