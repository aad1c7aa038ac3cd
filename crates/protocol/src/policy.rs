//! The settings of the protocol, with their defaults and units. The server makes one policy for each dialect when it
//! starts.

use std::sync::Arc;

use crate::crypto::keys::{Alphabet, Spelling};
use crate::model::{Client, ClientKind, GrantType, Personal, Pkce, RefreshMode};
use crate::openid;
use crate::person::upstream::Issuer;
use crate::reserved_names::ReservedNames;
use crate::scope::Scope;

/// The rules that requests on one surface are judged by. Made from the dialect file and the operator's overrides.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The dialect's name. Clients and tokens of other dialects are unknown on this surface.
    pub dialect: String,
    /// The issuer identifier, RFC 8414 §2.
    pub issuer: String,
    /// The provider's name, shown to people.
    pub issuer_name: String,
    /// The names that no self-registered application may have or imitate.
    pub reserved_names: Arc<ReservedNames>,
    /// The grants that the surface offers.
    pub grants: Vec<GrantType>,
    /// The scopes of the surface.
    pub scope: ScopePolicy,
    /// The resource identifiers (RFC 8707) that clients may request tokens for.
    pub resources: Vec<String>,
    /// The names under which people see resources: resource identifier and name.
    pub resource_names: Vec<(String, String)>,
    /// Spelling and lifetime of authorization codes.
    pub code: TokenPolicy,
    /// The spelling of access tokens.
    pub access: TokenPolicy,
    /// Spelling and lifetime of refresh tokens. `ttl_s` is the idle lifetime.
    pub refresh: TokenPolicy,
    /// Absolute lifetime of a grant's refresh tokens in seconds, from the redemption of the code. `None` means without
    /// end.
    pub refresh_absolute_ttl_s: Option<u64>,
    /// Time in seconds after a rotation within which a confidential client may present the previous refresh token
    /// again. For public clients it is at most [`PUBLIC_GRACE_S`].
    pub refresh_grace_s: u64,
    /// The defaults of new applications.
    pub client: ClientPolicy,
    /// The refresh mode of clients that do not set one.
    pub refresh_mode: RefreshMode,
    /// The grants whose access and refresh tokens have a spelling of their own.
    pub spelled: Vec<GrantSpelling>,
    /// Spelling and maximum lifetime of personal access tokens.
    pub personal: TokenPolicy,
    /// True if users may create personal access tokens for this surface.
    pub is_personal_offered: bool,
    /// True if a client may be registered for optional PKCE. Public clients that receive codes always need PKCE.
    pub is_pkce_waivable: bool,
    /// The URLs of the endpoints at which clients authenticate by assertions. Empty if no endpoint takes assertions.
    pub assertion_endpoints: Vec<String>,
    /// True if clients can push authorization requests, RFC 9126.
    pub is_par_offered: bool,
    /// True if authorization responses name the issuer, RFC 9207.
    pub is_iss_sent: bool,
    /// True if the implicit grant returns access tokens in the query of the redirect. This waives RFC 6749 §4.2.2,
    /// which puts them in the fragment. A request can still ask for the fragment.
    pub is_implicit_in_query: bool,
    /// True if applications of any surface use the password grant. A new password or a newly enabled second factor then
    /// ends all earlier grants, because these may have been issued for the old password alone.
    pub is_password_taken: bool,
    /// True if the introspection reply of the surface contains claims about the user beyond those of RFC 7662.
    pub is_user_in_introspection: bool,
    /// True if the token reply of the surface contains claims about the user.
    pub is_user_in_token_reply: bool,
    /// True if introspection needs no client authentication. A waiver.
    pub is_introspection_open: bool,
    /// True if revocation needs no client authentication. A waiver.
    pub is_revocation_open: bool,
    /// Other surfaces whose access tokens and personal tokens the operator allows at introspection and userinfo of this
    /// surface. Nothing else of theirs is accepted here.
    pub also_reads: Vec<AlsoRead>,
    /// Number of digits in a second-factor code.
    pub otp_digits: u32,
    /// The lifetimes of browser sessions.
    pub session: SessionPolicy,
    /// The limits on failed attempts.
    pub lockout: LockoutPolicy,
    /// The trusted upstream identity provider, if the operator configured one.
    pub upstream: Option<Arc<Issuer>>,
}

