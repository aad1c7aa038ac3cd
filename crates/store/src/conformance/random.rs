//! Tests by random steps: after each, every store looks like the one in memory.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use protocol::line::{Changes, Rely, Write};
use protocol::model::{
    AccessId, Client, ClientKey, CodeId, Event, GrantId, Job, JobId, PersonalId, SessionId, SigningKey, Ticket,
    TicketId, User, UserKey,
};
use protocol::scope::Scope;

use super::Fixture;
use super::rows::*;
use crate::{JobChange, JobClaim, JobEnd};

/// One step of a random test.
#[derive(Clone, Debug)]
enum Deed {
    Commit(Changes),
    Sweep(u64, usize),
    /// A worker claims jobs.
    Claim(JobClaim),
    /// A worker ends its attempt at a job.
    EndJob(JobId, i64, JobEnd),
    /// An operator changes a job.
    ChangeJob(JobId, JobChange),
}

fn id() -> impl Strategy<Value = i64> {
    1..=IDS
}

fn put() -> impl Strategy<Value = Write> {
    let pair = || (id(), id(), id());
    prop_oneof![
        (id(), id(), 0..4_u32, 0..4_i64).prop_map(|(key, name, version, revoked_below)| {
            let owner = Some(UserKey(name));
            let client_id = format!("client-{name}");
            Write::PutClient(Box::new(Client { client_id, version, owner, revoked_below, ..client(key) }))
        }),
        (id(), id(), any::<bool>(), 0..4_u32, 0..4_i64).prop_map(|(key, name, has_name, version, revoked_below)| {
            let username = has_name.then(|| format!("user{name}"));
            let email = (!has_name).then(|| format!("User{name}"));
            Write::PutUser(Box::new(User { username, email, version, revoked_below, ..user(key) }))
        }),
        pair().prop_map(|(id, user, client)| Write::PutCode(Box::new(code(id, user, client)))),
        pair().prop_map(|(id, user, client)| Write::PutGrant(Box::new(grant(id, user, client)))),
        pair().prop_map(|(id, user, client)| Write::PutAccess(Box::new(access(id, user, client)))),
        pair().prop_map(|(id, _, client)| Write::PutAccess(Box::new(own_access(id, client)))),
        pair().prop_map(|(id, user, _)| Write::PutPersonal(Box::new(personal(id, user)))),
        pair().prop_map(|(id, user, _)| Write::PutSession(Box::new(session(id, user)))),
        (id(), prop::option::of(id()), prop::option::of(id()), 0..90_u64).prop_map(|(id, user, client, at_s)| {
            let (user, client) = (user.map(UserKey), client.map(ClientKey));
            Write::PutTicket(Box::new(Ticket { user, client, expires_at: later(at_s), ..ticket(id, 1, 1) }))
        }),
        (id(), id()).prop_map(|(subject, user)| Write::PutIdentity(identity(subject, user))),
        (any::<bool>(), 1..200_u64).prop_map(|(is_wanted, ttl_s)| burn(if is_wanted { "jti" } else { "other" }, ttl_s)),
        (id(), id(), "[a-c]{1,2}").prop_map(|(user, client, word)| {
            let mut other = consent(user, client);
            other.permission.scope = Scope::of([word.as_str()]);
            Write::PutConsent(other)
        }),
        (1..4_u32).prop_map(|number| Write::PutSealKey(seal_key(number))),
        (1..4_u32).prop_map(Write::DropSealKey),
        (1..4_u32, 1..4_u32).prop_map(|(number, version)| {
            Write::PutSigningKey(Box::new(SigningKey { version, ..signing_key(number) }))
        }),
        (1..4_u32).prop_map(Write::DropSigningKey),
        (id(), 0..90_u64).prop_map(|(id, at_s)| Write::Enqueue(Box::new(Job { due_at: later(at_s), ..job(id) }))),
        (id(), any::<bool>())
            .prop_map(|(id, known)| Write::Note(Event { ..event(&id.to_string(), known.then_some(id)) })),
    ]
}

