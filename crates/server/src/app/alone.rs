//! The second attempt at a turn that ends something, such as a session or a grant. It holds the store's exclusive right
//! to write (the pen), so it cannot lose to other writes.

use std::sync::Arc;

use protocol::line::Call;
use protocol::line::{Documents, Facts, Turn};
use protocol::person::memo::Memo;
use protocol::policy::Policy;
use protocol::refusal::Refusal;
use store::CommitError;

use super::App;
use super::judged::{Judged, judge};
use crate::fault::Fault;
use crate::http::FoundOnce;

/// Maximum number of attempts with the exclusive right to write. More than one may be needed, because the turn's ids
/// must be greater than those of other nodes.
const ATTEMPTS_MAX: u32 = 3;

impl App {
    /// Loads, judges and commits a call while no other process can write. Returns `None` if that fails, or if it would
    /// make all writers wait for a password hash, an outside document or a signature: the caller must then try the turn in the usual
    /// way.
    pub(super) async fn turn_alone<C: Call>(
        &self,
        call: &C,
        has_lost: bool,
        (policy, found, address): (&Arc<Policy>, &FoundOnce, &str),
        memo: Option<&Memo>,
        documents: &Documents,
    ) -> Option<Result<Result<C::Yes, Refusal>, Fault>> {
        let mut pen = match self.store.pen().await {
            Ok(pen) => pen,
            Err(fault) => {
                tracing::warn!(cause = %fault, "a turn that ends something could not have the store for itself");
                return None;
            }
        };
        for _ in 0..ATTEMPTS_MAX {
            let (seen, _guess) = match self.look_with_secrets(call, has_lost, policy, address).await {
                Ok(seen) => seen,
                Err(fault) => return Some(self.failed(fault)),
            };
            let entropy = match self.above(seen.facts.revoked_below()) {
                Ok(entropy) => entropy,
                Err(why) => return Some(Self::without_ids(why)),
            };
            if self.pool(call, &seen, policy, address).is_some() && memo.is_none_or(Memo::is_empty) {
                return None;
            }
            let (keys, signing) = (self.keys(), self.signer.held());
            let turn = Turn::new(self.clock.now(), policy, &keys, entropy, address)
                .with_recalled(&seen.recalled)
                .with_documents(documents)
                .with_own_keys(signing.public());
            let mut judged = match memo {
                Some(memo) => judge_quickly(call, &seen.facts, turn, memo)?,
                None => judge(call, &seen.facts, turn),
            };
            // All writers would wait for a document or a signature.
            if !judged.lacking.is_empty() || (judged.verdict.is_ok() && !judged.to_sign.is_empty()) {
                return None;
            }
            judged.tell(found);
            let Judged { verdict, changes, events, .. } = judged;
            if changes.is_empty() {
                return Some(Ok(verdict));
            }
            match pen.commit(changes).await {
                Ok(()) => {
                    self.metrics.wrote(true);
                    self.trail.tell(&events, &self.metrics);
                    return Some(Ok(verdict));
                }
                Err(CommitError::Lost) => self.metrics.turn_lost(),
                Err(CommitError::Behind(id)) => {
                    if let Err(why) = self.ids.lift(id, self.clock.now_ms()) {
                        return Some(Self::without_ids(why));
                    }
                }
                Err(CommitError::Taken(name)) => return Some(Err(Fault::Taken(name))),
                Err(CommitError::Fault(fault)) => {
                    self.metrics.wrote(false);
                    return Some(self.failed(fault));
                }
            }
        }
        None
    }
}

/// As [`judge`], but computes no password hash. Returns `None` if the verdict needs a hash that `memo` does not have.
fn judge_quickly<C: Call>(call: &C, facts: &Facts, turn: Turn<'_>, memo: &Memo) -> Option<Judged<C::Yes>> {
    memo.be_quick(true);
    let judged = judge(call, facts, turn.with_memo(memo));
    let was_missed = memo.was_missed();
    memo.be_quick(false);
    (!was_missed).then_some(judged)
}
