//! Tests of the account judge: each action, and the proof of identity that it needs.

use super::*;
use crate::crypto::keys::{Presented, TokenKind};
use crate::line::{Changes, OwnedCounts, Write};
use crate::model::{Identity, Session, UserKey, WithOwners};
use crate::sample::{self, World};
use crate::secret::Digest;
use crate::time::UnixTime;

const NEW: &str = "a violet harbour at noon";

/// Judges an action of `user`, who has just signed in by the methods `amr`. `set` changes the world first.
fn done_by(user: User, amr: Vec<Amr>, act: Act, set: impl FnOnce(&mut World)) -> (Result<Account, Refusal>, Changes) {
    let mut world = World::new();
    let minted = world.mint(TokenKind::Session);
    let session = Session {
        id: SessionId(minted.id),
        digest: minted.digest,
        user: user.key,
        amr,
        auth_time: UnixTime(990),
        created_at: UnixTime(990),
        seen_at: UnixTime(990),
        idle_until: UnixTime(2000),
        expires_at: UnixTime(9000),
        address: String::new(),
        agent: String::new(),
    };
    world.facts.session =
        Some(WithOwners { row: session, client: None, user: Some(Arc::new(user)), is_grant_revoked: false });
    set(&mut world);
    let presented = Some(Presented { id: minted.id, digest: minted.digest });
    let browser = Digest::of(b"browser");
    let seal = Some(FormSeal::new(sample::user().key, &browser));
    let caller = Caller { session: presented, browser, agent: String::new(), devices: vec![] };
    world.judge(&AccountCall { caller, address: sample::ADDRESS.into(), seal, act })
}

fn no(judged: (Result<Account, Refusal>, Changes)) -> Option<No> {
    let (verdict, changes) = judged;
    let no = verdict.err().map(|refusal| refusal.no);
    // A refusal writes only that the session was used, or that an attempt failed.
    let is_harmless =
        |write: &Write| matches!(write, Write::TouchSession { .. } | Write::CountFailure { .. } | Write::Note(_));
    assert!(no.is_none() || changes.writes.iter().all(is_harmless), "{changes:?}");
    no
}

fn written(changes: &Changes) -> (User, Session) {
    let user = changes.writes.iter().find_map(|change| match change {
        Write::PutUser(user) => Some((**user).clone()),
        _ => None,
    });
    let session = changes.writes.iter().find_map(|change| match change {
        Write::PutSession(session) => Some((**session).clone()),
        _ => None,
    });
    (user.expect("the account is written"), session.expect("there is a new session"))
}

fn new_password(current: &str) -> Act {
    Act::ChangePassword { current: Secret::new(current), new: Secret::new(NEW) }
}

fn without_password() -> User {
    User { password: None, ..sample::user() }
}

/// OWASP ASVS 5.0 V6.3.4: every pathway has the same strength.
#[test]
fn where_applications_take_passwords_a_new_one_ends_what_the_old_one_gave_asvs_6_3_4() {
    let with_new = |is_password_taken| {
        let act = new_password(sample::PASSWORD);
        let (verdict, changes) =
            done_by(sample::user(), vec![Amr::Pwd], act, |world| world.policy.is_password_taken = is_password_taken);
        verdict.expect("it is the right password");
        written(&changes)
    };
    let (user, session) = with_new(true);
    let before = 1_000;
    assert!(user.revoked_below > before && session.id.0 > user.revoked_below, "{session:?}");
    assert_eq!(with_new(false).0.revoked_below, sample::user().revoked_below);
}

#[test]
fn who_has_no_password_sets_a_first_one_after_a_fresh_sign_in_elsewhere() {
    let (verdict, changes) = done_by(without_password(), vec![Amr::Fed], new_password(""), |_| {});
    verdict.expect("they came a moment ago");
    let (user, session) = written(&changes);
    assert!(password::is_right(user.password.as_deref().unwrap(), &Secret::new(NEW)));
    // Setting a password does not prove it. The next sensitive change asks for it.
    assert_eq!(session.amr, [Amr::Fed]);
    let late = |world: &mut World| world.now = UnixTime(1900);
    assert_eq!(no(done_by(without_password(), vec![Amr::Fed], new_password(""), late)), Some(No::SignInAgain));
    // A user with a password needs it, whichever way they signed in.
    let act = new_password("");
    assert_eq!(no(done_by(sample::user(), vec![Amr::Fed], act, |_| {})), Some(No::PasswordCurrentWrong));
}

