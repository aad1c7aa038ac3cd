//! Tests of the authorization endpoint: each row of the table in [`crate::authorize`].

mod authorization;
mod faults;
mod fresh;
mod implicit;
mod openid;
mod proofs;
mod pushed;
mod request_object;
mod upstream;

use expect_test::{Expect, expect};

use super::*;
use crate::line::Changes;
use crate::model::Consent;
use crate::model::{Amr, Attempts, ClientKind, GrantType, Pkce, Session, Totp, User, WithOwners};
use crate::person::browser::Return;
use crate::person::password;
use crate::person::sign_in::Begun;
use crate::person::upstream::Assertion;
use crate::sample::{self, World};
use crate::scope::Scope;
use crate::secret::{Digest, Secret};
use crate::time::UnixTime;

/// A world in which the client `web` asks for the scope `profile` with PKCE, and nobody is signed in.
fn world() -> World {
    let mut world = World::new();
    world.unsend(Param::ClientSecret);
    for (param, value) in [
        (Param::ResponseType, "code"),
        (Param::RedirectUri, "https://app.example/cb"),
        (Param::Scope, "profile"),
        (Param::State, "a b&c"),
        (Param::CodeChallenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        (Param::CodeChallengeMethod, "S256"),
    ] {
        world.send(param, value);
    }
    world
}

/// The same world with a session of `user`, who authenticated by the methods `amr`.
fn with_session(mut world: World, user: User, amr: Vec<Amr>) -> World {
    let minted = world.mint(TokenKind::Session);
    world.session = Some(crate::crypto::keys::Presented { id: minted.id, digest: minted.digest });
    world.facts.session = Some(WithOwners {
        row: Session {
            id: SessionId(minted.id),
            digest: minted.digest,
            user: user.key,
            amr,
            auth_time: UnixTime(950),
            created_at: UnixTime(950),
            seen_at: UnixTime(990),
            idle_until: UnixTime(5000),
            expires_at: UnixTime(9000),
            address: String::new(),
            agent: String::new(),
        },
        client: None,
        user: Some(Arc::new(user)),
        is_grant_revoked: false,
    });
    world
}

fn signed_in() -> World {
    with_session(world(), sample::user(), vec![Amr::Pwd])
}

fn with_consent(mut world: World, scope: &str) -> World {
    world.facts.consent = Some(Consent {
        id: 1,
        user: sample::user().key,
        client: sample::client().key,
        permission: Permission { scope: Scope::parse(scope).unwrap(), audience: vec![] },
        given_at: UnixTime(100),
        renewed_at: UnixTime(100),
    });
    world
}

const SEED: &[u8] = b"12345678901234567890";

fn user_with_totp(world: &World) -> User {
    let sealed_seed =
        world.keys.keep("totp", b"sub-alice", SEED, &mut crate::crypto::entropy::Entropy::seeded([4; 32], 1));
    let (_, recovery) = crate::person::recovery::codes(&mut crate::crypto::entropy::Entropy::seeded([5; 32], 1));
    let totp = Totp { sealed_seed, digits: 6, last_step: 0, recovery, enabled_at: UnixTime(0) };
    User { totp: Some(totp), ..sample::user() }
}

fn visit(world: &World, answer: Option<Answer>) -> Visit {
    let begun = world.facts.session.as_ref().filter(|_| answer.is_some());
    let begun = begun.map(|held| Begun { session: held.row.id, is_fresh: true });
    let scope = Scope::parse(&world.sent(Param::Scope)).unwrap();
    let pending = PendingVisit {
        user: Some(sample::user().key),
        shown: Some(Permission { scope, audience: vec![] }),
        progress: Progress { begun, link: None },
        ..PendingVisit::new(Goal::Authorize(Box::new(world.params())), 4000)
    };
    let pending = if answer.is_none() { pending.anew() } else { pending };
    let caller =
        Caller { session: world.session, browser: Digest::of(b"browser"), agent: "Test".into(), devices: vec![] };
    Visit { pending, caller, address: "192.0.2.1".into(), answer }
}

/// Judges the visit, and returns two lines for a comparison: the step, and the changes.
fn told(world: &World, answer: Option<Answer>) -> String {
    let (verdict, changes) = world.judge(&visit(world, answer));
    let step = match verdict {
        Err(refusal) => format!("refuse {} {:?}", refusal.row().name, refusal.param),
        Ok(Browse { step, cookie }) => {
            let cookie = match cookie {
                Cookie::Keep => "",
                Cookie::Set(..) => " + new session",
                Cookie::Clear => " + no session",
            };
            let step = match step {
                Step::Go(path) => format!("go {path}"),
                Step::Return(back) => {
                    let answer = match back.answer {
                        Ok(reply) => reply.kind.as_str(),
                        Err(refusal) => refusal.row().name,
                    };
                    format!("return {answer} to {} by {:?} with {:?}", back.to.as_str(), back.mode, back.fields)
                }
                Step::Ask(ask) => match ask.page {
                    Page::SignIn { client, login, problem, .. } => format!(
                        "ask sign-in for {:?} as {login:?}, {:?}",
                        client.map(|client| client.name.clone()),
                        problem.map(|problem| problem.no)
                    ),
                    Page::SecondFactor { problem, .. } => {
                        format!("ask second factor, {:?}", problem.map(|problem| problem.no))
                    }
                    Page::Consent { scope, added, redirect, .. } => {
                        format!("ask consent to {scope}, new {added}, then {}", redirect.host())
                    }
                },
            };
            format!("{step}{cookie}")
        }
    };
    format!("{step}\n{}\n", sample::names(&changes))
}

fn check(world: &World, expected: &Expect) {
    expected.assert_eq(&told(world, None));
}

fn sign_in(password: &str) -> Option<Answer> {
    Some(Answer::Proof(Proof::Password { login: "alice".into(), password: Secret::new(password) }))
}

#[test]
fn an_unknown_client_or_redirect_uri_is_refused_on_a_page_and_never_redirected_rfc_6749_4_1_2_1() {
    let mut unknown = world();
    unknown.facts.client = None;
    check(
        &unknown,
        &expect![[r#"
        refuse AuthorizeClientUnknown Some(ClientId)

    "#]],
    );
    let mut foreign = world();
    foreign.send(Param::RedirectUri, "https://evil.example/cb");
    foreign.send(Param::ResponseType, "nonsense");
    check(
        &foreign,
        &expect![[r#"
        refuse RedirectUriUnregistered Some(RedirectUri)

    "#]],
    );
}

#[test]
fn a_malformed_request_returns_its_error_with_state_and_issuer_rfc_9207_2() {
    let mut world = world();
    world.send(Param::ResponseType, "token");
    check(
        &world,
        &expect![[r#"
            return ResponseTypeUnknown to https://app.example/cb by None with {"state": String("a b&c"), "iss": String("https://auth.example")}

        "#]],
    );
}

#[test]
fn every_fault_of_a_request_has_its_name() {
    let faults = [
        (Param::CodeChallengeMethod, "plain", "ChallengeMethodUnknown"),
        (Param::CodeChallenge, "short", "ParameterMalformed"),
        (Param::Scope, "nonsense", "ScopeUnknown"),
        (Param::Scope, "admin", "ScopeNotAllowed"),
        (Param::Resource, "https://unknown.example/", "ResourceUnknown"),
        (Param::Prompt, "none login", "PromptMalformed"),
        (Param::MaxAge, "-1", "ParameterMalformed"),
        (Param::ResponseMode, "fragment", "ResponseModeUnknown"),
    ];
    for (param, value, name) in faults {
        let mut world = signed_in();
        world.send(param, value);
        assert!(told(&world, None).starts_with(&format!("return {name} ")), "{name}: {}", told(&world, None));
    }
    // RFC 6749 §4.1.2.1, invalid_request: "The request is missing a required parameter".
    let mut untyped = signed_in();
    untyped.unsend(Param::ResponseType);
    assert!(told(&untyped, None).starts_with("return ParameterMissing "));
}

#[test]
fn pkce_is_required_unless_a_confidential_client_waived_it() {
    let mut required = signed_in();
    required.unsend(Param::CodeChallenge);
    required.unsend(Param::CodeChallengeMethod);
    assert!(told(&required, None).starts_with("return ChallengeMissing"));
    required.facts.client = Some(Arc::new(Client { pkce: Pkce::Optional, ..sample::client() }));
    assert!(told(&required, None).starts_with("ask consent"));
    let public = Client { pkce: Pkce::Optional, client_id: "web".into(), ..sample::public_client() };
    required.facts.client = Some(Arc::new(public));
    assert!(told(&required, None).starts_with("return ChallengeMissing"));
}

#[test]
fn who_is_not_signed_in_is_asked_and_under_prompt_none_sent_back() {
    let mut world = world();
    check(
        &world,
        &expect![[r#"
        ask sign-in for Some("Web") as "", None

    "#]],
    );
    world.send(Param::Prompt, "none");
    assert!(told(&world, None).starts_with("return LoginNeeded"));
}

#[test]
fn a_session_leads_to_consent_and_consent_to_a_code() {
    check(
        &signed_in(),
        &expect![[r#"
        ask consent to profile, new profile, then app.example

    "#]],
    );
    let approved = told(&signed_in(), Some(Answer::Consent { is_approved: true }));
    expect![[r#"
        return code to https://app.example/cb by None with {"state": String("a b&c"), "iss": String("https://auth.example")}
        Rely, Rely, Rely, Rely, PutConsent, Note consent_given, PutCode
    "#]]
    .assert_eq(&approved);
    let denied = told(&signed_in(), Some(Answer::Consent { is_approved: false }));
    expect![[r#"
        return UserDenied to https://app.example/cb by None with {"state": String("a b&c"), "iss": String("https://auth.example")}
        Note consent_denied
    "#]]
    .assert_eq(&denied);
}

#[test]
fn a_remembered_consent_covers_what_it_implies_and_is_asked_again_for_more() {
    check(
        &with_consent(signed_in(), "profile"),
        &expect![[r#"
        return code to https://app.example/cb by None with {"state": String("a b&c"), "iss": String("https://auth.example")}
        Rely, Rely, Rely, Rely, PutCode
    "#]],
    );
    let mut more = with_consent(signed_in(), "profile links:write");
    more.send(Param::Scope, "profile links:read email");
    check(
        &more,
        &expect![[r#"
        ask consent to profile links:read email, new email, then app.example

    "#]],
    );
    more.send(Param::Prompt, "none");
    assert!(told(&more, None).starts_with("return ConsentNeeded"));
}

#[test]
fn prompt_consent_asks_again_and_a_first_party_is_never_asked_about() {
    let mut again = with_consent(signed_in(), "profile");
    again.send(Param::Prompt, "consent");
    assert!(told(&again, None).starts_with("ask consent"));
    let mut own = signed_in();
    own.facts.client = Some(Arc::new(Client { is_first_party: true, ..sample::client() }));
    assert!(told(&own, None).starts_with("return code"));
}

#[test]
fn an_application_on_a_device_is_asked_about_every_time_rfc_6749_10_2() {
    let client = Client { redirect_uris: vec!["http://127.0.0.1/cb".into()], ..sample::public_client() };
    let mut world = with_consent(signed_in(), "profile");
    world.facts.client = Some(Arc::new(client));
    world.send(Param::RedirectUri, "http://127.0.0.1:5000/cb");
    assert!(told(&world, None).starts_with("ask consent"));
}

#[test]
fn a_consent_page_shown_to_somebody_else_is_no_answer() {
    let world = signed_in();
    let mut visit = visit(&world, Some(Answer::Consent { is_approved: true }));
    visit.pending.user = Some(crate::model::UserKey(77));
    let (verdict, changes) = world.judge(&visit);
    assert!(matches!(verdict.unwrap().step, Step::Ask(Ask { page: Page::Consent { .. }, .. })));
    assert_eq!(changes, Changes::default());
}

#[test]
fn an_application_of_the_operator_on_a_device_is_asked_about_too_rfc_6749_10_2() {
    let client =
        Client { redirect_uris: vec!["http://127.0.0.1/cb".into()], is_first_party: true, ..sample::public_client() };
    let mut world = signed_in();
    world.facts.client = Some(Arc::new(client));
    world.send(Param::RedirectUri, "http://127.0.0.1:6666/cb");
    world.send(Param::Prompt, "none");
    assert!(told(&world, None).starts_with("return ConsentNeeded"));
}

#[test]
fn a_consent_for_one_resource_does_not_cover_another_or_all() {
    let mut world = with_consent(signed_in(), "profile");
    world.facts.consent.as_mut().unwrap().permission.audience = vec!["https://api.example/".into()];
    assert!(told(&world, None).starts_with("ask consent"));
    world.send(Param::Resource, "https://files.example/");
    assert!(told(&world, None).starts_with("ask consent"));
    world.send(Param::Resource, "https://api.example/");
    assert!(told(&world, None).starts_with("return code"));
}

#[test]
fn an_answer_to_a_page_that_showed_something_else_is_asked_again() {
    let mut world = signed_in();
    let shown = visit(&world, Some(Answer::Consent { is_approved: true })).pending.shown;
    world.send(Param::Scope, "profile email");
    let mut visit = visit(&world, Some(Answer::Consent { is_approved: true }));
    visit.pending.shown = shown;
    let (verdict, changes) = world.judge(&visit);
    assert!(matches!(verdict.unwrap().step, Step::Ask(Ask { page: Page::Consent { .. }, .. })));
    assert_eq!(changes, Changes::default());
}

#[test]
fn a_recovery_code_works_once() {
    let world = with_session(world(), user_with_totp(&world()), vec![Amr::Pwd]);
    let (texts, _) = crate::person::recovery::codes(&mut crate::crypto::entropy::Entropy::seeded([5; 32], 1));
    let (_, changes) = world.judge(&visit(&world, Some(Answer::Proof(Proof::SecondFactor(texts[2].clone())))));
    let burnt = changes.writes.iter().find_map(|change| match change {
        Write::PutUser(user) => user.totp.as_ref(),
        _ => None,
    });
    assert_eq!(burnt.unwrap().recovery.len(), 9);
    assert!(!burnt.unwrap().recovery.contains(&crate::person::recovery::digest(texts[2].reveal())));
}

#[test]
fn an_empty_answer_to_the_second_factor_is_wrong() {
    let world = with_session(world(), user_with_totp(&world()), vec![Amr::Pwd]);
    assert!(told(&world, Some(Answer::Proof(Proof::SecondFactor(Secret::new(""))))).contains("SecondFactorWrong"));
}

#[test]
fn a_second_factor_is_asked_for_on_the_way_to_own_pages_too() {
    let world = with_session(world(), user_with_totp(&world()), vec![Amr::Pwd]);
    let mut visit = visit(&world, None);
    visit.pending.goal = Goal::Page("/account".into());
    let (verdict, _) = world.judge(&visit);
    assert!(matches!(verdict.unwrap().step, Step::Ask(Ask { page: Page::SecondFactor { .. }, .. })));
}

#[test]
fn prompt_login_and_max_age_want_a_sign_in_since_the_browser_came() {
    let mut again = with_consent(signed_in(), "profile");
    again.send(Param::Prompt, "login");
    assert!(told(&again, None).starts_with("ask sign-in"));
    again.facts.login = Some(Arc::new(sample::user()));
    assert!(told(&again, sign_in(sample::PASSWORD)).starts_with("return code"));
    let mut old = with_consent(signed_in(), "profile");
    old.send(Param::MaxAge, "49");
    assert!(told(&old, None).starts_with("ask sign-in"));
    old.send(Param::MaxAge, "50");
    assert!(told(&old, None).starts_with("return code"));
}

#[test]
fn dead_sessions_count_for_nothing() {
    let mut idle = signed_in();
    idle.now = UnixTime(5000);
    assert!(told(&idle, None).starts_with("ask sign-in"));
    let gone = with_session(world(), User { is_disabled: true, ..sample::user() }, vec![Amr::Pwd]);
    assert!(told(&gone, None).starts_with("ask sign-in"));
    let everywhere = with_session(world(), User { revoked_below: 4000, ..sample::user() }, vec![Amr::Pwd]);
    assert!(told(&everywhere, None).starts_with("ask sign-in"));
    let mut forged = signed_in();
    forged.facts.session.as_mut().unwrap().row.digest = Digest::of(b"another");
    assert!(told(&forged, None).starts_with("ask sign-in"));
}

#[test]
fn a_pending_visit_opens_in_its_own_browser_and_in_time_only() {
    let world = world();
    let pending = PendingVisit::new(Goal::Authorize(Box::new(world.params())), 7);
    let browser = Digest::of(b"browser");
    let seal = pending.seal(
        "standard",
        &browser,
        world.now,
        &world.keys,
        &mut crate::crypto::entropy::Entropy::seeded([6; 32], 1),
    );
    let open = |browser: Digest, now| {
        PendingVisit::open(&seal, &browser, now, &world.keys).map(|(pending, dialect)| (pending.began, dialect))
    };
    assert_eq!(open(browser, UnixTime(1001)), Ok((7, "standard".into())));
    assert_eq!(open(Digest::of(b"other"), UnixTime(1001)), Err(No::PageStale));
    assert_eq!(open(browser, UnixTime(1000 + 30 * 60)), Err(No::PageStale));
}

#[test]
fn the_samples_password_is_the_samples_password() {
    assert!(password::is_right(sample::user().password.as_deref().unwrap(), &Secret::new(sample::PASSWORD)));
}