/// The scopes of a surface.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScopePolicy {
    /// Each scope, and its sentence on the consent page.
    pub list: Vec<(String, String)>,
    /// The scope of a request that names none. If empty, such a request gets everything that the client is registered
    /// for.
    pub default: Scope,
    /// Scopes that imply other scopes.
    pub implies: Vec<(String, Scope)>,
    /// Scopes that only the operator can grant, on the command line. Users cannot give them to applications of their
    /// own.
    pub operator_only: Scope,
    /// True if the surface is an OpenID provider. Every client may then ask for the scope `openid`.
    pub is_openid: bool,
}

impl ScopePolicy {
    /// Returns the sentence of a scope on the consent page.
    #[must_use]
    pub fn sentence(&self, word: &str) -> Option<&str> {
        self.list.iter().find(|(name, _)| name == word).map(|(_, sentence)| sentence.as_str())
    }

    /// Returns all scopes of the surface.
    #[must_use]
    pub fn offered(&self) -> Scope {
        Scope::of(self.list.iter().map(|(word, _)| word.as_str()))
    }

    /// Returns `scope` without these scopes of OpenID Connect. On a surface that is no OpenID provider, such words are scopes
    /// like any other and stay.
    #[must_use]
    pub fn without(&self, scope: Scope, never: &[&str]) -> Scope {
        if self.is_openid { scope.without(&Scope::of(never.iter().copied())) } else { scope }
    }

    /// Returns `scope` and every scope that it implies, directly or indirectly.
    #[must_use]
    pub fn closure(&self, scope: &Scope) -> Scope {
        let mut whole = scope.clone();
        loop {
            let implied = self.implies.iter().filter(|(word, _)| whole.contains(word)).map(|(_, implied)| implied);
            let next = implied.fold(whole.clone(), |sum, implied| sum.union(implied));
            if next == whole {
                return whole;
            }
            whole = next;
        }
    }

    /// Returns true if only the operator can grant this scope, or one that it implies.
    #[must_use]
    pub fn is_operator_only(&self, word: &str) -> bool {
        !self.operator_only.is_empty() && !self.closure(&Scope::of([word])).intersection(&self.operator_only).is_empty()
    }

    /// Returns the part of `scope` that users may give to their own applications and tokens.
    #[must_use]
    pub fn of_anybody(&self, scope: &Scope) -> Scope {
        Scope::of(scope.iter().filter(|word| !self.is_operator_only(word)))
    }

    /// Returns the part of `scope` that is in effect for `client`. A self-registered application has an operator-only
    /// scope only if the operator named that scope for it.
    #[must_use]
    pub fn in_force(&self, scope: &Scope, client: Option<&Client>) -> Scope {
        match client {
            _ if self.operator_only.is_empty() => scope.clone(),
            Some(client) if client.owner.is_none() || client.is_first_party => scope.clone(),
            Some(client) => self.cut(scope, &client.operator_scope),
            None => self.of_anybody(scope),
        }
    }

    /// Returns the scopes that `client` may request.
    #[must_use]
    pub fn of_client(&self, client: &Client) -> Scope {
        self.in_force(&client.scope, Some(client))
    }

    /// Returns everything that `client` may ask for by name: its scopes, what they imply, and `openid` on the surface of an
    /// OpenID provider. The scope `openid` gives a client nothing that the userinfo endpoint does not tell it anyway.
    #[must_use]
    pub fn within_reach_of(&self, client: &Client) -> Scope {
        let mut scope = self.closure(&self.of_client(client));
        if self.is_openid {
            scope.insert(openid::OPENID);
        }
        scope
    }

    /// Returns the scope of a request of `client` that names none. OpenID Connect Core §3.1.2.1: a request without the scope
    /// `openid` is no authentication request, so a default never makes it one. The other scopes of OpenID Connect are in it
    /// only if the surface has a default that names them.
    #[must_use]
    pub fn unasked(&self, client: &Client) -> Scope {
        let allowed = self.of_client(client);
        let (own, never) = if self.default.is_empty() {
            (allowed, openid::SCOPES)
        } else {
            (self.default.intersection(&self.closure(&allowed)), &[openid::OPENID][..])
        };
        self.without(own, never)
    }

    /// Returns the scope that is in effect for a personal token.
    #[must_use]
    pub fn of_personal(&self, token: &Personal) -> Scope {
        if token.is_by_operator { token.scope.clone() } else { self.of_anybody(&token.scope) }
    }

