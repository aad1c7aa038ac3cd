//! Every knob of the protocol, with its default and its unit. One policy per dialect, made when the server starts.

use crate::crypto::keys::{Alphabet, Spelling};
use crate::model::{Client, ClientKind, GrantType, Personal, Pkce, RefreshMode};
use crate::scope::Scope;

/// What a dialect's surface offers and how long things live. Made from the dialect file and the operator's overrides.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The dialect's name; only its own clients and tokens exist here.
    pub dialect: String,
    /// The issuer identifier, RFC 8414 §2.
    pub issuer: String,
    /// The provider's name, as people know it.
    pub issuer_name: String,
    /// The grants that the surface offers.
    pub grants: Vec<GrantType>,
    /// Scopes.
    pub scope: ScopePolicy,
    /// The resource identifiers (RFC 8707) that tokens may be asked for.
    pub resources: Vec<String>,
    /// Authorization codes.
    pub code: TokenPolicy,
    /// Access tokens.
    pub access: TokenPolicy,
    /// Refresh tokens; `ttl_s` is how long one may lie idle.
    pub refresh: TokenPolicy,
    /// A grant's refresh tokens die so many seconds after its code was redeemed, however much they are used.
    /// `None` is never.
    pub refresh_absolute_ttl_s: Option<u64>,
    /// Seconds after a rotation in which a confidential client may present the previous refresh token again. Public clients
    /// have [`PUBLIC_GRACE_S`] at most.
    pub refresh_grace_s: u64,
    /// New applications.
    pub client: ClientPolicy,
    /// What a refresh token does when used, for clients that do not say.
    pub refresh_mode: RefreshMode,
    /// Grants whose access and refresh tokens are spelled in a way of their own.
    pub spelled: Vec<GrantSpelling>,
    /// Personal access tokens.
    pub personal: TokenPolicy,
    /// May users make personal access tokens for this surface by themselves?
    pub is_personal_offered: bool,
    /// May a client that registered for it go without PKCE? Public clients never may where codes are issued.
    pub is_pkce_waivable: bool,
    /// Does the redirect name the issuer, RFC 9207?
    pub is_iss_sent: bool,
    /// Are access tokens of the implicit grant sent in the query of the redirect? A waiver of RFC 6749 §4.2.2, which has
    /// them in the fragment. A request can ask for the fragment all the same.
    pub is_implicit_in_query: bool,
    /// Do applications of some surface take passwords? Then a new password, or a second factor that is switched on, ends all
    /// that was issued before: it may have come of the old password alone.
    pub is_password_taken: bool,
    /// Does introspection say more of the user than the RFC has names for? Only where the surface's template has a place for it.
    pub is_user_in_introspection: bool,
    /// Does an answer with tokens say who the user is? Only where the surface's template has a place for it.
    pub is_user_in_token_reply: bool,
    /// May anybody introspect, without being a client? A waiver.
    pub is_introspection_open: bool,
    /// May anybody revoke a token that they hold, without being a client? A waiver.
    pub is_revocation_open: bool,
    /// The surfaces whose access and personal tokens introspection and userinfo read here as well, because the operator says
    /// so. Nothing else of theirs is good here.
    pub also_reads: Vec<AlsoRead>,
    /// Digits of a second-factor code.
    pub otp_digits: u32,
    /// Login sessions.
    pub session: SessionPolicy,
    /// Brute force.
    pub lockout: LockoutPolicy,
}

/// Which scopes there are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScopePolicy {
    /// Each scope and the sentence that a person reads on the consent screen.
    pub list: Vec<(String, String)>,
    /// What is granted when a request names none; empty for everything that the client is registered for.
    pub default: Scope,
    /// Scopes that contain others.
    pub implies: Vec<(String, Scope)>,
    /// Scopes that only the operator gives: to clients on the command line, and to nobody who asks by themselves.
    pub operator_only: Scope,
}

impl ScopePolicy {
    /// The sentence for a scope.
    #[must_use]
    pub fn sentence(&self, word: &str) -> Option<&str> {
        self.list.iter().find(|(name, _)| name == word).map(|(_, sentence)| sentence.as_str())
    }

    /// `scope` and everything that it implies, however indirectly.
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

    /// True if only the operator gives this scope. A scope that implies such a one counts as one.
    #[must_use]
    pub fn is_operator_only(&self, word: &str) -> bool {
        !self.operator_only.is_empty() && !self.closure(&Scope::of([word])).intersection(&self.operator_only).is_empty()
    }

    /// The words of `scope` that people may give to applications and tokens of their own.
    #[must_use]
    pub fn of_anybody(&self, scope: &Scope) -> Scope {
        Scope::of(scope.iter().filter(|word| !self.is_operator_only(word)))
    }

    /// The words of `scope` that are in force for `client`. An application that a person registered has a scope that only
    /// the operator gives if the operator named it for this application.
    #[must_use]
    pub fn in_force(&self, scope: &Scope, client: Option<&Client>) -> Scope {
        match client {
            _ if self.operator_only.is_empty() => scope.clone(),
            Some(client) if client.owner.is_none() || client.is_first_party => scope.clone(),
            Some(client) => self.cut(scope, &client.operator_scope),
            None => self.of_anybody(scope),
        }
    }

