//! Clients: registered applications and APIs.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::client_auth::{AssertionAudience, AuthMethod, SealedSecret, written_methods};
use super::{ClientKey, ClientKind, GrantType, Introspection, UserKey};
use crate::jose::Algorithm;
use crate::scope::Scope;
use crate::secret::Digest;
use crate::time::UnixTime;

impl ClientKind {
    /// Returns the word of RFC 6749 §2.1.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confidential => "confidential",
            Self::Public => "public",
        }
    }

    /// Returns the kind with this word.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        [Self::Confidential, Self::Public].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Whether a client must use PKCE (RFC 7636). If an authorization request has a challenge, the challenge is always
/// enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    /// Every authorization request needs a challenge.
    Required,
    /// Authorization requests may leave out the challenge.
    Optional,
}

impl Pkce {
    /// Returns the word that the operator writes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Optional => "optional",
        }
    }

    /// Returns the setting with this word.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        [Self::Required, Self::Optional].into_iter().find(|own| own.as_str() == text)
    }
}

/// What happens to a refresh token when a client uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshMode {
    /// Each use returns a new refresh token. The old one becomes invalid when the new one is first used.
    Rotate,
    /// The refresh token stays the same.
    Reuse,
    /// The client gets no refresh token.
    None,
}

impl RefreshMode {
    /// Returns the word that the operator writes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rotate => "rotate",
            Self::Reuse => "reuse",
            Self::None => "none",
        }
    }

    /// Returns the mode with this word.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        [Self::Rotate, Self::Reuse, Self::None].into_iter().find(|own| own.as_str() == text)
    }
}

/// A secret of a client. A client may have two at the same time, so that one can be replaced without an outage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSecret {
    /// The stored form of the secret.
    pub stored: StoredSecret,
    /// The last characters of the text, so that its owner can tell two secrets apart.
    pub hint: String,
    /// When the secret was added.
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

/// The stored form of a client secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredSecret {
    /// SHA-256 of a generated secret, which has at least 160 random bits.
    Sha256(Digest),
    /// Argon2id hash of an imported secret, which may be weak.
    Argon2(String),
}

/// The operator's statement that they checked an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// When the operator checked it.
    pub at: UnixTime,
    /// The account of the operating system that ran the command.
    pub by: String,
}

/// A registered application or API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// The row.
    pub key: ClientKey,
    /// The public identifier, RFC 6749 §2.2. Unique over all dialects.
    pub client_id: String,
    /// The dialect that the client speaks. The client is unknown to all others.
    pub dialect: String,
    /// The name that users read on the consent page.
    pub name: String,
    /// The publisher of the application, if known.
    #[serde(default)]
    pub publisher: Option<String>,
    /// The URL of a page about the application.
    #[serde(default)]
    pub homepage: Option<String>,
    /// The URL of the privacy policy, `policy_uri` of RFC 7591 §2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy_policy: Option<String>,
    /// The URL of the terms of use, `tos_uri` of RFC 7591 §2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
    /// The URL of the logo.
    #[serde(default)]
    pub logo_uri: Option<String>,
    /// The client type: public or confidential.
    pub kind: ClientKind,
    /// The authentication methods that the client may use.
    #[serde(flatten, with = "written_methods")]
    pub auth_methods: Vec<AuthMethod>,
    /// The public keys of the client, a JWK Set (RFC 7517 §5). A client has either these or [`Client::jwks_uri`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// The URL at which the client publishes its public keys, RFC 7591 §2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// The audiences that assertions of the client may have.
    #[serde(default, skip_serializing_if = "AssertionAudience::is_default")]
    pub assertion_audience: AssertionAudience,
    /// The texts of those secrets with which the client makes message authentication codes (`client_secret_jwt`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sealed_secrets: Vec<SealedSecret>,
    /// The secrets of the client, the newest last.
    #[serde(default)]
    pub secrets: Vec<ClientSecret>,
    /// The redirect URIs, which are compared byte for byte.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// The grant types that the client may use.
    pub grants: Vec<GrantType>,
    /// The scopes that the client may request.
    pub scope: Scope,
    /// Those of the scopes that the operator named for the client. An operator-only scope is in effect only if it is
    /// among them.
    #[serde(default, skip_serializing_if = "Scope::is_empty")]
    pub operator_scope: Scope,
    /// The resource identifiers (RFC 8707) that the client represents when it introspects tokens.
    #[serde(default)]
    pub audience: Vec<String>,
    /// Whether the client must use PKCE.
    pub pkce: Pkce,
    /// True if the client must push its authorization requests, RFC 9126 §6.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_par_required: bool,
    /// True if the client must sign its authorization requests, RFC 9101 §10.5.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_signature_required: bool,
    /// How the refresh tokens of the client behave.
    pub refresh: RefreshMode,
    /// Lifetime of the client's access tokens in seconds; `None` for that of the dialect.
    #[serde(default)]
    pub access_ttl_s: Option<u64>,
    /// The algorithm that signs the client's ID tokens; `None` for the default, RS256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_alg: Option<Algorithm>,
    /// Idle lifetime of the client's refresh tokens in seconds; `None` for that of the dialect.
    #[serde(default)]
    pub refresh_ttl_s: Option<u64>,
    /// True for an application of the operator, which shows no consent page.
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
    /// The user who registered the application; `None` if the operator did.
    #[serde(default)]
    pub owner: Option<UserKey>,
    /// The operator's check of an application that a user registered. A change by its owner ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<Checked>,
    /// True if the client and all its tokens are refused.
    #[serde(default)]
    pub is_disabled: bool,
    /// Tokens and grants with smaller ids are revoked. So one write revokes everything that the client holds. Ids grow
    /// with time, in finer steps than seconds.
    #[serde(default)]
    pub revoked_below: i64,
    /// When the client was registered.
    pub created_at: UnixTime,
    /// The version of the row, which each change increases. 0 for a row that was never stored.
    pub version: u32,
    /// Members that a newer version of this program wrote. Nodes of two versions change the row during an upgrade, and
    /// neither may lose what the other knows.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Client {
    /// A client of which only the surface and the kind are known. It has no identifier, no name and no rights, and no row has
    /// its key.
    #[must_use]
    pub fn new(dialect: String, kind: ClientKind) -> Self {
        Self {
            key: ClientKey(0),
            client_id: String::new(),
            dialect,
            name: String::new(),
            publisher: None,
            homepage: None,
            privacy_policy: None,
            terms: None,
            logo_uri: None,
            kind,
            auth_methods: Vec::new(),
            jwks: None,
            jwks_uri: None,
            assertion_audience: AssertionAudience::Issuer,
            sealed_secrets: Vec::new(),
            secrets: Vec::new(),
            redirect_uris: Vec::new(),
            grants: Vec::new(),
            scope: Scope::default(),
            operator_scope: Scope::default(),
            audience: Vec::new(),
            pkce: Pkce::Required,
            is_par_required: false,
            is_signature_required: false,
            refresh: RefreshMode::Rotate,
            access_ttl_s: None,
            id_token_alg: None,
            refresh_ttl_s: None,
            is_first_party: false,
            introspection: None,
            accounts_api: None,
            owner: None,
            checked: None,
            is_disabled: false,
            revoked_below: 0,
            created_at: UnixTime(0),
            version: 1,
            rest: Map::new(),
        }
    }

    /// True if a user registered the application and the operator has neither checked it nor taken it over as first-party.
    #[must_use]
    pub const fn is_unchecked(&self) -> bool {
        self.owner.is_some() && !self.is_first_party && self.checked.is_none()
    }
}
