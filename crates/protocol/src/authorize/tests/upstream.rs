//! Tests of a browser that comes back from an upstream identity provider.

use super::*;
use crate::line::{Call, DocumentKey, Documents};
use crate::model::{Identity, IdentityName};
use crate::person::upstream::{Link, UnverifiedIdToken, sample as issuer};

fn said(claims: &serde_json::Value) -> Option<Answer> {
    let jwt = UnverifiedIdToken::read(issuer::token(claims)).unwrap();
    let said = Assertion::new(jwt, issuer::issuer(), Some("n-1".into()));
    Some(Answer::Proof(Proof::Upstream(Ok(Box::new(said)))))
}

fn with_nonce() -> serde_json::Value {
    issuer::claims_with(serde_json::json!({"nonce": "n-1"}))
}

#[test]
fn an_issuer_s_word_starts_a_session_and_the_pending_visit_goes_on() {
    let mut world = world();
    check_told(&told(&world, said(&with_nonce())), "ask consent", "PutIdentity, PutUser");
    world.facts.login = Some(Arc::new(sample::user()));
    check_told(
        &told(&world, said(&with_nonce())),
        "ask consent",
        "Rely, PutIdentity, Note identity_linked, Note signed_in",
    );
    let world = with_consent(world, "profile");
    check_told(&told(&world, said(&with_nonce())), "return code", "PutSession");
}

fn check_told(told: &str, step: &str, changes: &str) {
    assert!(told.starts_with(step) && told.contains(changes), "{told}");
}

#[test]
fn an_issuer_s_word_does_not_stand_for_a_second_factor() {
    let mut world = world();
    world.facts.login = Some(Arc::new(user_with_totp(&world)));
    let told = told(&world, said(&with_nonce()));
    check_told(&told, "ask second factor", "PutSession");
    assert!(!told.contains("signed_in") && !told.contains("PutIdentity"), "{told}");
}

/// Alice signs in at the upstream identity provider, is asked for her second factor, and sends `otp`. `change` is
/// applied to the world before the answer is judged. Returns the outcome, and the link that waits for the second
/// factor.
fn answered(otp: &str, change: impl FnOnce(&mut World, &mut Visit)) -> (String, Option<Link>) {
    let mut world = world();
    world.now = UnixTime(59);
    let user = user_with_totp(&world);
    world.facts.login = Some(Arc::new(user.clone()));
    let claims = issuer::claims_with(serde_json::json!({"nonce": "n-1", "iat": 0, "exp": 900}));
    let (verdict, _) = world.judge(&visit(&world, said(&claims)));
    let (mut pending, page) = asked(verdict.unwrap(), &world);
    assert!(matches!(page, Page::SecondFactor { .. }), "it is asked");
    let link = pending.progress.link.clone();
    world.facts.login = None;
    let mut world = with_session(world, user, vec![Amr::Fed]);
    let row = &mut world.facts.session.as_mut().unwrap().row;
    (row.auth_time, row.seen_at) = (UnixTime(59), UnixTime(59));
    pending.progress.begun = Some(Begun { session: row.id, is_fresh: false });
    let mut visit = Visit { pending, ..visit(&world, Some(Answer::Proof(Proof::SecondFactor(Secret::new(otp))))) };
    change(&mut world, &mut visit);
    let (verdict, changes) = world.judge(&visit);
    let step = match asked(verdict.unwrap(), &world) {
        (_, Page::SignIn { problem, .. }) => format!("sign-in {:?}", problem.map(|own| own.no)),
        (_, Page::SecondFactor { .. }) => "second factor".to_owned(),
        (pending, Page::Consent { .. }) => {
            assert_eq!(pending.progress.link, None, "it goes no further");
            "consent".to_owned()
        }
    };
    (format!("{step}: {}", sample::names(&changes)), link)
}

/// Returns the page that the browser is shown, and the visit that is sealed into it. The seal is for the browser's new
/// cookie, if the browser got one.
fn asked(browse: Browse, world: &World) -> (PendingVisit, Page) {
    let Step::Ask(Ask { seal, page }) = browse.step else { panic!("{browse:?}") };
    let browser = match &browse.cookie {
        Cookie::Set(session, ..) => Digest::of(renewed_browser(session).as_bytes()),
        _ => Digest::of(b"browser"),
    };
    (PendingVisit::open(&seal, &browser, world.now, &world.keys).unwrap().0, page)
}

