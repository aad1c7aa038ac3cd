//! Rate limits: a maximum number of requests per window of time. The dialect decides what requests are counted by.
//!
//! Counters are kept in this process, in a bounded cache that evicts the least recently used first. Nodes that share a
//! store exchange their counts through it every second. The excess over a limit is therefore at most what arrives at
//! the other nodes within a second.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dialect::Dialect;
use dialect::rules::{Limit, LimitBy, LimitHeaders};
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use protocol::endpoint::Endpoint;
use protocol::model::UserKey;
use protocol::names::login_name;
use protocol::refusal::{No, Refusal};
use protocol::secret::Digest;
use protocol::time::UnixTime;
use protocol::wire::{Param, Params};
use quick_cache::sync::Cache;

use crate::address::wider;

mod check_failed;
mod failed;

pub use failed::Claim;

/// Maximum number of counters, at about 100 bytes each.
const COUNTERS_MAX: usize = 100_000;

/// Maximum number of counters that one address, or one IPv6 /48, may create per period: a tenth of all. Beyond it, its
/// requests share one counter.
const COUNTERS_OF_ONE_MAX: u32 = 10_000;
/// Minimum length of the period for [`COUNTERS_OF_ONE_MAX`], in seconds. A longer window of the limit takes its place.
const MADE_WINDOW_S: u64 = 60 * 60;
/// The limits of an address's /56 and /48, as multiples of the limit of one address. These networks contain 256 and
/// 65,536 networks of one household each, and usually belong to one customer.
const WIDER_TIMES: [u32; 2] = [4, 16];

/// The rate limit counters of all dialects.
#[derive(Debug)]
pub struct Limiter {
    windows: Cache<[u8; 32], Arc<Mutex<Window>>>,
    /// Keys of windows with requests that were not shared with other nodes yet.
    uncounted: Mutex<HashSet<[u8; 32]>>,
    /// Number of counters that each address or IPv6 /48 has created lately.
    made: Cache<[u8; 32], Arc<Mutex<Window>>>,
    /// Counters of failed requests.
    failed: failed::Failed,
    /// True if there is no other node to share counts with.
    is_alone: AtomicBool,
}

#[derive(Debug, Default)]
struct Window {
    began_at: UnixTime,
    until: UnixTime,
    used: u32,
    /// The part of them that was not shared with other nodes yet.
    own: u32,
}

/// The state of a limit after one request.
#[derive(Clone, Debug)]
pub struct Tally<'d> {
    headers: &'d LimitHeaders,
    limit: Limit,
    /// Number of requests in the window, including this one.
    used: u32,
    resets_at: UnixTime,
    /// True if a wider IPv6 network has used up its own limit.
    is_over: bool,
}

/// The sender of a request, as far as known before the request is judged.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The network address.
    pub address: &'a str,
    /// The parameters.
    pub params: &'a Params,
    /// The access token of the request, if its checksum is valid.
    pub token: Option<&'a str>,
    /// The user of that token, if it was looked up and is live.
    pub owner: Option<UserKey>,
}

impl Asker<'_> {
    /// Returns the kind and the key that a request is counted by. Keys by client or user also include the client
    /// address, because anyone can claim a client ID or a user name. Requests with an invalid token count by address.
    fn counted_by(&self, by: LimitBy) -> (&'static str, String) {
        let address = || ("ip", self.address.to_owned());
        let basic = self.params.basic.as_ref().map(|basic| basic.client_id.as_str());
        let claimed = |by, name: &str| (by, format!("{}\0{name}", self.address));
        let token = || self.token.map_or_else(address, |token| ("token", token.to_owned()));
        match by {
            LimitBy::Address => address(),
            LimitBy::Client => {
                basic.or(self.params.value(Param::ClientId)).map_or_else(address, |id| claimed("client", id))
            }
            LimitBy::Token => token(),
            LimitBy::User => match (self.owner, self.params.value(Param::Username)) {
                // A live token proves the user. All tokens of a user share one counter.
                (Some(owner), _) => ("owner", owner.0.to_string()),
                (None, Some(name)) => claimed("user", &login_name(name)),
                (None, None) => token(),
            },
        }
    }
}

