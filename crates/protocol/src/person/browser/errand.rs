//! What a browser came for, on its way through the pages: sealed into each of them, and into their addresses.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use crate::crypto::entropy::Entropy;
use crate::crypto::keys::Keys;
use crate::model::{Permission, Session, SessionId, UserKey};
use crate::person::upstream::Link;
use crate::policy::PAGE_TTL_S;
use crate::refusal::No;
use crate::secret::Digest;
use crate::time::UnixTime;
use crate::wire::{Param, Params};

/// What a browser came for.
#[derive(Clone, Debug)]
pub enum Goal {
    /// An application asks for something.
    Authorize(Box<Params>),
    /// One of this server's own pages, by its path.
    Page(String),
}

/// A goal on its way through the pages.
#[derive(Clone, Debug)]
pub struct Errand {
    /// What for.
    pub goal: Goal,
    /// The row id that was next when the errand began. Only nodes of version 0.1 read it: this version goes by
    /// [`Errand::begun`], which no clock has a part in.
    pub began: i64,
    /// The session that an answer to one of this errand's pages began.
    pub begun: Option<Begun>,
    /// True if the user must sign in on the way, whatever session there is.
    pub is_fresh_wanted: bool,
    /// True if the user is to confirm who they are, before a change for which the word of an issuer elsewhere may not be
    /// enough.
    pub is_confirmation: bool,
    /// To whom the page was shown, where it was about somebody.
    pub user: Option<UserKey>,
    /// The permission that the consent page showed, if the browser was sent to one. The user's answer counts only if the
    /// request still asks for exactly this.
    pub shown: Option<Permission>,
    /// The account elsewhere that is linked once the second factor is right.
    pub link: Option<Link>,
}

/// A session that began in the course of an errand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The session.
    pub session: SessionId,
    /// True if the user proved who they are after the errand began: by a password or code typed here, or by an `auth_time`
    /// of the issuer elsewhere.
    pub is_fresh: bool,
}

/// What an errand wants of the sign-in on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInWish {
    /// Nothing: whoever is signed in may go on.
    Any,
    /// The user chooses an account. They need not prove anew that it is theirs.
    Choice,
    /// A proof that is no older than `max_age_s`.
    Fresh {
        /// `max_age` of OpenID Connect Core §3.1.2.1, in seconds. 0 is `prompt=login`.
        max_age_s: u64,
    },
}

/// An errand as it is packed for its way, with its end.
#[derive(Serialize, Deserialize)]
pub(crate) struct Parcel {
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
    /// Parameters with control characters, in base64: JSON needs six bytes for such a character, and the seal of a long
    /// `state` would not fit into a form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    packed: Vec<(String, String)>,
}

const ERRAND: &str = "errand";

impl Errand {
    /// An errand that begins now, with the next row id.
    #[must_use]
    pub fn new(goal: Goal, next_id: i64) -> Self {
        let (is_fresh_wanted, is_confirmation) = (false, false);
        let (began, begun) = (next_id, None);
        Self { goal, began, begun, is_fresh_wanted, is_confirmation, user: None, shown: None, link: None }
    }

    /// True if an answer to one of this errand's pages began the session.
    ///
    /// Another session than the one that was there when the errand began would not do. A browser can leave out its cookie
    /// when it comes, and send it from then on.
    #[must_use]
    pub fn has_begun(&self, session: &Session) -> bool {
        self.begun.is_some_and(|begun| begun.session == session.id)
    }

    /// True if the user proved who they are in the course of this errand, and the session is the one that it began.
    #[must_use]
    pub fn has_proven(&self, session: &Session) -> bool {
        self.begun.is_some_and(|begun| begun.session == session.id && begun.is_fresh)
    }