fn linked_to(user: User, link: &Link) -> WithOwners<Identity> {
    let row = Identity { name: link.name(), user: user.key, linked_at: UnixTime(50) };
    WithOwners { row, client: None, user: Some(Arc::new(user)), is_grant_revoked: false }
}

#[test]
fn an_account_is_linked_once_its_second_factor_is_right_and_not_before() {
    let (told, link) = answered("287082", |_, visit| {
        let name = IdentityName { issuer: issuer::ISSUER.to_owned(), subject: "alice-there".to_owned() };
        assert!(visit.wants().keys().contains(&Key::Identity(name)));
    });
    assert_eq!(link.unwrap().name().subject, "alice-there");
    check_told(
        &told,
        "consent: ",
        "PutUser, PutIdentity, Note identity_linked, Note signed_in, EndSession, PutSession",
    );
    let (told, _) = answered("000000", |_, _| {});
    assert!(told.starts_with("second factor: ") && !told.contains("PutIdentity"), "{told}");
}

#[test]
fn what_let_a_link_begin_must_still_hold_when_it_is_made() {
    // Meanwhile the account's e-mail address became unverified, or changed.
    for change in [|user: &mut User| user.email_verified = false, |user: &mut User| user.email = Some("b@c.d".into())] {
        let (told, _) = answered("287082", |world, _| {
            let held = world.facts.session.as_mut().unwrap();
            let mut user = (**held.user.as_ref().unwrap()).clone();
            change(&mut user);
            held.user = Some(Arc::new(user));
        });
        assert_eq!(told, "sign-in Some(UpstreamEmailTaken): ");
    }
    // Meanwhile the identity was linked, to another account or by Alice herself in another tab.
    let other = User { key: crate::model::UserKey(7), ..sample::user() };
    let (told, _) = answered("287082", |world, visit| {
        world.facts.identity = Some(linked_to(other, visit.pending.progress.link.as_ref().unwrap()));
    });
    assert_eq!(told, "sign-in Some(UpstreamEmailTaken): ");
    let (told, _) = answered("287082", |world, visit| {
        world.facts.identity = Some(linked_to(sample::user(), visit.pending.progress.link.as_ref().unwrap()));
    });
    assert!(told.starts_with("consent: ") && !told.contains("PutIdentity"), "{told}");
}

#[test]
fn who_signed_in_by_another_way_meanwhile_links_nothing() {
    let (told, _) = answered("287082", |world, _| {
        world.facts.session.as_mut().unwrap().row.amr = vec![Amr::Pwd];
    });
    assert!(told.starts_with("consent: ") && !told.contains("PutIdentity"), "{told}");
    let (told, _) = answered("287082", |world, _| {
        let held = world.facts.session.as_mut().unwrap();
        let other = User { key: crate::model::UserKey(7), ..(**held.user.as_ref().unwrap()).clone() };
        held.row.user = other.key;
        held.user = Some(Arc::new(other));
    });
    assert!(!told.contains("PutIdentity"), "{told}");
}

