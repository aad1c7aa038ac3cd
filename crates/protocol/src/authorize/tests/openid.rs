//! Tests of authentication requests: what OpenID Connect adds to an authorization request.

use super::*;
use crate::openid::{Claim, RequestedClaims};

/// A world on the surface of an OpenID provider, in which `web` asks for these scopes and claims.
fn asking(scope: &str, claims: Option<&str>) -> World {
    let mut world = signed_in();
    world.policy.scope.is_openid = true;
    world.policy.scope.list.push(("openid".into(), "Know that it is you".into()));
    world.policy.scope.list.push(("offline_access".into(), "Stay connected".into()));
    world.send(Param::Scope, scope);
    world.send(Param::Nonce, "n-0S6");
    if let Some(claims) = claims {
        world.send(Param::Claims, claims);
    }
    world
}

/// Returns the name of the answer, of the page or of the refusal.
fn outcome(world: &World) -> String {
    match world.judge(&visit(world, None)).0.unwrap().step {
        Step::Return(back) => back.answer.map_or_else(|no| no.row().name, |reply| reply.kind.as_str()).to_owned(),
        Step::Ask(ask) => match ask.page {
            Page::SignIn { .. } => "sign in".to_owned(),
            Page::SecondFactor { .. } => "second factor".to_owned(),
            Page::Consent { scope, .. } => format!("consent to {scope}"),
        },
        Step::Go(path) => path,
    }
}

fn issued(world: &World) -> Authorization {
    let (_, changes) = world.judge(&visit(world, None));
    let code = changes.writes.into_iter().find_map(|change| match change {
        Write::PutCode(code) => Some(code),
        _ => None,
    });
    code.expect("a code was issued").authorization
}

#[test]
fn an_authentication_request_leaves_its_nonce_and_claims_with_the_code_openid_connect_core_3_1_2_1() {
    let claims = r#"{"userinfo":{"email":null},"id_token":{"name":null,"address":null}}"#;
    let world = with_consent(asking("openid", Some(claims)), "openid profile email");
    let authorization = issued(&world);
    assert_eq!(authorization.permission.scope.as_str(), "openid", "a claim is no scope");
    assert_eq!(authorization.circumstances.nonce.as_deref(), Some("n-0S6"));
    let expected = RequestedClaims { userinfo: vec![Claim::Email], id_token: vec![Claim::Name, Claim::Address] };
    assert_eq!(authorization.circumstances.claims, expected);
}

#[test]
fn a_request_of_oauth_alone_leaves_neither_openid_connect_core_3_1_2_1() {
    let claims = r#"{"userinfo":{"email":null}}"#;
    let oauth = with_consent(asking("profile", Some(claims)), "profile");
    let mut elsewhere = with_consent(asking("profile", Some("not JSON")), "profile");
    elsewhere.policy.scope.is_openid = false;
    for world in [oauth, elsewhere] {
        let circumstances = issued(&world).circumstances;
        assert_eq!((circumstances.nonce, circumstances.claims), (None, RequestedClaims::default()));
    }
}

#[test]
fn every_client_may_ask_for_openid_and_none_gets_it_unasked() {
    assert_eq!(outcome(&asking("openid", None)), "consent to openid");
    let mut unasked = asking("openid", None);
    unasked.facts.client =
        Some(Arc::new(Client { scope: Scope::of(["openid", "email", "offline_access"]), ..sample::client() }));
    unasked.unsend(Param::Scope);
    unasked.send(Param::Scope, " ");
    assert_eq!(outcome(&unasked), "consent to email");
    let mut oauth = asking("openid", None);
    oauth.policy.scope.is_openid = false;
    assert_eq!(outcome(&oauth), "ScopeNotAllowed");
}

