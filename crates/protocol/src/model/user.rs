//! Users, and their links to accounts at upstream identity providers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::UserKey;
use crate::secret::Digest;
use crate::time::UnixTime;

/// A second factor: time-based one-time passwords, RFC 6238.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totp {
    /// The shared secret, encrypted with the installation's keys and bound to the user.
    pub sealed_seed: String,
    /// Number of digits in a code.
    pub digits: u32,
    /// The last time step whose code was used. RFC 6238 §5.2: "The verifier MUST NOT accept the second attempt of
    /// the OTP after the successful validation has been issued for the first OTP".
    pub last_step: u64,
    /// Digests of the unused recovery codes.
    pub recovery: Vec<Digest>,
    /// When the second factor was enabled.
    pub enabled_at: UnixTime,
}

/// A user. The `Debug` output leaves out the password hash and the second factor.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// The row.
    pub key: UserKey,
    /// The public identifier, which is never reassigned and reveals nothing.
    pub sub: String,
    /// The user name, by which the user can sign in.
    #[serde(default)]
    pub username: Option<String>,
    /// The e-mail address, by which the user can also sign in.
    #[serde(default)]
    pub email: Option<String>,
    /// True if it was verified that the address belongs to the user.
    #[serde(default)]
    pub email_verified: bool,
    /// The e-mail address of the user at an upstream identity provider, if nothing proves that it still belongs to the
    /// user. The operator and the user see it. The user cannot sign in by it, and another user may have the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_hint: Option<String>,
    /// The display name.
    pub name: String,
    /// The password hash in PHC form; `None` for a user who cannot sign in by password.
    #[serde(default)]
    pub password: Option<String>,
    /// The second factor.
    #[serde(default)]
    pub totp: Option<Totp>,
    /// Attributes that the provider keeps about the account.
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// True if the user and all sessions and tokens of the user are refused.
    #[serde(default)]
    pub is_disabled: bool,
    /// Sessions, tokens and grants with smaller ids are revoked.
    #[serde(default)]
    pub revoked_below: i64,
    /// When the account was added.
    pub created_at: UnixTime,
    /// When something that applications are told about the user last changed; `None` if nothing has changed since a
    /// version that notes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<UnixTime>,
    /// The version of the row, which each change increases. 0 for a row that was never stored.
    pub version: u32,
    /// Members that a newer version of this program wrote. Nodes of two versions change the row during an upgrade, and
    /// neither may lose what the other knows.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl User {
    /// Returns a new account that has no way to sign in yet.
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
            updated_at: None,
            version: 1,
            rest: Map::new(),
        }
    }

    /// Returns the e-mail address that applications see. It is that of the account, or else an unproven one from an
    /// upstream identity provider, which is never verified.
    #[must_use]
    pub fn shown_email(&self) -> Option<&str> {
        self.email.as_deref().or(self.email_hint.as_deref())
    }

    /// Notes the time of the change if the account differs from `before` in something that applications are told.
    pub fn date_change(&mut self, before: &Self, now: UnixTime) {
        let told = |user: &Self| {
            let own = [Some(&user.name), user.username.as_ref(), user.email.as_ref(), user.email_hint.as_ref()];
            own.map(Option::<&String>::cloned)
        };
        let is_same = told(self) == told(before)
            && self.email_verified == before.email_verified
            && self.attributes == before.attributes;
        if !is_same {
            self.updated_at = Some(now);
        }
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("key", &self.key).field("sub", &self.sub).field("version", &self.version).finish()
    }
}

/// The name of a user at an upstream identity provider. OpenID Connect Core §5.7: "The sub (subject) and iss (issuer)
/// Claims, used together, are the only Claims that an RP can rely upon as a stable identifier for the End-User".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityName {
    /// The issuer identifier of the identity provider.
    pub issuer: String,
    /// The `sub` of the user at the identity provider.
    pub subject: String,
}

/// A link between an account at an upstream identity provider and a user of this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name at the identity provider.
    pub name: IdentityName,
    /// The user of this server.
    pub user: UserKey,
    /// When the link was made.
    pub linked_at: UnixTime,
}
