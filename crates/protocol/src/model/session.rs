//! Browsers in which somebody is signed in.

use serde::{Deserialize, Serialize};

use super::{SessionId, UserKey};
use crate::secret::Digest;
use crate::time::UnixTime;

/// A method of authentication, by the words of RFC 8176.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Amr {
    /// A password.
    Pwd,
    /// A one-time password, or a recovery code in its place.
    Otp,
    /// The word of an issuer elsewhere. The registry of RFC 8176 has no value for it; this is what others say.
    Fed,
}

/// A browser in which somebody is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The row.
    pub id: SessionId,
    /// Digest of the cookie.
    pub digest: Digest,
    /// Who is signed in.
    pub user: UserKey,
    /// How they proved it so far.
    pub amr: Vec<Amr>,
    /// When they last proved it. Zero or less if the issuer elsewhere did not say when: negated, it is the time at which the
    /// browser came back from there ([`Session::undated`]). So every comparison takes it for long ago.
    pub auth_time: UnixTime,
    /// When the session began.
    pub created_at: UnixTime,
    /// When it was last seen, give or take a minute.
    pub seen_at: UnixTime,
    /// It dies when it is not seen until then.
    pub idle_until: UnixTime,
    /// It dies then in any case.
    pub expires_at: UnixTime,
    /// Where it began: the network address.
    pub address: String,
    /// Where it began: the browser's own words, cut short.
    pub agent: String,
}

impl Session {
    /// The [`Session::auth_time`] of somebody who came back at `arrived_at` from an issuer that did not say when it
    /// authenticated them.
    #[must_use]
    pub fn undated(arrived_at: UnixTime) -> UnixTime {
        UnixTime(-arrived_at.0.max(0))
    }

    /// When the browser came back from an issuer that did not say when it authenticated the user; `None` if the time of the
    /// authentication is known.
    #[must_use]
    pub fn undated_since(&self) -> Option<UnixTime> {
        (self.auth_time.0 <= 0).then(|| UnixTime(-self.auth_time.0))
    }
}
