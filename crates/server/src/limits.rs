//! Rate limits: so many requests in a window, counted by whom a dialect says.
//!
//! Counters live in this process, in a cache of bounded size from which those that were not asked for lately go first.
//! Nodes that share a store tell it every second what they counted and hear what others did: so what is let through beyond
//! a limit is no more than what arrives at the other nodes within a second.

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

mod failed;

pub use failed::Claim;

/// Counters that are kept, at some 100 bytes each.
const COUNTERS_MAX: usize = 100_000;

/// Counters that the requests of one address, or of one /48 of IPv6, may make in a while: a tenth of all. Beyond it they
/// share one.
const COUNTERS_OF_ONE_MAX: u32 = 10_000;
/// The while, in seconds, if the window of the limit is not longer.
const MADE_WINDOW_S: u64 = 60 * 60;
/// How many times the limit of one address its /56 and its /48 have. They hold 256 and 65,536 networks of one household each,
/// and in most places one customer's.
const WIDER_TIMES: [u32; 2] = [4, 16];

/// The counters of all dialects.
#[derive(Debug)]
pub struct Limiter {
    windows: Cache<[u8; 32], Arc<Mutex<Window>>>,
    /// Windows with requests that other nodes have not heard of.
    uncounted: Mutex<HashSet<[u8; 32]>>,
    /// How many counters the claims of one address, or of one /48 of IPv6, have made lately.
    made: Cache<[u8; 32], Arc<Mutex<Window>>>,
    /// Requests that failed.
    failed: failed::Failed,
    /// Is there no other node to tell?
    is_alone: AtomicBool,
}

#[derive(Debug, Default)]
struct Window {
    began_at: UnixTime,
    until: UnixTime,
    used: u32,
    /// Of these, requests that other nodes have not heard of.
    own: u32,
}

/// Where one request stands.
#[derive(Clone, Debug)]
pub struct Tally<'d> {
    headers: &'d LimitHeaders,
    limit: Limit,
    /// Requests of the window, this one among them.
    used: u32,
    resets_at: UnixTime,
    /// True if a wider network of IPv6 has used up its own limit.
    is_over: bool,
}

/// Who asks, as far as it is known before anything is judged.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The network address.
    pub address: &'a str,
    /// The parameters.
    pub params: &'a Params,
    /// The token that came along, if its checksum says that it is ours.
    pub token: Option<&'a str>,
    /// Whose live token it is, where that was looked up.
    pub owner: Option<UserKey>,
}

impl Asker<'_> {
    /// Under which name a request is counted. What anybody can claim, a client's or a user's name, counts together with the
    /// network address: or else a stranger could use up what is another's. A token that is not ours is nobody's.
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
                // Whoever has a token of the user's is no stranger, and however many there are, it is one user.
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
    /// Counts a request to an address of the dialect, or to none; `None` where there is no limit.
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
        // A token that is ours cannot be made up, and neither can its owner.
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

    /// True if a counter that does not exist would be one too many for the address that makes it. Without a bound, whoever
    /// claims another name with each request drives out the counters of everybody else.
    fn is_crowded(&self, own: [u8; 32], address: &str, limit: Limit, now: UnixTime) -> bool {
        if self.windows.contains_key(&own) {
            return false;
        }
        let owner = Digest::of(widest(address).as_bytes()).0;
        let window_s = limit.window_s.max(MADE_WINDOW_S);
        let (made, _) = count(&self.made, owner, window_s, now, |_| {});
        made > COUNTERS_OF_ONE_MAX
    }

    /// Counts one more; gives the count and when it begins anew.
    fn add(&self, key: [u8; 32], limit: Limit, now: UnixTime) -> (u32, UnixTime) {
        count(&self.windows, key, limit.window_s, now, |window| {
            if self.is_alone.load(Ordering::Relaxed) {
                return;
            }
            window.own = window.own.saturating_add(1);
            let mut uncounted = self.uncounted.lock().unwrap_or_else(PoisonError::into_inner);
            // While the store does not answer it is not worth more memory.
            if uncounted.len() < COUNTERS_MAX {
                uncounted.insert(key);
            }
        })
    }

    /// How many were counted, this one not among them, and when it begins anew; `None` where nothing is counted now.
    fn peek(&self, key: &[u8; 32], now: UnixTime) -> Option<(u32, UnixTime)> {
        let window = self.windows.get(key)?;
        let window = window.lock().unwrap_or_else(PoisonError::into_inner);
        (!now.is_past(window.until)).then_some((window.used, window.until))
    }

    /// From now on there is nobody to tell.
    pub(crate) fn be_alone(&self) {
        self.is_alone.store(true, Ordering::Relaxed);
        self.uncounted.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What this process counted and no other knows of.
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

    /// Nobody heard of these; they are told again.
    pub(crate) fn tell_again(&self, told: &[store::Window]) {
        let mut uncounted = self.uncounted.lock().unwrap_or_else(PoisonError::into_inner);
        uncounted.extend(told.iter().map(|window| window.key.0));
    }

    /// Takes over the windows of all nodes, after `told` was added to them.
    pub(crate) fn hear(&self, told: &[store::Window], known: &[store::Window]) {
        let told: HashMap<[u8; 32], u32> = told.iter().map(|window| (window.key.0, window.used)).collect();
        for of_all in known {
            let Some(window) = self.windows.get(&of_all.key.0) else { continue };
            let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
            // It ended meanwhile, and another one began here.
            if of_all.until.0 <= window.began_at.0 {
                continue;
            }
            let told = told.get(&of_all.key.0).copied().unwrap_or(0);
            // What came meanwhile is not among those that were told of.
            let own = window.own.saturating_sub(told);
            let used = of_all.used.saturating_add(own);
            // It may be the counter of an address that has failed too often at all nodes together.
            self.failed.heard(of_all.until);
            *window = Window { began_at: of_all.began_at, until: of_all.until, used, own };
        }
    }
}

/// Counts one more in a window that begins with its first request, and lets `also` see it before anybody else does.
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

/// The IPv6 networks around a counted address with their own, higher limits; none around IPv4.
fn around(address: &str, limit: Limit) -> impl Iterator<Item = (String, Limit)> {
    let networks = wider(address).into_iter().flatten();
    networks.zip(WIDER_TIMES).map(move |(network, times)| {
        let count = limit.count.saturating_mul(times);
        (network, Limit { count, ..limit })
    })
}

/// The widest network that one customer of a provider has.
fn widest(address: &str) -> String {
    wider(address).map_or_else(|| address.to_owned(), |[_, widest]| widest)
}

/// Which limit is for an address, and under which name it counts; `None` where there is none.
#[must_use]
pub fn class(dialect: &Dialect, endpoint: Option<Endpoint>) -> Option<(&'static str, Limit)> {
    match endpoint {
        Some(Endpoint::Token) => Some(("token", dialect.limits.token?)),
        Some(Endpoint::Metadata) => None,
        _ => Some(("api", dialect.limits.api?)),
    }
}

impl Tally<'_> {
    /// Must the request be refused?
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
        let text = format!(
            "grants = [\"client_credentials\"]\n[endpoint.token]\n[endpoint.userinfo]\n[limit]\ntoken = \"{limit}\"\napi = \"{limit}\"\n"
        );
        let loaded = Dialect::load("odd", &[dialect::Source::file("odd.toml", &text)]);
        loaded.unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    /// Is the request let through?
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
        // As the store adds them up: the first who tells it gives the window its beginning.
        let (told, mut known) = (other.uncounted(), one.uncounted());
        known[0].used += told[0].used;
        // One more comes while the store is asked.
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
