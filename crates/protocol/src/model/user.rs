//! People with an account, and the accounts elsewhere that open theirs.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::UserKey;
use crate::secret::Digest;
use crate::time::UnixTime;

/// A second factor by RFC 6238.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totp {
    /// The seed, sealed under the installation's keys and bound to the user.
    pub sealed_seed: String,
    /// How many digits its codes have.
    pub digits: u32,
    /// The last time step whose code was used. RFC 6238 §5.2: "The verifier MUST NOT accept the second attempt of
    /// the OTP after the successful validation has been issued for the first OTP".
    pub last_step: u64,
    /// Unused recovery codes.
    pub recovery: Vec<Digest>,
    /// When it was switched on.
    pub enabled_at: UnixTime,
}

/// A person with an account. Its `Debug` leaves out the password hash and the second factor.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// The row.
    pub key: UserKey,
    /// The public identifier: never reassigned, tells nothing.
    pub sub: String,
    /// A name to sign in with.
    #[serde(default)]
    pub username: Option<String>,
    /// An e-mail address, also a name to sign in with.
    #[serde(default)]
    pub email: Option<String>,
    /// Did somebody prove that the address is theirs?
    #[serde(default)]
    pub email_verified: bool,
    /// The e-mail address by which an issuer elsewhere knows the user, where nothing proves that it is still theirs. It is
    /// shown to the operator and to the user, and is neither a name to sign in with nor anybody's claim to the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_hint: Option<String>,
    /// The name to show.
    pub name: String,
    /// A password hash in PHC form. Without one there is no signing in by password.
    #[serde(default)]
    pub password: Option<String>,
    /// The second factor.
    #[serde(default)]
    pub totp: Option<Totp>,
    /// Whatever else the provider keeps about the account.
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// A disabled user can do nothing, and neither can the user's sessions and tokens.
    #[serde(default)]
    pub is_disabled: bool,
    /// Sessions, tokens and grants with smaller ids are dead.
    #[serde(default)]
    pub revoked_below: i64,
    /// When the account was made.
    pub created_at: UnixTime,
    /// Grows with every change; 0 is a row that was never stored.
    pub version: u32,
    /// What a newer version of this program wrote into the row: nodes of two versions change it while an installation is
    /// upgraded, and none may lose what another knows.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl User {
    /// A new account with what every account has, and with nothing to sign in with.
    #[must_use]
    pub fn new(key: UserKey, sub: impl Into<String>, name: impl Into<String>, created_at: UnixTime) -> Self {
        Self {
            key,
            sub: sub.into(),
            username: None,
            email: None,
            email_verified: false,
            email_hint: None,
            name: name.into(),
            password: None,
            totp: None,
            attributes: Map::new(),
            is_disabled: false,
            revoked_below: 0,
            created_at,
            version: 1,
            rest: Map::new(),
        }
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("key", &self.key).field("sub", &self.sub).field("version", &self.version).finish()
    }
}

/// Somebody as an issuer elsewhere knows them. OpenID Connect Core §5.7: "The sub (subject) and iss (issuer) Claims, used
/// together, are the only Claims that an RP can rely upon as a stable identifier for the End-User".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityName {
    /// The issuer's identifier.
    pub issuer: String,
    /// The `sub` there.
    pub subject: String,
}

/// An account elsewhere that opens an account here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Whose it is there.
    pub name: IdentityName,
    /// Whose it is here.
    pub user: UserKey,
    /// When the two were linked.
    pub linked_at: UnixTime,
}