    /// What the errand wants of the sign-in: for an application by `prompt` and `max_age`, OpenID Connect Core §3.1.2.1.
    #[must_use]
    pub fn sign_in_wish(&self) -> SignInWish {
        match &self.goal {
            Goal::Page(_) if self.is_confirmation => SignInWish::Fresh { max_age_s: 0 },
            Goal::Page(_) if self.is_fresh_wanted => SignInWish::Choice,
            Goal::Page(_) => SignInWish::Any,
            Goal::Authorize(params) => {
                let has = |word| params.value(Param::Prompt).is_some_and(|own| own.split(' ').any(|own| own == word));
                let max_age_s = params.value(Param::MaxAge).and_then(|text| text.parse().ok());
                match (has("login"), max_age_s) {
                    (true, _) => SignInWish::Fresh { max_age_s: 0 },
                    (false, Some(max_age_s)) => SignInWish::Fresh { max_age_s },
                    (false, None) if has("select_account") => SignInWish::Choice,
                    (false, None) => SignInWish::Any,
                }
            }
        }
    }

    /// The same errand as if the browser had just come: nothing was answered yet.
    #[must_use]
    pub fn anew(self) -> Self {
        Self { begun: None, user: None, shown: None, link: None, ..self }
    }

    /// Seals the errand into a page for this browser.
    #[must_use]
    pub fn seal(&self, dialect: &str, browser: &Digest, now: UnixTime, keys: &Keys, entropy: &mut Entropy) -> String {
        let plain = serde_json::to_vec(&self.parcel(dialect, now)).expect("strings and numbers become JSON");
        keys.seal(ERRAND, &browser.0, &plain, entropy)
    }

    /// Opens a page's seal: the errand and the dialect in which it began.
    ///
    /// # Errors
    /// [`No::PageStale`] when the page is too old, another browser's, or forged.
    pub fn open(text: &str, browser: &Digest, now: UnixTime, keys: &Keys) -> Result<(Self, String), No> {
        let plain = keys.open(ERRAND, &browser.0, text).ok_or(No::PageStale)?;
        Self::unpack(serde_json::from_slice(&plain).map_err(|_| No::PageStale)?, now)
    }

    /// Packs the errand, to be sealed.
    pub(crate) fn parcel(&self, dialect: &str, now: UnixTime) -> Parcel {
        let (page, all) = match &self.goal {
            Goal::Page(path) => (Some(path.clone()), Vec::new()),
            Goal::Authorize(params) => {
                (None, params.iter().map(|(name, value)| (name.as_str().to_owned(), value.to_owned())).collect())
            }
        };
        let has_control = |(_, value): &(String, String)| value.chars().any(|c| c.is_ascii_control());
        let (packed, params): (Vec<_>, Vec<_>) = all.into_iter().partition(has_control);
        let packed = packed.into_iter().map(|(name, value)| (name, BASE64URL_NOPAD.encode(value.as_bytes()))).collect();
        Parcel {
            until: now.plus(PAGE_TTL_S),
            began: self.began,
            begun: self.begun,
            is_fresh_wanted: self.is_fresh_wanted,
            is_confirmation: self.is_confirmation,
            user: self.user,
            shown: self.shown.clone(),
            link: self.link.clone(),
            dialect: dialect.to_owned(),
            page,
            params,
            packed,
        }
    }

    /// Unpacks what [`Errand::parcel`] packed.
    ///
    /// # Errors
    /// [`No::PageStale`] when it took too long.
    pub(crate) fn unpack(parcel: Parcel, now: UnixTime) -> Result<(Self, String), No> {
        let Parcel { until, began, begun, is_fresh_wanted, is_confirmation, .. } = parcel;
        let Parcel { user, shown, link, dialect, page, mut params, packed, .. } = parcel;
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
                for (name, value) in params {
                    let param = Param::from_name(&name).ok_or(No::PageStale)?;
                    all.push(param, value).map_err(|_| No::PageStale)?;
                }
                Goal::Authorize(Box::new(all))
            }
        };
        Ok((Self { goal, began, begun, is_fresh_wanted, is_confirmation, user, shown, link }, dialect))
    }
}
