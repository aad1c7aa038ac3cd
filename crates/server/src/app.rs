//! Everything that the process owns, and the one place where the pure half meets the world: [`App::turn`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use dialect::{Dialect, Dialects};
use protocol::client::recalled::Proven;
use protocol::crypto::entropy::Entropy;
use protocol::crypto::keys::Keys;
use protocol::line::Call;
use protocol::line::{Change, Facts, Turn, Wants};
use protocol::model::SealKey;
use protocol::person::browser::{Errand, FormSeal, Goal};
use protocol::person::memo::Memo;
use protocol::person::upstream::{Departure, Issuer};
use protocol::policy::Policy;
use protocol::refusal::{No, Refusal};
use protocol::secret::Digest;
use store::{CommitError, Store};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::address::Notices;
use crate::clock::Clock;
use crate::config::otp_digits;
use crate::entropy::Source;
use crate::fault::Fault;
use crate::http::RequestIds;
use crate::ids::Ids;
use crate::limits::Limiter;
use crate::node;
use crate::observe::audit;
use crate::observe::metrics::Metrics;
use crate::observe::refusals::Refusals;
use crate::pages::Pages;
use crate::plausible::{self, Implausible, Plausible};
use crate::recall::{Recall, Seen};
use crate::settings::Settings;
use crate::slow::SlowPool;
use crate::upstream::Upstream;

/// Maximum number of attempts when concurrent writes invalidate a turn's preconditions.
pub const TURN_ATTEMPTS_MAX: u32 = 5;

/// Seconds after which it is worth trying again when the server is busy.
const BUSY_RETRY_AFTER_S: u64 = 1;

/// Requests with a seal of an unknown key make this process read the sealing keys at most once in this time.
const RELOAD_EVERY: Duration = Duration::from_secs(1);

/// What an [`App`] is made of.
pub struct Setup {
    /// Where the rows are.
    pub store: Arc<dyn Store>,
    /// The dialects that are spoken.
    pub dialects: Dialects,
    /// The policies of the dialects, where they are not simply those of the dialect's file.
    pub policies: Vec<Policy>,
    /// The installation's master key.
    pub master: Zeroizing<[u8; 32]>,
    /// What the operator decided.
    pub settings: Settings,
    /// What time it is.
    pub clock: Clock,
    /// Where randomness comes from.
    pub entropy: Source,
}

/// Everything that the process owns; there are no globals.
pub struct App {
    /// Where the rows are.
    pub store: Arc<dyn Store>,
    /// The dialects that are spoken.
    pub dialects: Dialects,
    /// What the operator decided.
    pub settings: Settings,
    /// What time it is.
    pub clock: Clock,
    /// Whether the clock can be right.
    pub plausible: Plausible,
    /// What is counted.
    pub metrics: Metrics,
    /// The log lines of refused requests, which repeat at most once a minute.
    pub refusals: Refusals,
    /// Warnings about forwarding headers that do not count.
    pub forwarding: Notices,
    /// Rate limits.
    pub limiter: Limiter,
    /// Bounded thread pool for hashing the passwords of people.
    pub slow: SlowPool,
    /// Bounded thread pool for hashing client secrets, half as large: a flood of wrong secrets takes no place from people.
    pub slow_clients: SlowPool,
    /// What this process remembers of client secrets.
    pub(crate) recall: Recall,
    /// What people see.
    pub pages: Pages,
    /// The issuer elsewhere whose word about people is taken, if there is one.
    pub upstream: Option<Upstream>,
    surfaces: HashMap<String, Surface>,
    house: Arc<Policy>,
    ring: ArcSwap<Ring>,
    /// When a request last made this process read the sealing keys.
    reloaded_at: tokio::sync::Mutex<Option<tokio::time::Instant>>,
    master: Zeroizing<[u8; 32]>,
    pub(crate) ids: Ids,
    entropy: Source,
    /// Tells this process from others that share the store.
    pub node: i64,
    /// Gives requests their names.
    pub request_ids: RequestIds,
    /// Was a part of the store found that cannot be read any more? That does not heal.
    pub(crate) is_damaged: watch::Sender<bool>,
}

/// What belongs to one dialect for as long as the process lives.
#[derive(Debug)]
pub struct Surface {
    /// The rules that it is judged by.
    pub policy: Arc<Policy>,
    /// Its metadata document, RFC 8414.
    pub metadata: Bytes,
}

