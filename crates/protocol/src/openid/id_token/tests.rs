use super::*;
use crate::model::{Amr, Circumstances, Permission, SessionId};
use crate::openid::{Claim, RequestedClaims};
use crate::sample::{self, World};
use crate::time::UnixTime;

/// The world of an OpenID provider.
fn world() -> World {
    let mut world = World::new();
    world.policy.scope.is_openid = true;
    world
}

/// An authorization by code in a browser session, with a nonce.
fn authorization() -> Authorization {
    Authorization {
        permission: Permission { scope: Scope::of(["openid"]), audience: vec![] },
        circumstances: Circumstances {
            session: Some(SessionId(7)),
            amr: vec![Amr::Pwd, Amr::Otp],
            nonce: Some("n-0S6".into()),
            ..Circumstances::of(GrantType::AuthorizationCode)
        },
        ..sample::authorization()
    }
}

/// Returns the ID token of a first answer with the scope `openid`.
fn token(world: &World, client: Client, authorization: &Authorization) -> Option<ToSign> {
    let (client, user) = (Arc::new(client), Arc::new(sample::user()));
    let subject = Subject { client: &client, user: &user, authorization, is_first: true };
    subject.id_token(&Secret::new("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), &Scope::of(["openid"]), &world.turn())
}

#[test]
fn an_id_token_says_who_signed_in_when_and_how_openid_connect_core_2() {
    let world = world();
    let token = token(&world, sample::client(), &authorization()).unwrap();
    let expected = json!({
        "iss": "https://auth.example", "sub": "sub-alice", "aud": "web", "exp": 4600, "iat": 1000, "auth_time": 900,
        "nonce": "n-0S6", "acr": "urn:grantry:acr:2fa", "amr": ["pwd", "otp"], "azp": "web",
        // The access token and the value are those of OpenID Connect Core A.3.
        "at_hash": "77QmUPtjPfzWtF2AnpK9RQ",
        "sid": world.keys.session_name(7, 1),
    });
    assert_eq!(Value::Object(token.claims().clone()), expected);
    assert_eq!(token.algorithm(), Algorithm::Rs256);
    for name in token.claims().keys() {
        assert!(CLAIMS.contains(&name.as_str()), "{name} is not among the claims that the metadata list");
    }
}

#[test]
fn what_is_not_known_is_not_told() {
    let authorization = Authorization {
        auth_time: UnixTime(-900),
        circumstances: Circumstances::of(GrantType::AuthorizationCode),
        ..authorization()
    };
    let token = token(&world(), sample::client(), &authorization).unwrap();
    let names: Vec<&str> = token.claims().keys().map(String::as_str).collect();
    assert_eq!(names, ["iss", "sub", "aud", "azp", "at_hash", "iat", "exp"]);
}

#[test]
fn the_hash_is_that_of_the_client_s_algorithm_openid_connect_core_3_1_3_6() {
    let own = Client { id_token_alg: Some(Algorithm::EdDsa), ..sample::client() };
    let token = token(&world(), own, &authorization()).unwrap();
    assert_eq!(token.algorithm(), Algorithm::EdDsa);
    let text = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
    assert_eq!(token.claims()["at_hash"], half_hash(Algorithm::EdDsa, text));
}

#[test]
fn requested_claims_are_told_as_far_as_the_client_may_ask_for_them_openid_connect_core_5_5() {
    let claims = RequestedClaims { id_token: vec![Claim::Email, Claim::Name, Claim::GivenName], userinfo: vec![] };
    let circumstances = Circumstances { claims, ..authorization().circumstances };
    let authorization = Authorization { circumstances, ..authorization() };
    let told = |scope: &[&str]| {
        let client = Client { scope: Scope::of(scope.iter().copied()), ..sample::client() };
        let token = token(&world(), client, &authorization).unwrap();
        ["email", "name", "given_name"].map(|name| token.claims().get(name).cloned())
    };
    let email = Some(Value::from("alice@example.com"));
    assert_eq!(told(&["profile", "email"]), [email.clone(), Some("Alice Doe".into()), None]);
    assert_eq!(told(&["email"]), [email, None, None], "the operator took the scope away");
}

#[test]
fn no_id_token_without_openid_elsewhere_or_by_another_grant() {
    let world = world();
    let mut oauth = World::new();
    oauth.policy.scope.is_openid = false;
    let by_password = Circumstances { first_grant: Some(GrantType::Password), ..authorization().circumstances };
    assert!(token(&oauth, sample::client(), &authorization()).is_none());
    let by_password = Authorization { circumstances: by_password, ..authorization() };
    assert!(token(&world, sample::client(), &by_password).is_none());
    let (client, user) = (Arc::new(sample::client()), Arc::new(sample::user()));
    let authorization = authorization();
    let subject = Subject { client: &client, user: &user, authorization: &authorization, is_first: true };
    assert!(subject.id_token(&Secret::new("a"), &Scope::of(["profile"]), &world.turn()).is_none());
}

#[test]
fn a_refresh_keeps_the_time_of_the_authentication_and_leaves_out_the_nonce_openid_connect_core_12_2() {
    let (client, user, authorization) = (Arc::new(sample::client()), Arc::new(sample::user()), authorization());
    let mut world = world();
    world.now = UnixTime(5000);
    let subject = Subject { client: &client, user: &user, authorization: &authorization, is_first: false };
    let token = subject.id_token(&Secret::new("a"), &Scope::of(["openid"]), &world.turn()).unwrap();
    assert_eq!((&token.claims()["auth_time"], &token.claims()["iat"]), (&json!(900), &json!(5000)));
    assert_eq!(token.claims().get("nonce"), None);
}

#[test]
fn each_client_knows_a_session_by_another_name() {
    let world = world();
    let sid = |key: i64, session: i64| {
        let client = Client { key: crate::model::ClientKey(key), ..sample::client() };
        let circumstances = Circumstances { session: Some(SessionId(session)), ..authorization().circumstances };
        token(&world, client, &Authorization { circumstances, ..authorization() }).unwrap().claims()["sid"].clone()
    };
    assert_eq!(sid(1, 7), sid(1, 7));
    assert_ne!(sid(1, 7), sid(2, 7));
    assert_ne!(sid(1, 7), sid(1, 8));
}
