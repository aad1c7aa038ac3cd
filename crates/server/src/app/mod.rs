//! The state that all requests share: store, dialects, policies, keys, clock, limits, templates. There are no globals.
//!
//! [`App::turn`] loads, judges and commits a call. `crate::node` opens an [`App`].

mod alone;
mod judged;
pub(crate) mod recall;
pub(crate) mod ring;
mod seals;
mod secrets;
pub(crate) mod signer;
mod signing;
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
use protocol::endpoint::Endpoint;
use protocol::person::browser::{Goal, PendingVisit};
use protocol::policy::Policy;
use protocol::refusal::{No, Refusal};
use store::Store;
use tokio::sync::watch;
use zeroize::Zeroizing;

use self::recall::Recall;
use self::ring::Ring;
use self::signer::Signer;
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
use crate::outside::documents::DocumentCache;
use crate::outside::upstream::Upstream;
use crate::plausible::{self, Implausible, Plausible};
use crate::render::templates::Templates;
use crate::slow::SlowPool;

/// Value of `Retry-After` when the server is busy, in seconds.
const BUSY_RETRY_AFTER_S: u64 = 1;

/// The parts from which `crate::node` opens an [`App`].
pub struct Setup {
    /// The database that holds all persistent state.
    pub store: Arc<dyn Store>,
    /// The dialects in use.
    pub dialects: Dialects,
    /// Policies with the operator's settings. A dialect without one here gets the policy that its file describes.
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

/// The state that all requests share.
pub struct App {
    /// The database that holds all persistent state.
    pub store: Arc<dyn Store>,
    /// The dialects in use.
    pub dialects: Dialects,
    /// The resolved configuration.
    pub settings: Settings,
    /// The clock.
    pub clock: Clock,
    /// Checks that the clock is plausible.
    pub plausible: Plausible,
    /// Prometheus metrics.
    pub metrics: Metrics,
    /// Log lines of refused requests, of which there is a bounded number in a minute.
    pub refusals: Refusals,
    /// Log lines of audit events.
    pub(crate) trail: Trail,
    /// Warnings about ignored forwarding headers (`X-Forwarded-For`).
    pub forwarding: Notices,
    /// Rate limits.
    pub limiter: Limiter,
    /// Bounded thread pool for hashing the passwords of users.
    pub slow: SlowPool,
    /// Bounded thread pool for hashing client secrets, half as large. It is separate so that a flood of wrong secrets
    /// does not keep users from signing in.
    pub slow_clients: SlowPool,
    /// This process's memory of verified client secrets.
    pub(crate) recall: Recall,
    /// The templates of the pages.
    pub templates: Templates,
    /// The configured upstream identity provider, if any.
    pub upstream: Option<Upstream>,
    /// Outside documents.
    pub documents: Arc<DocumentCache>,
    pub(crate) surfaces: HashMap<String, Surface>,
    /// The policy of pages that belong to no dialect.
    pub(crate) house: Arc<Policy>,
    pub(crate) ring: Ring,
    /// The keys with which this process signs.
    pub(crate) signer: Signer,
    /// The time at which a request last made this process reload the sealing keys.
    pub(crate) reloaded_at: tokio::sync::Mutex<Option<tokio::time::Instant>>,
    /// Draws row IDs.
    pub(crate) ids: Ids,
    pub(crate) entropy: Source,
    /// A random number that tells this process from others that share the store.
    pub node: i64,
    /// Generates request IDs (`X-Request-Id`).
    pub request_ids: RequestIds,
    /// True once a part of the store was found damaged. It stays true until the process ends.
    pub(crate) is_damaged: watch::Sender<bool>,
}

/// The served form of a dialect.
#[derive(Debug)]
pub struct Surface {
    /// The rules that requests of the surface are judged by.
    pub policy: Arc<Policy>,
    /// The metadata document of the surface as JSON, RFC 8414.
    pub metadata: Bytes,
    /// The headers of the metadata response, and the address that they belong to: of RFC 8414, and of OpenID Connect. The
    /// first response sets them, unless its headers depend on the `Origin` of the request.
    metadata_headers: [OnceLock<(At, HeaderMap)>; 2],
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl App {
    /// Returns the surface of a dialect.
    ///
    /// # Panics
    /// If this process does not serve the dialect.
    #[must_use]
    pub fn surface(&self, dialect: &Dialect) -> &Surface {
        self.surfaces.get(&dialect.name).expect("every dialect got its surface when the process started")
    }

    /// Returns the policy of pages that belong to no dialect, such as the account page.
    #[must_use]
    pub fn house_policy(&self) -> &Arc<Policy> {
        &self.house
    }

    /// Returns the policy of a dialect; without a dialect, that of [`App::house_policy`].
    pub(crate) fn policy_of(&self, dialect: Option<&Dialect>) -> &Arc<Policy> {
        dialect.map_or(&self.house, |dialect| &self.surface(dialect).policy)
    }

    /// Returns the current keys of the installation.
    #[must_use]
    pub fn keys(&self) -> Arc<Keys> {
        self.ring.keys()
    }

    /// Returns a source of random bytes for use outside of a turn. Its row ids are not reserved and must not be
    /// written.
    #[must_use]
    pub fn draw(&self) -> Entropy {
        self.entropy.for_turn(0)
    }

    /// Returns a source of random bytes and reserved row ids for one turn.
    fn draw_ids(&self) -> Result<Entropy, Implausible> {
        Ok(self.entropy.for_turn(self.ids.reserve(self.clock.now_ms())?))
    }

    /// Returns a pending visit that begins now.
    #[must_use]
    pub fn pending_visit(&self, goal: Goal) -> PendingVisit {
        PendingVisit::new(goal, self.ids.reserve(self.clock.now_ms()).unwrap_or(i64::MAX))
    }

    /// Checks that the clock is plausible.
    ///
    /// # Errors
    /// [`No::Busy`] if it is not. The log has the reason.
    pub fn check_clock(&self) -> Result<(), Refusal> {
        self.plausible.watch(&self.clock).map_err(|_| wrong_clock())
    }

    /// Logs that no row ids can be reserved, and returns the refusal. The cause is a wrong clock, or ids in the store
    /// that a wrong clock made.
    pub(crate) fn without_ids<T>(why: Implausible) -> Result<Result<T, Refusal>, Fault> {
        tracing::error!("{why}");
        Ok(Err(wrong_clock()))
    }

    /// Counts a fault of the store. After a fault that means damage, this process reports that it is not ready.
    pub(crate) fn note_fault(&self, fault: &store::Fault) {
        self.metrics.store_failed();
        if matches!(fault, store::Fault::Damaged { .. }) {
            self.is_damaged.send_replace(true);
        }
    }

    /// Reloads the sealing keys from the store.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn reload_keys(&self) -> Result<(), Fault> {
        self.ring.reload(&*self.store).await
    }

    /// Runs the work of a request within the time limit of requests. A panic is turned into a fault of this request.
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
        Self { policy: Arc::new(policy), metadata, metadata_headers: [OnceLock::new(), OnceLock::new()] }
    }

    /// Returns the place for the headers of the metadata response of this endpoint.
    pub(crate) fn metadata_headers(&self, endpoint: Endpoint) -> &OnceLock<(At, HeaderMap)> {
        &self.metadata_headers[usize::from(endpoint == Endpoint::Discovery)]
    }
}

/// Returns the refusal for times when the store takes no writes, or when too much work is waiting.
pub(crate) fn busy() -> Refusal {
    Refusal { retry_after_s: Some(BUSY_RETRY_AFTER_S), ..No::Busy.into() }
}

/// Returns the refusal for times when the clock is not plausible.
fn wrong_clock() -> Refusal {
    Refusal { retry_after_s: Some(plausible::RETRY_AFTER_S), ..No::Busy.into() }
}