/// The sealing keys, by number, and what was derived from them.
struct Ring {
    numbers: Vec<u32>,
    keys: Arc<Keys>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl App {
    /// Brings the parts together. An installation without a sealing key gets its first.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn open(setup: Setup) -> Result<Arc<Self>, Fault> {
        let Setup { store, dialects, policies, master, settings, clock, entropy } = setup;
        let greatest_id = store.greatest_id().await?;
        let plausible = Plausible::new(&clock, greatest_id);
        plausible.check(&clock)?;
        let numbers = match ring_numbers(&*store).await? {
            numbers if numbers.is_empty() => first_key(&*store, &clock).await?,
            numbers => numbers,
        };
        let keys = Arc::new(Keys::derive(&master, &numbers));
        store.keep_events(settings.audit_keep_s);
        let mut policies: HashMap<String, Policy> =
            policies.into_iter().map(|policy| (policy.dialect.clone(), policy)).collect();
        let mut own =
            |dialect: &Dialect| policies.remove(&dialect.name).unwrap_or_else(|| dialect.policy(&settings.issuer));
        let policies: Vec<Policy> = dialects.iter().map(&mut own).collect();
        let is_password_taken = Policy::is_password_taken_by(&policies);
        let surfaces = dialects.iter().zip(policies).map(|(dialect, policy)| {
            (dialect.name.clone(), Surface::new(dialect, Policy { is_password_taken, ..policy }))
        });
        let surfaces: HashMap<String, Surface> = surfaces.collect();
        let house = surfaces.get("standard").map_or_else(
            || {
                let otp_digits = otp_digits(surfaces.values().map(|surface| &*surface.policy));
                let issuer_name = settings.brand.name.clone();
                Arc::new(Policy { issuer_name, otp_digits, is_password_taken, ..Policy::standard(&settings.issuer) })
            },
            |surface| Arc::clone(&surface.policy),
        );
        let drawn = entropy.draw();
        let node = i64::from_be_bytes(std::array::from_fn(|at| drawn[16 + at]));
        let number = node::claim(&*store, node, u16::from_be_bytes([drawn[0], drawn[1]])).await?;
        let mut pages = Pages::new(&settings.brand, settings.base_path());
        // A start without any does not even look.
        if !settings.brand.templates.is_empty() {
            pages.adopt(settings.brand.templates.clone()).map_err(Fault::Templates)?;
        }
        let upstream = Upstream::new(&settings).map_err(Fault::Fetch)?;
        Ok(Arc::new(Self {
            metrics: Metrics::new(&dialects),
            refusals: Refusals::default(),
            forwarding: Notices::default(),
            limiter: Limiter::default(),
            slow: SlowPool::new(settings.slow_workers),
            slow_clients: SlowPool::new(settings.slow_workers / 2),
            recall: Recall::new(entropy.draw()),
            pages,
            upstream,
            ids: Ids::new(number, greatest_id),
            plausible,
            node,
            is_damaged: watch::Sender::new(false),
            request_ids: RequestIds::new(u64::from_be_bytes(std::array::from_fn(|at| drawn[8 + at]))),
            ring: ArcSwap::from_pointee(Ring { numbers, keys }),
            reloaded_at: tokio::sync::Mutex::default(),
            store,
            dialects,
            settings,
            clock,
            surfaces,
            house,
            master,
            entropy,
        }))
    }

    /// What belongs to a dialect.
    ///
    /// # Panics
    /// When the dialect is not one of this process's own.
    #[must_use]
    pub fn surface(&self, dialect: &Dialect) -> &Surface {
        self.surfaces.get(&dialect.name).expect("every dialect got its surface when the process started")
    }

    /// The rules of the pages that belong to no dialect, such as the account page.
    #[must_use]
    pub fn house_policy(&self) -> &Arc<Policy> {
        &self.house
    }

