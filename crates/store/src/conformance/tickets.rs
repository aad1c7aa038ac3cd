//! Tickets are found as they were put, are good once, and go with whom they are about.

use protocol::crypto::entropy::Entropy;
use protocol::crypto::keys::{Keys, Presented};
use protocol::line::{Changes, Facts, Key, Turn, Wants, Write};
use protocol::model::{
    Client, ClientKey, GrantId, Ticket, TicketId, TicketKind, TicketProblem, User, UserKey, WithOwners,
};
use protocol::policy::Policy;
use protocol::time::UnixTime;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::rows::*;
use crate::{CommitError, Store};

/// The kind of [`ticket`].
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Invitation {
    team: String,
}

impl TicketKind for Invitation {
    const NAME: &'static str = "invitation";
}

/// Another kind, whose document has the same members.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    team: String,
}

impl TicketKind for Request {
    const NAME: &'static str = "request";
}

fn put(row: Ticket) -> Write {
    Write::PutTicket(Box::new(row))
}

fn change(row: Ticket) -> Write {
    Write::ChangeTicket(Box::new(row))
}

pub(super) async fn found(store: &dyn Store, id: i64) -> Option<WithOwners<Ticket>> {
    facts(store, id).await.ticket
}

async fn row(store: &dyn Store, id: i64) -> Option<Ticket> {
    found(store, id).await.map(|held| held.row)
}

pub(super) async fn a_ticket_is_found_as_it_was_put(store: &dyn Store) {
    furnish(store).await;
    let bare = Ticket { user: None, client: None, is_spent: true, version: 7, ..ticket(2, 1, 1) };
    let empty = Ticket { kind: "newer".to_owned(), document: serde_json::Map::new(), ..ticket(3, 9, 9) };
    commit(store, [put(ticket(1, 1, 1)), put(bare.clone()), put(empty.clone())]).await;
    let held = found(store, 1).await.expect("the ticket is there");
    assert_eq!(held.row, ticket(1, 1, 1));
    assert_eq!((held.client.as_deref(), held.user.as_deref()), (Some(&client(1)), Some(&user(1))));
    let held = found(store, 2).await.expect("the ticket is there");
    assert_eq!((held.row, held.client, held.user), (bare, None, None));
    let held = found(store, 3).await.expect("the ticket is there");
    assert_eq!((held.row, held.client, held.user), (empty, None, None));
    assert!(found(store, 4).await.is_none());
    // Its client and user are as they are now, also where several rows are wanted.
    let renamed = User { name: "Renamed".to_owned(), version: 2, ..user(1) };
    let disabled = Client { is_disabled: true, version: 2, ..client(1) };
    commit(store, [Write::PutUser(Box::new(renamed.clone())), Write::PutClient(Box::new(disabled.clone()))]).await;
    let alone = load(store, Key::Ticket(TicketId(1))).await;
    let held = ticket_in(&alone, 1).expect("the ticket is there");
    assert_eq!((held.client.as_deref(), held.user.as_deref()), (Some(&disabled), Some(&renamed)));
}

pub(super) async fn a_new_ticket_is_put_once(store: &dyn Store) {
    furnish(store).await;
    commit(store, [put(ticket(1, 1, 1))]).await;
    must_lose(store, put(ticket(1, 2, 2))).await;
    must_lose(store, put(Ticket { version: 2, ..ticket(1, 1, 1) })).await;
}

pub(super) async fn a_ticket_is_spent_once_in_the_version_that_was_judged(store: &dyn Store) {
    furnish(store).await;
    commit(store, [put(Ticket { version: 3, ..ticket(1, 1, 1) })]).await;
    let spend = |id, version| Write::SpendTicket { id: TicketId(id), version };
    for (id, version) in [(1, 1), (1, 2), (1, 4), (2, 3)] {
        must_lose(store, spend(id, version)).await;
    }
    must_lose(store, [spend(1, 3), spend(1, 3)]).await;
    commit(store, [spend(1, 3)]).await;
    assert_eq!(row(store, 1).await, Some(Ticket { version: 3, is_spent: true, ..ticket(1, 1, 1) }));
    must_lose(store, spend(1, 3)).await;
    // Writes are made in their order, also where a ticket is spent that the same turn puts.
    must_lose(store, [spend(60, 1), put(ticket(60, 1, 1))]).await;
    commit(store, [put(ticket(60, 1, 1)), spend(60, 1)]).await;
    assert_eq!(row(store, 60).await.map(|row| row.is_spent), Some(true));
}

