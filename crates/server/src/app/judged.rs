//! Runs a judge, and collects what it decided.

use protocol::client::recalled::Proven;
use protocol::jose::sign::ToSign;
use protocol::line::{Call, Changes, DocumentKey, Facts, Turn};
use protocol::model::UserKey;
use protocol::refusal::Refusal;
use protocol::wire::Field;

use crate::http::{Found, FoundOnce};
use crate::observe::audit;

/// The decision of a judge.
pub(super) struct Judged<Yes> {
    pub(super) verdict: Result<Yes, Refusal>,
    pub(super) changes: Changes,
    /// The audit events among the changes, as log lines.
    pub(super) events: Vec<audit::Line>,
    /// The client secret that the judge verified, if any.
    pub(super) proven: Option<Proven>,
    /// Outside documents that the judge lacked. If there are any, the rest does not count.
    pub(super) lacking: Vec<DocumentKey>,
    /// The messages to be signed for the answer, if the verdict is yes.
    pub(super) to_sign: Vec<(Field, ToSign)>,
    /// Whom the request is about, if it may be refused.
    found: Option<Box<Found>>,
}

impl<Yes> Judged<Yes> {
    /// Tells whom the request is about. Of several attempts the first counts.
    pub(super) fn tell(&mut self, once: &FoundOnce) {
        if let Some(found) = self.found.take() {
            // An earlier attempt at the same call found the same rows.
            let _ = once.set(found);
        }
    }
}

/// Judges a call, and reads the audit events among its changes.
pub(super) fn judge<C: Call>(call: &C, facts: &Facts, mut turn: Turn<'_>) -> Judged<C::Yes> {
    let verdict = call.decide(facts, &mut turn);
    let (proven, lacking, to_sign) = (turn.proven, turn.take_lacking(), turn.take_to_sign());
    let changes = turn.into_changes();
    let events = audit::lines(facts, &changes);
    // A page that asks again after a wrong password is a yes to the judge. Passwords take so long that it does not matter what
    // this takes.
    let may_be_refused = verdict.is_err() || call.is_slow(facts) || events.iter().any(audit::Line::is_failure);
    let found = may_be_refused.then(|| Box::new(found(call, facts, &events)));
    Judged { verdict, changes, events, proven, lacking, to_sign, found }
}

/// Whom a request is about, as far as rows tell.
fn found<C: Call>(call: &C, facts: &Facts, events: &[audit::Line]) -> Found {
    let of_key = |key: UserKey| facts.users().find(|user| user.key == key);
    let named = events.iter().find_map(|line| line.user().map(ToOwned::to_owned));
    // Somebody else may be signed in to the browser in which a name is typed that nobody has.
    let only = || if facts.names_account() { None } else { facts.users().next() };
    let account = || facts.account().and_then(of_key).or_else(only).map(|user| user.sub.clone());
    let claimed = call.credentials().map(|own| &*own.client_id);
    let mut clients = facts.clients().map(|client| &*client.client_id);
    let client_id = match claimed {
        Some(claimed) => clients.find(|own| *own == claimed),
        None => clients.next(),
    };
    Found { user: named.or_else(account), client_id: client_id.map(ToOwned::to_owned) }
}
