//! The state of the sample site for each browser. It is kept in memory; a real site would keep tokens in its database.

use std::collections::HashMap;
use std::sync::Mutex;

use ::http::HeaderMap;
use ::http::header::COOKIE;
use serde_json::Value;

use super::client::{Pending, Tokens, random};

/// Maximum number of browsers. The demo is made for one.
const VISITORS_MAX: usize = 100;
/// Maximum number of shown steps.
const STEPS_MAX: usize = 8;
/// Name of the cookie. It must differ from those of the server, because all ports of a host share cookies.
pub(super) const COOKIE_NAME: &str = "sample-site";

/// The state for one browser.
#[derive(Debug, Default)]
pub(super) struct Visitor {
    /// The pending authorization request, while the browser is at the server.
    pub(super) pending: Option<Pending>,
    /// The tokens, if the site is connected.
    pub(super) tokens: Option<Tokens>,
    /// The last response of the userinfo endpoint.
    pub(super) profile: Option<Value>,
    /// The last response of the introspection endpoint.
    pub(super) facts: Option<Value>,
    /// The last problem: heading and text.
    pub(super) problem: Option<(String, String)>,
    /// The steps so far, the latest first.
    pub(super) steps: Vec<String>,
}

impl Visitor {
    /// Adds a step.
    pub(super) fn step(&mut self, text: impl Into<String>) {
        self.steps.insert(0, text.into());
        self.steps.truncate(STEPS_MAX);
    }

    /// Removes the tokens and what was fetched with them.
    pub(super) fn forget(&mut self) {
        self.tokens = None;
        self.profile = None;
        self.facts = None;
    }
}

/// The states of all browsers, by cookie.
#[derive(Debug, Default)]
pub(super) struct Visitors(Mutex<HashMap<String, Visitor>>);

impl Visitors {
    /// Calls `act` with the state of a browser. Makes a new state if there is none.
    pub(super) fn with<T>(&self, cookie: &str, act: impl FnOnce(&mut Visitor) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if all.len() >= VISITORS_MAX && !all.contains_key(cookie) {
            all.clear();
        }
        act(all.entry(cookie.to_owned()).or_default())
    }

    /// Returns the cookie of the request, if the site set it.
    pub(super) fn known(&self, headers: &HeaderMap) -> Option<String> {
        let all = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, value)| *name == COOKIE_NAME && all.contains_key(*value)).map(|(_, value)| value.to_owned())
    }

    /// Makes a new cookie.
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
