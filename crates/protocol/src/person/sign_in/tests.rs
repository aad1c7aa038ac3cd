//! Tests of the sign-in on its own, without an authorization request.

use super::*;
use crate::line::{AccountKey, Facts, Key, Wants, Write};
use crate::model::{Amr, Session, SessionId, WithOwners};
use crate::person::upstream::{Assertion, Link, UnverifiedIdToken, sample as issuer};
use crate::refusal::No;
use crate::sample::{self, World};
use crate::secret::{Digest, Secret};
use crate::time::UnixTime;

const NOBODY: Progress = Progress { begun: None, link: None };

fn caller() -> Caller {
    Caller { session: None, browser: Digest::of(b"browser"), agent: "Test".into(), devices: vec![] }
}

/// A user who signed in at the time 950 with the methods `amr`. The time is 1000 now.
fn signed(user: User, amr: Vec<Amr>) -> Signed {
    let session = Session {
        id: SessionId(7),
        digest: Digest::of(b"session"),
        user: user.key,
        amr,
        auth_time: UnixTime(950),
        created_at: UnixTime(950),
        seen_at: UnixTime(990),
        idle_until: UnixTime(5000),
        expires_at: UnixTime(9000),
        address: String::new(),
        agent: String::new(),
    };
    Signed { session, user: Arc::new(user), is_new: false }
}

fn with_totp() -> User {
    let totp = crate::model::Totp {
        sealed_seed: "sealed".into(),
        digits: 6,
        last_step: 0,
        recovery: vec![],
        enabled_at: UnixTime(0),
    };
    User { totp: Some(totp), ..sample::user() }
}

fn begun(is_fresh: bool) -> Progress {
    Progress { begun: Some(Begun { session: SessionId(7), is_fresh }), link: None }
}

fn told(question: &Question) -> String {
    match question {
        Question::SignIn { login, problem, .. } => format!("sign in {login:?} {:?}", problem.map(|own| own.no)),
        Question::SecondFactor { problem, .. } => format!("second factor {:?}", problem.map(|own| own.no)),
    }
}

/// Returns the next question as one line, for a comparison.
fn next(signed: Option<&Signed>, demand: Demand, progress: &Progress) -> String {
    let (world, caller) = (World::new(), caller());
    let own = SignIn { demand, progress, caller: &caller, address: sample::ADDRESS, client: None };
    match own.next(signed, &world.turn()) {
        Next::Ask(question) => told(&question),
        Next::Done(_) => "signed in".to_owned(),
    }
}

#[test]
fn a_caller_without_any_demand_takes_every_session_that_has_all_its_factors() {
    let plain = Demand::default;
    assert_eq!(next(None, plain(), &NOBODY), "sign in \"\" None");
    assert_eq!(next(Some(&signed(sample::user(), vec![Amr::Pwd])), plain(), &NOBODY), "signed in");
    assert_eq!(next(Some(&signed(sample::user(), vec![Amr::Fed])), plain(), &NOBODY), "signed in");
    assert_eq!(next(Some(&signed(with_totp(), vec![Amr::Pwd])), plain(), &NOBODY), "second factor None");
    assert_eq!(next(Some(&signed(with_totp(), vec![Amr::Pwd, Amr::Otp])), plain(), &NOBODY), "signed in");
}

