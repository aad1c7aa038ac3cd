//! What the sample site knows of a browser. It lives in memory: a real site would keep tokens in its database.

use std::collections::HashMap;
use std::sync::Mutex;

use ::http::HeaderMap;
use ::http::header::COOKIE;
use serde_json::Value;

use super::client::{Pending, Tokens, random};
use super::wire::{Exchange, Trace};

/// So many browsers are remembered; the demo is for one.
const VISITORS_MAX: usize = 100;
/// So many steps are shown.
const STEPS_MAX: usize = 8;
/// So many requests and answers are shown.
const EXCHANGES_MAX: usize = 10;
/// The cookie. Ports share cookies on one host, so its name must differ from the server's.
pub(super) const COOKIE_NAME: &str = "sample-site";

/// One browser.
#[derive(Debug, Default)]
pub(super) struct Visitor {
    /// A request that the browser is away for.
    pub(super) pending: Option<Pending>,
    /// What the server gave.
    pub(super) tokens: Option<Tokens>,
    /// What userinfo said last.
    pub(super) profile: Option<Value>,
    /// What introspection said last.
    pub(super) facts: Option<Value>,
    /// What went wrong last: a heading and a sentence.
    pub(super) problem: Option<(String, String)>,
    /// What happened, the latest first.
    pub(super) steps: Vec<String>,
    /// The requests and answers, the latest first.
    pub(super) exchanges: Vec<Exchange>,
}

impl Visitor {
    /// Notes what happened.
    pub(super) fn step(&mut self, text: impl Into<String>) {
        self.steps.insert(0, text.into());
        self.steps.truncate(STEPS_MAX);
    }

    /// Notes requests and their answers, in the order in which they happened.
    pub(super) fn note(&mut self, trace: Trace) {
        for exchange in trace {
            self.exchanges.insert(0, exchange);
        }
        self.exchanges.truncate(EXCHANGES_MAX);
    }

    /// Forgets what the server gave.
    pub(super) fn forget(&mut self) {
        self.tokens = None;
        self.profile = None;
        self.facts = None;
    }
}

/// All browsers, by their cookie.
#[derive(Debug, Default)]
pub(super) struct Visitors(Mutex<HashMap<String, Visitor>>);

impl Visitors {
    /// Does something with a browser's visitor; makes one where there is none.
    pub(super) fn with<T>(&self, cookie: &str, act: impl FnOnce(&mut Visitor) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if all.len() >= VISITORS_MAX && !all.contains_key(cookie) {
            all.clear();
        }
        act(all.entry(cookie.to_owned()).or_default())
    }

    /// The browser's cookie, if it is one that was given out here.
    pub(super) fn known(&self, headers: &HeaderMap) -> Option<String> {
        let all = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, value)| *name == COOKIE_NAME && all.contains_key(*value)).map(|(_, value)| value.to_owned())
    }

    /// A cookie for a browser that has none.
    pub(super) fn fresh(&self) -> String {
        let cookie = random();
        self.with(&cookie, |_| ());
        cookie
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cookies_that_were_given_out_here_are_known() {
        let visitors = Visitors::default();
        let own = visitors.fresh();
        let headers = |text: String| HeaderMap::from_iter([(COOKIE, text.parse().unwrap())]);
        assert_eq!(visitors.known(&headers(format!("x=1; {COOKIE_NAME}={own}"))), Some(own));
        assert_eq!(visitors.known(&headers(format!("{COOKIE_NAME}=chosen-by-somebody"))), None);
    }
}
