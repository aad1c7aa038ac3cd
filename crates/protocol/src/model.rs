//! The rows: what is known of clients, users, sessions, grants and tokens.
//!
//! Ids are numbers that grow and never leave the server unmasked. Rows with a `version` are documents that are replaced
//! as a whole, and only by somebody who saw their latest version.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::rights::Introspection;
use crate::scope::Scope;
use crate::secret::Digest;
use crate::time::UnixTime;

/// Declares a row id.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);
    )*};
}

ids! {
    /// The row of a client; not the public `client_id`.
    ClientKey,
    /// The row of a user; not the public `sub`.
    UserKey,
    /// The row of a login session.
    SessionId,
    /// The row of a grant: one user, one client, one authorization, and all tokens that came of it.
    GrantId,
    /// The row of an authorization code.
    CodeId,
    /// The row of an access token.
    AccessId,
    /// The row of a personal access token.
    PersonalId,
}

/// A way to obtain a token, by the RFC's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// RFC 6749 §4.1
    AuthorizationCode,
    /// RFC 6749 §6
    RefreshToken,
    /// RFC 6749 §4.4
    ClientCredentials,
    /// RFC 6749 §4.2
    Implicit,
    /// RFC 6749 §4.3
    Password,
    /// RFC 7521 §4.1 and RFC 7523 §2.1
    Assertion,
}

impl GrantType {
    /// Every grant, in the order in which people list them.
    pub const ALL: &[Self] = &[
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::ClientCredentials,
        Self::Implicit,
        Self::Password,
        Self::Assertion,
    ];

    /// The word of the RFCs; for the assertion grant, whose word there is an address, that of dialect files and clients.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::Implicit => "implicit",
            Self::Password => "password",
            Self::Assertion => "assertion",
        }
    }

    /// The `grant_type` of RFC 7523 §2.1.
    pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

    /// The grant with this word.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        if text == Self::JWT_BEARER {
            return Some(Self::Assertion);
        }
        Self::ALL.iter().copied().find(|grant| grant.as_str() == text)
    }
}

/// Can the client keep a secret? RFC 6749 §2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// Runs on a server of its own.
    Confidential,
    /// Runs in a browser or on a person's device.
    Public,
}

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

/// What a user allowed a client, remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Another number each time it is given: what was decided because of it depends on it.
    pub id: i64,
    /// Who allowed it.
    pub user: UserKey,
    /// Who may.
    pub client: ClientKey,
    /// What.
    pub scope: Scope,
    /// At which resources; empty for every resource.
    pub audience: Vec<String>,
    /// Since when.
    pub given_at: UnixTime,
    /// When it was last widened or confirmed.
    pub renewed_at: UnixTime,
}

/// An authorization code, RFC 6749 §4.1.2. The grant that it stands for begins when it is redeemed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The row.
    pub id: CodeId,
    /// Digest of the code.
    pub digest: Digest,
    /// The grant that begins, or has begun, with its redemption.
    pub grant: GrantId,
    /// To whom it was issued.
    pub client: ClientKey,
    /// On whose behalf.
    pub user: UserKey,
    /// The redirect URI of the request.
    pub redirect_uri: String,
    /// Did the request name the redirect URI? Only then must the redemption name it too.
    pub is_redirect_uri_named: bool,
    /// The S256 challenge of RFC 7636.
    pub challenge: Option<Digest>,
    /// What was allowed.
    pub scope: Scope,
    /// For which resources, RFC 8707.
    pub audience: Vec<String>,
    /// When the user was authenticated, as [`Session::auth_time`] says it: zero or less for unknown.
    pub auth_time: UnixTime,
    /// When it was issued.
    pub issued_at: UnixTime,
    /// When it dies.
    pub expires_at: UnixTime,
    /// Was it redeemed?
    pub is_spent: bool,
}

/// One authorization of a client by a user, from its code to its last token; a refresh-token family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The row.
    pub id: GrantId,
    /// Whose.
    pub user: UserKey,
    /// To whom.
    pub client: ClientKey,
    /// What was allowed at most.
    pub scope: Scope,
    /// For which resources, RFC 8707.
    pub audience: Vec<String>,
    /// When the user was authenticated, as [`Session::auth_time`] says it: zero or less for unknown.
    pub auth_time: UnixTime,
    /// When it began.
    pub created_at: UnixTime,
    /// The row is of no use after this: its last token is dead.
    pub expires_at: UnixTime,
    /// The refresh token, if there is one.
    pub refresh: Option<Refresh>,
    /// A revoked grant takes all its tokens with it.
    pub is_revoked: bool,
}

/// The refresh token of a grant, and the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// Digest of the token that works.
    pub current: Digest,
    /// Digest of the token before it. For a bounded time, and until `current` is first used, a client that lost the answer
    /// may present the previous token again.
    pub previous: Option<Digest>,
    /// The answer that was given for `previous`, sealed under that token.
    pub answer: Option<Vec<u8>>,
    /// Counts the grant's refresh tokens; the number of `current`. Every rotation adds one.
    pub generation: u32,
    /// It dies when it is not used until then.
    pub idle_until: UnixTime,
}

