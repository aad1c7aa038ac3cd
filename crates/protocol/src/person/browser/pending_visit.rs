//! Pending visits: what a browser came for, sealed into every page on the way and into the addresses of these pages.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use crate::crypto::entropy::Entropy;
use crate::crypto::keys::{Keys, Presented};
use crate::model::{Permission, UserKey};
use crate::openid::{ClaimsParameter, OPENID, hint, narrow};
use crate::person::sign_in::{Begun, Demand, Progress};
use crate::person::upstream::Link;
use crate::policy::PAGE_TTL_S;
use crate::refusal::No;
use crate::secret::Digest;
use crate::time::UnixTime;
use crate::wire::{Param, Params};

/// The aim of a pending visit.
#[derive(Clone, Debug)]
pub enum Goal {
    /// An authorization request of an application, by its parameters.
    Authorize(Box<Params>),
    /// A page of this server that needs a signed-in user, by its path.
    Page(String),
}

/// A pending visit: an authorization request, or a visit to another page, that waits until the user has answered the
/// pages in between.
#[derive(Clone, Debug)]
pub struct PendingVisit {
    /// The aim of the visit.
    pub goal: Goal,
    /// The row id that was next when the visit began. Only nodes of version 0.1 read it. This version uses
    /// [`Progress::begun`], which depends on no clock.
    pub began: i64,
    /// True if the user must sign in during the visit, even with a live session.
    pub is_fresh_wanted: bool,
    /// True if the user must confirm their identity before a sensitive change. A sign-in at an upstream identity
    /// provider may not be enough for that.
    pub is_confirmation: bool,
    /// The user whom the page was shown to, if the page is about one user.
    pub user: Option<UserKey>,
    /// The permission that the consent page showed, if the browser was sent to one. The user's answer counts only if the
    /// request still asks for exactly this.
    pub shown: Option<Permission>,
    /// How far the sign-in of this visit is.
    pub progress: Progress,
}

/// The serialized form of a pending visit, with its expiry time and dialect.
#[derive(Serialize, Deserialize)]
pub(crate) struct SealedVisit {
    until: UnixTime,
    began: i64,
    #[serde(default)]
    begun: Option<Begun>,
    is_fresh_wanted: bool,
    is_confirmation: bool,
    user: Option<UserKey>,
    shown: Option<Permission>,
    link: Option<Link>,
    dialect: String,
    page: Option<String>,
    params: Vec<(String, String)>,
    /// Parameters with control characters, in base64url. JSON needs six bytes for each such character, and the seal of
    /// a long `state` would not fit into a form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    packed: Vec<(String, String)>,
    /// The ticket of a pushed authorization request: the id of its row, and the digest of the reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pushed: Option<(i64, Digest)>,
    /// True if the client signed the parameters.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    signed: bool,
}

const PURPOSE: &str = "errand";

/// Returns the subjects of which one must be the user, by the parameters of an authentication request. A hint is not verified
/// here: it makes the user sign in, and the judge of the request refuses a wrong one.
fn subjects(params: &Params) -> Option<Vec<String>> {
    let scope = params.value(Param::Scope).unwrap_or_default();
    if !scope.split(' ').any(|word| word == OPENID) {
        return None;
    }
    let claims = params.value(Param::Claims).and_then(|text| ClaimsParameter::parse(text).ok());
    let mut subjects = claims.and_then(|claims| claims.subjects);
    let hinted = params.value(Param::IdTokenHint).and_then(hint::claimed_subject);
    narrow(&mut subjects, hinted.map(|sub| vec![sub]));
    subjects
}

impl PendingVisit {
    /// A visit that begins now. `next_id` becomes [`PendingVisit::began`].
    #[must_use]
    pub fn new(goal: Goal, next_id: i64) -> Self {
        let (is_fresh_wanted, is_confirmation) = (false, false);
        let (began, progress) = (next_id, Progress::default());
        Self { goal, began, is_fresh_wanted, is_confirmation, user: None, shown: None, progress }
    }

    /// Returns what the visit demands of the sign-in. An application demands it by `prompt`, `max_age` and
    /// `login_hint`, OpenID Connect Core §3.1.2.1. Malformed values demand nothing here; the judge of the request
    /// refuses them.
    #[must_use]
    pub fn demand(&self) -> Demand {
        match &self.goal {
            Goal::Page(_) => {
                Demand { is_choice: self.is_fresh_wanted, is_confirmation: self.is_confirmation, ..Demand::default() }
            }
            Goal::Authorize(params) => {
                let has = |word| params.value(Param::Prompt).is_some_and(|own| own.split(' ').any(|own| own == word));
                Demand {
                    is_proof_new: has("login"),
                    max_age_s: params.value(Param::MaxAge).and_then(|text| text.parse().ok()),
                    is_choice: has("select_account"),
                    is_confirmation: false,
                    subjects: subjects(params),
                    login_hint: params.value(Param::LoginHint).unwrap_or_default().to_owned(),
                }
            }
        }
    }