/// OWASP ASVS 5.0 V7.5.1: "full re-authentication before allowing modifications to sensitive account attributes".
#[test]
fn the_word_of_an_issuer_elsewhere_does_not_confirm_who_has_a_password_asvs_7_5_1() {
    assert_eq!(no(done_by(sample::user(), vec![Amr::Fed], Act::EnrolTotp, |_| {})), Some(No::PasswordNeeded));
    assert_eq!(no(done_by(sample::user(), vec![Amr::Fed, Amr::Otp], Act::EnrolTotp, |_| {})), Some(No::PasswordNeeded));
    assert_eq!(no(done_by(sample::user(), vec![Amr::Pwd], Act::EnrolTotp, |_| {})), None);
    assert_eq!(no(done_by(without_password(), vec![Amr::Fed], Act::EnrolTotp, |_| {})), None);
    let allowed = |world: &mut World| world.policy.session.is_upstream_confirming = true;
    assert_eq!(no(done_by(sample::user(), vec![Amr::Fed], Act::EnrolTotp, allowed)), None);
    // The age of the sign-in is checked first, because either refusal leads to a new sign-in.
    let late = |world: &mut World| world.now = UnixTime(1900);
    assert_eq!(no(done_by(sample::user(), vec![Amr::Fed], Act::EnrolTotp, late)), Some(No::SignInAgain));
    // A change that is not sensitive needs neither.
    assert_eq!(no(done_by(sample::user(), vec![Amr::Fed], Act::Rename("A".into()), |_| {})), None);
}

#[test]
fn a_second_factor_is_added_to_what_the_session_proved() {
    let (mut seed, user) = ([0; 20], without_password());
    seed[..5].copy_from_slice(b"12345");
    let act = {
        let world = World::new();
        let sealed_seed = world.keys.keep("totp", user.sub.as_bytes(), &seed, &mut Entropy::seeded([4; 32], 1));
        Act::ConfirmTotp { sealed_seed, typed: Secret::new(totp::code(&seed, 1000 / totp::STEP_S, 6)) }
    };
    let (verdict, changes) = done_by(user, vec![Amr::Fed], act, |_| {});
    verdict.expect("the code is right");
    assert_eq!(written(&changes).1.amr, [Amr::Fed, Amr::Otp]);
}

const ISSUER: &str = "https://issuer.example";

fn name() -> IdentityName {
    IdentityName { issuer: ISSUER.into(), subject: "alice-there".into() }
}

/// Alice, who has `links` links, removes one.
fn unlinked(user: User, amr: Amr, links: u32, owner: Option<UserKey>) -> (Result<Account, Refusal>, Changes) {
    done_by(user, vec![amr], Act::Unlink(name()), |world| {
        world.facts.owned_counts = Some(OwnedCounts { identities: links, ..OwnedCounts::default() });
        world.facts.identity = owner.map(|user| WithOwners {
            row: Identity { name: name(), user, linked_at: UnixTime(10) },
            client: None,
            user: None,
            is_grant_revoked: false,
        });
    })
}

#[test]
fn a_link_is_taken_away_and_all_other_sessions_end_with_it() {
    let own = Some(sample::user().key);
    let (verdict, changes) = unlinked(sample::user(), Amr::Pwd, 1, own);
    assert!(matches!(verdict.unwrap().done, Done::Changed));
    let names = sample::names(&changes);
    assert_eq!(names, "Rely, PutUser, DropIdentity, Note identity_unlinked, EndSession, PutSession, EndSessions");
    // The account's row is written, so that one of two concurrent removals is judged again.
    assert_eq!(written(&changes).0.version, sample::user().version + 1);
}

