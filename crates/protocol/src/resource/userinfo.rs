//! The userinfo endpoint, OpenID Connect Core §5.3: the claims of the user whom a token belongs to. Every other
//! protected endpoint of this server checks tokens in the same way, RFC 6750.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::crypto::keys::{Keys, Presented};
use crate::line::{Call, Reply};
use crate::line::{Facts, Key, Turn, Wants, Write};
use crate::model::{Access, AccessId, Client, Personal, User, WithOwners};
use crate::openid::{Claim, OPENID, RequestedClaims};
use crate::policy::{Policy, SEEN_EVERY_S, ScopePolicy};
use crate::refusal::{No, Refusal};
use crate::resource::any_token::AnyToken;
use crate::resource::attributes::is_reserved;
use crate::resource_indicator;
use crate::scope::Scope;
use crate::secret::Secret;
use crate::wire::{Field, Fields, Params, ReplyKind};

/// A userinfo request, authorized by an access token or a personal access token.
#[derive(Debug)]
pub struct UserinfoRequest {
    token: AnyToken,
    required: Scope,
    /// True if the surface is an OpenID provider. The authorization may then name single claims.
    is_openid: bool,
}

impl UserinfoRequest {
    /// Parses a userinfo request. The token must have every scope in `required`.
    ///
    /// # Errors
    /// [`No::TokenMissing`] without a bearer token.
    pub fn parse(mut params: Params, required: Scope, policy: &Policy, keys: &Keys) -> Result<Self, Refusal> {
        let text = params.bearer.take().ok_or(No::TokenMissing)?;
        let token = AnyToken::read_widely(text.reveal(), policy, keys);
        Ok(Self { token, required, is_openid: policy.scope.is_openid })
    }
}

impl Call for UserinfoRequest {
    type Yes = Reply;

    fn wants(&self) -> Wants {
        let mut wants = Wants::default();
        if matches!(self.token, AnyToken::Access(_) | AnyToken::Personal(_)) {
            self.token.want(&mut wants);
        }
        if let AnyToken::Access(presented) = self.token
            && self.is_openid
        {
            wants.add(Key::GrantOf(AccessId(presented.id)));
        }
        wants
    }

    fn take_signed(yes: &mut Reply, field: Field, text: &Secret) -> bool {
        yes.take_signed(field, text)
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<Reply, Refusal> {
        let (user, reach) = match self.token {
            AnyToken::Access(presented) => {
                let held = facts.access(presented).ok_or(No::TokenUnknown)?;
                let scopes = held.check_to_read(turn.policy).map_err(|_| No::TokenRevoked)?;
                if turn.now.is_past(held.row.expires_at) {
                    return Err(No::TokenExpired.into());
                }
                // A token for other resources is refused, so that a resource which received it cannot find out who its
                // user is.
                if !held.row.permission.audience.is_empty()
                    && !resource_indicator::is_among(&held.row.permission.audience, &turn.policy.issuer)
                {
                    return Err(No::TokenUnknown.into());
                }
                let user = held.user.as_ref().ok_or(No::TokenWithoutUser)?;
                let scope = scopes.in_force(&held.row.permission.scope, held.client.as_deref());
                let reach = Reach::new(&scope, scopes, turn.policy);
                let requested = self.is_openid.then(|| requested(presented, held, facts, turn));
                (user, Reach { requested: requested.unwrap_or_default(), ..reach })
            }
            AnyToken::Personal(presented) => {
                let held = facts.personal(presented).ok_or(No::TokenUnknown)?;
                let (user, scopes) = personal(held, turn)?;
                (user, Reach::new(&scopes.of_personal(&held.row), scopes, turn.policy))
            }
            AnyToken::Refresh(_) | AnyToken::Foreign => return Err(No::TokenUnknown.into()),
        };
        if !self.required.is_within(&reach.scope) {
            return Err(No::TokenScopeTooSmall.into());
        }
        let fields = Fields::new()
            .with(Field::Sub, user.sub.as_str())
            .with(Field::Scope, reach.scope.as_str())
            .with(Field::User, claims(user, &reach));
        Ok(Reply::new(ReplyKind::Userinfo, fields))
    }
}

/// Returns the claims that the authorization request of the token's grant asked for one by one, as far as the client may
/// still ask for them. They belong to the scope `openid`: a token that was issued without it does not open them.
fn requested(presented: Presented, held: &WithOwners<Access>, facts: &Facts, turn: &Turn<'_>) -> Vec<Claim> {
    let (Some(grant), Some(client)) = (facts.grant_of(presented), &held.client) else { return Vec::new() };
    let is_same = Some(grant.row.id) == held.row.grant && held.row.permission.scope.contains(OPENID);
    if !is_same || client.dialect != turn.policy.dialect {
        return Vec::new();
    }
    let claims = grant.row.authorization.circumstances.claims.clone();
    still_allowed(claims, client, turn.policy).userinfo
}

/// Returns the requested claims without those that the client may no longer ask for.
pub(crate) fn still_allowed(claims: RequestedClaims, client: &Client, policy: &Policy) -> RequestedClaims {
    let allowed = policy.scope.within_reach_of(client);
    claims.filtered(|claim| policy.scope.sentence(claim.scope()).is_none() || allowed.contains(claim.scope()))
}

/// Checks a personal access token, and returns its user and the scope rules of the surface that issued it.
fn personal<'f, 't>(
    held: &'f WithOwners<Personal>,
    turn: &mut Turn<'t>,
) -> Result<(&'f Arc<User>, &'t ScopePolicy), No> {
    let policy = turn.policy;
    held.check(&policy.dialect).map_err(|_| No::TokenRevoked)?;
    let scopes = policy.scopes_of(&held.row.dialect).ok_or(No::TokenUnknown)?;
    if turn.now.is_past(held.row.expires_at) {
        return Err(No::TokenExpired);
    }
    if held.row.used_at.is_none_or(|used_at| turn.now.is_past(used_at.plus(SEEN_EVERY_S))) {
        turn.write(Write::TouchPersonal { id: held.row.id, used_at: turn.now });
    }
    Ok((held.user.as_ref().ok_or(No::TokenWithoutUser)?, scopes))
}

/// What a token allows, and which claims about its user the caller may see.
#[derive(Debug)]
pub struct Reach<'p> {
    /// The scopes of the token, with all that they imply on the surface that issued it.
    pub scope: Scope,
    home: &'p ScopePolicy,
    here: &'p ScopePolicy,
    /// The claims that the user allowed one by one.
    requested: Vec<Claim>,
}

