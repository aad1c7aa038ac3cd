//! Runs a judge, and collects what it decided.

use protocol::client::recalled::Proven;
use protocol::line::{Call, Changes, DocumentKey, Facts, Turn};
use protocol::refusal::Refusal;

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
}

/// Judges a call, and reads the audit events among its changes.
pub(super) fn judge<C: Call>(call: &C, facts: &Facts, mut turn: Turn<'_>) -> Judged<C::Yes> {
    let verdict = call.decide(facts, &mut turn);
    let (proven, lacking) = (turn.proven, turn.take_lacking());
    let changes = turn.into_changes();
    let events = audit::lines(facts, &changes);
    Judged { verdict, changes, events, proven, lacking }
}