#[test]
fn the_last_way_into_an_account_stays() {
    let own = Some(sample::user().key);
    assert_eq!(no(unlinked(without_password(), Amr::Fed, 1, own)), Some(No::IdentityLast));
    assert_eq!(no(unlinked(without_password(), Amr::Fed, 2, own)), None);
}

#[test]
fn a_link_is_taken_away_by_its_owner_who_confirmed_it_alone() {
    let own = Some(sample::user().key);
    assert_eq!(no(unlinked(sample::user(), Amr::Fed, 1, own)), Some(No::PasswordNeeded));
    assert_eq!(no(unlinked(sample::user(), Amr::Pwd, 1, Some(UserKey(7)))), Some(No::IdentityUnknown));
    assert_eq!(no(unlinked(sample::user(), Amr::Pwd, 1, None)), Some(No::IdentityUnknown));
}

/// The proof of identity that an action needs.
#[derive(Debug, PartialEq)]
enum Proof {
    /// A live session.
    Session,
    /// A recent sign-in.
    Recent,
    /// The password, typed into the form of the action.
    Password,
}

/// Returns the proof that an action needs. A new action does not compile until it is listed here.
fn proof_of(act: &Act) -> Proof {
    match act {
        Act::View | Act::SignOut | Act::Rename(_) | Act::Disconnect(_) => Proof::Session,
        Act::ChangePassword { .. } => Proof::Password,
        Act::EnrolTotp
        | Act::ConfirmTotp { .. }
        | Act::RemoveTotp { .. }
        | Act::RenewRecovery
        | Act::EndSession(_)
        | Act::EndOtherSessions
        | Act::Unlink(_) => Proof::Recent,
    }
}

/// Returns a reference to a session of the sample user.
fn reference(id: i64) -> String {
    session_reference(SessionId(id), &sample::user(), &World::new().keys, &mut Entropy::seeded([3; 32], 1))
}

fn acts() -> Vec<Act> {
    vec![
        Act::View,
        Act::SignOut,
        Act::Rename("A".into()),
        new_password("wrong"),
        Act::EnrolTotp,
        Act::ConfirmTotp { sealed_seed: String::new(), typed: Secret::new("") },
        Act::RemoveTotp { password: Secret::new(sample::PASSWORD) },
        Act::RenewRecovery,
        Act::EndSession(reference(77)),
        Act::EndOtherSessions,
        Act::Unlink(name()),
        Act::Disconnect("web".into()),
    ]
}

/// Returns a user who can do the action, and the methods of their sign-in: with a second factor if the action is about
/// it.
fn user_for(act: &Act) -> (User, Vec<Amr>) {
    if !matches!(act, Act::RemoveTotp { .. } | Act::RenewRecovery) {
        return (sample::user(), vec![Amr::Pwd]);
    }
    let factor =
        Totp { sealed_seed: String::new(), digits: 6, last_step: 0, recovery: vec![], enabled_at: UnixTime(0) };
    (User { totp: Some(factor), ..sample::user() }, vec![Amr::Pwd, Amr::Otp])
}

/// OWASP ASVS 5.0 V7.5.1: "full re-authentication before allowing modifications to sensitive account attributes".
#[test]
fn every_act_asks_for_the_proof_that_it_needs_asvs_7_5_1() {
    let kinds: std::collections::BTreeSet<String> =
        acts().iter().map(|act| format!("{act:?}").split(['(', ' ']).next().unwrap().to_owned()).collect();
    assert_eq!(kinds.len(), 12, "each of the acts: {kinds:?}");
    for act in acts() {
        let (user, amr) = user_for(&act);
        let told = format!("{act:?}");
        let found = no(done_by(user, amr, act.clone(), |world| world.now = UnixTime(1900)));
        let proof = match found {
            Some(No::SignInAgain) => Proof::Recent,
            Some(No::PasswordCurrentWrong) => Proof::Password,
            _ => Proof::Session,
        };
        assert_eq!(proof, proof_of(&act), "{told}: {found:?}");
    }
}

