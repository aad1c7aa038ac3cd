//! The userinfo endpoint, OpenID Connect Core §5.3: the claims of the user whom a token belongs to. Every other
//! protected endpoint of this server checks tokens in the same way, RFC 6750.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::crypto::keys::Keys;
use crate::line::{Call, Reply};
use crate::line::{Facts, Turn, Wants, Write};
use crate::model::{Personal, User, WithOwners};
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
}

impl UserinfoRequest {
    /// Parses a userinfo request. The token must have every scope in `required`.
    ///
    /// # Errors
    /// [`No::TokenMissing`] without a bearer token.
    pub fn parse(mut params: Params, required: Scope, policy: &Policy, keys: &Keys) -> Result<Self, Refusal> {
        let text = params.bearer.take().ok_or(No::TokenMissing)?;
        Ok(Self { token: AnyToken::read_widely(text.reveal(), policy, keys), required })
    }
}

impl Call for UserinfoRequest {
    type Yes = Reply;

    fn wants(&self) -> Wants {
        let mut wants = Wants::default();
        if matches!(self.token, AnyToken::Access(_) | AnyToken::Personal(_)) {
            self.token.want(&mut wants);
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
                (user, Reach::new(&scope, scopes, turn.policy))
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
}

impl<'p> Reach<'p> {
    /// The reach of the granted `scope`. `home` are the scope rules of the surface that issued the token, `here` is the
    /// policy of the surface that is asked.
    #[must_use]
    pub fn new(scope: &Scope, home: &'p ScopePolicy, here: &'p Policy) -> Self {
        Self { scope: home.closure(scope), home, here: &here.scope }
    }

    /// Returns true if the caller may see the claims that the scope `word` (`profile` or `email`) protects. A surface
    /// that does not define the scope shows them to every caller. Both surfaces must agree: the user allowed no more on
    /// the one that issued the token, and the one that is asked shows no more than its own rules allow.
    fn may_see(&self, word: &str) -> bool {
        self.scope.contains(word) || [self.home, self.here].iter().all(|scopes| scopes.sentence(word).is_none())
    }
}

/// Returns the name that the user signs in with, if the caller may see it: the user name, or else the e-mail address.
#[must_use]
pub fn username<'u>(user: &'u User, reach: &Reach<'_>) -> Option<&'u str> {
    let username = user.username.as_deref().filter(|_| reach.may_see("profile"));
    username.or(user.email.as_deref().filter(|_| reach.may_see("email")))
}

/// Maximum number of claims beside the attributes.
const OWN_CLAIMS: usize = 7;

/// Returns the claims about a user that the caller may see, as a JSON object.
#[must_use]
pub fn claims(user: &User, reach: &Reach<'_>) -> Value {
    // Allocate once: some surfaces put this object into every token response.
    let mut claims = Map::with_capacity(OWN_CLAIMS + user.attributes.len());
    let mut tell = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    tell("id", user.sub.as_str().into());
    tell("active", (!user.is_disabled).into());
    tell("created_at", user.created_at.0.into());
    if reach.may_see("profile") {
        tell("name", user.name.as_str().into());
        if let Some(username) = &user.username {
            tell("username", username.as_str().into());
        }
        // Leave out attributes with reserved names, so that no attribute is taken for a claim that this server
        // verified.
        for (name, value) in user.attributes.iter().filter(|(name, _)| !is_reserved(name)) {
            claims.entry(name.as_str()).or_insert_with(|| value.clone());
        }
    }
    if reach.may_see("email")
        && let Some(email) = user.email.as_ref().or(user.email_hint.as_ref())
    {
        claims.insert("email".into(), email.as_str().into());
        claims.insert("verified".into(), user.email_verified.into());
    }
    Value::Object(claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keys::TokenKind;
    use crate::line::Changes;
    use crate::sample::{self, World};
    use expect_test::{Expect, expect};

    fn world(scope: Scope) -> (World, Params) {
        let mut world = World::new();
        let minted = world.mint(TokenKind::Access);
        world.facts.access = Some(sample::access(&minted, sample::client(), scope));
        let mut params = Params::default();
        params.bearer = Some(minted.text);
        (world, params)
    }

    fn check((world, params): (World, Params), required: Scope, expected: &Expect) {
        let told = match UserinfoRequest::parse(params, required, &world.policy, &world.keys) {
            Ok(request) => {
                let (verdict, changes) = world.judge(&request);
                sample::told(verdict, &changes)
            }
            Err(refusal) => sample::told(Err(refusal), &Changes::default()),
        };
        expected.assert_eq(&told);
    }

    #[test]
    fn a_scope_opens_the_members_behind_it() {
        check(
            world(Scope::of(["email"])),
            Scope::default(),
            &expect![[r#"
            userinfo {"sub": String("sub-alice"), "scope": String("email"), "user": Object {"id": String("sub-alice"), "active": Bool(true), "created_at": Number(0), "email": String("alice@example.com"), "verified": Bool(true)}}

        "#]],
        );
    }

    #[test]
    fn what_only_the_operator_gives_is_cut_from_a_token_of_before_asvs_10_4_11() {
        let scope = |client: crate::model::Client| {
            let (mut world, params) = world(Scope::of(["profile", "admin"]));
            world.policy.scope.operator_only = Scope::of(["admin"]);
            world.facts.access.as_mut().unwrap().client = Some(Arc::new(client));
            let request = UserinfoRequest::parse(params, Scope::default(), &world.policy, &world.keys).unwrap();
            let reply = world.judge(&request).0.unwrap();
            reply.fields.value(Field::Scope).and_then(Value::as_str).map(ToOwned::to_owned)
        };
        let own = crate::model::Client { owner: Some(sample::user().key), ..sample::client() };
        assert_eq!(scope(own.clone()).as_deref(), Some("profile"));
        let given = crate::model::Client { operator_scope: Scope::of(["admin"]), ..own };
        assert_eq!(scope(given).as_deref(), Some("profile admin"));
        assert_eq!(scope(sample::client()).as_deref(), Some("profile admin"));
    }

    /// OpenID Connect Core §5.1: `email_verified` says that the provider took steps to ensure that the address is the user's.
    #[test]
    fn an_attribute_is_never_a_claim() {
        let attributes = serde_json::json!({
            "email": "ceo@bigcorp.example", "verified": true, "Email": "x", "email_verified": true, "username": "root",
            "preferred_username": "root", "id": "sub-root", "sub": "sub-root", "active": true, "created_at": 1,
            "created_at_iso": "2000", "iss": "https://evil.example", "name": "Root", "team": "blue",
        });
        let attributes = attributes.as_object().unwrap().clone();
        let nobody = User { attributes, username: None, email: None, email_verified: false, ..sample::user() };
        let told = |user: &User, scope: Scope| {
            let policy = sample::policy();
            claims(user, &Reach::new(&scope, &policy.scope, &policy)).to_string()
        };
        let own = r#"{"id":"sub-alice","active":true,"created_at":0,"name":"Alice Doe","team":"blue"}"#;
        assert_eq!(told(&nobody, Scope::of(["profile", "email"])), own);
        let owner = User { email: Some("alice@example.com".into()), ..nobody };
        assert_eq!(told(&owner, Scope::of(["profile"])), own);
    }

    #[test]
    fn a_missing_token_a_small_scope_and_a_token_without_user_are_told_apart() {
        let (world_, _) = world(Scope::default());
        check(
            (world_, Params::default()),
            Scope::default(),
            &expect![[r#"
            no TokenMissing

        "#]],
        );
        check(
            world(Scope::of(["email"])),
            Scope::of(["profile"]),
            &expect![[r#"
            no TokenScopeTooSmall

        "#]],
        );
        let (mut nobody, params) = world(Scope::default());
        let held = nobody.facts.access.as_mut().unwrap();
        (held.row.user, held.user) = (None, None);
        check(
            (nobody, params),
            Scope::default(),
            &expect![[r#"
            no TokenWithoutUser

        "#]],
        );
    }

    #[test]
    fn a_token_for_another_resource_does_not_tell_who_its_user_is() {
        let (mut other, params) = world(Scope::of(["profile"]));
        other.facts.access.as_mut().unwrap().row.permission.audience = vec!["https://api.example/".into()];
        check(
            (other, params),
            Scope::default(),
            &expect![[r#"
            no TokenUnknown

        "#]],
        );
        let (mut both, params) = world(Scope::of(["profile"]));
        let audience = vec!["https://api.example/".into(), "https://auth.example".into()];
        both.facts.access.as_mut().unwrap().row.permission.audience = audience;
        let request = UserinfoRequest::parse(params, Scope::default(), &both.policy, &both.keys).unwrap();
        assert!(both.judge(&request).0.is_ok());
    }

    #[test]
    fn a_user_who_was_disabled_is_told_nothing_about() {
        let (mut world, params) = world(Scope::of(["profile"]));
        let user = User { is_disabled: true, ..sample::user() };
        world.facts.access.as_mut().unwrap().user = Some(Arc::new(user));
        check(
            (world, params),
            Scope::default(),
            &expect![[r#"
            no TokenRevoked

        "#]],
        );
    }
}
