//! Tests of passwords and second factors in the course of an authorization request.

use super::*;

#[test]
fn a_right_password_starts_a_new_session_and_a_wrong_one_is_counted() {
    let mut world = world();
    world.facts.login = Some(Arc::new(sample::user()));
    expect![[r#"
        ask consent to profile, new profile, then app.example + new session
        CounterBelow, CounterBelow, CounterBelow, CounterBelow, Rely, Note signed_in, PutSession
    "#]]
    .assert_eq(&told(&world, sign_in(sample::PASSWORD)));
    expect![[r#"
        ask sign-in for Some("Web") as "alice", Some(CredentialsWrong)
        CountFailure, CountFailure, CountFailure, CountFailure, Note sign_in_failed
    "#]]
    .assert_eq(&told(&world, sign_in("wrong")));
}

#[test]
fn an_unknown_user_a_disabled_one_and_one_without_password_look_like_a_wrong_password() {
    for user in
        [None, Some(User { is_disabled: true, ..sample::user() }), Some(User { password: None, ..sample::user() })]
    {
        let mut world = world();
        world.facts.login = user.map(Arc::new);
        assert!(told(&world, sign_in(sample::PASSWORD)).starts_with(
            "ask sign-in for Some(\"Web\") as \"alice\", Some(CredentialsWrong)\nCountFailure, CountFailure"
        ));
    }
}

#[test]
fn a_locked_account_refuses_the_right_password_until_the_window_is_over() {
    let mut world = world();
    world.facts.login = Some(Arc::new(sample::user()));
    let shut = Attempts { failures: 10, resets_at: UnixTime(1600) };
    let attempt = crate::person::attempt::Attempt::from_address("192.0.2.1");
    let keys = attempt.keys(Some(sample::user().key), Some("alice"));
    world.facts.attempts = keys.into_iter().map(|key| (key, shut)).collect();
    expect![[r#"
        ask sign-in for Some("Web") as "alice", Some(LockedOut)

    "#]]
    .assert_eq(&told(&world, sign_in(sample::PASSWORD)));
    world.now = UnixTime(1600);
    assert!(told(&world, sign_in(sample::PASSWORD)).starts_with("ask consent"));
}

#[test]
fn an_address_with_too_many_failures_must_wait_whatever_account_it_tries() {
    let mut world = world();
    world.facts.login = Some(Arc::new(sample::user()));
    world.facts.address_attempts = Some(Attempts { failures: 100, resets_at: UnixTime(1600) });
    assert!(told(&world, sign_in(sample::PASSWORD)).contains("LockedOut"));
}

#[test]
fn a_complete_sign_in_makes_the_browser_a_known_device_and_one_without_its_second_factor_does_not() {
    let mut world = world();
    let device = |world: &World, answer| match world.judge(&visit(world, answer)).0.unwrap().cookie {
        Cookie::Set(_, _, device) => device,
        other => panic!("{other:?}"),
    };
    world.facts.login = Some(Arc::new(sample::user()));
    assert!(device(&world, sign_in(sample::PASSWORD)).is_some_and(|device| device.is_known_to(&sample::user())));
    let with_totp = user_with_totp(&world);
    world.facts.login = Some(Arc::new(with_totp.clone()));
    assert_eq!(device(&world, sign_in(sample::PASSWORD)), None);
    let world = with_session(world, with_totp.clone(), vec![Amr::Pwd]);
    let code = crate::person::totp::code(SEED, 1000 / 30, 6);
    let made = device(&world, Some(Answer::Proof(Proof::SecondFactor(Secret::new(code)))));
    assert!(made.is_some_and(|device| device.is_known_to(&with_totp)));
}

#[test]
fn a_password_alone_does_not_forget_the_failures_of_an_account_with_a_second_factor() {
    let mut world = world();
    world.facts.login = Some(Arc::new(user_with_totp(&world)));
    let (verdict, changes) = world.judge(&visit(&world, sign_in(sample::PASSWORD)));
    assert!(matches!(verdict.unwrap().step, Step::Ask(Ask { page: Page::SecondFactor { .. }, .. })));
    assert!(changes.writes.iter().all(|change| !matches!(change, Write::ClearCounter { .. })));
}

#[test]
fn a_code_of_the_second_factor_is_used_up_and_steps_the_session_up() {
    let world = with_session(world(), user_with_totp(&world()), vec![Amr::Pwd]);
    check(
        &world,
        &expect![[r#"
        ask second factor, None

    "#]],
    );
    let code = crate::person::totp::code(SEED, 1000 / 30, 6);
    expect![[r#"
        ask consent to profile, new profile, then app.example + new session
        CounterBelow, CounterBelow, CounterBelow, CounterBelow, CounterBelow, Rely, PutUser, Note signed_in, EndSession, PutSession
    "#]]
    .assert_eq(&told(&world, Some(Answer::Proof(Proof::SecondFactor(Secret::new(code))))));
    expect![[r#"
        ask second factor, Some(SecondFactorWrong)
        CountFailure, CountFailure, CountFailure, CountFailure, CountFailure, Note sign_in_failed
    "#]]
    .assert_eq(&told(&world, Some(Answer::Proof(Proof::SecondFactor(Secret::new("000000"))))));
}

#[test]
fn a_second_factor_alone_is_no_fresh_sign_in() {
    let world = with_session(world(), user_with_totp(&world()), vec![Amr::Pwd]);
    let code = Secret::new(crate::person::totp::code(SEED, 1000 / 30, 6));
    let mut visit = visit(&world, Some(Answer::Proof(Proof::SecondFactor(code.clone()))));
    visit.pending.progress.begun = None;
    let (verdict, changes) = world.judge(&visit);
    assert!(matches!(verdict.unwrap().step, Step::Ask(Ask { page: Page::SignIn { .. }, .. })));
    assert_eq!(changes, Changes::default());
    let mut late = world;
    late.now = UnixTime(950 + 15 * 60 + 1);
    assert!(told(&late, Some(Answer::Proof(Proof::SecondFactor(code)))).starts_with("ask sign-in"));
}
