//! Everything that the process owns, and the one place where the pure half meets the world: [`App::turn`].

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use dialect::{Dialect, Dialects};
use protocol::browser::{self, Errand, Goal};
use protocol::call::Call;
use protocol::client_auth::Proven;
use protocol::keys::Keys;
use protocol::model::{GrantType, SealKey};
use protocol::policy::Policy;
use protocol::refusal::{No, Refusal};
use protocol::secret::Digest;
use protocol::turn::{Change, Entropy, Facts, Turn, Wants};
use protocol::upstream::{Departure, Issuer};
use store::{CommitError, Store};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::config::otp_digits;
use crate::entropy::Source;
use crate::fault::Fault;
use crate::http::RequestIds;
use crate::ids::Ids;
use crate::limits::Limiter;
use crate::node;
use crate::observe::metrics::Metrics;
use crate::pages::Pages;
use crate::recall::Recall;
use crate::settings::Settings;
use crate::slow::SlowPool;
use crate::upstream::Upstream;

/// How often a turn is judged anew because others changed its rows first.
pub const TURN_ATTEMPTS_MAX: u32 = 5;

/// Seconds after which it is worth trying again when the server is busy.
const BUSY_RETRY_AFTER_S: u64 = 1;

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
    /// What is counted.
    pub metrics: Metrics,
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
    numbers: Vec<u8>,
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
        let numbers = match ring_numbers(&*store).await? {
            numbers if numbers.is_empty() => first_key(&*store, &clock).await?,
            numbers => numbers,
        };
        let keys = Arc::new(Keys::derive(&master, &numbers));
        let mut policies: HashMap<String, Policy> =
            policies.into_iter().map(|policy| (policy.dialect.clone(), policy)).collect();
        let mut own =
            |dialect: &Dialect| policies.remove(&dialect.name).unwrap_or_else(|| dialect.policy(&settings.issuer));
        let policies: Vec<Policy> = dialects.iter().map(&mut own).collect();
        let is_password_taken = policies.iter().any(|policy| policy.grants.contains(&GrantType::Password));
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
            limiter: Limiter::default(),
            slow: SlowPool::new(settings.slow_workers),
            slow_clients: SlowPool::new(settings.slow_workers / 2),
            recall: Recall::new(entropy.draw()),
            pages,
            upstream,
            ids: Ids::new(number, store.greatest_id().await?),
            node,
            is_damaged: watch::Sender::new(false),
            request_ids: RequestIds::new(u64::from_be_bytes(std::array::from_fn(|at| drawn[8 + at]))),
            ring: ArcSwap::from_pointee(Ring { numbers, keys }),
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

    /// Randomness, and ids that nobody else has, for one turn.
    #[must_use]
    pub fn draw(&self) -> Entropy {
        Entropy::seeded(self.entropy.draw(), self.ids.reserve(self.clock.now_ms()))
    }

    /// An errand that begins now: every session that begins later has a greater id.
    #[must_use]
    pub fn errand(&self, goal: Goal) -> Errand {
        Errand::new(goal, self.ids.reserve(self.clock.now_ms()))
    }

    /// Takes a call down the line: load, decide, commit. Whoever loses a race looks again and is judged again.
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
        let mut wants = call.wants();
        let mut may_note_use = true;
        for _ in 0..TURN_ATTEMPTS_MAX {
            let facts = match self.look(&wants).await {
                Ok(facts) => facts,
                Err(fault) => return self.failed(fault),
            };
            let (mut facts, _guess) = match self.look_at_secrets(&*call, &wants, facts, policy, address).await {
                Ok(seen) => seen,
                Err(fault) => return self.failed(fault),
            };
            if !may_note_use {
                facts.recalled.unnoted.clear();
            }
            self.ids.lift(facts.revoked_below());
            let client = facts.client.clone();
            let judged = self.judged(&call, facts, policy, address).await?;
            let Some(Judged { verdict, changes, proven }) = judged else { return Ok(Err(busy())) };
            let used_at = changes.iter().find_map(|change| match change {
                Change::TouchSecret { used_at, .. } => Some(*used_at),
                _ => None,
            });
            let learn = || {
                if let (Some(credentials), Some(client), Some(proven)) = (call.credentials(), &client, proven) {
                    self.recall.learn(credentials, client, address, proven, used_at);
                }
            };
            // A turn that decides nothing skips the commit.
            if changes.is_empty() {
                learn();
                return Ok(verdict);
            }
            let is_only_noticed = changes.iter().all(Change::is_only_noticed);
            match self.store.commit(changes).await {
                Ok(()) => {
                    self.metrics.wrote(true);
                    learn();
                    return Ok(verdict);
                }
                Err(CommitError::Lost) => self.lost(&*call, &mut wants, policy, address),
                Err(CommitError::Behind(id)) => self.ids.lift(id),
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
        }
        self.metrics.turn_contended();
        tracing::warn!(attempts = TURN_ATTEMPTS_MAX, "others changed the same rows first, again and again");
        Ok(Err(busy()))
    }

    /// Loads what is wanted. What names no row, a garbage token say, costs the store nothing.
    pub(crate) async fn look(&self, wants: &Wants) -> Result<Facts, store::Fault> {
        if wants.is_empty() { Ok(Facts::default()) } else { self.store.load(wants).await }
    }

    /// Judges a call, on a pool of its own where that takes password hashes; `None` when too much is waiting there.
    async fn judged<C: Call>(
        &self,
        call: &Arc<C>,
        facts: Facts,
        policy: &Arc<Policy>,
        address: &str,
    ) -> Result<Option<Judged<C::Yes>>, Fault> {
        if let Some(pool) = self.pool(&**call, &facts, policy, address) {
            // Boxed: most turns are quick, and should not carry room for the others.
            return Box::pin(self.judge_slowly(pool, call, facts, policy, address)).await;
        }
        let keys = self.keys();
        Ok(Some(judge(&**call, &facts, Turn::new(self.clock.now(), policy, &keys, self.draw(), address))))
    }

    async fn judge_slowly<C: Call>(
        &self,
        pool: &SlowPool,
        call: &Arc<C>,
        facts: Facts,
        policy: &Arc<Policy>,
        address: &str,
    ) -> Result<Option<Judged<C::Yes>>, Fault> {
        let (call, policy, keys) = (Arc::clone(call), Arc::clone(policy), self.keys());
        let (now, entropy, address) = (self.clock.now(), self.draw(), address.to_owned());
        let work = move || judge(&*call, &facts, Turn::new(now, &policy, &keys, entropy, &address));
        Ok(pool.run(work).await?.ok())
    }

    /// A store that may work later is a refusal; one that is broken is a fault.
    fn failed<T>(&self, fault: store::Fault) -> Result<Result<T, Refusal>, Fault> {
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
        self.opened(|keys| Errand::open(seal, browser, self.clock.now(), keys)).await
    }

    /// Opens the seal of a form that belongs to no errand, as [`App::open_errand`] does.
    ///
    /// # Errors
    /// [`No::PageStale`].
    pub async fn open_form(&self, seal: &str, browser: &Digest) -> Result<(), No> {
        self.opened(|keys| browser::open_form(seal, browser, self.clock.now(), keys)).await
    }

    /// Opens the `state` of a browser that comes back from an issuer elsewhere, as [`App::open_errand`] does.
    ///
    /// # Errors
    /// [`No::UpstreamStale`].
    pub async fn open_departure(&self, state: &str, browser: &Digest) -> Result<Departure, No> {
        self.opened(|keys| Departure::open(state, browser, self.clock.now(), keys)).await
    }

    /// The issuer elsewhere with its keys, for a token that names the key `kid`.
    ///
    /// # Errors
    /// [`No::UpstreamAbsent`] or [`No::UpstreamUnreachable`].
    pub async fn trusted_issuer(&self, kid: Option<&str>) -> Result<Arc<Issuer>, No> {
        self.upstream.as_ref().ok_or(No::UpstreamAbsent)?.issuer(kid, self.clock.now()).await
    }

    /// Opens a seal, if not with the keys of now then with those that the store has, if they are others.
    async fn opened<T>(&self, open: impl Fn(&Keys) -> Result<T, No>) -> Result<T, No> {
        let keys = self.keys();
        let opened = open(&keys);
        if opened.is_ok() {
            return opened;
        }
        if let Err(fault) = self.reload_keys().await {
            tracing::error!(%fault, "the sealing keys cannot be read");
        }
        // It does not matter who took them over: somebody else may have been faster.
        let latest = self.keys();
        if Arc::ptr_eq(&keys, &latest) { opened } else { open(&latest) }
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
struct Judged<T> {
    verdict: Result<T, Refusal>,
    changes: Vec<Change>,
    /// The client's secret that was right.
    proven: Option<Proven>,
}

fn judge<C: Call>(call: &C, facts: &Facts, mut turn: Turn<'_>) -> Judged<C::Yes> {
    let verdict = call.decide(facts, &mut turn);
    let proven = turn.proven;
    Judged { verdict, changes: turn.into_changes(), proven }
}

/// The store does not take writes, or too much is waiting.
pub(crate) fn busy() -> Refusal {
    Refusal { retry_after_s: Some(BUSY_RETRY_AFTER_S), ..No::Busy.into() }
}

/// The numbers of the sealing keys, the current one first.
async fn ring_numbers(store: &dyn Store) -> Result<Vec<u8>, Fault> {
    Ok(store.seal_keys().await?.iter().rev().map(|key| key.number).collect())
}

async fn first_key(store: &dyn Store, clock: &Clock) -> Result<Vec<u8>, Fault> {
    let key = SealKey { number: 1, created_at: clock.now() };
    match store.commit(vec![Change::PutSealKey(key)]).await {
        // Lost: another process made the first key at the same time.
        Ok(()) | Err(CommitError::Lost | CommitError::Behind(_)) => ring_numbers(store).await,
        Err(CommitError::Taken(name)) => Err(Fault::Taken(name)),
        Err(CommitError::Fault(fault)) => Err(fault.into()),
    }
}