impl Default for Limiter {
    fn default() -> Self {
        Self {
            windows: Cache::new(COUNTERS_MAX),
            uncounted: Mutex::default(),
            made: Cache::new(COUNTERS_MAX),
            failed: failed::Failed::default(),
            is_alone: AtomicBool::new(false),
        }
    }
}

impl Limiter {
    /// Counts a request to an endpoint of the dialect. Returns `None` if no limit applies.
    pub fn count<'d>(
        &self,
        dialect: &'d Dialect,
        endpoint: Option<Endpoint>,
        asker: &Asker<'_>,
        now: UnixTime,
    ) -> Option<Tally<'d>> {
        let (class, limit) = class(dialect, endpoint)?;
        let (by, whom) = asker.counted_by(limit.by);
        let headers = &dialect.limits.headers;
        let key_of = |by: &str, whom: &str| key(&dialect.name, class, by, whom);
        // A token with a valid checksum cannot be invented, and neither can its user.
        let is_claim = matches!(by, "ip" | "client" | "user");
        let own = key_of(by, &whom);
        if is_claim && self.is_crowded(own, asker.address, limit, now) {
            let (used, resets_at) = self.add(key_of("others", &widest(asker.address)), limit, now);
            return Some(Tally { headers, limit, used, resets_at, is_over: false });
        }
        let (used, mut resets_at) = self.add(own, limit, now);
        let mut is_over = false;
        if by == "ip" {
            for (network, limit) in around(asker.address, limit) {
                let (used, until) = self.add(key_of(by, &network), limit, now);
                if used > limit.count {
                    (is_over, resets_at) = (true, until);
                }
            }
        }
        Some(Tally { headers, limit, used, resets_at, is_over })
    }

    /// Returns true if the counter does not exist and its address has created too many already. Without this limit, an
    /// attacker who claims another name with each request would evict the counters of everybody else.
    fn is_crowded(&self, own: [u8; 32], address: &str, limit: Limit, now: UnixTime) -> bool {
        if self.windows.contains_key(&own) {
            return false;
        }
        let owner = Digest::of(widest(address).as_bytes()).0;
        let window_s = limit.window_s.max(MADE_WINDOW_S);
        let (made, _) = count(&self.made, owner, window_s, now, |_| {});
        made > COUNTERS_OF_ONE_MAX
    }

    /// Adds one to a counter. Returns the count and the end of its window.
    fn add(&self, key: [u8; 32], limit: Limit, now: UnixTime) -> (u32, UnixTime) {
        count(&self.windows, key, limit.window_s, now, |window| {
            if self.is_alone.load(Ordering::Relaxed) {
                return;
            }
            window.own = window.own.saturating_add(1);
            let mut uncounted = self.uncounted.lock().unwrap_or_else(PoisonError::into_inner);
            // Bounds the memory while the store does not answer.
            if uncounted.len() < COUNTERS_MAX {
                uncounted.insert(key);
            }
        })
    }

    /// Returns the count without the current request, and the end of its window. Returns `None` if there is no current
    /// window.
    fn peek(&self, key: &[u8; 32], now: UnixTime) -> Option<(u32, UnixTime)> {
        let window = self.windows.get(key)?;
        let window = window.lock().unwrap_or_else(PoisonError::into_inner);
        (!now.is_past(window.until)).then_some((window.used, window.until))
    }

    /// Stops sharing counts, because there is no other node.
    pub(crate) fn be_alone(&self) {
        self.is_alone.store(true, Ordering::Relaxed);
        self.uncounted.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Returns the windows with counts that were not shared yet.
    pub(crate) fn uncounted(&self) -> Vec<store::Window> {
        let keys = std::mem::take(&mut *self.uncounted.lock().unwrap_or_else(PoisonError::into_inner));
        let of = |key: [u8; 32]| {
            let window = self.windows.get(&key)?;
            let window = window.lock().unwrap_or_else(PoisonError::into_inner);
            let Window { began_at, until, own, .. } = *window;
            (own > 0).then_some(store::Window { key: Digest(key), began_at, until, used: own })
        };
        keys.into_iter().filter_map(of).collect()
    }

    /// Marks windows as not shared, after sharing them failed.
    pub(crate) fn tell_again(&self, told: &[store::Window]) {
        let mut uncounted = self.uncounted.lock().unwrap_or_else(PoisonError::into_inner);
        uncounted.extend(told.iter().map(|window| window.key.0));
    }

    /// Takes over the totals of all nodes, which include the shared counts `told`.
    pub(crate) fn hear(&self, told: &[store::Window], known: &[store::Window]) {
        let told: HashMap<[u8; 32], u32> = told.iter().map(|window| (window.key.0, window.used)).collect();
        for of_all in known {
            let Some(window) = self.windows.get(&of_all.key.0) else { continue };
            let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
            // That window has ended, and a new one has begun here.
            if of_all.until.0 <= window.began_at.0 {
                continue;
            }
            let told = told.get(&of_all.key.0).copied().unwrap_or(0);
            // Requests that arrived meanwhile are not part of the shared counts.
            let own = window.own.saturating_sub(told);
            let used = of_all.used.saturating_add(own);
            // The counter may be that of an address with too many failed requests over all nodes.
            self.failed.heard(of_all.until);
            *window = Window { began_at: of_all.began_at, until: of_all.until, used, own };
        }
    }
}

