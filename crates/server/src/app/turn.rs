//! Turns: a call's rows are loaded, the call is judged, and the changes are committed. Here the pure judges meet store,
//! clock and randomness.

use std::sync::Arc;

use protocol::client::recalled::Proven;
use protocol::crypto::entropy::Entropy;
use protocol::line::{Call, DocumentKey, Documents, Facts, Turn, Wants, Write};
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

/// A call that is being judged, and what its attempts have found out so far.
struct Calling<'a, C> {
    app: &'a App,
    call: Arc<C>,
    /// True after a commit of this call was lost to a concurrent write.
    has_lost: bool,
    policy: &'a Arc<Policy>,
    /// Where the turn leaves whom a refusal is about.
    found: &'a FoundOnce,
    address: &'a str,
    /// Password hashes that earlier attempts computed.
    memo: Option<Arc<Memo>>,
    /// Outside documents that an earlier attempt lacked.
    documents: Documents,
    /// False after the store failed to write that a client secret was used.
    may_note_use: bool,
    /// An id that another node wrote. The ids of the next attempt must be greater.
    behind: i64,
}

/// The outcome of an attempt.
enum Attempt<'a, Yes> {
    /// The verdict is final, and its changes are committed.
    Done(Result<Yes, Refusal>),
    /// Another attempt is needed.
    Again {
        /// True if the turn ends something.
        is_ending: bool,
        /// The open guess at a client secret, which counts as long as the call is judged.
        guess: Option<Guess<'a>>,
    },
    /// The judge lacked these outside documents. Nothing was written.
    Lacking(Vec<DocumentKey>),
}

impl App {
    /// Loads the rows of a call, judges it, and commits the changes. If a concurrent write invalidates a precondition,
    /// the call is loaded and judged again. If the call ends something and lost its first attempt, the second attempt
    /// has the exclusive right to write, so that it cannot lose to the traffic that it ends.
    ///
    /// If the judge lacks outside documents, they are fetched, and the call is loaded and judged again.
    ///
    /// If the call is refused, `found` gets whom the request is about, for the log.
    ///
    /// # Errors
    /// The inner error is the judge's refusal, or [`protocol::refusal::No::Busy`]. The outer error means that the
    /// server is broken.
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
        let (memo, documents) = (None, Documents::default());
        let mut calling = Calling {
            app: self,
            call,
            has_lost: false,
            policy,
            found,
            address,
            memo,
            documents,
            may_note_use: true,
            behind: 0,
        };
        let mut attempts = 0;
        while attempts < TURN_ATTEMPTS_MAX {
            match calling.attempt().await? {
                Attempt::Done(verdict) => return Ok(verdict),
                // No attempt was lost to others, and a turn gets a bounded number of documents. Boxed: few turns need any.
                Attempt::Lacking(keys) => {
                    Box::pin(calling.look_outside(keys)).await;
                    continue;
                }
                Attempt::Again { is_ending: false, .. } => {}
                Attempt::Again { is_ending: true, guess: _guess } => {
                    // Boxed because hardly any turn comes here.
                    let Calling { call, has_lost, memo, documents, .. } = &calling;
                    let whose = (policy, found, address);
                    let alone = Box::pin(self.turn_alone(&**call, *has_lost, whose, memo.as_deref(), documents));
                    if let Some(done) = alone.await {
                        return done;
                    }
                }
            }
            attempts += 1;
        }
        self.metrics.turn_contended();
        tracing::warn!(attempts = TURN_ATTEMPTS_MAX, "others changed the same rows first, again and again");
        Ok(Err(busy()))
    }

    /// Loads the wanted rows. Wants without keys, such as those of a malformed token, do not ask the store.
    pub(super) async fn look(&self, wants: Wants) -> Result<Facts, store::Fault> {
        if wants.is_empty() { Ok(Facts::default()) } else { self.store.load(wants).await }
    }

    /// Returns a source of random bytes and row ids for a turn. The ids are greater than `revoked_below`.
    pub(super) fn above(&self, revoked_below: i64) -> Result<Entropy, Implausible> {
        self.ids.lift(revoked_below, self.clock.now_ms())?;
        self.draw_ids()
    }

    /// Returns a refusal if the store is only unavailable for now, or a fault if it is broken.
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
    /// Makes one attempt: loads the wanted rows, judges the call, and commits the changes.
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
        if !judged.lacking.is_empty() {
            return Ok(Attempt::Lacking(judged.lacking));
        }
        judged.tell(self.found);
        // Sign before anything is written: nothing must be spent for an answer that cannot be given.
        if let Ok(yes) = &mut judged.verdict
            && let Err(refusal) = app.sign::<C>(yes, &judged.to_sign).await?
        {
            return Ok(Attempt::Done(Err(refusal)));
        }
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
            // Judge the call again without recording the use of the secret. Perhaps nothing else must be written.
            Err(CommitError::Fault(_)) if used_at.is_some() && !is_skippable && self.may_note_use => {
                app.metrics.wrote(false);
                self.may_note_use = false;
            }
            Err(CommitError::Fault(fault)) => {
                app.metrics.wrote(false);
                let failed = app.failed(fault);
                // With a full disk, requests that only read are still answered, even if the record of their use is
                // lost.
                return if is_skippable && failed.is_ok() {
                    Ok(Attempt::Done(verdict))
                } else {
                    failed.map(Attempt::Done)
                };
            }
        }
        Ok(Attempt::Again { is_ending, guess })
    }

    /// Looks for outside documents that the judge lacked, one after the other: each may lead to the next one.
    async fn look_outside(&mut self, keys: Vec<DocumentKey>) {
        for key in keys {
            let document = self.app.documents.find(&key, self.app.clock.now()).await;
            self.documents.add(key, document);
        }
    }

    fn learn(&self, client: Option<&Client>, proven: Option<Proven>, used_at: Option<UnixTime>) {
        self.app.learn(&*self.call, client, self.address, proven, used_at);
    }

    /// Judges the call, on a thread pool if that needs password hashes. Returns `None` if the queue of the pool is
    /// full.
    async fn judged(&mut self, seen: Seen, entropy: Entropy) -> Result<Option<Judged<C::Yes>>, Fault> {
        let app = self.app;
        if let Some(pool) = app.pool(&*self.call, &seen, self.policy, self.address) {
            // Boxed because most turns are quick, and should not reserve space for the others.
            return Box::pin(self.judged_slowly(pool, seen, entropy)).await;
        }
        let (keys, signing) = (app.keys(), app.signer.held());
        let turn = Turn::new(app.clock.now(), self.policy, &keys, entropy, self.address);
        let turn = turn.with_own_keys(signing.public());
        let turn = turn.with_recalled(&seen.recalled).with_documents(&self.documents);
        Ok(Some(judge(&*self.call, &seen.facts, turn)))
    }

    async fn judged_slowly(
        &mut self,
        pool: &SlowPool,
        seen: Seen,
        entropy: Entropy,
    ) -> Result<Option<Judged<C::Yes>>, Fault> {
        let memo = Arc::clone(self.memo.get_or_insert_default());
        let (call, policy, keys) = (Arc::clone(&self.call), Arc::clone(self.policy), self.app.keys());
        let (now, address, documents) = (self.app.clock.now(), self.address.to_owned(), self.documents.clone());
        let signing = self.app.signer.held();
        let work = move || {
            let turn = Turn::new(now, &policy, &keys, entropy, &address).with_own_keys(signing.public());
            let turn = turn.with_recalled(&seen.recalled).with_documents(&documents);
            judge(&*call, &seen.facts, turn.with_memo(&memo))
        };
        Ok(pool.run(work).await?.ok())
    }
}