    /// The installation's keys as they are now.
    #[must_use]
    pub fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.ring.load().keys)
    }

    /// Randomness, for what is not written to the store. Its ids belong to nobody.
    #[must_use]
    pub fn draw(&self) -> Entropy {
        Entropy::seeded(self.entropy.draw(), 0)
    }

    /// Randomness, and ids that nobody else has, for one turn.
    fn draw_ids(&self) -> Result<Entropy, Implausible> {
        Ok(Entropy::seeded(self.entropy.draw(), self.ids.reserve(self.clock.now_ms())?))
    }

    /// An errand that begins now.
    #[must_use]
    pub fn errand(&self, goal: Goal) -> Errand {
        Errand::new(goal, self.ids.reserve(self.clock.now_ms()).unwrap_or(i64::MAX))
    }

    /// Checks that the clock can be right.
    ///
    /// # Errors
    /// [`No::Busy`]; the log says why.
    pub fn check_clock(&self) -> Result<(), Refusal> {
        self.plausible.watch(&self.clock).map_err(|_| wrong_clock())
    }

    /// A fault of ids is one of the clock: it passes when the clock is right, or when the store is repaired.
    pub(crate) fn without_ids<T>(why: Implausible) -> Result<Result<T, Refusal>, Fault> {
        tracing::error!("{why}");
        Ok(Err(wrong_clock()))
    }

    /// Takes a call down the line: load, decide, commit. Whoever loses a race looks again and is judged again. A turn that
    /// ends something looks again while nobody else writes, so that it cannot lose to the traffic that it is about to end.
    ///
    /// # Errors
    /// The inner error is the judge's no, or [`No::Busy`]; the outer one means that something is broken.
    pub async fn turn<C: Call>(
        &self,
        policy: &Arc<Policy>,
        address: &str,
        call: C,
    ) -> Result<Result<C::Yes, Refusal>, Fault> {
        let call = Arc::new(call);
        let mut has_lost = false;
        let mut memo: Option<Arc<Memo>> = None;
        let mut may_note_use = true;
        let mut behind = 0;
        if let Err(refusal) = self.check_clock() {
            return Ok(Err(refusal));
        }
        for _ in 0..TURN_ATTEMPTS_MAX {
            let (mut seen, _guess) = match self.look_with_secrets(&*call, has_lost, policy, address).await {
                Ok(seen) => seen,
                Err(fault) => return self.failed(fault),
            };
            if !may_note_use {
                seen.recalled.unnoted.clear();
            }
            let entropy = match self.above(seen.facts.revoked_below().max(behind)) {
                Ok(entropy) => entropy,
                Err(why) => return Self::without_ids(why),
            };
            let client = call.credentials().and_then(|own| seen.facts.client(&own.client_id)).cloned();
            let judged = self.judged(&call, seen, (policy, address), (entropy, &mut memo)).await?;
            let Some(Judged { verdict, changes, events, proven }) = judged else { return Ok(Err(busy())) };
            let used_at = changes.iter().find_map(Change::secret_used_at);
            let learn = || self.learn(&*call, client.as_deref(), address, proven, used_at);
            // A turn that decides nothing skips the commit.
            if changes.is_empty() {
                learn();
                return Ok(verdict);
            }
            let is_only_noticed = changes.iter().all(Change::is_only_noticed);
            let is_ending = changes.iter().any(Change::is_ending);
            match self.store.commit(changes).await {
                Ok(()) => {
                    self.metrics.wrote(true);
                    audit::tell(&events, &self.metrics);
                    learn();
                    return Ok(verdict);
                }
                Err(CommitError::Lost) => {
                    self.metrics.turn_lost();
                    has_lost = true;
                }
                Err(CommitError::Behind(id)) => behind = id,
                Err(CommitError::Taken(name)) => return Err(Fault::Taken(name)),
                // Judged again without the note that the secret was used: it may be that nothing else had to be written.
                Err(CommitError::Fault(_)) if used_at.is_some() && !is_only_noticed && may_note_use => {
                    self.metrics.wrote(false);
                    may_note_use = false;
                }
                Err(CommitError::Fault(fault)) => {
                    self.metrics.wrote(false);
                    let failed = self.failed(fault);
                    // A disk without room answers those who only look, also where it would be noted that they looked.
                    return if is_only_noticed && failed.is_ok() { Ok(verdict) } else { failed };
                }
            }
            if is_ending {
                // Boxed: hardly any turn comes here.
                let alone = Box::pin(self.turn_alone(&*call, has_lost, (policy, address), memo.as_deref()));
                if let Some(done) = alone.await {
                    return done;
                }
            }
        }
        Ok(Err(self.contended()))
    }

    fn contended(&self) -> Refusal {
        self.metrics.turn_contended();
        tracing::warn!(attempts = TURN_ATTEMPTS_MAX, "others changed the same rows first, again and again");
        busy()
    }

    /// Loads what is wanted. What names no row, a garbage token say, costs the store nothing.
    pub(crate) async fn look(&self, wants: Wants) -> Result<Facts, store::Fault> {
        if wants.is_empty() { Ok(Facts::default()) } else { self.store.load(wants).await }
    }

    /// Judges a call, on a pool of its own where that takes password hashes; `None` when too much is waiting there.
    async fn judged<C: Call>(
        &self,
        call: &Arc<C>,
        seen: Seen,
        (policy, address): (&Arc<Policy>, &str),
        (entropy, memo): (Entropy, &mut Option<Arc<Memo>>),
    ) -> Result<Option<Judged<C::Yes>>, Fault> {
        if let Some(pool) = self.pool(&**call, &seen, policy, address) {
            let memo = Arc::clone(memo.get_or_insert_default());
            // Boxed: most turns are quick, and should not carry room for the others.
            return Box::pin(self.judge_slowly(pool, call, seen, (policy, address), (entropy, memo))).await;
        }
        let keys = self.keys();
        let turn = Turn::new(self.clock.now(), policy, &keys, entropy, address).with_recalled(&seen.recalled);
        Ok(Some(judge(&**call, &seen.facts, turn)))
    }

    async fn judge_slowly<C: Call>(
        &self,
        pool: &SlowPool,
        call: &Arc<C>,
        seen: Seen,
        (policy, address): (&Arc<Policy>, &str),
        (entropy, memo): (Entropy, Arc<Memo>),
    ) -> Result<Option<Judged<C::Yes>>, Fault> {
        let (call, policy, keys) = (Arc::clone(call), Arc::clone(policy), self.keys());
        let (now, address) = (self.clock.now(), address.to_owned());
        let work = move || {
            let turn = Turn::new(now, &policy, &keys, entropy, &address);
            judge(&*call, &seen.facts, turn.with_recalled(&seen.recalled).with_memo(&memo))
        };
        Ok(pool.run(work).await?.ok())
    }

    /// Randomness and ids for a turn, above an id below which everything was revoked.
    pub(crate) fn above(&self, revoked_below: i64) -> Result<Entropy, Implausible> {
        self.ids.lift(revoked_below, self.clock.now_ms())?;
        self.draw_ids()
    }

    /// A store that may work later is a refusal; one that is broken is a fault.
    pub(crate) fn failed<T>(&self, fault: store::Fault) -> Result<Result<T, Refusal>, Fault> {
        self.note_fault(&fault);
        match fault {
            store::Fault::Unavailable { cause } => {
                tracing::error!(cause, "the store cannot be used at the moment");
                Ok(Err(busy()))
            }
            fault => Err(fault.into()),
        }
    }

    /// Counts a fault of the store. After one of some kinds this process is not ready any more.
    pub(crate) fn note_fault(&self, fault: &store::Fault) {
        self.metrics.store_failed();
        if matches!(fault, store::Fault::Damaged { .. }) {
            self.is_damaged.send_replace(true);
        }
    }

    /// Opens the seal of a page. A seal under a key that this process has not heard of makes it look for new keys.
    ///
    /// # Errors
    /// [`No::PageStale`].
    pub async fn open_errand(&self, seal: &str, browser: &Digest) -> Result<(Errand, String), No> {
        self.opened(seal, |keys| Errand::open(seal, browser, self.clock.now(), keys)).await
    }

    /// Opens the seal of a form that belongs to no errand, as [`App::open_errand`] does.
    ///
    /// # Errors
    /// [`No::PageStale`].
    pub async fn open_form(&self, seal: &str) -> Result<FormSeal, No> {
        self.opened(seal, |keys| FormSeal::open(seal, self.clock.now(), keys)).await
    }

    /// Opens the `state` of a browser that comes back from an issuer elsewhere, as [`App::open_errand`] does.
    ///
    /// # Errors
    /// [`No::UpstreamStale`].
    pub async fn open_departure(&self, state: &str, browser: &Digest) -> Result<Departure, No> {
        self.opened(state, |keys| Departure::open(state, browser, self.clock.now(), keys)).await
    }

    /// The issuer elsewhere with its keys, for a token that names the key `kid`.
    ///
    /// # Errors
    /// [`No::UpstreamAbsent`] or [`No::UpstreamUnreachable`].
    pub async fn trusted_issuer(&self, kid: Option<&str>) -> Result<Arc<Issuer>, No> {
        self.upstream.as_ref().ok_or(No::UpstreamAbsent)?.issuer(kid, self.clock.now()).await
    }

    /// Opens a seal, if not with the keys of now then with those that the store has, if they are others. Only a seal that
    /// names a key which is not in the ring asks the store.
    async fn opened<T>(&self, seal: &str, open: impl Fn(&Keys) -> Result<T, No>) -> Result<T, No> {
        let keys = self.keys();
        let opened = open(&keys);
        if opened.is_ok() || !keys.lacks_key_of(seal) {
            return opened;
        }
        if let Err(fault) = self.reload_keys_soon().await {
            tracing::error!(%fault, "the sealing keys cannot be read");
        }
        // It does not matter who took them over: somebody else may have been faster.
        let latest = self.keys();
        if Arc::ptr_eq(&keys, &latest) { opened } else { open(&latest) }
    }

    /// As [`App::reload_keys`], but at most once in [`RELOAD_EVERY`] for all requests together: whoever writes nonsense into
    /// a form must not make work for the store. A request whose turn has not come waits for it, so that a real seal opens.
    async fn reload_keys_soon(&self) -> Result<(), Fault> {
        let came_at = tokio::time::Instant::now();
        let mut reloaded_at = self.reloaded_at.lock().await;
        match *reloaded_at {
            // Somebody asked after this request came, and the answer is in the ring.
            Some(at) if at > came_at => return Ok(()),
            Some(at) => tokio::time::sleep_until(at + RELOAD_EVERY).await,
            None => {}
        }
        *reloaded_at = Some(tokio::time::Instant::now());
        self.reload_keys().await
    }

    /// Looks whether the sealing keys in the store are others than those in use, and takes them over.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn reload_keys(&self) -> Result<(), Fault> {
        let numbers = ring_numbers(&*self.store).await?;
        // All keys gone is a mistake of somebody's; the ones in use go on.
        if !numbers.is_empty() && self.ring.load().numbers != numbers {
            let keys = Arc::new(Keys::derive(&self.master, &numbers));
            self.ring.store(Arc::new(Ring { numbers, keys }));
            tracing::info!("took over the sealing keys that the store has now");
        }
        Ok(())
    }
}

