//! Tests of `prompt=login`, `max_age` and confirmations: whether a user authenticated after the request was made.
//! OpenID Connect Core §3.1.2.1.

use super::*;
use crate::model::Session;
use crate::person::upstream::{UnverifiedIdToken, sample as issuer};

/// A user comes back at the time 1000 from an upstream identity provider, to which the browser was sent at 990. The
/// `auth_time` of the ID token is `auth_time`; `null` leaves it out.
#[expect(clippy::needless_pass_by_value, reason = "tests write the time in place")]
fn said(auth_time: serde_json::Value) -> Option<Answer> {
    let jwt = UnverifiedIdToken::read(issuer::token(&issuer::claims_with(serde_json::json!({"auth_time": auth_time}))))
        .unwrap();
    let said = Assertion::new(jwt, issuer::issuer(), None).asked_at(Some(UnixTime(990)));
    Some(Answer::Proof(Proof::Upstream(Ok(Box::new(said)))))
}

/// A visit of a browser without a session, for an application that sends this parameter.
fn asking(param: Param, value: &str, user: Option<User>) -> World {
    let mut world = world();
    world.facts.client = Some(Arc::new(Client { is_first_party: true, ..sample::client() }));
    world.send(param, value);
    world.facts.login = user.map(Arc::new);
    world
}

fn without_password() -> User {
    User { password: None, ..sample::user() }
}

#[test]
fn an_issuer_elsewhere_makes_a_visit_fresh_only_by_a_time_after_it_was_asked() {
    let old = 1000 - 30 * 86_400;
    for (param, value) in [(Param::Prompt, "login"), (Param::MaxAge, "0"), (Param::Prompt, "login consent")] {
        let world = asking(param, value, Some(without_password()));
        for time in [serde_json::json!(995), serde_json::json!(961), serde_json::json!(1020)] {
            let told = told(&world, said(time.clone()));
            let is_on = told.starts_with("return code") || told.starts_with("ask consent");
            assert!(is_on, "{param:?} {value} {time}: {told}");
        }
        for time in [serde_json::json!(null), serde_json::json!(old), serde_json::json!(900), serde_json::json!(1100)] {
            let told = told(&world, said(time.clone()));
            assert!(told.starts_with("ask sign-in") && told.contains("UpstreamNotFresh"), "{param:?} {time}: {told}");
            assert!(!told.contains("PutCode"), "{told}");
        }
    }
    // The request asks for no recent authentication.
    let world = asking(Param::Prompt, "select_account", Some(without_password()));
    assert!(told(&world, said(serde_json::json!(null))).starts_with("return code"));
    // The `auth_time` of the identity provider is within the requested maximum age.
    let world = asking(Param::MaxAge, "600", Some(without_password()));
    assert!(told(&world, said(serde_json::json!(450))).starts_with("return code"));
    assert!(told(&world, said(serde_json::json!(300))).starts_with("ask sign-in"));
}

#[test]
fn the_time_of_the_issuer_becomes_the_session_s_and_its_methods_do_not() {
    let begun = |time: serde_json::Value| {
        let mut claims = issuer::claims_with(serde_json::json!({"auth_time": time}));
        claims["amr"] = serde_json::json!(["pwd", "otp", "mfa"]);
        claims["acr"] = serde_json::json!("phrh");
        let said = Assertion::new(UnverifiedIdToken::read(issuer::token(&claims)).unwrap(), issuer::issuer(), None);
        let world = asking(Param::State, "s", Some(without_password()));
        let (_, changes) = world.judge(&visit(&world, Some(Answer::Proof(Proof::Upstream(Ok(Box::new(said)))))));
        let session = changes.writes.into_iter().find_map(|change| match change {
            Write::PutSession(session) => Some(*session),
            _ => None,
        });
        session.expect("a session begins")
    };
    assert_eq!(
        (begun(serde_json::json!(700)).auth_time, begun(serde_json::json!(700)).undated_since()),
        (UnixTime(700), None)
    );
    let undated = begun(serde_json::json!(null));
    assert_eq!((undated.undated_since(), undated.amr), (Some(UnixTime(1000)), vec![Amr::Fed]));
    assert!(Session::undated(UnixTime(1000)) < UnixTime(1));
}

/// A session that a clock puts after the start of the visit need not have begun in the course of the visit.
#[test]
fn only_a_session_that_the_pending_visit_began_is_fresh_whatever_the_clocks_of_nodes_say() {
    let mut world = with_consent(signed_in(), "profile");
    world.send(Param::Prompt, "login");
    let row = &mut world.facts.session.as_mut().unwrap().row;
    (row.auth_time, row.created_at) = (UnixTime(1060), UnixTime(1060));
    let mut visit = visit(&world, None);
    visit.pending.began = 1;
    let step = |visit: &Visit| match world.judge(visit).0.unwrap().step {
        Step::Return(back) => back.answer.map(|_| "code").map_err(|refusal| refusal.no),
        Step::Ask(Ask { page: Page::SignIn { .. }, .. }) => Ok("sign-in"),
        other => panic!("{other:?}"),
    };
    assert_eq!(step(&visit), Ok("sign-in"));
    let session = world.facts.session.as_ref().unwrap().row.id;
    visit.pending.progress.begun = Some(Begun { session: SessionId(session.0 + 1), is_fresh: true });
    assert_eq!(step(&visit), Ok("sign-in"), "it began another one");
    visit.pending.progress.begun = Some(Begun { session, is_fresh: false });
    assert_eq!(step(&visit), Ok("sign-in"), "nothing was proven");
    visit.pending.progress.begun = Some(Begun { session, is_fresh: true });
    assert_eq!(step(&visit), Ok("code"));
}