    /// Returns `scope` without those operator-only scopes that `given` does not cover.
    fn cut(&self, scope: &Scope, given: &Scope) -> Scope {
        let given = self.closure(given);
        Scope::of(scope.iter().filter(|word| given.contains(word) || !self.is_operator_only(word)))
    }
}

/// Another surface whose access and personal tokens are accepted, with what is needed to validate them.
#[derive(Clone, Debug, PartialEq)]
pub struct AlsoRead {
    /// The name of that surface's dialect.
    pub dialect: String,
    /// The spellings of access tokens of that surface.
    pub access: Vec<Spelling>,
    /// The spelling of personal access tokens of that surface.
    pub personal: Spelling,
    /// The scope rules of that surface.
    pub scope: ScopePolicy,
}

impl AlsoRead {
    /// Makes the entry of a surface from its policy. The surfaces that it reads itself are not included.
    #[must_use]
    pub fn of(home: &Policy) -> Self {
        Self {
            dialect: home.dialect.clone(),
            access: home.access_spellings().cloned().collect(),
            personal: home.personal.spelling.clone(),
            scope: home.scope.clone(),
        }
    }
}

/// The defaults of a new application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientPolicy {
    /// True if users may register applications. Otherwise only the operator may.
    pub is_self_service: bool,
    /// The client type: confidential or public.
    pub kind: ClientKind,
    /// The PKCE setting.
    pub pkce: Pkce,
}

/// The spelling and lifetime of a kind of token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPolicy {
    /// The prefix and the alphabet of the token's text.
    pub spelling: Spelling,
    /// The lifetime in seconds. `None` means until revoked.
    pub ttl_s: Option<u64>,
}

/// The spelling of tokens of one grant, if it differs from that of the surface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantSpelling {
    /// The grant.
    pub grant: GrantType,
    /// The spelling of access tokens.
    pub access: Spelling,
    /// The spelling of refresh tokens.
    pub refresh: Spelling,
}

impl TokenPolicy {
    fn new(alphabet: Alphabet, ttl_s: Option<u64>) -> Self {
        Self { spelling: Spelling { prefix: String::new(), alphabet }, ttl_s }
    }
}

/// The lifetimes of browser sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionPolicy {
    /// Maximum idle time in seconds.
    pub idle_s: u64,
    /// Maximum time since sign-in, in seconds.
    pub absolute_s: u64,
    /// Maximum time in seconds since the last authentication. After it, an account page asks for the password again
    /// before it changes a credential.
    pub recent_s: u64,
    /// True if an upstream identity provider may reauthenticate a user who also has a password here.
    pub is_upstream_confirming: bool,
    /// True if the upstream identity provider honours `prompt=login` and `max_age`, and returns `auth_time`. Google
    /// does not.
    pub is_upstream_dating: bool,
}

/// The limits on failed attempts. The counters are exact under parallel attempts and survive a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockoutPolicy {
    /// Maximum number of failures against one account.
    pub account_failures: u32,
    /// Maximum number of failures from one network address.
    pub address_failures: u32,
    /// Time in seconds after which failures are forgotten.
    pub window_s: u64,
}

/// Lifetime in seconds of a page that waits for the user's answer.
pub const PAGE_TTL_S: u64 = 30 * 60;

/// One minute, in seconds: how long a public client may repeat a refresh request whose answer it lost. Only the refresh
/// token itself distinguishes the client from a thief, so the time just covers a retry after a broken connection.
pub const PUBLIC_GRACE_S: u64 = 60;

/// One minute, in seconds: the resolution of "last seen" of sessions and personal tokens. Each update costs a commit.
pub const SEEN_EVERY_S: u64 = 60;

