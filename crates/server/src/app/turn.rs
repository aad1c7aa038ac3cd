//! Where the pure half meets the world: a call is loaded, judged and committed.

use std::sync::Arc;

use protocol::client::recalled::Proven;
use protocol::crypto::entropy::Entropy;
use protocol::line::{Call, Facts, Turn, Wants, Write};
use protocol::model::Client;
use protocol::person::memo::Memo;
use protocol::policy::Policy;
use protocol::refusal::Refusal;
use protocol::time::UnixTime;
use store::CommitError;

use super::judged::{Judged, judge};
use super::recall::Guess;
use super::secrets::Seen;
use super::{App, busy};
use crate::fault::Fault;
use crate::http::FoundOnce;
use crate::plausible::Implausible;
use crate::slow::SlowPool;

/// Maximum number of attempts when concurrent writes invalidate a turn's preconditions.
const TURN_ATTEMPTS_MAX: u32 = 5;

/// A call that is being judged, and the results of the attempts so far.
struct Calling<'a, C> {
    app: &'a App,
    call: Arc<C>,
    /// True after a commit of this turn was lost to another one.
    has_lost: bool,
    policy: &'a Arc<Policy>,
    /// Where the turn leaves whom a refusal is about.
    found: &'a FoundOnce,
    address: &'a str,
    /// Password hashes that were computed, so that no attempt computes one again.
    memo: Option<Arc<Memo>>,
    /// False after the store failed to write that a client secret was used.
    may_note_use: bool,
    /// An id of another node that the ids of this turn must lie above.
    behind: i64,
}

/// How an attempt ended.
enum Attempt<'a, Yes> {
    /// With the judge's verdict, which is committed.
    Done(Result<Yes, Refusal>),
    /// Another attempt is needed.
    Again {
        /// True if the turn ends something.
        is_ending: bool,
        /// Counts as an open guess at the secret for as long as the call is judged.
        guess: Option<Guess<'a>>,
    },
}

impl App {
    /// Takes a call down the line: load, decide, commit. A turn that loses a race is loaded and judged anew. A turn that ends
    /// something and lost its first attempt has the store for itself, so that it cannot lose to the traffic that it ends. If the
    /// call is refused, the turn leaves in `found` whom it is about, for the log.
    ///
    /// # Errors
    /// The inner error is the judge's no, or [`protocol::refusal::No::Busy`]; the outer one means that something is broken.
    pub async fn turn<C: Call>(
        &self,
        policy: &Arc<Policy>,
        found: &FoundOnce,
        address: &str,
        call: C,
    ) -> Result<Result<C::Yes, Refusal>, Fault> {
        if let Err(refusal) = self.check_clock() {
            return Ok(Err(refusal));
        }
        let call = Arc::new(call);
        let mut calling = Calling {
            app: self,
            call,
            has_lost: false,
            policy,
            found,
            address,
            memo: None,
            may_note_use: true,
            behind: 0,
        };
        for _ in 0..TURN_ATTEMPTS_MAX {
            match calling.attempt().await? {
                Attempt::Done(verdict) => return Ok(verdict),
                Attempt::Again { is_ending: false, .. } => {}
                Attempt::Again { is_ending: true, guess: _guess } => {
                    // Boxed: hardly any turn comes here.
                    let Calling { call, has_lost, memo, .. } = &calling;
                    let from = (policy, found, address);
                    let alone = Box::pin(self.turn_alone(&**call, *has_lost, from, memo.as_deref()));
                    if let Some(done) = alone.await {
                        return done;
                    }
                }
            }
        }
        self.metrics.turn_contended();
        tracing::warn!(attempts = TURN_ATTEMPTS_MAX, "others changed the same rows first, again and again");
        Ok(Err(busy()))
    }

    /// Loads the wanted rows. Wants that name no row, such as those of a garbage token, do not cost a look at the store.
    pub(super) async fn look(&self, wants: Wants) -> Result<Facts, store::Fault> {
        if wants.is_empty() { Ok(Facts::default()) } else { self.store.load(wants).await }
    }

    /// Randomness and ids for a turn. The ids lie above `revoked_below`, below which everything was revoked.
    pub(super) fn above(&self, revoked_below: i64) -> Result<Entropy, Implausible> {
        self.ids.lift(revoked_below, self.clock.now_ms())?;
        self.draw_ids()
    }

    /// A store that may work later is a refusal; one that is broken is a fault.
    pub(super) fn failed<T>(&self, fault: store::Fault) -> Result<Result<T, Refusal>, Fault> {
        self.note_fault(&fault);
        match fault {
            store::Fault::Unavailable { cause } => {
                tracing::error!(cause, "the store cannot be used at the moment");
                Ok(Err(busy()))
            }
            fault => Err(fault.into()),
        }
    }
}