pub(super) async fn a_ticket_is_changed_in_the_version_that_was_judged_and_only_unspent(store: &dyn Store) {
    furnish(store).await;
    commit(store, [put(Ticket { user: None, ..ticket(1, 1, 1) })]).await;
    let approved = ticket(1, 1, 1).with(&Invitation { team: "red".to_owned() });
    assert_eq!(approved.document["newer"], json!({"z": [1, "ü"], "a": null}), "members of a newer version stay");
    for version in [0, 1, 3] {
        must_lose(store, change(Ticket { version, ..approved.clone() })).await;
    }
    must_lose(store, change(Ticket { id: TicketId(2), ..approved.clone() })).await;
    // What a ticket is, and for which token, does not change.
    let other = Ticket { kind: "request".to_owned(), digest: digest("other"), is_spent: true, ..approved.clone() };
    commit(store, [change(other)]).await;
    assert_eq!(row(store, 1).await, Some(approved.clone()));
    let later_end = Ticket { expires_at: later(999), client: None, version: 3, ..approved.clone() };
    commit(store, [change(later_end.clone())]).await;
    assert_eq!(row(store, 1).await, Some(later_end.clone()));
    must_lose(store, Write::SpendTicket { id: TicketId(1), version: 2 }).await;
    commit(store, [Write::SpendTicket { id: TicketId(1), version: 3 }]).await;
    must_lose(store, change(Ticket { version: 4, ..later_end })).await;
}

pub(super) async fn a_ticket_goes_with_its_user_or_its_client(store: &dyn Store) {
    furnish(store).await;
    let bare = Ticket { user: None, client: None, ..ticket(4, 1, 1) };
    commit(store, [put(ticket(1, 1, 2)), put(ticket(2, 2, 1)), put(ticket(3, 2, 2)), put(bare)]).await;
    commit(store, [Write::DeleteUser(UserKey(1))]).await;
    assert!(row(store, 1).await.is_none() && row(store, 2).await.is_some());
    commit(store, [Write::DeleteClient(ClientKey(1))]).await;
    assert!(row(store, 2).await.is_none());
    assert!(row(store, 3).await.is_some() && row(store, 4).await.is_some());
}

/// Ids are drawn by clocks, and the clocks of two processes differ.
pub(super) async fn a_ticket_that_is_revoked_by_its_id_has_a_smaller_one(store: &dyn Store) {
    furnish(store).await;
    commit(store, [put(ticket(70, 1, 1))]).await;
    assert_eq!(store.greatest_id().await, Ok(70));
    let of_user = |revoked_below| Write::PutUser(Box::new(User { revoked_below, version: 2, ..user(1) }));
    let of_client = |revoked_below| Write::PutClient(Box::new(Client { revoked_below, version: 2, ..client(1) }));
    for revoke in [of_user(70), of_client(70)] {
        assert_eq!(store.commit(revoke.into()).await, Err(CommitError::Behind(70)));
    }
    commit(store, [of_user(71), of_client(71)]).await;
    commit(store, [put(ticket(-1, 1, 1))]).await;
    assert_eq!(store.greatest_id().await, Ok(i64::MAX), "an id that ran over is greater than all others");
}

pub(super) async fn an_expired_ticket_is_swept_spent_or_not(store: &dyn Store) {
    furnish(store).await;
    let spent = Ticket { is_spent: true, ..ticket(2, 1, 1) };
    let lasting = Ticket { expires_at: UnixTime::NEVER, ..ticket(3, 1, 1) };
    let many = (100..120).map(|id| put(Ticket { expires_at: later(40), ..ticket(id, 1, 1) })).collect::<Changes>();
    commit(store, many.with([put(ticket(1, 1, 1)), put(spent), put(lasting)])).await;
    assert_eq!(store.sweep(later(39), 1_000).await, Ok(0));
    assert_eq!(store.sweep(later(40), 15).await, Ok(15));
    assert_eq!(store.sweep(later(40), 15).await, Ok(5));
    assert_eq!(store.sweep(later(49), 1_000).await, Ok(0));
    assert!(row(store, 1).await.is_some() && row(store, 2).await.is_some());
    assert_eq!(store.sweep(later(50), 1_000).await, Ok(2));
    assert!(row(store, 1).await.is_none() && row(store, 2).await.is_none() && row(store, 3).await.is_some());
}

