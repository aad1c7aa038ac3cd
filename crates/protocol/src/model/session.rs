//! Sessions: browsers with a signed-in user.

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
    /// A sign-in at an upstream identity provider. The registry of RFC 8176 has no value for it; other servers use this
    /// one.
    Fed,
}

/// A session: a browser with a signed-in user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The row.
    pub id: SessionId,
    /// Digest of the token in the session cookie.
    pub digest: Digest,
    /// The signed-in user.
    pub user: UserKey,
    /// The methods by which the user has authenticated so far.
    pub amr: Vec<Amr>,
    /// When the user last authenticated. If an upstream identity provider did not say when, it is zero or less: the
    /// negated time at which the browser came back ([`Session::undated`]). Every comparison then treats it as long ago.
    pub auth_time: UnixTime,
    /// When the session began.
    pub created_at: UnixTime,
    /// When the session was last used, to within a minute.
    pub seen_at: UnixTime,
    /// When the session expires, unless it is used before.
    pub idle_until: UnixTime,
    /// When the session expires in any case.
    pub expires_at: UnixTime,
    /// The network address from which the session began.
    pub address: String,
    /// The `User-Agent` of the browser, shortened.
    pub agent: String,
}

impl Session {
    /// Returns the [`Session::auth_time`] of a user who came back at `arrived_at` from an identity provider that did
    /// not say when the user authenticated.
    #[must_use]
    pub fn undated(arrived_at: UnixTime) -> UnixTime {
        UnixTime(-arrived_at.0.max(0))
    }

    /// Returns the time at which the browser came back from an identity provider that did not say when the user
    /// authenticated; `None` if the time of the authentication is known.
    #[must_use]
    pub fn undated_since(&self) -> Option<UnixTime> {
        (self.auth_time.0 <= 0).then(|| UnixTime(-self.auth_time.0))
    }
}