/// OpenID Connect Core §3.1.2.1, `prompt` and `max_age`.
#[test]
fn a_demand_is_met_by_a_proof_in_the_course_of_the_sign_in() {
    let own = signed(sample::user(), vec![Amr::Pwd]);
    for (demand, before, by_stale_proof) in [
        (
            Demand { is_proof_new: true, ..Demand::default() },
            "sign in \"\" None",
            "sign in \"\" Some(UpstreamNotFresh)",
        ),
        (
            Demand { max_age_s: Some(0), ..Demand::default() },
            "sign in \"\" None",
            "sign in \"\" Some(UpstreamNotFresh)",
        ),
        (
            Demand { max_age_s: Some(49), ..Demand::default() },
            "sign in \"\" None",
            "sign in \"\" Some(UpstreamNotFresh)",
        ),
        (Demand { max_age_s: Some(50), ..Demand::default() }, "signed in", "signed in"),
        (Demand { is_choice: true, ..Demand::default() }, "sign in \"\" None", "signed in"),
    ] {
        assert_eq!(next(Some(&own), demand.clone(), &NOBODY), before, "{demand:?}");
        assert_eq!(next(Some(&own), demand.clone(), &begun(false)), by_stale_proof, "{demand:?}");
        assert_eq!(next(Some(&own), demand.clone(), &begun(true)), "signed in", "{demand:?}");
        let another = Progress { begun: Some(Begun { session: SessionId(8), is_fresh: true }), link: None };
        assert_eq!(next(Some(&own), demand.clone(), &another), before, "{demand:?}");
    }
}

#[test]
fn a_hint_fills_the_name_field_of_the_first_question() {
    let demand = Demand { login_hint: "alice".into(), ..Demand::default() };
    assert_eq!(next(None, demand, &NOBODY), "sign in \"alice\" None");
}

#[test]
fn a_second_factor_makes_a_proof_new_only_where_the_first_one_was_a_step_of_this_sign_in() {
    let half = signed(with_totp(), vec![Amr::Fed]);
    let demand = || Demand { is_proof_new: true, ..Demand::default() };
    assert_eq!(next(Some(&half), demand(), &begun(false)), "second factor None");
    assert_eq!(next(Some(&half), demand(), &NOBODY), "sign in \"\" None");
}

#[test]
fn a_confirmation_asks_a_user_with_a_password_for_that() {
    let demand = || Demand { is_choice: true, is_confirmation: true, ..Demand::default() };
    let by_upstream = signed(sample::user(), vec![Amr::Fed]);
    assert_eq!(next(Some(&by_upstream), demand(), &begun(true)), "sign in \"alice@example.com\" Some(PasswordNeeded)");
    assert_eq!(next(Some(&signed(sample::user(), vec![Amr::Pwd])), demand(), &begun(true)), "signed in");
}

/// Returns the keys that an answer is judged by.
fn wanted(own: &SignIn<'_>, proof: &Proof) -> Wants {
    let mut wants = Wants::default();
    own.want(proof, &mut wants);
    wants
}

/// The store looks up consents and counters for the account that these keys lead to.
#[test]
fn an_answer_is_about_the_typed_name_or_the_identity_and_about_the_session_only_where_neither_is_given() {
    let mut caller = caller();
    let digest = Digest::of(b"session");
    caller.session = Some(crate::crypto::keys::Presented { id: 7, digest });
    let session = || AccountKey::Session(SessionId(7));
    let login = |name: &str| AccountKey::Login(name.into());
    let link: Link = serde_json::from_value(serde_json::json!({
        "issuer": issuer::ISSUER, "subject": "alice-there", "user": 1, "email": "alice@example.com",
    }))
    .unwrap();
    let identity = || AccountKey::Identity(link.name());
    let linking = Progress { begun: None, link: Some(link.clone()) };
    let upstream = |claims: &serde_json::Value| {
        let token = UnverifiedIdToken::read(issuer::token(claims)).unwrap();
        Proof::Upstream(Ok(Box::new(Assertion::new(token, issuer::issuer(), None))))
    };
    let without_address = issuer::claims_with(serde_json::json!({"email": null}));
    let typed = Proof::Password { login: "alice".into(), password: Secret::new("") };
    let refused = Proof::Upstream(Err(No::UpstreamAbsent.into()));
    for (proof, progress, expected) in [
        (typed, &NOBODY, vec![login("alice")]),
        (upstream(&issuer::claims()), &NOBODY, vec![identity(), login("alice@example.com")]),
        (upstream(&without_address), &NOBODY, vec![identity(), session()]),
        (refused, &NOBODY, vec![session()]),
        (Proof::SecondFactor(Secret::new("")), &NOBODY, vec![session()]),
        (Proof::SecondFactor(Secret::new("")), &linking, vec![identity(), session()]),
    ] {
        let demand = Demand::default();
        let own = SignIn { demand, progress, caller: &caller, address: sample::ADDRESS, client: None };
        let facts = Facts::of(wanted(&own, &proof));
        let tried = std::cell::RefCell::new(Vec::new());
        assert_eq!(
            facts.account_by(|key| {
                tried.borrow_mut().push(key.clone());
                None
            }),
            None
        );
        let expected: Vec<Key> = expected.into_iter().map(Key::from).collect();
        assert_eq!(tried.into_inner(), expected, "{proof:?}");
    }
}

