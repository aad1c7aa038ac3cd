//! Token introspection, RFC 7662: a protected resource asks whether a token is valid, and what it allows.

use serde_json::Value;

use crate::client::authenticate::Credentials;
use crate::crypto::keys::{Keys, Presented};
use crate::line::{Call, Reply};
use crate::line::{Facts, RefreshMatch, Turn, Wants};
use crate::liveness::DependsOn;
use crate::model::{Client, ClientKey, ClientKind, Permission, WithOwners};
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::resource::any_token::AnyToken;
use crate::resource::userinfo::{self, Reach};
use crate::secret::Secret;
use crate::time::UnixTime;
use crate::wire::{Field, Fields, Param, Params, ReplyKind};

/// A request to introspect a token.
#[derive(Debug)]
pub struct IntrospectRequest {
    credentials: Option<Credentials>,
    token: AnyToken,
}

impl IntrospectRequest {
    /// Parses an introspection request.
    ///
    /// # Errors
    /// The parameter `token` is missing, or the surface requires client credentials and there are none.
    pub fn parse(mut params: Params, policy: &Policy, keys: &Keys) -> Result<Self, Refusal> {
        // RFC 7662 §2.1: "To prevent token scanning attacks, the endpoint MUST also require some form of authorization".
        let credentials = if policy.is_introspection_open { None } else { Some(Credentials::parse(&mut params)?) };
        let text = params.take(Param::Token).ok_or(Refusal::of(No::ParameterMissing, Param::Token))?;
        Ok(Self { credentials, token: AnyToken::read_widely(&text, policy, keys) })
    }
}

impl Call for IntrospectRequest {
    type Yes = Reply;

    fn wants(&self) -> Wants {
        self.token.wants(self.credentials.as_ref())
    }

    fn take_signed(yes: &mut Reply, field: Field, text: &Secret) -> bool {
        yes.take_signed(field, text)
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<Reply, Refusal> {
        let caller = match &self.credentials {
            Some(credentials) => {
                let client = credentials.verify(facts, turn)?;
                if client.kind != ClientKind::Confidential {
                    return Err(No::ClientNotConfidential.into());
                }
                Some(&**client)
            }
            None => None,
        };
        let live = match self.token {
            AnyToken::Access(presented) => access(presented, caller, facts, turn),
            AnyToken::Refresh(presented) => refresh(presented, caller, facts, turn),
            AnyToken::Personal(presented) => personal(presented, caller, facts, turn),
            AnyToken::Foreign => None,
        };
        // RFC 7662 §2.2: "If the introspection call is properly authorized but the token is not active, does not exist
        // on this server, or the protected resource is not allowed to introspect this particular token, then the
        // authorization server MUST return an introspection response with the "active" field set to "false"."
        Ok(live.map_or_else(
            || Reply::new(ReplyKind::Inactive, Fields::new().with(Field::Active, false)),
            |fields| Reply::new(ReplyKind::Introspect, fields),
        ))
    }

    fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }
}

fn access(presented: Presented, caller: Option<&Client>, facts: &Facts, turn: &Turn<'_>) -> Option<Fields> {
    let held = facts.access(presented)?;
    let row = &held.row;
    let Permission { scope, audience } = &row.permission;
    let scopes = held.check_to_read(turn.policy).ok()?;
    if turn.now.is_past(row.expires_at) || !may_learn(caller, Some(row.client), audience) {
        return None;
    }
    let scope = scopes.in_force(scope, held.client.as_deref());
    let reach = Reach::new(&scope, scopes, turn.policy);
    Some(
        members(held, "access_token", &reach, row.issued_at, row.expires_at, turn).with_some(Field::Aud, aud(audience)),
    )
}

fn refresh(presented: Presented, caller: Option<&Client>, facts: &Facts, turn: &Turn<'_>) -> Option<Fields> {
    // A refresh token that was already rotated is not active. It can only be used once more to repeat an answer that
    // was lost.
    let (held, RefreshMatch::Current) = facts.grant(presented)? else { return None };
    let current = held.row.refresh.as_ref()?;
    held.check(&turn.policy.dialect).ok()?;
    // Only the client that a refresh token was issued to may introspect it.
    if turn.now.is_past(current.idle_until) || caller.is_none_or(|caller| caller.key != held.row.authorization.client) {
        return None;
    }
    let scope = turn.policy.scope.in_force(&held.row.authorization.permission.scope, held.client.as_deref());
    let reach = Reach::new(&scope, &turn.policy.scope, turn.policy);
    Some(members(held, "refresh_token", &reach, held.row.created_at, current.idle_until, turn))
}

