//! Counts failed requests, and refuses the requests of addresses with too many of them.

use std::sync::atomic::Ordering::Relaxed;

use dialect::Dialect;
use dialect::rules::{Limit, LimitBy};
use protocol::endpoint::Endpoint;
use protocol::refusal::{No, Refusal};
use protocol::time::UnixTime;

use super::failed::Claim;
use super::{Limiter, around, class, key};

/// The class of these counters.
const CLASS: &str = "failed";

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
            // A public client proves nothing, and each of its pushed requests becomes a row. It counts as a failure does.
            let is_unproven = endpoint == Endpoint::Par && !claim.has_secret;
            if let Some(limit) = dialect.limits.failed.filter(|_| is_unproven) {
                self.count_failed(&dialect.name, address, limit, now);
            }
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