/// A caller loads the rows of an answer, has the answer judged, and keeps the progress.
#[test]
fn a_good_answer_begins_a_session_which_meets_the_demand() {
    let (mut world, caller) = (World::new(), caller());
    let demand = || Demand { is_proof_new: true, ..Demand::default() };
    let own = SignIn { demand: demand(), progress: &NOBODY, caller: &caller, address: sample::ADDRESS, client: None };
    let proof = |text: &str| Proof::Password { login: "alice".into(), password: Secret::new(text) };
    let wants = wanted(&own, &proof(sample::PASSWORD));
    assert!(wants.keys().contains(&Key::Login("alice".into())));
    world.facts.login = Some(Arc::new(sample::user()));
    let facts = world.facts.load(wants);
    let mut turn = world.turn();
    match own.take(&proof("wrong horse"), None, &facts, &mut turn) {
        Taken::Again(question) => assert_eq!(told(&question), "sign in \"alice\" Some(CredentialsWrong)"),
        other => panic!("{other:?}"),
    }
    let mut turn = world.turn();
    let Taken::Good { signed, progress, .. } = own.take(&proof(sample::PASSWORD), None, &facts, &mut turn) else {
        panic!("the password is right")
    };
    let after = SignIn { progress: &progress, ..own };
    let next = after.next(Some(&signed), &turn);
    assert!(matches!(next, Next::Done(done) if done.user.key == sample::user().key));
    assert!(turn.into_changes().writes.iter().any(|change| matches!(change, Write::PutSession(_))));
}

#[test]
fn a_code_for_which_nobody_asked_changes_nothing() {
    let (world, caller) = (World::new(), caller());
    let own = SignIn {
        demand: Demand::default(),
        progress: &NOBODY,
        caller: &caller,
        address: sample::ADDRESS,
        client: None,
    };
    let complete = signed(sample::user(), vec![Amr::Pwd]);
    for before in [None, Some(complete)] {
        let mut turn = world.turn();
        let proof = Proof::SecondFactor(Secret::new("123456"));
        let facts = world.facts.load(wanted(&own, &proof));
        let taken = own.take(&proof, before.clone(), &facts, &mut turn);
        assert!(matches!(taken, Taken::NotAsked(after) if after.is_some() == before.is_some()));
        assert!(turn.into_changes().is_empty());
    }
}

#[test]
fn a_session_is_found_by_its_cookie_and_by_nothing_else() {
    let (mut world, mut caller) = (World::new(), caller());
    let minted = world.mint(crate::crypto::keys::TokenKind::Session);
    caller.session = Some(crate::crypto::keys::Presented { id: minted.id, digest: minted.digest });
    let row = signed(sample::user(), vec![Amr::Pwd]).session;
    let held = |digest| WithOwners {
        row: Session { id: SessionId(minted.id), digest, ..row.clone() },
        client: None,
        user: Some(Arc::new(sample::user())),
        is_grant_revoked: false,
    };
    let load = |world: &World| world.facts.load(Wants::of([Key::Session(SessionId(minted.id))]));
    world.facts.session = Some(held(minted.digest));
    assert!(Signed::find(&caller, &load(&world), &mut world.turn()).is_some());
    world.facts.session = Some(held(Digest::of(b"another")));
    assert!(Signed::find(&caller, &load(&world), &mut world.turn()).is_none());
}