impl Policy {
    /// Returns the defaults of the standard dialect, before its file is read.
    #[must_use]
    pub fn standard(issuer: &str) -> Self {
        Self {
            dialect: "standard".to_owned(),
            issuer: issuer.to_owned(),
            issuer_name: "Grantry".to_owned(),
            reserved_names: Arc::default(),
            grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials],
            scope: ScopePolicy::default(),
            resources: Vec::new(),
            resource_names: Vec::new(),
            code: TokenPolicy::new(Alphabet::Url, Some(60)),
            access: TokenPolicy::new(Alphabet::Url, Some(60 * 60)),
            refresh: TokenPolicy::new(Alphabet::Url, Some(30 * 24 * 60 * 60)),
            refresh_absolute_ttl_s: Some(365 * 24 * 60 * 60),
            refresh_grace_s: 24 * 60 * 60,
            client: ClientPolicy { is_self_service: true, kind: ClientKind::Confidential, pkce: Pkce::Required },
            refresh_mode: RefreshMode::Rotate,
            spelled: Vec::new(),
            personal: TokenPolicy::new(Alphabet::Url, None),
            is_personal_offered: true,
            is_pkce_waivable: true,
            assertion_endpoints: Vec::new(),
            is_par_offered: true,
            is_iss_sent: true,
            is_implicit_in_query: false,
            is_password_taken: false,
            is_user_in_introspection: false,
            is_user_in_token_reply: false,
            is_introspection_open: false,
            is_revocation_open: false,
            also_reads: Vec::new(),
            otp_digits: 6,
            session: SessionPolicy {
                idle_s: 24 * 60 * 60,
                absolute_s: 14 * 24 * 60 * 60,
                recent_s: 15 * 60,
                is_upstream_confirming: false,
                is_upstream_dating: false,
            },
            lockout: LockoutPolicy { account_failures: 10, address_failures: 100, window_s: 15 * 60 },
            upstream: None,
        }
    }
}

impl Policy {
    /// Returns true if applications of one of these surfaces take passwords: see [`Policy::is_password_taken`].
    #[must_use]
    pub fn is_password_taken_by(policies: &[Self]) -> bool {
        policies.iter().any(|policy| policy.grants.contains(&GrantType::Password))
    }

    /// Returns the spellings of access and refresh tokens of this grant.
    #[must_use]
    pub fn spellings_of(&self, grant: GrantType) -> (&Spelling, &Spelling) {
        let own = self.spelled.iter().find(|own| own.grant == grant);
        own.map_or((&self.access.spelling, &self.refresh.spelling), |own| (&own.access, &own.refresh))
    }

    /// Returns every spelling that an access token of this surface may have.
    pub fn access_spellings(&self) -> impl Iterator<Item = &Spelling> {
        std::iter::once(&self.access.spelling).chain(self.spelled.iter().map(|own| &own.access))
    }

    /// Returns the scopes of the surface `home` if its access and personal tokens are accepted here.
    #[must_use]
    pub fn scopes_of(&self, home: &str) -> Option<&ScopePolicy> {
        if home == self.dialect {
            return Some(&self.scope);
        }
        self.also_reads.iter().find(|other| other.dialect == home).map(|other| &other.scope)
    }

    /// Returns every spelling that a refresh token of this surface may have, each with its grant. The grant is `None`
    /// for the common spelling.
    pub fn refresh_spellings(&self) -> impl Iterator<Item = (&Spelling, Option<GrantType>)> {
        let own = self.spelled.iter().map(|own| (&own.refresh, Some(own.grant)));
        std::iter::once((&self.refresh.spelling, None)).chain(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn implied_scopes_are_followed_to_the_end() {
        let policy = ScopePolicy {
            implies: vec![("admin".into(), Scope::of(["write"])), ("write".into(), Scope::of(["read"]))],
            ..ScopePolicy::default()
        };
        assert_eq!(policy.closure(&Scope::of(["admin"])).as_str(), "admin write read");
    }

    #[test]
    fn a_scope_that_implies_one_of_the_operators_counts_as_one() {
        let policy = ScopePolicy {
            implies: vec![("root".into(), Scope::of(["staff"])), ("staff".into(), Scope::of(["admin", "read"]))],
            operator_only: Scope::of(["admin"]),
            ..ScopePolicy::default()
        };
        let all = Scope::of(["read", "root", "staff", "admin"]);
        assert_eq!(policy.of_anybody(&all).as_str(), "read");
        let own = Client { owner: Some(crate::model::UserKey(1)), scope: all.clone(), ..crate::sample::client() };
        assert_eq!(policy.of_client(&own).as_str(), "read");
        let given = Client { operator_scope: Scope::of(["staff"]), ..own.clone() };
        assert_eq!(policy.of_client(&given).as_str(), "read staff admin");
        assert_eq!(policy.of_client(&Client { owner: None, ..own.clone() }), all);
        assert_eq!(policy.of_client(&Client { is_first_party: true, ..own }), all);
    }
}