    /// The scopes that `client` may ask for.
    #[must_use]
    pub fn of_client(&self, client: &Client) -> Scope {
        self.in_force(&client.scope, Some(client))
    }

    /// The scope that is in force for a personal token.
    #[must_use]
    pub fn of_personal(&self, token: &Personal) -> Scope {
        if token.is_by_operator { token.scope.clone() } else { self.of_anybody(&token.scope) }
    }

    /// The words of `scope`, but of those that only the operator gives only what `given` covers.
    fn cut(&self, scope: &Scope, given: &Scope) -> Scope {
        let given = self.closure(given);
        Scope::of(scope.iter().filter(|word| given.contains(word) || !self.is_operator_only(word)))
    }
}

/// Another surface whose access and personal tokens are read: what must be known of it to tell what they are worth.
#[derive(Clone, Debug, PartialEq)]
pub struct AlsoRead {
    /// Its name.
    pub dialect: String,
    /// How it writes access tokens.
    pub access: Vec<Spelling>,
    /// How it writes personal access tokens.
    pub personal: Spelling,
    /// What its scopes mean.
    pub scope: ScopePolicy,
}

impl AlsoRead {
    /// A surface by its rules. What it reads itself is not handed on.
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

/// What a new application is when nobody says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientPolicy {
    /// May users register applications by themselves? Else only the operator may.
    pub is_self_service: bool,
    /// Can it keep a secret?
    pub kind: ClientKind,
    /// Must it use PKCE?
    pub pkce: Pkce,
}

/// How a kind of token is written and how long it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPolicy {
    /// Prefix and alphabet.
    pub spelling: Spelling,
    /// Seconds; `None` is until revoked.
    pub ttl_s: Option<u64>,
}

/// How the tokens of a grant are written, where that is not how the surface writes all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantSpelling {
    /// The grant with which they begin.
    pub grant: GrantType,
    /// Access tokens.
    pub access: Spelling,
    /// Refresh tokens.
    pub refresh: Spelling,
}

impl TokenPolicy {
    fn new(alphabet: Alphabet, ttl_s: Option<u64>) -> Self {
        Self { spelling: Spelling { prefix: String::new(), alphabet }, ttl_s }
    }
}

/// How login sessions end by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionPolicy {
    /// Seconds without being seen.
    pub idle_s: u64,
    /// Seconds since sign-in.
    pub absolute_s: u64,
    /// Seconds after which an account page asks for the password again before it changes how one signs in.
    pub recent_s: u64,
    /// May an issuer elsewhere confirm that, also for those who have a password here?
    pub is_upstream_confirming: bool,
    /// True if the issuer elsewhere honours `prompt=login` and `max_age`, and says in `auth_time` when it authenticated the
    /// user. Google does not.
    pub is_upstream_dating: bool,
}

/// When the door is shut. Counters hold for parallel attempts and survive a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockoutPolicy {
    /// Failures against one account.
    pub account_failures: u32,
    /// Failures from one network address.
    pub address_failures: u32,
    /// Seconds until they are forgotten.
    pub window_s: u64,
}

/// The lifetime of a page that waits for an answer, in seconds.
pub const PAGE_TTL_S: u64 = 30 * 60;

/// A minute, in seconds: how long a public client may ask again for an answer that it lost. Nothing but the refresh token
/// tells the client from somebody who copied the token, so the time covers a retry after a broken connection and no more.
pub const PUBLIC_GRACE_S: u64 = 60;

/// A minute: how exact the "last seen" of sessions and personal tokens is, in seconds. Each write costs a commit.
pub const SEEN_EVERY_S: u64 = 60;

impl Policy {
    /// The defaults of the standard dialect, before its file is read.
    #[must_use]
    pub fn standard(issuer: &str) -> Self {
        Self {
            dialect: "standard".to_owned(),
            issuer: issuer.to_owned(),
            issuer_name: "Grantry".to_owned(),
            grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials],
            scope: ScopePolicy::default(),
            resources: Vec::new(),
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
        }
    }
}

impl Policy {
    /// Returns true if applications of one of these surfaces take passwords: see [`Policy::is_password_taken`].
    #[must_use]
    pub fn is_password_taken_by(policies: &[Self]) -> bool {
        policies.iter().any(|policy| policy.grants.contains(&GrantType::Password))
    }

    /// How access and refresh tokens that begin with this grant are written.
    #[must_use]
    pub fn spellings_of(&self, grant: GrantType) -> (&Spelling, &Spelling) {
        let own = self.spelled.iter().find(|own| own.grant == grant);
        own.map_or((&self.access.spelling, &self.refresh.spelling), |own| (&own.access, &own.refresh))
    }

    /// Every way in which an access token may be written.
    pub fn access_spellings(&self) -> impl Iterator<Item = &Spelling> {
        std::iter::once(&self.access.spelling).chain(self.spelled.iter().map(|own| &own.access))
    }

    /// What the scopes mean of an access or personal token that the surface `home` gave, if such tokens are read here.
    #[must_use]
    pub fn scopes_of(&self, home: &str) -> Option<&ScopePolicy> {
        if home == self.dialect {
            return Some(&self.scope);
        }
        self.also_reads.iter().find(|other| other.dialect == home).map(|other| &other.scope)
    }

    /// Every way in which a refresh token may be written, and the grant whose way it is; `None` for the usual one.
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