impl<'p> Reach<'p> {
    /// The reach of the granted `scope`. `home` are the scope rules of the surface that issued the token, `here` is the
    /// policy of the surface that is asked.
    #[must_use]
    pub fn new(scope: &Scope, home: &'p ScopePolicy, here: &'p Policy) -> Self {
        Self { scope: home.closure(scope), home, here: &here.scope, requested: Vec::new() }
    }

    /// Returns true if the caller may see the claims that the scope `word` (`profile` or `email`) protects. A surface
    /// that does not define the scope shows them to every caller. Both surfaces must agree: the user allowed no more on
    /// the one that issued the token, and the one that is asked shows no more than its own rules allow.
    fn may_see(&self, word: &str) -> bool {
        self.scope.contains(word) || !self.is_guarded(word)
    }

    /// Returns true if one of the two surfaces has a scope `word`, so that only tokens with that scope open what it protects.
    fn is_guarded(&self, word: &str) -> bool {
        [self.home, self.here].iter().any(|scopes| scopes.sentence(word).is_some())
    }

    /// Returns true if the caller may see this claim: by a scope, or because the user allowed the single claim.
    fn may_see_claim(&self, claim: Claim) -> bool {
        self.may_see(claim.scope()) || self.requested.contains(&claim)
    }

    /// Returns true if the caller may see the attribute with this name. Attributes belong to the scope `profile`, but for the
    /// standard claims about address and telephone where a surface has scopes for these.
    fn may_see_attribute(&self, name: &str) -> bool {
        match Claim::from_name(name) {
            Some(claim) if self.is_guarded(claim.scope()) => self.may_see_claim(claim),
            Some(claim) if self.requested.contains(&claim) => true,
            _ => self.may_see("profile"),
        }
    }
}

/// Returns the name that the user signs in with, if the caller may see it: the user name, or else the e-mail address.
#[must_use]
pub fn username<'u>(user: &'u User, reach: &Reach<'_>) -> Option<&'u str> {
    let username = user.username.as_deref().filter(|_| reach.may_see("profile"));
    username.or(user.email.as_deref().filter(|_| reach.may_see("email")))
}

/// Maximum number of claims beside the attributes.
const OWN_CLAIMS: usize = 8;

/// Returns the claims about a user that the caller may see, as a JSON object.
#[must_use]
pub fn claims(user: &User, reach: &Reach<'_>) -> Value {
    // Allocate once: some surfaces put this object into every token response.
    let mut claims = Map::with_capacity(OWN_CLAIMS + user.attributes.len());
    let mut tell = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    tell("id", user.sub.as_str().into());
    tell("active", (!user.is_disabled).into());
    tell("created_at", user.created_at.0.into());
    if reach.may_see_claim(Claim::Name) {
        tell("name", user.name.as_str().into());
    }
    if reach.may_see_claim(Claim::PreferredUsername)
        && let Some(username) = &user.username
    {
        tell("username", username.as_str().into());
    }
    if reach.here.is_openid && reach.may_see_claim(Claim::UpdatedAt) {
        claims.extend(Claim::UpdatedAt.value(user).map(|value| (Claim::UpdatedAt.to_string(), value)));
    }
    // Leave out attributes with reserved names, so that no attribute is taken for a claim that this server verified.
    let is_told = |name: &str| !is_reserved(name) && reach.may_see_attribute(name);
    for (name, value) in user.attributes.iter().filter(|(name, _)| is_told(name)) {
        // An OpenID provider tells standard claims in the types of the standard.
        let claim = Claim::from_name(name).filter(|_| reach.here.is_openid);
        let value = claim.map_or_else(|| Some(value.clone()), |claim| claim.value(user));
        if let Some(value) = value {
            claims.entry(name.as_str()).or_insert(value);
        }
    }
    if let Some(email) = user.shown_email() {
        if reach.may_see_claim(Claim::Email) {
            claims.insert("email".into(), email.into());
        }
        if reach.may_see_claim(Claim::EmailVerified) {
            claims.insert("verified".into(), user.email_verified.into());
        }
    }
    Value::Object(claims)
}

#[cfg(test)]
mod tests;