fn rely() -> impl Strategy<Value = Rely> {
    let version = || 1..4_u32;
    prop_oneof![
        (id(), id(), prop::option::of(Just(101_i64)))
            .prop_map(|(user, client, id)| { Rely::Consent { user: UserKey(user), client: ClientKey(client), id } }),
        (id(), version()).prop_map(|(id, version)| Rely::Client(ClientKey(id), version)),
        (id(), version()).prop_map(|(id, version)| Rely::User(UserKey(id), version)),
        id().prop_map(|id| Rely::Session(SessionId(id))),
        (id(), 0..3_u32).prop_map(|(id, than)| Rely::ClientsFewer { owner: UserKey(id), than }),
        (id(), 0..3_u32).prop_map(|(id, than)| Rely::PersonalsFewer { user: UserKey(id), than }),
        id().prop_map(|id| Rely::Grant(GrantId(id))),
        (0..4_u32, 0..40_u64).prop_map(|(limit, at_s)| Rely::CounterBelow {
            key: digest("address"),
            limit,
            now: later(at_s)
        }),
    ]
}

fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        id().prop_map(|id| Write::SpendCode(CodeId(id))),
        (id(), 1..3_u32).prop_map(|(id, version)| Write::SpendTicket { id: TicketId(id), version }),
        (id(), prop::option::of(id()), 1..4_u32).prop_map(|(id, user, version)| {
            Write::ChangeTicket(Box::new(Ticket { user: user.map(UserKey), version, ..ticket(id, 1, 1) }))
        }),
        (id(), "[ab]", "[ab]").prop_map(|(id, from, to)| {
            let from = if from == "a" { "first" } else { "second" };
            let to = if to == "a" { "first" } else { "second" };
            Write::RotateRefresh { grant: GrantId(id), from: digest(from), to: refresh(to), expires_at: later(400) }
        }),
        (0..4_u32, 0..40_u64).prop_map(|(limit, at_s)| Write::CountFailure {
            key: digest("address"),
            limit,
            now: later(at_s),
            resets_at: later(at_s + 20),
            user: (limit > 2).then_some(UserKey(1)),
        }),
        id().prop_map(|id| Write::ForgetFailures(UserKey(id))),
        (0..4_u32, 0..40_u64).prop_map(|(limit, at_s)| Write::ClearCounter {
            key: digest("address"),
            limit,
            now: later(at_s)
        }),
        id().prop_map(|id| Write::TouchSession { id: SessionId(id), seen_at: later(3), idle_until: later(150) }),
        id().prop_map(|id| Write::TouchPersonal { id: PersonalId(id), used_at: later(3) }),
        (id(), "[ab]", 0..9_u64).prop_map(|(id, secret, s)| Write::TouchSecret {
            client: ClientKey(id),
            secret: digest(&secret),
            used_at: later(s)
        }),
        id().prop_map(|id| Write::RevokeGrant(GrantId(id))),
        id().prop_map(|id| Write::RevokeAccess(AccessId(id))),
        id().prop_map(|id| Write::RevokePersonal(PersonalId(id))),
        (id(), id())
            .prop_map(|(user, client)| Write::WithdrawConsent { user: UserKey(user), client: ClientKey(client) }),
        id().prop_map(|id| Write::EndSession(SessionId(id))),
        id().prop_map(|subject| Write::DropIdentity(identity_name(subject))),
        (id(), proptest::option::of(id()))
            .prop_map(|(user, but)| Write::EndSessions { user: UserKey(user), but: but.map(SessionId) }),
        id().prop_map(|id| Write::DeleteUser(UserKey(id))),
        id().prop_map(|id| Write::DeleteClient(ClientKey(id))),
    ]
}