impl Surface {
    fn new(dialect: &Dialect, policy: Policy) -> Self {
        let metadata = Bytes::from(dialect.metadata(&policy).to_string());
        Self { policy: Arc::new(policy), metadata }
    }
}

/// What a judge decided.
pub(crate) struct Judged<Yes> {
    pub(crate) verdict: Result<Yes, Refusal>,
    pub(crate) changes: Vec<Change>,
    /// The events among the changes, for the log.
    pub(crate) events: Vec<audit::Line>,
    /// The client's secret that was right.
    pub(crate) proven: Option<Proven>,
}

pub(crate) fn judge<C: Call>(call: &C, facts: &Facts, mut turn: Turn<'_>) -> Judged<C::Yes> {
    let verdict = call.decide(facts, &mut turn);
    let proven = turn.proven;
    let changes = turn.into_changes();
    let events = audit::lines(facts, &changes);
    Judged { verdict, changes, events, proven }
}

/// The store does not take writes, or too much is waiting.
pub(crate) fn busy() -> Refusal {
    Refusal { retry_after_s: Some(BUSY_RETRY_AFTER_S), ..No::Busy.into() }
}

/// The clock cannot be right.
fn wrong_clock() -> Refusal {
    Refusal { retry_after_s: Some(plausible::RETRY_AFTER_S), ..No::Busy.into() }
}

/// The numbers of the sealing keys, the current one first.
async fn ring_numbers(store: &dyn Store) -> Result<Vec<u32>, Fault> {
    Ok(store.seal_keys().await?.iter().rev().map(|key| key.number).collect())
}

async fn first_key(store: &dyn Store, clock: &Clock) -> Result<Vec<u32>, Fault> {
    let key = SealKey { number: 1, created_at: clock.now() };
    match store.commit(vec![Change::PutSealKey(key)]).await {
        // Lost: another process made the first key at the same time.
        Ok(()) | Err(CommitError::Lost | CommitError::Behind(_)) => ring_numbers(store).await,
        Err(CommitError::Taken(name)) => Err(Fault::Taken(name)),
        Err(CommitError::Fault(fault)) => Err(fault.into()),
    }
}
