//! Rate limits: so many requests in a window, counted by whom a dialect says.
//!
//! Counters live in this process: with several nodes behind one name, each grants the whole limit. They are kept in a cache
//! of bounded size, from which those that were not asked for lately go first.

use std::sync::{Arc, Mutex, PoisonError};

use dialect::Dialect;
use dialect::rules::{Limit, LimitBy, LimitHeaders};
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use protocol::endpoint::Endpoint;
use protocol::refusal::{ErrorKind, No, Refusal};
use protocol::secret::Digest;
use protocol::time::UnixTime;
use protocol::turn::login_name;
use protocol::wire::{Param, Params};
use quick_cache::sync::Cache;

/// Counters that are kept, at some 100 bytes each.
const COUNTERS_MAX: usize = 100_000;

/// The counters of all dialects.
#[derive(Debug)]
pub struct Limiter {
    windows: Cache<[u8; 32], Arc<Mutex<Window>>>,
}

#[derive(Debug, Default)]
struct Window {
    began_at: UnixTime,
    used: u32,
}

/// Where one request stands.
#[derive(Clone, Debug)]
pub struct Tally<'d> {
    headers: &'d LimitHeaders,
    limit: Limit,
    /// Requests of the window, this one among them.
    used: u32,
    resets_at: UnixTime,
    is_over: bool,
    /// Where it was counted, and where it belongs if its client turns out to be somebody else.
    key: [u8; 32],
    stranger: Option<[u8; 32]>,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { windows: Cache::new(COUNTERS_MAX) }
    }
}

impl Limiter {
    /// Counts a request; `None` where there is no limit. `address` is the caller's network address.
    pub fn count<'d>(
        &self,
        dialect: &'d Dialect,
        endpoint: Endpoint,
        params: &Params,
        address: &str,
        now: UnixTime,
    ) -> Option<Tally<'d>> {
        let (class, limit) = match endpoint {
            Endpoint::Token => ("token", dialect.limits.token?),
            Endpoint::Metadata => return None,
            _ => ("api", dialect.limits.api?),
        };
        let key = |by: &str, whom: &str| Digest::of(format!("{}\0{class}\0{by}\0{whom}", dialect.name).as_bytes()).0;
        let by_address = || key("ip", address);
        let client_id =
            || params.basic.as_ref().map(|basic| basic.client_id.as_str()).or(params.value(Param::ClientId));
        let token = || params.bearer.as_ref().map(|bearer| bearer.reveal()).or(params.value(Param::Token));
        let (key, stranger) = match limit.by {
            LimitBy::Address => (by_address(), None),
            // Whoever names a client without being it must not use up what is the client's.
            LimitBy::Client => match client_id() {
                Some(id) => (key("client", id), Some(key("stranger", &format!("{address}\0{id}")))),
                None => (by_address(), None),
            },
            LimitBy::Token => (token().map_or_else(by_address, |token| key("token", token)), None),
            LimitBy::User => match params.value(Param::Username) {
                Some(name) => (key("user", &login_name(name)), None),
                None => (token().map_or_else(by_address, |token| key("token", token)), None),
            },
        };
        let over_as_stranger = stranger.is_some_and(|key| self.used(key, limit, now) >= limit.count);
        let (used, resets_at) = self.add(key, limit, now);
        let is_over = used > limit.count || over_as_stranger;
        Some(Tally { headers: &dialect.limits.headers, limit, used, resets_at, is_over, key, stranger })
    }

    /// Corrects a count when the client was not the one that it named.
    pub fn settle(&self, tally: &Tally<'_>, refusal: &Refusal, now: UnixTime) {
        if let Some(stranger) = tally.stranger.filter(|_| refusal.row().kind == ErrorKind::InvalidClient) {
            self.add(stranger, tally.limit, now);
            if let Some(window) = self.windows.get(&tally.key) {
                let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
                window.used = window.used.saturating_sub(1);
            }
        }
    }

    fn used(&self, key: [u8; 32], limit: Limit, now: UnixTime) -> u32 {
        let Some(window) = self.windows.get(&key) else { return 0 };
        let window = window.lock().unwrap_or_else(PoisonError::into_inner);
        if now.is_past(window.began_at.plus(limit.window_s)) { 0 } else { window.used }
    }

    /// Counts one more; gives the count and when it begins anew.
    fn add(&self, key: [u8; 32], limit: Limit, now: UnixTime) -> (u32, UnixTime) {
        let fresh = || Arc::new(Mutex::new(Window { began_at: now, used: 0 }));
        let window = self
            .windows
            .get_or_insert_with(&key, || Ok::<_, std::convert::Infallible>(fresh()))
            .unwrap_or_else(|never| match never {});
        let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
        if now.is_past(window.began_at.plus(limit.window_s)) {
            *window = Window { began_at: now, used: 0 };
        }
        window.used = window.used.saturating_add(1);
        (window.used, window.began_at.plus(limit.window_s))
    }
}