#[test]
fn the_user_is_asked_to_allow_single_claims_by_their_scopes_openid_connect_core_5_5() {
    let claims = r#"{"userinfo":{"email":{"essential":true}},"id_token":{"nickname":null}}"#;
    assert_eq!(outcome(&asking("openid", Some(claims))), "consent to openid email profile");
    assert_eq!(
        outcome(&with_consent(asking("openid", Some(claims)), "openid email")),
        "consent to openid email profile"
    );
    assert_eq!(outcome(&with_consent(asking("openid", Some(claims)), "openid email profile")), "code");
}

#[test]
fn a_claim_that_the_client_may_not_ask_for_is_left_out() {
    let claims = r#"{"userinfo":{"email":{"essential":true},"name":null}}"#;
    let mut world = with_consent(asking("openid", Some(claims)), "openid profile");
    world.facts.client = Some(Arc::new(Client { scope: Scope::of(["profile"]), ..sample::client() }));
    assert_eq!(issued(&world).circumstances.claims.userinfo, [Claim::Name]);
}

#[test]
fn a_request_for_another_user_is_answered_for_nobody_else_openid_connect_core_3_1_2_2() {
    let claims = |sub: &str| format!(r#"{{"id_token":{{"sub":{{"value":"{sub}"}}}}}}"#);
    let asking = |sub: &str| with_consent(asking("openid", Some(&claims(sub))), "openid");
    assert_eq!(outcome(&asking("sub-alice")), "code");
    assert_eq!(outcome(&asking("sub-bob")), "sign in");
    let mut silent = asking("sub-bob");
    silent.send(Param::Prompt, "none");
    assert_eq!(outcome(&silent), "LoginNeeded");
    // The user signed in once more in the course of this request, and is still not the one.
    let world = asking("sub-bob");
    let begun = world.facts.session.as_ref().map(|held| Begun { session: held.row.id, is_fresh: true });
    let mut call = visit(&world, None);
    call.pending.progress.begun = begun;
    let Step::Return(back) = world.judge(&call).0.unwrap().step else { panic!("the answer is final") };
    assert_eq!(back.answer.unwrap_err().no, No::OtherUserSignedIn);
}

#[test]
fn an_essential_level_that_is_not_reached_fails_openid_connect_core_5_5_1_1() {
    let claims = |wish: &str| format!(r#"{{"id_token":{{"acr":{wish}}}}}"#);
    let two = r#"{"essential":true,"values":["urn:grantry:acr:2fa"]}"#;
    let one = r#"{"essential":true,"values":["urn:grantry:acr:2fa","urn:grantry:acr:1fa"]}"#;
    let voluntary = r#"{"value":"urn:grantry:acr:2fa"}"#;
    for (wish, expected) in [(two, "LevelNotReached"), (one, "code"), (voluntary, "code")] {
        assert_eq!(outcome(&with_consent(asking("openid", Some(&claims(wish))), "openid")), expected, "{wish}");
    }
    let strong = with_consent(asking("openid", Some(&claims(two))), "openid");
    let user = user_with_totp(&strong);
    assert_eq!(outcome(&with_session(strong, user, vec![Amr::Pwd, Amr::Otp])), "code");
}

#[test]
fn a_nonce_or_claims_that_cannot_be_kept_are_refused() {
    let mut long = asking("openid", None);
    long.send(Param::Nonce, &"n".repeat(513));
    assert_eq!(outcome(&long), "NonceTooLong");
    assert_eq!(outcome(&asking("openid", Some("[]"))), "ParameterMalformed");
}

#[test]
fn offline_access_is_ignored_without_a_code_openid_connect_core_11() {
    let allowed = |mut world: World| {
        let client = (**world.facts.client.as_ref().unwrap()).clone();
        let scope = Scope::of(["profile", "offline_access"]);
        world.facts.client = Some(Arc::new(Client { scope, ..client }));
        world
    };
    let world = || asking("openid offline_access profile", None);
    assert_eq!(outcome(&allowed(world())), "consent to openid offline_access profile");
    assert_eq!(outcome(&allowed(implicit::implicit(world()))), "consent to openid profile");
}