fn personal(presented: Presented, caller: Option<&Client>, facts: &Facts, turn: &Turn<'_>) -> Option<Fields> {
    let held = facts.personal(presented)?;
    let row = &held.row;
    held.check(&turn.policy.dialect).ok()?;
    let scopes = turn.policy.scopes_of(&row.dialect)?;
    if turn.now.is_past(row.expires_at) || !may_learn(caller, None, &[]) {
        return None;
    }
    let reach = Reach::new(&scopes.of_personal(row), scopes, turn.policy);
    Some(members(held, "personal_access_token", &reach, row.created_at, row.expires_at, turn))
}

/// Returns true if the caller may learn about a token. `issued_to` is the client of the token, `None` for a personal
/// access token. On a surface where anyone may introspect (`caller` is `None`), a token for certain resources is
/// described to nobody, because the server cannot know which resource the caller is.
fn may_learn(caller: Option<&Client>, issued_to: Option<ClientKey>, audience: &[String]) -> bool {
    caller.map_or(audience.is_empty(), |caller| caller.may_learn_of(issued_to, audience))
}

fn aud(audience: &[String]) -> Option<Value> {
    match audience {
        [] => None,
        [only] => Some(Value::from(only.as_str())),
        several => Some(Value::from(several)),
    }
}

fn members<T: DependsOn>(
    held: &WithOwners<T>,
    kind: &str,
    reach: &Reach<'_>,
    issued_at: UnixTime,
    expires_at: UnixTime,
    turn: &Turn<'_>,
) -> Fields {
    let user = held.user.as_ref();
    let sub = user.map(|user| user.sub.as_str()).or(held.client.as_ref().map(|client| client.client_id.as_str()));
    let username = user.and_then(|user| userinfo::username(user, reach));
    let told = user.filter(|_| turn.policy.is_user_in_introspection);
    let told = told.map(|user| userinfo::claims(user, reach));
    Fields::new()
        .with(Field::Active, true)
        .with(Field::TokenKind, kind)
        .with(Field::Scope, reach.scope.as_str())
        .with_some(Field::ClientId, held.client.as_ref().map(|client| client.client_id.as_str()))
        .with_some(Field::Username, username)
        .with_some(Field::Exp, (expires_at != UnixTime::NEVER).then_some(expires_at.0))
        .with(Field::Iat, issued_at.0)
        .with_some(Field::Sub, sub)
        .with_some(Field::User, told)
        .with(Field::Iss, turn.policy.issuer.as_str())
}