    /// Returns the same visit as if the browser had just arrived: no page was shown or answered.
    #[must_use]
    pub fn anew(self) -> Self {
        Self { user: None, shown: None, progress: Progress::default(), ..self }
    }

    /// Seals the visit into a page for this browser. The result is base64url text, valid for [`PAGE_TTL_S`] seconds.
    #[must_use]
    pub fn seal(&self, dialect: &str, browser: &Digest, now: UnixTime, keys: &Keys, entropy: &mut Entropy) -> String {
        let plain = serde_json::to_vec(&self.to_sealed(dialect, now)).expect("strings and numbers become JSON");
        keys.seal(PURPOSE, &browser.0, &plain, entropy)
    }

    /// Opens the seal of a page. Returns the visit, and the name of the dialect in which it began.
    ///
    /// # Errors
    /// [`No::PageStale`] if the seal is too old, was made for another browser, or is forged.
    pub fn open(text: &str, browser: &Digest, now: UnixTime, keys: &Keys) -> Result<(Self, String), No> {
        let plain = keys.open(PURPOSE, &browser.0, text).ok_or(No::PageStale)?;
        Self::from_sealed(serde_json::from_slice(&plain).map_err(|_| No::PageStale)?, now)
    }

    /// Converts the visit to its serialized form.
    pub(crate) fn to_sealed(&self, dialect: &str, now: UnixTime) -> SealedVisit {
        let (page, all) = match &self.goal {
            Goal::Page(path) => (Some(path.clone()), Vec::new()),
            Goal::Authorize(params) => {
                (None, params.iter().map(|(name, value)| (name.as_str().to_owned(), value.to_owned())).collect())
            }
        };
        let has_control = |(_, value): &(String, String)| value.chars().any(|c| c.is_ascii_control());
        let (packed, params): (Vec<_>, Vec<_>) = all.into_iter().partition(has_control);
        let packed = packed.into_iter().map(|(name, value)| (name, BASE64URL_NOPAD.encode(value.as_bytes()))).collect();
        SealedVisit {
            until: now.plus(PAGE_TTL_S),
            began: self.began,
            begun: self.progress.begun,
            is_fresh_wanted: self.is_fresh_wanted,
            is_confirmation: self.is_confirmation,
            user: self.user,
            shown: self.shown.clone(),
            link: self.progress.link.clone(),
            dialect: dialect.to_owned(),
            page,
            params,
            packed,
            pushed: match &self.goal {
                Goal::Authorize(params) => params.pushed.map(|own| (own.id, own.digest)),
                Goal::Page(_) => None,
            },
            signed: matches!(&self.goal, Goal::Authorize(params) if params.is_signed),
        }
    }

    /// Restores a visit from the serialized form that [`PendingVisit::to_sealed`] made, with the name of its dialect.
    ///
    /// # Errors
    /// [`No::PageStale`] if the visit has expired or cannot be read.
    pub(crate) fn from_sealed(sealed: SealedVisit, now: UnixTime) -> Result<(Self, String), No> {
        let SealedVisit { until, began, begun, is_fresh_wanted, is_confirmation, .. } = sealed;
        let SealedVisit { user, shown, link, dialect, page, mut params, packed, pushed, signed, .. } = sealed;
        if now.is_past(until) {
            return Err(No::PageStale);
        }
        let goal = match page {
            Some(path) => Goal::Page(path),
            None => {
                for (name, value) in packed {
                    let value =
                        BASE64URL_NOPAD.decode(value.as_bytes()).ok().and_then(|own| String::from_utf8(own).ok());
                    params.push((name, value.ok_or(No::PageStale)?));
                }
                let mut all = Params::default();
                all.is_signed = signed;
                all.pushed = pushed.map(|(id, digest)| Presented { id, digest });
                for (name, value) in params {
                    let param = Param::from_name(&name).ok_or(No::PageStale)?;
                    all.push(param, value).map_err(|_| No::PageStale)?;
                }
                Goal::Authorize(Box::new(all))
            }
        };
        let progress = Progress { begun, link };
        Ok((Self { goal, began, is_fresh_wanted, is_confirmation, user, shown, progress }, dialect))
    }
}