/// OWASP ASVS 5.0 V7.5.1: "full re-authentication before allowing modifications to sensitive account attributes".
#[test]
fn who_has_a_password_confirms_by_that_who_they_are_asvs_7_5_1() {
    let asked = |user: User, amr: Vec<Amr>, is_confirmation, has_begun: bool| {
        let mut world = with_session(world(), user, amr);
        world.facts.client = None;
        let session = world.facts.session.as_ref().unwrap().row.id;
        let begun = (!has_begun).then_some(Begun { session, is_fresh: true });
        let progress = Progress { begun, link: None };
        let goal = Goal::Page("/account/password".into());
        let pending =
            PendingVisit { is_fresh_wanted: true, is_confirmation, progress, ..PendingVisit::new(goal, 4000) };
        let visit = Visit { pending, ..visit(&world, None) };
        match world.judge(&visit).0.unwrap().step {
            Step::Go(_) => "go".to_owned(),
            Step::Ask(Ask { page: Page::SignIn { problem, is_upstream_enough, .. }, .. }) => {
                let way = if is_upstream_enough { "any way" } else { "password" };
                format!("by {way}, {:?}", problem.map(|own| own.no))
            }
            other => panic!("{other:?}"),
        }
    };
    let without = || User { password: None, ..sample::user() };
    // Before the trip to the identity provider: the page has no button for a user whom the trip cannot confirm.
    assert_eq!(asked(sample::user(), vec![Amr::Pwd], true, true), "by password, None");
    assert_eq!(asked(without(), vec![Amr::Fed], true, true), "by any way, None");
    // A user may choose another account by password and by the identity provider.
    assert_eq!(asked(sample::user(), vec![Amr::Pwd], false, true), "by any way, None");
    // After the trip.
    assert_eq!(asked(sample::user(), vec![Amr::Fed], true, false), "by password, Some(PasswordNeeded)");
    assert_eq!(asked(sample::user(), vec![Amr::Fed], false, false), "go");
    assert_eq!(asked(sample::user(), vec![Amr::Pwd], true, false), "go");
    assert_eq!(asked(without(), vec![Amr::Fed], true, false), "go");
}

#[test]
fn a_second_factor_is_added_to_what_was_proven_before() {
    let mut world = world();
    let user = user_with_totp(&world);
    world.now = UnixTime(1_111_111_109);
    world = with_session(world, user, vec![Amr::Fed]);
    world.facts.session.as_mut().unwrap().row.auth_time = world.now;
    let (idle_until, expires_at) = (world.now.plus(100), world.now.plus(100));
    let row = &mut world.facts.session.as_mut().unwrap().row;
    (row.seen_at, row.idle_until, row.expires_at) = (world.now, idle_until, expires_at);
    let code = crate::person::totp::code(SEED, 1_111_111_109 / 30, 6);
    let (verdict, changes) = world.judge(&visit(&world, Some(Answer::Proof(Proof::SecondFactor(Secret::new(code))))));
    verdict.unwrap();
    let amr = changes.writes.iter().find_map(|change| match change {
        Write::PutSession(session) => Some(session.amr.clone()),
        _ => None,
    });
    assert_eq!(amr, Some(vec![Amr::Fed, Amr::Otp]));
}

#[test]
fn what_goes_wrong_at_the_issuer_comes_back_to_the_sign_in_page_with_the_pending_visit() {
    let world = world();
    for no in [No::UpstreamDenied, No::UpstreamUnreachable, No::UpstreamRefused] {
        let told = told(&world, Some(Answer::Proof(Proof::Upstream(Err(no.into())))));
        check_told(&told, "ask sign-in for Some(\"Web\")", "");
        assert!(told.contains(no.row().name), "{told}");
    }
    let other = issuer::claims_with(serde_json::json!({"nonce": "n-2"}));
    let told = told(&world, said(&other));
    assert!(told.starts_with("ask sign-in") && told.contains("AssertionNonceWrong"), "{told}");
}

/// Nobody else makes this server fetch: the state was opened before, in the browser for which it was sealed.
#[test]
fn documents_are_lacked_for_an_id_token_and_for_no_other_answer() {
    let mut world = world();
    world.documents = Documents::default();
    let lacks = |answer| {
        let visit = visit(&world, answer);
        let mut turn = world.turn();
        let told = format!("{:?}", visit.decide(&world.load(&visit), &mut turn));
        (turn.take_lacking(), told.contains("UpstreamUnreachable"))
    };
    let metadata = DocumentKey::ProviderMetadata { issuer: issuer::ISSUER.into() };
    assert_eq!(lacks(said(&with_nonce())), (vec![metadata], true));
    let refused = Some(Answer::Proof(Proof::Upstream(Err(No::UpstreamDenied.into()))));
    let typed = Some(Answer::Proof(Proof::Password { login: "alice".into(), password: Secret::new("wrong") }));
    for answer in [None, refused, typed] {
        assert_eq!(lacks(answer), (vec![], false));
    }
}