/// An access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The row.
    pub id: AccessId,
    /// Digest of the token.
    pub digest: Digest,
    /// To whom it was issued.
    pub client: ClientKey,
    /// On whose behalf; nobody's for client_credentials.
    pub user: Option<UserKey>,
    /// The grant that it came of; none for client_credentials.
    pub grant: Option<GrantId>,
    /// What it allows.
    pub scope: Scope,
    /// For which resources, RFC 8707.
    pub audience: Vec<String>,
    /// When it was issued.
    pub issued_at: UnixTime,
    /// When it dies.
    pub expires_at: UnixTime,
}

/// A token that a user made by hand for a script of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Personal {
    /// The row.
    pub id: PersonalId,
    /// Digest of the token.
    pub digest: Digest,
    /// Whose.
    pub user: UserKey,
    /// The dialect whose surface takes it.
    pub dialect: String,
    /// What its owner calls it.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// True for a token that the operator made on the command line: only such a token has scopes that only the operator
    /// gives.
    pub is_by_operator: bool,
    /// When it was made.
    pub created_at: UnixTime,
    /// When it dies; [`UnixTime::NEVER`] for one that does not.
    pub expires_at: UnixTime,
    /// When it was last used, give or take a minute.
    pub used_at: Option<UnixTime>,
}

/// Failed attempts against one account or from one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// Failures since the window opened.
    pub failures: u32,
    /// Afterwards they are forgotten.
    pub resets_at: UnixTime,
}

/// One number of the ring of sealing keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealKey {
    /// Which one. Numbers only grow: the same number is always the same key.
    pub number: u32,
    /// When it began to seal.
    pub created_at: UnixTime,
}

/// Something that happened and matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: UnixTime,
    /// What, one of a closed list of words such as `signed_in`.
    pub kind: EventKind,
    /// Whose account.
    pub user: Option<UserKey>,
    /// Which application.
    pub client: Option<ClientKey>,
    /// From which network address; empty for commands of the operator.
    pub address: String,
    /// More, in words, without secrets.
    pub detail: String,
    /// Who ran the command, for commands of the operator: the account of the operating system, such as `root (0)`.
    pub actor: Option<String>,
}

crate::wire::names! {
    /// What can happen that matters to an auditor.
    EventKind {
        /// A password, and the second factor where there is one, were right.
        SignedIn = "signed_in",
        /// A password or second factor was wrong.
        SignInFailed = "sign_in_failed",
        /// A password was right, and the second factor is missing: somebody knows the password.
        PasswordProven = "password_proven",
        /// Too many failures: the account, address or device must wait.
        LockedOut = "locked_out",
        /// The operator ended all lock-outs of an account.
        UserUnlocked = "user_unlocked",
        /// A session was ended.
        SignedOut = "signed_out",
        /// A user allowed a client something.
        ConsentGiven = "consent_given",
        /// A user refused.
        ConsentDenied = "consent_denied",
        /// A user, or the operator, withdrew what a client was allowed.
        ConsentWithdrawn = "consent_withdrawn",
        /// A code was redeemed and a grant began.
        GrantBegun = "grant_begun",
        /// A grant was revoked.
        GrantRevoked = "grant_revoked",
        /// A code came twice; its grant was revoked.
        CodeReplayed = "code_replayed",
        /// An old refresh token came back; its grant was revoked.
        RefreshReplayed = "refresh_replayed",
        /// A refresh token was refused because its user is disabled or deleted, or had all sessions ended.
        RefreshRefused = "refresh_refused",
        /// A token was revoked by its client.
        TokenRevoked = "token_revoked",
        /// A password was set or changed.
        PasswordChanged = "password_changed",
        /// A second factor was switched on.
        TotpEnabled = "totp_enabled",
        /// A second factor was switched off.
        TotpDisabled = "totp_disabled",
        /// New recovery codes were made.
        RecoveryRenewed = "recovery_renewed",
        /// A recovery code was used.
        RecoveryUsed = "recovery_used",
        /// A user's profile was changed.
        ProfileChanged = "profile_changed",
        /// A personal access token was made.
        PersonalCreated = "personal_created",
        /// A personal access token was revoked.
        PersonalRevoked = "personal_revoked",
        /// An account was made.
        UserAdded = "user_added",
        /// An account elsewhere was linked to one here.
        IdentityLinked = "identity_linked",
        /// An account elsewhere no longer opens one here.
        IdentityUnlinked = "identity_unlinked",
        /// A program of the operator's read an account.
        AccountRead = "account_read",
        /// An account was changed by the operator, or by a program of the operator's.
        UserChanged = "user_changed",
        /// An account was deleted.
        UserDeleted = "user_deleted",
        /// An application was registered.
        ClientAdded = "client_added",
        /// An application was changed.
        ClientChanged = "client_changed",
        /// An application was deleted.
        ClientDeleted = "client_deleted",
        /// A client sent a wrong secret. Several failures share an event; its detail has the count.
        ClientAuthFailed = "client_auth_failed",
        /// A new sealing key took over.
        KeyRotated = "key_rotated",
    }
}

/// A row together with the rows that it hangs on, as they are now.
#[derive(Clone, Debug)]
pub struct Held<T> {
    /// The row itself.
    pub row: T,
    /// The client that it was issued to; absent when deleted, or when no client is involved.
    pub client: Option<Arc<Client>>,
    /// The user that it is about; absent when deleted, or when no user is involved.
    pub user: Option<Arc<User>>,
    /// Was the grant that it came of revoked, or is it gone?
    pub is_grant_revoked: bool,
}
