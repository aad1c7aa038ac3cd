//! Tests of the implicit grant, and of [`Precheck`].

use super::*;

/// A world whose surface has the implicit grant, with a public client that may use it and has an https redirect URI.
pub(super) fn implicit(mut world: World) -> World {
    world.policy.grants = vec![GrantType::Implicit];
    world.policy.is_iss_sent = false;
    let own = Client { grants: vec![GrantType::Implicit], ..sample::client() };
    world.facts.client = Some(Arc::new(Client { kind: ClientKind::Public, secrets: vec![], ..own }));
    world.send(Param::ResponseType, "token");
    world.unsend(Param::CodeChallenge);
    world.unsend(Param::CodeChallengeMethod);
    world
}

#[test]
fn the_implicit_grant_gives_a_token_at_once_and_no_refresh_token_rfc_6749_4_2_2() {
    let mut world = with_consent(implicit(signed_in()), "profile");
    let (verdict, changes) = world.judge(&visit(&world, None));
    let Step::Return(back) = verdict.unwrap().step else { panic!("it goes back") };
    let reply = back.answer.unwrap();
    expect![[r#"
        implicit {"access_token": String("…"), "expires_in": Number(3600), "expires_at": Number(4600), "scope": String("profile")}
        Rely, Rely, Rely, Rely, Rely, PutAccess, PutGrant, Note grant_begun
    "#]]
    .assert_eq(&sample::told(Ok(reply), &changes));
    // The answer has the `scope` if the request had none, or another one.
    world.send(Param::Scope, "");
    world.policy.scope.default = Scope::of(["profile"]);
    let (verdict, _) = world.judge(&visit(&world, None));
    let Step::Return(back) = verdict.unwrap().step else { panic!("it goes back") };
    assert_eq!(back.answer.unwrap().fields.value(Field::ScopeIfChanged), Some(&"profile".into()));
}

#[test]
fn a_token_goes_into_the_query_only_where_the_surface_has_tokens_there() {
    for (mode, is_in_query, expected) in [
        (None, false, "return implicit to https://app.example/cb by None"),
        (Some("fragment"), true, "return implicit to https://app.example/cb by Some(Fragment)"),
        (Some("query"), true, "return implicit to https://app.example/cb by Some(Query)"),
        (Some("query"), false, "return ResponseModeUnknown to https://app.example/cb by None"),
        (Some("form_post"), false, "return implicit to https://app.example/cb by Some(FormPost)"),
    ] {
        let mut world = with_consent(implicit(signed_in()), "profile");
        world.policy.is_implicit_in_query = is_in_query;
        if let Some(mode) = mode {
            world.send(Param::ResponseMode, mode);
        }
        let told = told(&world, None);
        assert!(told.starts_with(expected), "{mode:?} {is_in_query}: {told}");
    }
}

#[test]
fn a_code_is_not_asked_for_where_only_tokens_are_given_and_the_other_way_round() {
    let mut for_code = with_consent(implicit(signed_in()), "profile");
    for_code.send(Param::ResponseType, "code");
    assert!(told(&for_code, None).starts_with("return ResponseTypeUnknown"));
    let mut for_token = with_consent(signed_in(), "profile");
    for_token.send(Param::ResponseType, "token");
    assert!(told(&for_token, None).starts_with("return ResponseTypeUnknown"));
}

#[test]
fn a_second_factor_that_ends_in_a_token_depends_on_the_account_once() {
    let mut world = implicit(world());
    let user = user_with_totp(&world);
    world = with_consent(with_session(world, user, vec![Amr::Pwd]), "profile");
    world.now = UnixTime(1_000_000_059);
    let session = &mut world.facts.session.as_mut().unwrap().row;
    (session.auth_time, session.seen_at) = (world.now, world.now);
    (session.idle_until, session.expires_at) = (world.now.plus(600), world.now.plus(600));
    let recovery = crate::person::recovery::codes(&mut crate::crypto::entropy::Entropy::seeded([5; 32], 1)).0;
    let (_, changes) = world.judge(&visit(&world, Some(Answer::Proof(Proof::SecondFactor(recovery[0].clone())))));
    let relied = changes.relied.iter().filter(|rely| matches!(rely, Rely::User(..))).count();
    let written = changes.writes.iter().filter(|change| matches!(change, Write::PutUser(_))).count();
    let issued = changes.writes.iter().filter(|change| matches!(change, Write::PutAccess(_))).count();
    assert_eq!((relied, written, issued), (0, 1, 1));
}

#[test]
fn a_precheck_finds_what_the_page_would_refuse() {
    let check = |world: &World| {
        let call = Precheck { params: world.params() };
        world.judge(&call).0.map_err(|refusal| refusal.no)
    };
    assert_eq!(check(&world()), Ok(()));
    let mut elsewhere = world();
    elsewhere.send(Param::RedirectUri, "https://evil.example/cb");
    assert_eq!(check(&elsewhere), Err(No::RedirectUriUnregistered));
    let mut odd = world();
    odd.send(Param::Scope, "nothing-of-ours");
    assert_eq!(check(&odd), Err(No::ScopeUnknown));
}

#[test]
fn a_token_for_an_address_that_anybody_may_have_is_asked_about_each_time_rfc_6749_10_2() {
    let mut world = with_consent(implicit(signed_in()), "profile");
    let own = world.facts.client.as_ref().unwrap();
    let redirect_uris = vec!["http://127.0.0.1/cb".to_owned()];
    let local = Client { kind: ClientKind::Confidential, is_first_party: true, redirect_uris, ..(**own).clone() };
    world.facts.client = Some(Arc::new(local));
    world.send(Param::RedirectUri, "http://127.0.0.1/cb");
    assert!(told(&world, None).starts_with("ask consent"));
    world.send(Param::Prompt, "none");
    assert!(told(&world, None).starts_with("return ConsentNeeded"));
}