#[test]
fn a_code_of_the_second_factor_makes_a_visit_fresh_that_came_by_an_issuer_without_a_time() {
    let mut world = with_session(world(), User { password: None, ..user_with_totp(&world()) }, vec![Amr::Fed]);
    world.facts.client = Some(Arc::new(Client { is_first_party: true, ..sample::client() }));
    world.send(Param::Prompt, "login");
    let row = &mut world.facts.session.as_mut().unwrap().row;
    row.auth_time = Session::undated(UnixTime(990));
    let session = row.id;
    let code = Secret::new(crate::person::totp::code(SEED, 1000 / 30, 6));
    let mut visit = visit(&world, Some(Answer::Proof(Proof::SecondFactor(code))));
    visit.pending.progress.begun = Some(Begun { session, is_fresh: false });
    let (verdict, changes) = world.judge(&visit);
    assert!(matches!(verdict.unwrap().step, Step::Return(Return { answer: Ok(_), .. })));
    let auth_time = changes.writes.iter().find_map(|change| match change {
        Write::PutSession(session) => Some(session.auth_time),
        _ => None,
    });
    assert_eq!(auth_time, Some(world.now));
}

#[test]
fn the_button_is_not_offered_where_it_would_be_of_no_use() {
    let offered = |user: User, prompt: &str, is_dating| {
        let mut world = with_session(world(), user, vec![Amr::Pwd]);
        world.policy.session.is_upstream_dating = is_dating;
        world.send(Param::Prompt, prompt);
        match world.judge(&visit(&world, None)).0.unwrap().step {
            Step::Ask(Ask { page: Page::SignIn { is_upstream_enough, .. }, .. }) => is_upstream_enough,
            other => panic!("{other:?}"),
        }
    };
    assert!(!offered(sample::user(), "login", false));
    assert!(offered(sample::user(), "login", true));
    assert!(offered(sample::user(), "select_account", false));
    assert!(offered(without_password(), "login", false), "there is no other way");
    let mut nobody = world();
    nobody.policy.session.is_upstream_dating = false;
    nobody.send(Param::Prompt, "login");
    let step = nobody.judge(&visit(&nobody, None)).0.unwrap().step;
    assert!(matches!(step, Step::Ask(Ask { page: Page::SignIn { is_upstream_enough: true, .. }, .. })));
}

#[test]
fn a_confirmation_goes_on_after_a_time_of_the_issuer_s_that_is_recent() {
    let confirmed = |auth_time: UnixTime| {
        let mut world = with_session(world(), without_password(), vec![Amr::Fed]);
        world.facts.client = None;
        let row = &mut world.facts.session.as_mut().unwrap().row;
        row.auth_time = auth_time;
        let progress = Progress { begun: Some(Begun { session: row.id, is_fresh: false }), link: None };
        let goal = Goal::Page("/account/password".into());
        let pending =
            PendingVisit { is_fresh_wanted: true, is_confirmation: true, progress, ..PendingVisit::new(goal, 4000) };
        match world.judge(&Visit { pending, ..visit(&world, None) }).0.unwrap().step {
            Step::Go(_) => None,
            Step::Ask(Ask { page: Page::SignIn { problem, .. }, .. }) => problem.map(|problem| problem.no),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(confirmed(UnixTime(1000 - 14 * 60)), None);
    assert_eq!(confirmed(UnixTime(1)), Some(No::UpstreamNotFresh));
    // The identity provider gave no time, and the user has neither a password nor a second factor here.
    assert_eq!(confirmed(Session::undated(UnixTime(990))), None);
}

#[test]
fn who_goes_back_to_a_consent_page_finds_it_there() {
    let world = with_consent(signed_in(), "profile");
    let mut visit = visit(&world, None);
    assert!(told(&world, None).starts_with("return code"));
    visit.pending.user = Some(sample::user().key);
    visit.pending.shown = Some(Permission { scope: Scope::of(["profile"]), audience: vec![] });
    let step = |visit: &Visit| world.judge(visit).0.unwrap().step;
    assert!(matches!(step(&visit), Step::Ask(Ask { page: Page::Consent { .. }, .. })));
    visit.pending.user = Some(crate::model::UserKey(77));
    assert!(matches!(step(&visit), Step::Return(_)), "it was shown to somebody else");
}
