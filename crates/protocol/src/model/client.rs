//! Registered applications.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ClientKey, ClientKind, GrantType, Introspection, UserKey};
use crate::scope::Scope;
use crate::secret::Digest;
use crate::time::UnixTime;

impl ClientKind {
    /// The word of RFC 6749 §2.1.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confidential => "confidential",
            Self::Public => "public",
        }
    }

    /// The kind with this word.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        [Self::Confidential, Self::Public].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// How a client proves who it is at the token endpoint; the words are those of RFC 7591 §2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// Public clients name themselves and prove nothing.
    None,
    /// RFC 6749 §2.3.1, the header.
    ClientSecretBasic,
    /// RFC 6749 §2.3.1, in the request body.
    ClientSecretPost,
}

impl AuthMethod {
    /// The registered word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
        }
    }

    /// The method with this word.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        [Self::None, Self::ClientSecretBasic, Self::ClientSecretPost].into_iter().find(|own| own.as_str() == text)
    }
}

/// Must the client use PKCE (RFC 7636)? When it does so of its own will, its challenge is always enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    /// Every authorization request needs a challenge.
    Required,
    /// A challenge is honoured when it comes.
    Optional,
}

impl Pkce {
    /// The word that the operator writes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Optional => "optional",
        }
    }

    /// The setting with this word.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        [Self::Required, Self::Optional].into_iter().find(|own| own.as_str() == text)
    }
}

/// What happens to a refresh token when it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshMode {
    /// Each use gives a new one; the old one dies when the new one is first used.
    Rotate,
    /// It stays the same.
    Reuse,
    /// None is issued.
    None,
}

impl RefreshMode {
    /// The word that the operator writes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rotate => "rotate",
            Self::Reuse => "reuse",
            Self::None => "none",
        }
    }

    /// The mode with this word.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        [Self::Rotate, Self::Reuse, Self::None].into_iter().find(|own| own.as_str() == text)
    }
}

/// One of a client's secrets. Two may live at the same time, so that one can be replaced without an outage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSecret {
    /// What is kept of it.
    pub stored: StoredSecret,
    /// The last characters of the text, so that its owner can tell two secrets apart.
    pub hint: String,
    /// When it was added.
    pub created_at: UnixTime,
}

impl std::fmt::Debug for StoredSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sha256(_) => "Sha256(…)",
            Self::Argon2(_) => "Argon2(…)",
        })
    }
}

/// What is kept of a client secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredSecret {
    /// SHA-256, of a secret that was made here with 160 random bits or more.
    Sha256(Digest),
    /// Argon2id, of a secret that came from elsewhere and may be weak.
    Argon2(String),
}

/// The operator's word that somebody looked at an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// When.
    pub at: UnixTime,
    /// Who said so: the account of the operating system that ran the command.
    pub by: String,
}

impl Client {
    /// True if a user registered the application and the operator has neither checked it nor taken it over as first-party.
    #[must_use]
    pub const fn is_unchecked(&self) -> bool {
        self.owner.is_some() && !self.is_first_party && self.checked.is_none()
    }
}

/// An application that is registered here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// The row.
    pub key: ClientKey,
    /// The public identifier, RFC 6749 §2.2. Unique over all dialects.
    pub client_id: String,
    /// The dialect that the client speaks; it is unknown to all others.
    pub dialect: String,
    /// The name that people read on the consent screen.
    pub name: String,
    /// Who publishes it, if the operator or the owner said so.
    #[serde(default)]
    pub publisher: Option<String>,
    /// A page about the application.
    #[serde(default)]
    pub homepage: Option<String>,
    /// Its privacy policy, `policy_uri` of RFC 7591 §2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy_policy: Option<String>,
    /// Its terms of use, `tos_uri` of RFC 7591 §2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
    /// Where its logo is.
    #[serde(default)]
    pub logo_uri: Option<String>,
    /// Public or confidential.
    pub kind: ClientKind,
    /// The ways of authentication that are open to it.
    pub auth_methods: Vec<AuthMethod>,
    /// Its secrets, the newest last.
    #[serde(default)]
    pub secrets: Vec<ClientSecret>,
    /// Where its users may be sent, compared byte for byte.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// The grants that it may use.
    pub grants: Vec<GrantType>,
    /// The scopes that it may ask for.
    pub scope: Scope,
    /// The scopes of these that the operator named for it. They count where only the operator gives a scope.
    #[serde(default, skip_serializing_if = "Scope::is_empty")]
    pub operator_scope: Scope,
    /// The resource identifiers (RFC 8707) that it answers for when it introspects tokens.
    #[serde(default)]
    pub audience: Vec<String>,
    /// PKCE.
    pub pkce: Pkce,
    /// Refresh tokens.
    pub refresh: RefreshMode,
    /// Lifetime of its access tokens in seconds, instead of the dialect's.
    #[serde(default)]
    pub access_ttl_s: Option<u64>,
    /// Idle lifetime of its refresh tokens in seconds, instead of the dialect's.
    #[serde(default)]
    pub refresh_ttl_s: Option<u64>,
    /// The operator's own application: no consent screen.
    #[serde(default)]
    pub is_first_party: bool,
    /// Which tokens introspection describes to the client. Absent in rows that were written before the setting existed:
    /// see [`Client::may_learn_of`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection: Option<Introspection>,
    /// True if the client may use the accounts API. Absent in rows that were written before the right existed: see
    /// [`Client::may_use_accounts_api`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts_api: Option<bool>,
    /// The person who registered it.
    #[serde(default)]
    pub owner: Option<UserKey>,
    /// The operator's check of an application of somebody else's. A change by its owner ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<Checked>,
    /// A disabled client is refused everywhere, and so are its tokens.
    #[serde(default)]
    pub is_disabled: bool,
    /// Tokens and grants with smaller ids are dead: revocation of all that a client holds in one write. Ids grow with
    /// time, and more finely than seconds do.
    #[serde(default)]
    pub revoked_below: i64,
    /// When it was registered.
    pub created_at: UnixTime,
    /// Grows with every change; 0 is a row that was never stored.
    pub version: u32,
    /// What a newer version of this program wrote into the row: nodes of two versions change it while an installation is
    /// upgraded, and none may lose what another knows.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}