impl Tally<'_> {
    /// Must the request be refused?
    ///
    /// # Errors
    /// [`No::TooManyRequests`] with the time to wait; RFC 6585 §4.
    pub fn check(&self, now: UnixTime) -> Result<(), Refusal> {
        if self.is_over {
            let wait_s = now.seconds_until(self.resets_at).max(1);
            return Err(Refusal { retry_after_s: Some(wait_s), ..No::TooManyRequests.into() });
        }
        Ok(())
    }

    /// Tells the client, under the names that the dialect has for it.
    pub fn tell(&self, headers: &mut HeaderMap) {
        let used = self.used.min(self.limit.count);
        let own = self.headers;
        for (name, value) in [
            (&own.limit, i64::from(self.limit.count)),
            (&own.remaining, i64::from(self.limit.count - used)),
            (&own.reset, self.resets_at.0),
            (&own.used, i64::from(used)),
        ] {
            // The loader made sure that it is the name of a header.
            if let Some(Ok(name)) = name.as_ref().map(|name| HeaderName::from_bytes(name.as_bytes())) {
                headers.insert(name, HeaderValue::from(value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect(limit: &str) -> Dialect {
        let text = format!("grants = [\"authorization_code\"]\n[endpoint.token]\n[limit]\ntoken = \"{limit}\"\n");
        let loaded = Dialect::load("odd", &[dialect::Source::file("odd.toml", &text)]);
        loaded.unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    fn asked(client_id: &str) -> Params {
        let mut params = Params::default();
        params.push(Param::ClientId, client_id.into()).unwrap();
        params
    }

    #[test]
    fn a_limit_holds_for_its_window_and_begins_anew() {
        let (limiter, dialect) = (Limiter::default(), dialect("2/min/ip"));
        let ask = |now| {
            let tally = limiter.count(&dialect, Endpoint::Token, &asked("a"), "192.0.2.1", UnixTime(now)).unwrap();
            tally.check(UnixTime(now)).map_err(|refusal| refusal.retry_after_s)
        };
        assert_eq!((ask(0), ask(10), ask(20)), (Ok(()), Ok(()), Err(Some(40))));
        assert_eq!(ask(60), Ok(()));
    }

    #[test]
    fn addresses_do_not_share_a_counter_and_other_endpoints_have_none() {
        let (limiter, dialect) = (Limiter::default(), dialect("1/min/ip"));
        for address in ["192.0.2.1", "192.0.2.2"] {
            let tally = limiter.count(&dialect, Endpoint::Token, &asked("a"), address, UnixTime(0)).unwrap();
            assert!(tally.check(UnixTime(0)).is_ok(), "{address}");
        }
        assert!(limiter.count(&dialect, Endpoint::Userinfo, &asked("a"), "192.0.2.1", UnixTime(0)).is_none());
    }

    #[test]
    fn a_stranger_cannot_use_up_what_is_the_clients() {
        let (limiter, dialect) = (Limiter::default(), dialect("2/min/client"));
        let wrong = Refusal::from(No::ClientSecretWrong);
        for _ in 0..2 {
            let tally = limiter.count(&dialect, Endpoint::Token, &asked("a"), "203.0.113.9", UnixTime(0)).unwrap();
            assert!(tally.check(UnixTime(0)).is_ok());
            limiter.settle(&tally, &wrong, UnixTime(0));
        }
        let stranger = limiter.count(&dialect, Endpoint::Token, &asked("a"), "203.0.113.9", UnixTime(0)).unwrap();
        assert!(stranger.check(UnixTime(0)).is_err());
        let own = limiter.count(&dialect, Endpoint::Token, &asked("a"), "192.0.2.1", UnixTime(0)).unwrap();
        assert!(own.check(UnixTime(0)).is_ok());
    }
}