/// OWASP ASVS 5.0 V7.5.2: users can end sessions "having authenticated again with at least one factor".
#[test]
fn sessions_other_than_ones_own_are_ended_after_a_recent_sign_in_asvs_7_5_2() {
    let late = |world: &mut World| world.now = UnixTime(1900);
    for act in [Act::EndSession(reference(77)), Act::EndOtherSessions] {
        assert_eq!(no(done_by(sample::user(), vec![Amr::Pwd], act.clone(), late)), Some(No::SignInAgain));
        assert_eq!(no(done_by(sample::user(), vec![Amr::Fed], act.clone(), |_| {})), Some(No::PasswordNeeded));
        assert_eq!(no(done_by(sample::user(), vec![Amr::Pwd], act, |_| {})), None);
    }
    // The own session, whose id is that of the first token that the world makes.
    let own = World::new().mint(TokenKind::Session).id;
    let (verdict, _) = done_by(sample::user(), vec![Amr::Pwd], Act::EndSession(reference(own)), late);
    assert!(matches!(verdict.unwrap().done, Done::SignedOut));
}

#[test]
fn a_form_is_taken_from_the_person_and_the_browser_that_it_was_shown_to() {
    let browser = Digest::of(b"browser");
    let keys = World::new().keys;
    let sealed =
        FormSeal::new(sample::user().key, &browser).seal(UnixTime(1000), &keys, &mut Entropy::seeded([1; 32], 1));
    let seal = FormSeal::open(&sealed, UnixTime(1001), &keys).unwrap();
    assert_eq!(seal, FormSeal::new(sample::user().key, &browser));
    assert_eq!(seal.check(&browser, Some(sample::user().key)), Ok(()));
    assert_eq!(seal.check(&browser, None), Ok(()));
    assert_eq!(seal.check(&Digest::of(b"other"), Some(sample::user().key)), Err(No::PageStale));
    // Bob has signed in meanwhile, which changed the browser's cookie.
    assert_eq!(seal.check(&Digest::of(b"other"), Some(UserKey(7))), Err(No::PageOfOther));
    assert_eq!(seal.check(&browser, Some(UserKey(7))), Err(No::PageOfOther));
    assert_eq!(FormSeal::open(&sealed, UnixTime(1000 + 30 * 60), &keys), Err(No::PageStale));
    assert_eq!(FormSeal::open(&sealed[1..], UnixTime(1001), &keys), Err(No::PageStale));
}

/// A user without a password and second factor confirms by a sign-in at the identity provider, also at one that never
/// sends `auth_time`, for as long as a sign-in counts as recent.
#[test]
fn coming_back_from_an_issuer_that_says_no_time_confirms_only_who_has_nothing_else() {
    let judged = |user: User, amr: Vec<Amr>, now| {
        no(done_by(user, amr, Act::EnrolTotp, |world| {
            world.now = UnixTime(now);
            world.facts.session.as_mut().unwrap().row.auth_time = Session::undated(UnixTime(990));
        }))
    };
    assert_eq!(judged(without_password(), vec![Amr::Fed], 1000), None);
    assert_eq!(judged(without_password(), vec![Amr::Fed], 1900), Some(No::SignInAgain));
    assert_eq!(judged(sample::user(), vec![Amr::Fed], 1000), Some(No::SignInAgain));
    let (with_factor, _) = user_for(&Act::RenewRecovery);
    let with_factor = User { password: None, ..with_factor };
    assert_eq!(judged(with_factor, vec![Amr::Fed, Amr::Otp], 1000), Some(No::SignInAgain));
}

#[test]
fn a_first_password_needs_a_name_to_sign_in_with() {
    let nameless = User { username: None, email: None, email_hint: Some("a@b.example".into()), ..without_password() };
    assert_eq!(no(done_by(nameless, vec![Amr::Fed], new_password(""), |_| {})), Some(No::LoginNameMissing));
}