fn end() -> impl Strategy<Value = JobEnd> {
    let error = || "away".to_owned();
    prop_oneof![
        Just(JobEnd::Done),
        (0..90_u64).prop_map(move |at_s| JobEnd::Later { due_at: later(at_s), error: error() }),
        (0..90_u64).prop_map(move |at_s| JobEnd::Dead { at: later(at_s), error: error() }),
    ]
}

fn life() -> impl Strategy<Value = Vec<Deed>> {
    let change = || {
        prop_oneof![
            15 => put().prop_map(Changes::from),
            3 => rely().prop_map(Changes::from),
            7 => write().prop_map(Changes::from),
        ]
    };
    let turn = |parts: Vec<Changes>| Deed::Commit(parts.into_iter().fold(Changes::default(), Changes::with));
    let step = prop_oneof![
        // Most turns with one or two changes are committed. Longer ones are often lost, which tests rollback.
        12 => proptest::collection::vec(change(), 1..3).prop_map(turn),
        4 => proptest::collection::vec(change(), 3..6).prop_map(turn),
        2 => (1..3_i64, 0..90_u64, 1..3_u32).prop_map(|(holder, at_s, jobs_max)| {
            Deed::Claim(JobClaim { holder, now: later(at_s), for_s: 20, jobs_max, kinds: JOB_KINDS })
        }),
        1 => (id(), 1..3_i64, end()).prop_map(|(id, holder, end)| Deed::EndJob(JobId(id), holder, end)),
        1 => (id(), prop::option::of(0..90_u64)).prop_map(|(id, at_s)| {
            let change = at_s.map_or(JobChange::Drop, |at_s| JobChange::Retry { now: later(at_s) });
            Deed::ChangeJob(JobId(id), change)
        }),
        1 => (0..400_u64, 1..4_usize).prop_map(|(at_s, rows_max)| Deed::Sweep(at_s, rows_max)),
    ];
    proptest::collection::vec(step, 1..60)
}

/// Sweeps until nothing is left, because stores may remove expired rows in any order.
async fn sweep(store: &dyn crate::Store, at_s: u64, rows_max: usize) -> usize {
    let mut removed = 0;
    loop {
        match store.sweep(later(at_s), rows_max).await.expect("the store can be swept") {
            0 => return removed,
            count => removed += count,
        }
    }
}

async fn live(deeds: Vec<Deed>, one: Fixture, other: Fixture) {
    for deed in deeds {
        match deed {
            Deed::Commit(changes) => {
                let expected = one.store.commit(changes.clone()).await;
                assert_eq!(other.store.commit(changes.clone()).await, expected, "{changes:?}");
            }
            Deed::Claim(claim) => {
                let expected = one.store.claim_jobs(claim).await;
                assert_eq!(other.store.claim_jobs(claim).await, expected);
            }
            Deed::EndJob(id, holder, end) => {
                let expected = one.store.end_job(id, holder, end.clone()).await;
                assert_eq!(other.store.end_job(id, holder, end).await, expected);
            }
            Deed::ChangeJob(id, change) => {
                let expected = one.store.change_job(id, change, event("changed", None)).await;
                assert_eq!(other.store.change_job(id, change, event("changed", None)).await, expected);
            }
            Deed::Sweep(at_s, rows_max) => {
                let expected = sweep(&*one.store, at_s, rows_max).await;
                assert_eq!(sweep(&*other.store, at_s, rows_max).await, expected);
            }
        }
    }
    assert_eq!(everything(&*other.store).await, everything(&*one.store).await);
}

/// Runs the same random steps on two stores and compares them.
fn lead<F: Future<Output = Fixture>>(cases: u32, other: impl Fn() -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let led = TestRunner::new(config).run(&life(), |deeds| {
        runtime.block_on(async { live(deeds, super::memory(), other().await).await });
        Ok(())
    });
    led.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_random_life_looks_the_same_on_sqlite() {
    lead(64, || async { super::sqlite() });
}

#[test]
fn a_random_life_looks_the_same_on_postgres() {
    lead(24, super::postgres);
}