/// What the judge of invitations decides, given the rows that it was judged by.
fn accept(facts: &Facts, id: i64) -> (Result<String, TicketProblem>, Changes) {
    let (policy, keys) = (Policy::standard(""), Keys::derive(&[7; 32], &[1]));
    let mut turn = Turn::new(NOW, &policy, &keys, Entropy::seeded([1; 32], 5_000), "192.0.2.1");
    let verdict = facts.ticket::<Invitation>(Presented { id, digest: digest("ticket") }, &turn).map(|found| {
        turn.write(found.spend());
        found.document.team
    });
    (verdict, turn.into_changes())
}

/// The facts that a judge of one kind, and of another, is given.
pub(super) async fn a_ticket_of_one_kind_is_never_accepted_as_another(store: &dyn Store) {
    furnish(store).await;
    commit(store, [put(ticket(1, 1, 1)), put(Ticket { kind: "request".to_owned(), ..ticket(2, 1, 1) })]).await;
    let all = store.load(Wants::of([1, 2].map(|id| Key::Ticket(TicketId(id))))).await.expect("the store can be read");
    assert_eq!(accept(&all, 1).0.as_deref(), Ok("blue"));
    assert_eq!(accept(&all, 2), (Err(TicketProblem::Unknown), Changes::default()));
    let (policy, keys) = (Policy::standard(""), Keys::derive(&[7; 32], &[1]));
    let turn = Turn::new(NOW, &policy, &keys, Entropy::seeded([1; 32], 5_000), "192.0.2.1");
    let told = |id| all.ticket::<Request>(Presented { id, digest: digest("ticket") }, &turn).map(drop);
    assert_eq!((told(1), told(2)), (Err(TicketProblem::Unknown), Ok(())));
    let guessed = Presented { id: 1, digest: digest("guessed") };
    assert_eq!(all.ticket::<Invitation>(guessed, &turn).map(drop), Err(TicketProblem::Unknown));
}

/// Every order in which `racers` can take two steps each: 6 of two racers, 90 of three.
fn schedules(racers: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for _ in 0..2 * racers {
        let longer = |begun: &Vec<usize>| {
            let begun = begun.clone();
            let is_open = |racer: &usize| begun.iter().filter(|own| *own == racer).count() < 2;
            let next: Vec<usize> = (0..racers).filter(is_open).collect();
            next.into_iter().map(move |racer| [begun.as_slice(), &[racer]].concat()).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

/// A turn is a load and a commit. Whoever loses the commit takes another turn.
pub(super) async fn of_racers_one_uses_a_ticket_over_every_schedule(store: &dyn Store) {
    furnish(store).await;
    assert_eq!((schedules(2).len(), schedules(3).len()), (6, 90));
    for (at, schedule) in [schedules(2), schedules(3)].concat().into_iter().enumerate() {
        let id = 1_000 + i64::try_from(at).expect("a small number");
        commit(store, [put(ticket(id, 1, 1))]).await;
        let racers = schedule.iter().max().map_or(0, |last| last + 1);
        let mut loaded: Vec<Option<Facts>> = (0..racers).map(|_| None).collect();
        let mut verdicts = Vec::new();
        for &racer in &schedule {
            let Some(facts) = loaded[racer].take() else {
                loaded[racer] = Some(load(store, Key::Ticket(TicketId(id))).await);
                continue;
            };
            let (mut verdict, mut changes) = accept(&facts, id);
            // What the ticket brings about is written with its use, or not at all.
            let grant_of = |racer: usize| 10 * id + i64::try_from(racer).expect("a small number");
            let begin = |changes: Changes, is_good: bool| {
                changes.with(
                    is_good
                        .then(|| Write::PutGrant(Box::new(grant(grant_of(racer), 1, 1))))
                        .into_iter()
                        .collect::<Changes>(),
                )
            };
            changes = begin(changes, verdict.is_ok());
            while let Err(error) = store.commit(changes).await {
                assert_eq!(error, CommitError::Lost, "{schedule:?}");
                (verdict, changes) = accept(&load(store, Key::Ticket(TicketId(id))).await, id);
                changes = begin(changes, verdict.is_ok());
            }
            let is_begun =
                load(store, Key::Grant(GrantId(grant_of(racer)))).await.grant_row(GrantId(grant_of(racer))).is_some();
            assert_eq!(is_begun, verdict.is_ok(), "{schedule:?}");
            verdicts.push(verdict);
        }
        let (won, lost): (Vec<_>, Vec<_>) = verdicts.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, racers - 1), "{schedule:?}");
        assert!(lost.iter().all(|verdict| *verdict == Err(TicketProblem::Spent)), "{schedule:?}");
    }
}
