//! Tests of the userinfo endpoint.

use super::*;
use crate::crypto::keys::TokenKind;
use crate::line::Changes;
use crate::model::{Grant, GrantId};
use crate::sample::{self, World};
use crate::time::UnixTime;
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

/// Returns the claims about a user with every standard attribute, as a token of this scope opens them on the surface of an
/// OpenID provider, whose authorization asked for the claims `requested`.
fn told(scope: &str, requested: &[Claim], is_granted: bool) -> String {
    let (mut world, params) = world(Scope::parse(scope).unwrap());
    world.policy.scope.is_openid = true;
    for word in ["openid", "address", "phone"] {
        world.policy.scope.list.push((word.into(), String::new()));
    }
    let attributes = serde_json::json!({
        "given_name": "Alice", "birthdate": 1970, "address": {"country": "Utopia"}, "phone_number": "+1 555 0100",
        "team": "blue",
    });
    let user = User { attributes: attributes.as_object().unwrap().clone(), ..sample::user() };
    let held = world.facts.access.as_mut().unwrap();
    let client = Client { scope: Scope::of(["profile", "email", "address"]), ..sample::client() };
    (held.user, held.client) = (Some(Arc::new(user)), Some(Arc::new(client)));
    let mut authorization = sample::authorization();
    authorization.circumstances.claims.userinfo = requested.to_vec();
    world.facts.grant = is_granted.then(|| WithOwners {
        row: Grant {
            id: GrantId(100),
            authorization,
            created_at: UnixTime(900),
            expires_at: UnixTime(2000),
            refresh: None,
            is_revoked: false,
        },
        client: None,
        user: None,
        is_grant_revoked: false,
    });
    let request = UserinfoRequest::parse(params, Scope::default(), &world.policy, &world.keys).unwrap();
    let reply = world.judge(&request).0.unwrap();
    let told = reply.fields.value(Field::User).unwrap().as_object().unwrap();
    let names = told.keys().map(String::as_str).filter(|name| !["id", "active", "created_at"].contains(name));
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn each_scope_opens_its_standard_claims_openid_connect_core_5_4() {
    for (scope, expected) in [
        ("openid", ""),
        // An attribute of another type than the claim has is not told.
        ("openid profile", "name username updated_at given_name team"),
        ("openid email", "email verified"),
        ("openid address", "address"),
        ("openid phone", "phone_number"),
        ("openid address phone", "address phone_number"),
    ] {
        assert_eq!(told(scope, &[], true), expected, "{scope}");
    }
}

#[test]
fn single_claims_are_opened_by_the_authorization_openid_connect_core_5_5() {
    let asked = [Claim::GivenName, Claim::Email, Claim::Address, Claim::PhoneNumber];
    assert_eq!(told("openid", &asked, true), "given_name address email", "the client may not ask for the scope phone");
    assert_eq!(told("openid", &asked, false), "", "the grant is gone");
    assert_eq!(told("links:read", &asked, true), "", "a narrowed token is no token of OpenID Connect");
}