impl<'a, C: Call> Calling<'a, C> {
    /// Loads what the call wants, lets the judge decide, and commits what it decided.
    async fn attempt(&mut self) -> Result<Attempt<'a, C::Yes>, Fault> {
        let app = self.app;
        let looked = app.look_with_secrets(&*self.call, self.has_lost, self.policy, self.address).await;
        let (mut seen, guess) = match looked {
            Ok(seen) => seen,
            Err(fault) => return app.failed(fault).map(Attempt::Done),
        };
        if !self.may_note_use {
            seen.recalled.unnoted.clear();
        }
        let entropy = match app.above(seen.facts.revoked_below().max(self.behind)) {
            Ok(entropy) => entropy,
            Err(why) => return App::without_ids(why).map(Attempt::Done),
        };
        let client = self.call.credentials().and_then(|own| seen.facts.client(&own.client_id)).cloned();
        let Some(mut judged) = self.judged(seen, entropy).await? else { return Ok(Attempt::Done(Err(busy()))) };
        judged.tell(self.found);
        // A turn that decides nothing skips the commit.
        if judged.changes.is_empty() {
            self.learn(client.as_deref(), judged.proven, None);
            return Ok(Attempt::Done(judged.verdict));
        }
        self.commit(judged, client.as_deref(), guess).await
    }

    /// Commits the decided changes. Asks for another attempt if a precondition failed, or if the use of a client secret could not
    /// be written.
    async fn commit(
        &mut self,
        judged: Judged<C::Yes>,
        client: Option<&Client>,
        guess: Option<Guess<'a>>,
    ) -> Result<Attempt<'a, C::Yes>, Fault> {
        let Judged { verdict, changes, events, proven, .. } = judged;
        let app = self.app;
        let used_at = changes.writes.iter().find_map(Write::secret_used_at);
        let is_skippable = changes.is_skippable();
        let is_ending = changes.writes.iter().any(Write::is_ending);
        match app.store.commit(changes).await {
            Ok(()) => {
                app.metrics.wrote(true);
                app.trail.tell(&events, &app.metrics);
                self.learn(client, proven, used_at);
                return Ok(Attempt::Done(verdict));
            }
            Err(CommitError::Lost) => {
                app.metrics.turn_lost();
                self.has_lost = true;
            }
            Err(CommitError::Behind(id)) => self.behind = id,
            Err(CommitError::Taken(name)) => return Err(Fault::Taken(name)),
            // Judged again without the note that the secret was used: perhaps nothing else has to be written.
            Err(CommitError::Fault(_)) if used_at.is_some() && !is_skippable && self.may_note_use => {
                app.metrics.wrote(false);
                self.may_note_use = false;
            }
            Err(CommitError::Fault(fault)) => {
                app.metrics.wrote(false);
                let failed = app.failed(fault);
                // A full disk still answers those who only read, also where it would be noted that they read.
                return if is_skippable && failed.is_ok() {
                    Ok(Attempt::Done(verdict))
                } else {
                    failed.map(Attempt::Done)
                };
            }
        }
        Ok(Attempt::Again { is_ending, guess })
    }

    fn learn(&self, client: Option<&Client>, proven: Option<Proven>, used_at: Option<UnixTime>) {
        self.app.learn(&*self.call, client, self.address, proven, used_at);
    }

    /// Judges the call, on a pool of its own if that takes password hashes; `None` when too much is waiting there.
    async fn judged(&mut self, seen: Seen, entropy: Entropy) -> Result<Option<Judged<C::Yes>>, Fault> {
        let app = self.app;
        if let Some(pool) = app.pool(&*self.call, &seen, self.policy, self.address) {
            // Boxed: most turns are quick, and should not carry room for the others.
            return Box::pin(self.judged_slowly(pool, seen, entropy)).await;
        }
        let keys = app.keys();
        let turn = Turn::new(app.clock.now(), self.policy, &keys, entropy, self.address);
        Ok(Some(judge(&*self.call, &seen.facts, turn.with_recalled(&seen.recalled))))
    }

    async fn judged_slowly(
        &mut self,
        pool: &SlowPool,
        seen: Seen,
        entropy: Entropy,
    ) -> Result<Option<Judged<C::Yes>>, Fault> {
        let memo = Arc::clone(self.memo.get_or_insert_default());
        let (call, policy, keys) = (Arc::clone(&self.call), Arc::clone(self.policy), self.app.keys());
        let (now, address) = (self.app.clock.now(), self.address.to_owned());
        let work = move || {
            let turn = Turn::new(now, &policy, &keys, entropy, &address);
            judge(&*call, &seen.facts, turn.with_recalled(&seen.recalled).with_memo(&memo))
        };
        Ok(pool.run(work).await?.ok())
    }
}