/// Adds one to a window, which begins with its first request. Calls `also` with the window before it is unlocked.
fn count(
    windows: &Cache<[u8; 32], Arc<Mutex<Window>>>,
    key: [u8; 32],
    window_s: u64,
    now: UnixTime,
    also: impl FnOnce(&mut Window),
) -> (u32, UnixTime) {
    let begun = || Window { began_at: now, until: now.plus(window_s), used: 0, own: 0 };
    let fresh = || Arc::new(Mutex::new(begun()));
    let window = windows
        .get_or_insert_with(&key, || Ok::<_, std::convert::Infallible>(fresh()))
        .unwrap_or_else(|never| match never {});
    let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
    if now.is_past(window.until) {
        *window = begun();
    }
    window.used = window.used.saturating_add(1);
    also(&mut window);
    (window.used, window.until)
}

fn key(dialect: &str, class: &str, by: &str, whom: &str) -> [u8; 32] {
    Digest::of(format!("{dialect}\0{class}\0{by}\0{whom}").as_bytes()).0
}

/// Returns the wider IPv6 networks of an address with their higher limits; none for IPv4.
fn around(address: &str, limit: Limit) -> impl Iterator<Item = (String, Limit)> {
    let networks = wider(address).into_iter().flatten();
    networks.zip(WIDER_TIMES).map(move |(network, times)| {
        let count = limit.count.saturating_mul(times);
        (network, Limit { count, ..limit })
    })
}

/// Returns the widest network that one customer may have.
fn widest(address: &str) -> String {
    wider(address).map_or_else(|| address.to_owned(), |[_, widest]| widest)
}

/// Returns the limit of an endpoint and its class; `None` if it has no limit.
#[must_use]
pub fn class(dialect: &Dialect, endpoint: Option<Endpoint>) -> Option<(&'static str, Limit)> {
    match endpoint {
        Some(Endpoint::Token) => Some(("token", dialect.limits.token?)),
        Some(Endpoint::Metadata | Endpoint::Discovery | Endpoint::Jwks) => None,
        _ => Some(("api", dialect.limits.api?)),
    }
}