#[cfg(test)]
mod foreign_dialect_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::entropy::Entropy;
    use crate::crypto::keys::TokenKind;
    use crate::crypto::keys::{Alphabet, Spelling};
    use crate::line::Changes;
    use crate::model::Access;
    use crate::model::GrantType;
    use crate::model::UserKey;
    use crate::policy::{AlsoRead, GrantSpelling};
    use crate::sample::{self, World};
    use crate::scope::Scope;
    use expect_test::{Expect, expect};
    use std::sync::Arc;

    /// A world in which a protected resource introspects a valid access token.
    fn world() -> World {
        let mut world = World::new();
        let minted = world.mint(TokenKind::Access);
        world.facts.access = Some(sample::access(&minted, sample::public_client(), Scope::of(["links:write"])));
        world.send(Param::Token, minted.text.reveal());
        world
    }

    fn access(world: &mut World) -> &mut Access {
        &mut world.facts.access.as_mut().unwrap().row
    }

    fn check(world: &World, expected: &Expect) {
        let told = match IntrospectRequest::parse(world.params(), &world.policy, &world.keys) {
            Ok(request) => {
                let (verdict, changes) = world.judge(&request);
                sample::told(verdict, &changes)
            }
            Err(refusal) => sample::told(Err(refusal), &Changes::default()),
        };
        expected.assert_eq(&told);
    }

    fn check_inactive(world: &World) {
        check(
            world,
            &expect![[r#"
            inactive {"active": Bool(false)}

        "#]],
        );
    }

    #[test]
    fn a_live_token_is_described_with_all_that_its_scope_implies() {
        check(
            &world(),
            &expect![[r#"
            introspect {"active": Bool(true), "token_kind": String("access_token"), "scope": String("links:write links:read"), "client_id": String("spa"), "exp": Number(2000), "iat": Number(900), "sub": String("sub-alice"), "iss": String("https://auth.example")}

        "#]],
        );
    }

    #[test]
    fn a_token_in_a_form_of_its_grant_s_own_is_described_too() {
        let mut world = world();
        let form = |prefix: &str| Spelling { prefix: prefix.into(), alphabet: Alphabet::Hex };
        let (own, refresh) = (form("at_google_"), form("rt_google_"));
        let minted = world.keys.mint_for(7, TokenKind::Access, &own, &mut Entropy::seeded([6; 32], 1));
        let refreshed = world.keys.mint_for(8, TokenKind::Refresh, &refresh, &mut Entropy::seeded([6; 32], 1));
        world.policy.spelled.push(GrantSpelling { grant: GrantType::Assertion, access: own, refresh });
        access(&mut world).digest = minted.digest;
        world.send(Param::Token, minted.text.reveal());
        let request = IntrospectRequest::parse(world.params(), &world.policy, &world.keys).unwrap();
        assert_eq!(world.judge(&request).0.unwrap().kind, ReplyKind::Introspect);
        let read = AnyToken::read(refreshed.text.reveal(), &world.policy, &world.keys);
        assert!(matches!(read, AnyToken::Refresh(presented) if presented.id == 8));
    }

    #[test]
    fn a_token_has_an_owner_while_it_lives_and_on_its_own_surface() {
        let mut world = world();
        let text = world.params().take(Param::Token).unwrap();
        let token = AnyToken::read(&text, &world.policy, &world.keys);
        let mut wants = Wants::default();
        token.want(&mut wants);
        let owner =
            |world: &World, policy: &Policy, now| token.owner(&world.facts.load(wants.clone()), policy, UnixTime(now));
        assert_eq!(owner(&world, &world.policy, 1999), Some(sample::user().key));
        let mut other = Policy { dialect: "other".into(), ..world.policy.clone() };
        assert_eq!((owner(&world, &other, 1999), owner(&world, &world.policy, 2000)), (None, None));
        other.also_reads.push(AlsoRead::of(&world.policy));
        assert_eq!(owner(&world, &other, 1999), Some(sample::user().key), "it is read there as well");
        access(&mut world).digest = crate::secret::Digest::of(b"another");
        assert_eq!(owner(&world, &world.policy, 1999), None, "it is another one with its number");
    }

    #[test]
    fn the_user_name_takes_the_scope_that_opens_it() {
        let mut world = world();
        access(&mut world).permission.scope = Scope::of(["profile"]);
        let request = IntrospectRequest::parse(world.params(), &world.policy, &world.keys).unwrap();
        let reply = world.judge(&request).0.unwrap();
        assert_eq!(reply.fields.value(Field::Username), Some(&Value::from("alice")));
    }

    #[test]
    fn expired_revoked_foreign_and_orphaned_tokens_are_inactive_rfc_7662_2_2() {
        let mut expired = world();
        expired.now = UnixTime(2000);
        check_inactive(&expired);
        let mut revoked = world();
        revoked.facts.access.as_mut().unwrap().is_grant_revoked = true;
        check_inactive(&revoked);
        let mut foreign = world();
        foreign.send(Param::Token, "not-a-token");
        check_inactive(&foreign);
        let mut orphaned = world();
        orphaned.facts.access.as_mut().unwrap().user = None;
        check_inactive(&orphaned);
        let mut client_gone = world();
        client_gone.facts.access.as_mut().unwrap().client = None;
        check_inactive(&client_gone);
        let mut other_dialect = world();
        other_dialect.facts.access.as_mut().unwrap().client =
            Some(Arc::new(Client { dialect: "paced".into(), ..sample::public_client() }));
        check_inactive(&other_dialect);
        let mut other_secret = world();
        access(&mut other_secret).digest = crate::secret::Digest::of(b"other");
        check_inactive(&other_secret);
    }

    #[test]
    fn a_token_for_another_resource_is_inactive_for_this_api() {
        let mut world = world();
        access(&mut world).permission.audience = vec!["https://api.example/".into()];
        check_inactive(&world);
        let api = Client { audience: vec!["https://api.example/".into()], ..sample::client() };
        world.facts.client = Some(Arc::new(api));
        let request = IntrospectRequest::parse(world.params(), &world.policy, &world.keys).unwrap();
        let reply = world.judge(&request).0.unwrap();
        assert_eq!(reply.fields.value(Field::Aud), Some(&Value::from("https://api.example/")));
    }

    #[test]
    fn an_application_of_a_user_s_is_told_of_no_token_of_others_rfc_7662_2_2() {
        let mut world = world();
        let own = Client { owner: Some(UserKey(9)), ..sample::client() };
        world.facts.client = Some(Arc::new(own.clone()));
        check_inactive(&world);
        access(&mut world).client = own.key;
        let request = IntrospectRequest::parse(world.params(), &world.policy, &world.keys).unwrap();
        assert_eq!(world.judge(&request).0.unwrap().kind, ReplyKind::Introspect, "its own");
    }

    #[test]
    fn a_public_client_and_a_stranger_may_not_ask_rfc_7662_2_1() {
        let mut public = world();
        public.facts.client = Some(Arc::new(sample::public_client()));
        public.unsend(Param::ClientSecret);
        check(
            &public,
            &expect![[r#"
            no ClientNotConfidential

        "#]],
        );
        let mut stranger = world();
        stranger.unsend(Param::ClientId);
        stranger.unsend(Param::ClientSecret);
        check(
            &stranger,
            &expect![[r#"
            no ClientMissing

        "#]],
        );
    }
}
