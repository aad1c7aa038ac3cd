//! What a request needs: store, dialects, policies, keys, clock, limits, templates. There are no globals.
//!
//! [`App::turn`] takes a call down the line. [`crate::node`] opens an [`App`].

mod alone;
mod judged;
pub(crate) mod recall;
pub(crate) mod ring;
mod seals;
mod secrets;
mod turn;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use ::http::header::HeaderMap;
use bytes::Bytes;
use dialect::{At, Dialect, Dialects};
use protocol::crypto::entropy::Entropy;
use protocol::crypto::keys::Keys;
use protocol::person::browser::{Errand, Goal};
use protocol::person::upstream::Issuer;
use protocol::policy::Policy;
use protocol::refusal::{No, Refusal};
use store::Store;
use tokio::sync::watch;
use zeroize::Zeroizing;

use self::recall::Recall;
use self::ring::Ring;
use crate::address::Notices;
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::entropy::Source;
use crate::fault::{Fault, caught};
use crate::http::{RequestIds, Response};
use crate::ids::Ids;
use crate::limits::Limiter;
use crate::observe::audit::Trail;
use crate::observe::metrics::Metrics;
use crate::observe::refusals::Refusals;
use crate::plausible::{self, Implausible, Plausible};
use crate::render::templates::Templates;
use crate::slow::SlowPool;
use crate::upstream::Upstream;

/// Seconds after which it is worth trying again when the server is busy.
const BUSY_RETRY_AFTER_S: u64 = 1;

/// What an [`App`] is made of.
pub struct Setup {
    /// The database that holds all persistent state.
    pub store: Arc<dyn Store>,
    /// The dialects in use.
    pub dialects: Dialects,
    /// Policies that take the place of those in the dialects' files.
    pub policies: Vec<Policy>,
    /// The installation's master key.
    pub master: Zeroizing<[u8; 32]>,
    /// The resolved configuration.
    pub settings: Settings,
    /// The clock.
    pub clock: Clock,
    /// The source of randomness.
    pub entropy: Source,
}

/// What a request needs.
pub struct App {
    /// The database that holds all persistent state.
    pub store: Arc<dyn Store>,
    /// The dialects in use.
    pub dialects: Dialects,
    /// The resolved configuration.
    pub settings: Settings,
    /// The clock.
    pub clock: Clock,
    /// Checks whether the clock can be right.
    pub plausible: Plausible,
    /// Prometheus metrics.
    pub metrics: Metrics,
    /// The log lines of refused requests, of which there is a bounded number in a minute.
    pub refusals: Refusals,
    /// The log lines of audit events.
    pub(crate) trail: Trail,
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
    /// The templates of the pages.
    pub templates: Templates,
    /// The configured upstream identity provider, if any.
    pub upstream: Option<Upstream>,
    pub(crate) surfaces: HashMap<String, Surface>,
    /// The policy of pages that belong to no dialect.
    pub(crate) house: Arc<Policy>,
    pub(crate) ring: Ring,
    /// When a request last made this process read the sealing keys.
    pub(crate) reloaded_at: tokio::sync::Mutex<Option<tokio::time::Instant>>,
    /// Draws row IDs.
    pub(crate) ids: Ids,
    pub(crate) entropy: Source,
    /// A random number that tells this process from others that share the store.
    pub node: i64,
    /// Generates request IDs (`X-Request-Id`).
    pub request_ids: RequestIds,
    /// True once a part of the store could not be read. That does not heal.
    pub(crate) is_damaged: watch::Sender<bool>,
}

/// A dialect as this process serves it.
#[derive(Debug)]
pub struct Surface {
    /// The rules that its requests are judged by.
    pub policy: Arc<Policy>,
    /// Its metadata document, RFC 8414.
    pub metadata: Bytes,
    /// The headers of an answer with the document, and the address that it was asked for at. They are kept from the first
    /// answer on, unless they depend on the origin of a script.
    pub(crate) metadata_headers: OnceLock<(At, HeaderMap)>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl App {
    /// The surface of a dialect.
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

    /// The policy of a dialect, or that of the house for a page that belongs to none.
    pub(crate) fn policy_of(&self, dialect: Option<&Dialect>) -> &Arc<Policy> {
        dialect.map_or(&self.house, |dialect| &self.surface(dialect).policy)
    }

    /// The installation's keys as they are now.
    #[must_use]
    pub fn keys(&self) -> Arc<Keys> {
        self.ring.keys()
    }

    /// Randomness, for what is not written to the store. Its ids belong to nobody.
    #[must_use]
    pub fn draw(&self) -> Entropy {
        self.entropy.for_turn(0)
    }

    /// Randomness, and ids that nobody else has, for one turn.
    fn draw_ids(&self) -> Result<Entropy, Implausible> {
        Ok(self.entropy.for_turn(self.ids.reserve(self.clock.now_ms())?))
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

    /// Counts a fault of the store. After one of some kinds this process is not ready any more.
    pub(crate) fn note_fault(&self, fault: &store::Fault) {
        self.metrics.store_failed();
        if matches!(fault, store::Fault::Damaged { .. }) {
            self.is_damaged.send_replace(true);
        }
    }

    /// The upstream identity provider with its keys, for a token that names the key `kid`.
    ///
    /// # Errors
    /// [`No::UpstreamAbsent`] or [`No::UpstreamUnreachable`].
    pub async fn trusted_issuer(&self, kid: Option<&str>) -> Result<Arc<Issuer>, No> {
        self.upstream.as_ref().ok_or(No::UpstreamAbsent)?.issuer(kid, self.clock.now()).await
    }

    /// Takes over the sealing keys of the store if they are others than those in use.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn reload_keys(&self) -> Result<(), Fault> {
        self.ring.reload(&*self.store).await
    }

    /// Carries out the work of a request within the time that a request may take. A panic is a fault of this request alone.
    ///
    /// # Errors
    /// [`Fault::Late`] or [`Fault::Panic`].
    pub(crate) async fn in_time(&self, work: Pin<&mut impl Future<Output = Response>>) -> Result<Response, Fault> {
        let limit = self.settings.limits.request_time;
        match tokio::time::timeout(limit, caught(work)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(panic)) => {
                self.metrics.panicked();
                Err(panic)
            }
            Err(_) => Err(Fault::Late(limit.as_secs())),
        }
    }
}

impl Surface {
    pub(crate) fn new(dialect: &Dialect, policy: Policy) -> Self {
        let metadata = Bytes::from(dialect.metadata(&policy).to_string());
        Self { policy: Arc::new(policy), metadata, metadata_headers: OnceLock::new() }
    }
}

/// The refusal when the store does not take writes, or when too much is waiting.
pub(crate) fn busy() -> Refusal {
    Refusal { retry_after_s: Some(BUSY_RETRY_AFTER_S), ..No::Busy.into() }
}

/// The refusal when the clock cannot be right.
fn wrong_clock() -> Refusal {
    Refusal { retry_after_s: Some(plausible::RETRY_AFTER_S), ..No::Busy.into() }
}