impl Tally<'_> {
    /// Refuses the request if it exceeds the limit.
    ///
    /// # Errors
    /// [`No::TooManyRequests`] with the time to wait; RFC 6585 §4.
    pub fn check(&self, now: UnixTime) -> Result<(), Refusal> {
        if self.is_over || self.used > self.limit.count {
            let wait_s = now.seconds_until(self.resets_at).max(1);
            return Err(Refusal { retry_after_s: Some(wait_s), ..No::TooManyRequests.into() });
        }
        Ok(())
    }

    /// Adds the rate limit headers, under the names that the dialect gives them.
    pub fn tell(&self, headers: &mut HeaderMap) {
        let used = self.used.min(self.limit.count);
        let own = self.headers;
        for (name, value) in [
            (&own.limit, i64::from(self.limit.count)),
            (&own.remaining, i64::from(self.limit.count - used)),
            (&own.reset, self.resets_at.0),
            (&own.used, i64::from(used)),
        ] {
            // The loader has checked that this is a valid header name.
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
        let text = format!(
            "grants = [\"client_credentials\"]\n[endpoint.token]\n[endpoint.userinfo]\n[limit]\ntoken = \"{limit}\"\napi = \"{limit}\"\n"
        );
        let loaded = Dialect::load("odd", &[dialect::Source::file("odd.toml", &text)]);
        loaded.unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    /// Counts a request and returns whether it is allowed.
    fn ask(
        limiter: &Limiter,
        dialect: &Dialect,
        address: &str,
        token: Option<&str>,
        now: i64,
    ) -> Result<(), Option<u64>> {
        let mut params = Params::default();
        params.push(Param::ClientId, "web".into()).unwrap();
        // A token that begins with a digit is that user's.
        let owner = token.and_then(|token| token.get(..1)?.parse().ok()).map(UserKey);
        let asker = Asker { address, params: &params, token, owner };
        let endpoint = if token.is_some() { Endpoint::Userinfo } else { Endpoint::Token };
        let tally = limiter.count(dialect, Some(endpoint), &asker, UnixTime(now)).unwrap();
        tally.check(UnixTime(now)).map_err(|refusal| refusal.retry_after_s)
    }

    #[test]
    fn a_limit_holds_for_its_window_and_begins_anew() {
        let (limiter, dialect) = (Limiter::default(), dialect("2/min/ip"));
        let at = |now| ask(&limiter, &dialect, "192.0.2.1", None, now);
        assert_eq!((at(0), at(10), at(20)), (Ok(()), Ok(()), Err(Some(40))));
        assert_eq!(at(60), Ok(()));
    }

    #[test]
    fn addresses_do_not_share_a_counter_and_neither_do_classes() {
        let (limiter, dialect) = (Limiter::default(), dialect("1/min/ip"));
        for address in ["192.0.2.1", "192.0.2.2"] {
            assert_eq!(ask(&limiter, &dialect, address, None, 0), Ok(()), "{address}");
        }
        assert_eq!(ask(&limiter, &dialect, "192.0.2.1", Some("t"), 0), Ok(()));
    }

    #[test]
    fn nodes_that_share_a_store_share_a_limit() {
        let (one, other, dialect) = (Limiter::default(), Limiter::default(), dialect("3/min/ip"));
        assert_eq!(ask(&one, &dialect, "192.0.2.1", None, 0), Ok(()));
        assert_eq!(ask(&one, &dialect, "192.0.2.1", None, 0), Ok(()));
        assert_eq!(ask(&other, &dialect, "192.0.2.1", None, 10), Ok(()));
        // The store adds up the counts. The first node that shares a window determines its beginning.
        let (told, mut known) = (other.uncounted(), one.uncounted());
        known[0].used += told[0].used;
        // One more request arrives while the store is asked.
        assert_eq!(ask(&other, &dialect, "192.0.2.1", None, 11), Ok(()));
        other.hear(&told, &known);
        assert_eq!(ask(&other, &dialect, "192.0.2.1", None, 12), Err(Some(48)));
        assert_eq!(other.uncounted()[0].used, 2);
    }

    #[test]
    fn a_stranger_cannot_use_up_what_is_the_clients() {
        let (limiter, dialect) = (Limiter::default(), dialect("2/min/client"));
        for _ in 0..40 {
            let _ = ask(&limiter, &dialect, "203.0.113.9", None, 0);
        }
        assert!(ask(&limiter, &dialect, "203.0.113.9", None, 0).is_err());
        assert_eq!(ask(&limiter, &dialect, "192.0.2.1", None, 0), Ok(()));
    }

    #[test]
    fn a_token_has_a_limit_of_its_own_and_whoever_has_none_shares_that_of_the_address() {
        let (limiter, dialect) = (Limiter::default(), dialect("1/min/token"));
        assert_eq!(ask(&limiter, &dialect, "192.0.2.1", Some("a"), 0), Ok(()));
        assert_eq!(ask(&limiter, &dialect, "192.0.2.1", Some("b"), 0), Ok(()));
        assert!(ask(&limiter, &dialect, "192.0.2.7", Some("b"), 0).is_err());
        assert_eq!(ask(&limiter, &dialect, "192.0.2.1", None, 0), Ok(()));
        assert!(ask(&limiter, &dialect, "192.0.2.1", None, 0).is_err());
    }

    #[test]
    fn a_user_with_two_tokens_has_one_limit() {
        let (limiter, dialect) = (Limiter::default(), dialect("2/min/user"));
        assert_eq!(ask(&limiter, &dialect, "192.0.2.1", Some("1a"), 0), Ok(()));
        assert_eq!(ask(&limiter, &dialect, "192.0.2.2", Some("1b"), 0), Ok(()));
        assert!(ask(&limiter, &dialect, "192.0.2.3", Some("1c"), 0).is_err());
        assert_eq!(ask(&limiter, &dialect, "192.0.2.1", Some("2a"), 0), Ok(()));
        // A token without a user counts by itself.
        assert_eq!(ask(&limiter, &dialect, "192.0.2.1", Some("dead"), 0), Ok(()));
    }

    #[test]
    fn one_address_cannot_drive_out_the_counters_of_others() {
        let (limiter, dialect) = (Limiter::default(), dialect("1/min/client"));
        let ask = |address: &str, client: &str| {
            let mut params = Params::default();
            params.push(Param::ClientId, client.to_owned()).unwrap();
            let asker = Asker { address, params: &params, token: None, owner: None };
            let tally = limiter.count(&dialect, Some(Endpoint::Token), &asker, UnixTime(0)).unwrap();
            tally.check(UnixTime(0)).is_ok()
        };
        let victims: Vec<String> = (0..1_000).map(|at| format!("client-{at}")).collect();
        assert!(victims.iter().all(|client| ask("192.0.2.1", client)));
        let let_through = (0..250_000).filter(|at| ask("203.0.113.9", &format!("guess-{at}"))).count();
        assert!(let_through <= COUNTERS_OF_ONE_MAX as usize + 1, "{let_through}");
        let forgotten = victims.iter().filter(|client| ask("192.0.2.1", client)).count();
        assert_eq!(forgotten, 0, "counters of another address were driven out");
    }

    #[test]
    fn a_limit_by_address_counts_ipv6_by_64_and_56_and_48() {
        let (limiter, dialect) = (Limiter::default(), dialect("2/min/ip"));
        let at = |text: String| ask(&limiter, &dialect, &text, None, 0).is_ok();
        let of_56 = (0..20).filter(|last| at(format!("2001:db8:0:{last:x}::/64"))).count();
        assert_eq!(of_56, 8, "four times as many as of one address");
        let of_48 = (1..200).filter(|last| at(format!("2001:db8:0:{last:x}00::/64"))).count();
        assert_eq!(of_56 + of_48, 20, "what the /56 refused is counted in the /48 as well");
        assert!(at("2001:db8:1::/64".to_owned()));
    }
}
