//! A limit on failed requests per client address, beside the limits by client, user and token. An attacker who claims
//! another name with each request would not reach those.
//!
//! A failed request contains no valid credential. API servers that introspect thousands of tokens a second with the
//! right secret are not counted. While nobody fails, a request only costs reading one number.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use dialect::Dialect;
use dialect::rules::{Limit, LimitBy};
use protocol::endpoint::Endpoint;
use protocol::refusal::{ErrorKind, No, Refusal};
use protocol::time::UnixTime;
use protocol::wire::{Param, Params};
use quick_cache::sync::Cache;

use super::{Limiter, around, class, key};

/// Maximum number of remembered clients that authenticated from an address, at about 60 bytes each.
const PROVEN_MAX: usize = 10_000;
/// The class of these counters.
const CLASS: &str = "failed";

/// The state of failed requests beside their counters.
#[derive(Debug)]
pub(super) struct Failed {
    /// Time until which some address has failed requests.
    any_until: AtomicI64,
    /// Time until which some address has too many failed requests.
    over_until: AtomicI64,
    /// Clients that authenticated from an address while some address had failures.
    proven: Cache<[u8; 32], ()>,
}

impl Default for Failed {
    fn default() -> Self {
        let never = || AtomicI64::new(i64::MIN);
        Self { any_until: never(), over_until: never(), proven: Cache::new(PROVEN_MAX) }
    }
}

impl Failed {
    /// Notes that other nodes have counters until then. The key does not reveal the kind of a counter, so until then
    /// every request checks.
    pub(super) fn heard(&self, until: UnixTime) {
        self.over_until.fetch_max(until.0, Relaxed);
    }
}

/// The client that a request claims.
#[derive(Clone, Copy, Debug, Default)]
pub struct Claim<'a> {
    client_id: Option<&'a str>,
    has_secret: bool,
}

impl<'a> Claim<'a> {
    /// Returns the claim in these parameters.
    #[must_use]
    pub fn of(params: &'a Params) -> Self {
        let basic = params.basic.as_ref().map(|basic| basic.client_id.as_str());
        let has_secret = basic.is_some() || params.value(Param::ClientSecret).is_some();
        Self { client_id: basic.or(params.value(Param::ClientId)), has_secret }
    }

    /// Returns true if a request with this refusal counts as failed, because it contained no valid credential.
    /// Lockouts, rate limits and faults of the server do not count.
    fn has_failed(&self, no: No) -> bool {
        use ErrorKind::{
            AccessDenied, ConsentRequired, InsufficientScope, InteractionRequired, InvalidClient, InvalidToken,
            LockedOut, LoginRequired, MethodNotAllowed, NotFound, RateLimited, ServerError, TemporarilyUnavailable,
        };
        match no.row().kind {
            InvalidClient => true,
            // An API may introspect any text that its callers send, and an invalid token causes no read of the store.
            InvalidToken
            | InsufficientScope
            | LockedOut
            | RateLimited
            | ServerError
            | TemporarilyUnavailable
            | MethodNotAllowed
            | NotFound
            | AccessDenied
            | LoginRequired
            | InteractionRequired
            | ConsentRequired => false,
            // The secret was right, or else the refusal would be about the secret.
            _ if self.has_secret => false,
            _ => !matches!(
                no,
                No::CodeExpired
                    | No::CodeReplayed
                    | No::RefreshExpired
                    | No::RefreshReplayed
                    | No::GrantRevoked
                    | No::GrantUserGone
            ),
        }
    }
}

impl Limiter {
    /// Refuses the request if its address has too many failed requests. Clients that have authenticated from the
    /// address are exempt until they fail too often themselves.
    ///
    /// # Errors
    /// [`No::TooManyRequests`] with the time to wait.
    pub fn check_failed(
        &self,
        dialect: &Dialect,
        address: &str,
        claim: Claim<'_>,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let Some(limit) = dialect.limits.failed else { return Ok(()) };
        if now.0 > self.failed.over_until.load(Relaxed) {
            return Ok(());
        }
        let over = |key: [u8; 32], limit: Limit| {
            self.peek(&key, now).filter(|(used, _)| *used >= limit.count).map(|(_, until)| until)
        };
        let networks = [(address.to_owned(), limit)].into_iter().chain(around(address, limit));
        let until =
            networks.filter_map(|(network, limit)| over(key(&dialect.name, CLASS, "ip", &network), limit)).max();
        let Some(until) = until else { return Ok(()) };
        if let Some(client) = proof(dialect, address, claim)
            && self.failed.proven.contains_key(&client)
            && over(client, limit).is_none()
        {
            return Ok(());
        }
        Err(too_many(now, until))
    }

    /// Returns true if [`Limiter::judged`] must also be called for successful requests.
    #[must_use]
    pub fn has_failures(&self, now: UnixTime) -> bool {
        now.0 <= self.failed.any_until.load(Relaxed)
    }

    /// Counts the outcome of a request. `no` is the refusal, if there was one.
    ///
    /// # Errors
    /// [`No::TooManyRequests`] if an address names unknown clients more often than one client may send requests.
    pub fn judged(
        &self,
        dialect: &Dialect,
        endpoint: Endpoint,
        (address, claim): (&str, Claim<'_>),
        no: Option<No>,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let client = proof(dialect, address, claim);
        let Some(no) = no else {
            if let Some(client) = client.filter(|_| dialect.limits.failed.is_some()) {
                self.failed.proven.insert(client, ());
            }
            return Ok(());
        };
        if let Some(limit) = dialect.limits.failed.filter(|_| claim.has_failed(no)) {
            self.count_failed(&dialect.name, address, limit, now);
            if let Some(client) = client.filter(|client| self.failed.proven.contains_key(client)) {
                self.add(client, limit, now);
            }
        }
        // All unknown client IDs share one counter.
        let own =
            class(dialect, Some(endpoint)).filter(|(_, limit)| no == No::ClientUnknown && limit.by == LimitBy::Client);
        let Some((name, limit)) = own else { return Ok(()) };
        let (used, until) = self.add(key(&dialect.name, name, "unknown", address), limit, now);
        if used > limit.count { Err(too_many(now, until)) } else { Ok(()) }
    }

    fn count_failed(&self, dialect: &str, address: &str, limit: Limit, now: UnixTime) {
        let own = key(dialect, CLASS, "ip", address);
        let own = (!self.is_crowded(own, address, limit, now)).then_some((own, limit));
        let networks = around(address, limit).map(|(network, limit)| (key(dialect, CLASS, "ip", &network), limit));
        for (key, limit) in own.into_iter().chain(networks) {
            let (used, until) = self.add(key, limit, now);
            self.failed.any_until.fetch_max(until.0, Relaxed);
            if used >= limit.count {
                self.failed.over_until.fetch_max(until.0, Relaxed);
            }
        }
    }
}

/// Returns the key of a client that authenticates from an address.
fn proof(dialect: &Dialect, address: &str, claim: Claim<'_>) -> Option<[u8; 32]> {
    let client_id = claim.client_id.filter(|_| claim.has_secret)?;
    Some(key(&dialect.name, CLASS, "client", &format!("{address}\0{client_id}")))
}

fn too_many(now: UnixTime, until: UnixTime) -> Refusal {
    let wait_s = now.seconds_until(until).max(1);
    Refusal { retry_after_s: Some(wait_s), ..No::TooManyRequests.into() }
}
