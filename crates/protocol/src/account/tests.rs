//! What people may do with their account, and by what they must have proven who they are.

use super::*;
use crate::keys::{Presented, TokenKind};
use crate::model::{Held, Identity, Session, UserKey};
use crate::sample::{self, World};
use crate::secret::Digest;
use crate::time::UnixTime;
use crate::turn::Holdings;

const NEW: &str = "a violet harbour at noon";

/// `user`, who signed in a moment ago by `amr`, does something.
fn done_by(
    user: User,
    amr: Vec<Amr>,
    act: Act,
    set: impl FnOnce(&mut World),
) -> (Result<Account, Refusal>, Vec<Change>) {
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
        Some(Held { row: session, client: None, user: Some(Arc::new(user)), is_grant_revoked: false });
    set(&mut world);
    let presented = Some(Presented { id: minted.id, digest: minted.digest });
    let caller = Caller { session: presented, browser: Digest::of(b"browser"), agent: String::new(), devices: vec![] };
    world.judge(&AccountCall { caller, address: sample::ADDRESS.into(), act })
}

fn no(judged: (Result<Account, Refusal>, Vec<Change>)) -> Option<No> {
    let (verdict, changes) = judged;
    let no = verdict.err().map(|refusal| refusal.no);
    // A refusal writes nothing but that somebody was here, or guessed.
    let is_harmless =
        |change: &Change| matches!(change, Change::TouchSession { .. } | Change::CountFailure { .. } | Change::Note(_));
    assert!(no.is_none() || changes.iter().all(is_harmless), "{changes:?}");
    no
}

fn written(changes: &[Change]) -> (User, Session) {
    let user = changes.iter().find_map(|change| match change {
        Change::PutUser(user) => Some((**user).clone()),
        _ => None,
    });
    let session = changes.iter().find_map(|change| match change {
        Change::PutSession(session) => Some((**session).clone()),
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
    // Having set it is not having typed it: the next change asks for it.
    assert_eq!(session.amr, [Amr::Fed]);
    let late = |world: &mut World| world.now = UnixTime(1900);
    assert_eq!(no(done_by(without_password(), vec![Amr::Fed], new_password(""), late)), Some(No::SignInAgain));
    // Who has one needs it, however they came.
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
    // Age comes first: signing in again is wanted either way.
    let late = |world: &mut World| world.now = UnixTime(1900);
    assert_eq!(no(done_by(sample::user(), vec![Amr::Fed], Act::EnrolTotp, late)), Some(No::SignInAgain));
    // What is not sensitive needs none of it.
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

/// Alice, who has so many links, takes one away.
fn unlinked(user: User, amr: Amr, links: u32, owner: Option<UserKey>) -> (Result<Account, Refusal>, Vec<Change>) {
    done_by(user, vec![amr], Act::Unlink(name()), |world| {
        world.facts.holdings = Some(Holdings { identities: links, ..Holdings::default() });
        world.facts.identity = owner.map(|user| Held {
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
    // The account's row is written, so that of two who take away the last two links one looks again.
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
