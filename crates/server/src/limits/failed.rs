//! A limit on failed requests per client address, beside the limits by client, user and token. An attacker who claims
//! another name with each request would not reach those.
//!
//! A failed request contains no valid credential. API servers that introspect thousands of tokens a second with the
//! right secret are not counted. While nobody fails, a request only costs reading one number.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use protocol::refusal::{ErrorKind, No};
use protocol::time::UnixTime;
use protocol::wire::{Param, Params};
use quick_cache::sync::Cache;

/// Maximum number of remembered clients that authenticated from an address, at about 60 bytes each.
const PROVEN_MAX: usize = 10_000;

/// The state of failed requests beside their counters.
#[derive(Debug)]
pub(super) struct Failed {
    /// Time until which some address has failed requests.
    pub(super) any_until: AtomicI64,
    /// Time until which some address has too many failed requests.
    pub(super) over_until: AtomicI64,
    /// Clients that authenticated from an address while some address had failures.
    pub(super) proven: Cache<[u8; 32], ()>,
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
    pub(super) client_id: Option<&'a str>,
    pub(super) has_secret: bool,
}

impl<'a> Claim<'a> {
    /// Returns the claim in these parameters.
    #[must_use]
    pub fn of(params: &'a Params) -> Self {
        let basic = params.basic.as_ref().map(|basic| basic.client_id.as_str());
        let is_sent = |param| params.value(param).is_some();
        let has_secret = basic.is_some() || is_sent(Param::ClientSecret) || is_sent(Param::ClientAssertion);
        Self { client_id: basic.or(params.value(Param::ClientId)), has_secret }
    }

    /// Returns true if a request with this refusal counts as failed, because it contained no valid credential.
    /// Lockouts, rate limits and faults of the server do not count.
    pub(super) fn has_failed(&self, no: No) -> bool {
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
