//! Requests that failed, by client address: a limit above those of clients, users and tokens, which whoever claims another
//! name with each request would not meet.
//!
//! A failed request shows nothing that this server gave out. API servers that introspect thousands of tokens a second with
//! the right secret never fail, and are not counted. While nobody fails, a request costs one look at a number.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use dialect::Dialect;
use dialect::rules::{Limit, LimitBy};
use protocol::endpoint::Endpoint;
use protocol::refusal::{ErrorKind, No, Refusal};
use protocol::time::UnixTime;
use protocol::wire::{Param, Params};
use quick_cache::sync::Cache;

use super::{Limiter, around, class, key};

/// Clients that proved themselves at an address, at some 60 bytes each.
const PROVEN_MAX: usize = 10_000;
/// The class of these counters.
const CLASS: &str = "failed";

/// What is known of failed requests beside their counters.
#[derive(Debug)]
pub(super) struct Failed {
    /// Until when some address has failed at all.
    any_until: AtomicI64,
    /// Until when some address has failed too often.
    over_until: AtomicI64,
    /// Clients that proved themselves at an address while somebody failed.
    proven: Cache<[u8; 32], ()>,
}

impl Default for Failed {
    fn default() -> Self {
        let never = || AtomicI64::new(i64::MIN);
        Self { any_until: never(), over_until: never(), proven: Cache::new(PROVEN_MAX) }
    }
}

impl Failed {
    /// Notes that other nodes counted something until then. Which counter it is cannot be told from its key, so that until
    /// then every request looks.
    pub(super) fn heard(&self, until: UnixTime) {
        self.over_until.fetch_max(until.0, Relaxed);
    }
}

/// What a request says about its client.
#[derive(Clone, Copy, Debug, Default)]
pub struct Claim<'a> {
    client_id: Option<&'a str>,
    has_secret: bool,
}

impl<'a> Claim<'a> {
    /// The claim of these parameters.
    #[must_use]
    pub fn of(params: &'a Params) -> Self {
        let basic = params.basic.as_ref().map(|basic| basic.client_id.as_str());
        let has_secret = basic.is_some() || params.value(Param::ClientSecret).is_some();
        Self { client_id: basic.or(params.value(Param::ClientId)), has_secret }
    }

    /// True if a request that was refused like this failed: nothing in it was this server's. Doors against guessing, and
    /// faults of the server itself, are no fault of the client.
    fn has_failed(&self, no: No) -> bool {
        use ErrorKind::{
            AccessDenied, ConsentRequired, InsufficientScope, InteractionRequired, InvalidClient, InvalidToken,
            LockedOut, LoginRequired, MethodNotAllowed, NotFound, RateLimited, ServerError, TemporarilyUnavailable,
        };
        match no.row().kind {
            InvalidClient => true,
            // An API may ask about whatever its own callers send it, and a garbage token costs no look into the store.
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
            // With a wrong secret it would have been refused for that.
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
    /// Refuses the request if its address has failed too often. Clients that proved themselves at the address go on, until
    /// they fail too often themselves.
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

    /// True if [`Limiter::judged`] must hear of a request that was answered with yes.
    #[must_use]
    pub fn has_failures(&self, now: UnixTime) -> bool {
        now.0 <= self.failed.any_until.load(Relaxed)
    }

    /// Counts how a request came out: `no` is why it was refused.
    ///
    /// # Errors
    /// [`No::TooManyRequests`] when an address names clients that do not exist more often than one client may ask.
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
        // Names that nobody has share the counter of one client.
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

/// The key of a client that shows a secret at an address.
fn proof(dialect: &Dialect, address: &str, claim: Claim<'_>) -> Option<[u8; 32]> {
    let client_id = claim.client_id.filter(|_| claim.has_secret)?;
    Some(key(&dialect.name, CLASS, "client", &format!("{address}\0{client_id}")))
}

fn too_many(now: UnixTime, until: UnixTime) -> Refusal {
    let wait_s = now.seconds_until(until).max(1);
    Refusal { retry_after_s: Some(wait_s), ..No::TooManyRequests.into() }
}
