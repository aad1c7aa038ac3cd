//! Tests of lockouts over hours and months: for an attacker, for the owner, and for an attacker who knows the password.

use std::collections::HashMap;

use super::*;
use crate::crypto::entropy::Entropy;
use crate::line::AccountKey;
use crate::model::Totp;
use crate::person::second_factor;
use crate::sample::{self, World};
use crate::time::UnixTime;

const HERE: &str = "192.0.2.1";
const THERE: &str = "203.0.113.9";
const WINDOW_S: u64 = 15 * 60;
const SEED: &[u8] = b"12345678901234567890";

/// A failure that is counted: key of the counter, limit, end of the window, and owner of the counter.
type Counted = (Digest, u32, UnixTime, Option<UserKey>);

/// The account of Alice and the counters, as a store keeps them.
struct Site {
    world: World,
    rows: HashMap<Digest, (Attempts, Option<UserKey>)>,
    events: Vec<(EventKind, String)>,
}

fn site() -> Site {
    let mut site = Site { world: World::new(), rows: HashMap::new(), events: Vec::new() };
    site.world.facts.login = Some(Arc::new(sample::user()));
    site
}

fn site_with_second_factor() -> Site {
    let mut site = site();
    let sealed_seed = site.world.keys.keep("totp", b"sub-alice", SEED, &mut Entropy::seeded([4; 32], 1));
    let (_, recovery) = crate::person::recovery::codes(&mut Entropy::seeded([5; 32], 1));
    let totp = Totp { sealed_seed, digits: 6, last_step: 0, recovery, enabled_at: UnixTime(0) };
    site.world.facts.login = Some(Arc::new(User { totp: Some(totp), ..sample::user() }));
    site
}

fn recovery_code() -> String {
    crate::person::recovery::codes(&mut Entropy::seeded([5; 32], 1)).0[0].reveal().to_owned()
}

impl Site {
    fn alice(&self) -> Arc<User> {
        self.world.facts.login.clone().expect("alice is there")
    }

    fn device(&self) -> Attempt {
        let device = Device::new(&self.alice(), &mut self.world.turn());
        Attempt { devices: vec![device], ..Attempt::from_address(HERE) }
    }

    /// Loads the account and the counters of an attempt. Without a typed name, Alice is the signed-in user.
    fn load(&self, attempt: &Attempt, login: Option<&str>) -> Facts {
        let mut wants = Wants::default();
        wants.account([login.map_or(AccountKey::Session(SessionId(1)), |typed| AccountKey::Login(typed.to_owned()))]);
        attempt.want(&mut wants);
        let mut facts = Facts::of(wants);
        let look = |key: &Key, _: &Facts| match key {
            Key::Login(_) | Key::Session(_) => Ok(self.world.facts.login.clone().into()),
            Key::Failures(counter) => Ok(self.rows.get(counter).map(|(row, _)| *row).into()),
            other => Err(format!("{other:?} is not wanted here")),
        };
        facts.look(look).unwrap();
        facts
    }

    /// Judges an attempt, and writes what was decided. Returns the refusal; `None` is a success.
    fn attempt(
        &mut self,
        attempt: &Attempt,
        login: Option<&str>,
        judge: impl FnOnce(&Facts, &mut Turn<'_>) -> Result<(), Refusal>,
    ) -> Option<No> {
        let facts = self.load(attempt, login);
        let mut turn = self.world.turn();
        let verdict = judge(&facts, &mut turn);
        let changes = turn.into_changes();
        for rely in changes.relied {
            let Rely::CounterBelow { key, limit, now } = rely else { panic!("{rely:?}") };
            assert!(found_now(&self.rows, &key, now).is_none_or(|row| row.failures < limit));
        }
        for write in changes.writes {
            match write {
                Write::CountFailure { key, limit, now, resets_at, user } => {
                    let row = found_now(&self.rows, &key, now);
                    let (failures, resets_at) = row.map_or((0, resets_at), |row| (row.failures, row.resets_at));
                    assert!(failures < limit, "the turn would be lost for ever");
                    self.rows.insert(key, (Attempts { failures: failures + 1, resets_at }, user));
                }
                Write::ClearCounter { key, .. } => drop(self.rows.remove(&key)),
                Write::Note(event) => self.events.push((event.kind, event.detail)),
                other => panic!("{other:?}"),
            }
        }
        verdict.err().map(|refusal| refusal.no)
    }

    /// Judges a wrong password without writing anything. Returns the counters that the failure adds to, and the audit
    /// events.
    fn decided(&self, attempt: &Attempt, login: &str) -> (Vec<Counted>, Vec<(EventKind, String)>) {
        let facts = self.load(attempt, Some(login));
        let mut turn = self.world.turn();
        assert!(prove_password(attempt, login, &Secret::new("wrong horse"), &facts, &mut turn).is_err());
        let (mut counted, mut events) = (Vec::new(), Vec::new());
        for write in turn.into_changes().writes {
            match write {
                Write::CountFailure { key, limit, resets_at, user, .. } => counted.push((key, limit, resets_at, user)),
                Write::Note(event) => events.push((event.kind, event.detail)),
                other => panic!("{other:?}"),
            }
        }
        (counted, events)
    }

    fn password(&mut self, attempt: &Attempt, login: &str, typed: &str) -> Option<No> {
        self.attempt(attempt, Some(login), |facts, turn| {
            prove_password(attempt, login, &Secret::new(typed), facts, turn).map(drop)
        })
    }

    fn code(&mut self, attempt: &Attempt, typed: &str) -> Option<No> {
        let alice = self.alice();
        self.attempt(attempt, None, |facts, turn| {
            second_factor::prove(&alice, &Secret::new(typed), attempt, facts, turn).map(drop)
        })
    }

    fn fail(&mut self, times: u32, attempt: &Attempt, login: &str) -> Vec<No> {
        (0..times).filter_map(|_| self.password(attempt, login, "wrong horse")).collect()
    }

    fn wait(&mut self, seconds: u64) {
        self.world.now = self.world.now.plus(seconds);
    }

    /// Unlocks the account, as `grantry user unlock` does.
    fn unlock(&mut self) {
        self.rows.retain(|_, (_, user)| *user != Some(sample::user().key));
    }

    fn lockouts(&self) -> Vec<By> {
        let details = self.events.iter().filter(|(kind, _)| *kind == EventKind::LockedOut);
        details.map(|(_, detail)| Lockout::read(detail).expect("it can be read").by).collect()
    }
}

fn found_now(rows: &HashMap<Digest, (Attempts, Option<UserKey>)>, key: &Digest, now: UnixTime) -> Option<Attempts> {
    rows.get(key).map(|(row, _)| *row).filter(|row| !now.is_past(row.resets_at))
}

#[test]
fn ten_wrong_passwords_lock_out_whoever_typed_them_and_nobody_elsewhere_asvs_6_1_1() {
    let mut site = site();
    let (stranger, owner) = (Attempt::from_address(THERE), Attempt::from_address(HERE));
    assert_eq!(site.fail(11, &stranger, "alice").last(), Some(&No::LockedOut));
    assert_eq!(site.lockouts(), [By::Account]);
    assert_eq!(site.password(&owner, "alice", sample::PASSWORD), None);
    assert_eq!(site.password(&stranger, "alice", sample::PASSWORD), Some(No::LockedOut));
    site.wait(WINDOW_S);
    assert_eq!(site.password(&stranger, "alice", sample::PASSWORD), None);
}

#[test]
fn a_known_device_is_open_to_its_owner_whatever_strangers_do_at_the_same_address_and_everywhere() {
    let mut site = site();
    let known = site.device();
    for place in 0..300 {
        let stranger = Attempt::from_address(&format!("198.51.100.{place}"));
        site.fail(1, &stranger, ["alice", "alice@example.com"][place % 2]);
    }
    for name in 0..100 {
        site.fail(1, &Attempt::from_address(HERE), &format!("name {name}"));
    }
    assert_eq!(site.password(&Attempt::from_address(HERE), "alice", sample::PASSWORD), Some(No::LockedOut));
    assert_eq!(site.password(&known, "alice", sample::PASSWORD), None);
}

#[test]
fn guesses_from_a_known_device_are_counted_there_and_a_success_forgets_them() {
    let mut site = site();
    let known = site.device();
    site.fail(9, &known, "alice");
    assert_eq!(site.password(&known, "ALICE@example.com", sample::PASSWORD), None);
    assert_eq!(site.fail(10, &known, "alice"), [No::CredentialsWrong; 10]);
    assert_eq!(site.password(&known, "alice", sample::PASSWORD), Some(No::LockedOut));
    assert_eq!(site.lockouts(), [By::Device]);
    // Whoever steals a browser can lock out only that browser.
    assert_eq!(site.password(&Attempt::from_address(HERE), "alice", sample::PASSWORD), None);
}

#[test]
fn a_device_of_another_user_and_one_that_was_revoked_are_strangers() {
    let mut site = site();
    let other = Device::new(&User { key: UserKey(7), ..sample::user() }, &mut site.world.turn());
    let revoked = site.device();
    let raised = User { revoked_below: i64::MAX, ..(*site.alice()).clone() };
    site.world.facts.login = Some(Arc::new(raised));
    site.fail(10, &Attempt::from_address(HERE), "alice");
    for attempt in [Attempt { devices: vec![other], ..Attempt::from_address(HERE) }, revoked] {
        assert_eq!(site.password(&attempt, "alice", sample::PASSWORD), Some(No::LockedOut));
    }
}

#[test]
fn guesses_from_many_addresses_are_bounded_for_an_account_and_look_like_any_wrong_password() {
    let mut site = site();
    for place in 0..100 {
        assert_eq!(site.fail(1, &Attempt::from_address(&format!("place {place}")), "alice"), [No::CredentialsWrong]);
    }
    // The right password is no longer compared, and the answer does not show it.
    let stranger = Attempt::from_address("another place");
    assert_eq!(site.password(&stranger, "alice", sample::PASSWORD), Some(No::CredentialsWrong));
    assert_eq!(site.password(&stranger, "alice@example.com", sample::PASSWORD), Some(No::CredentialsWrong));
    site.wait(12 * WINDOW_S);
    assert_eq!(site.password(&stranger, "alice", sample::PASSWORD), None);
}

#[test]
fn an_account_cannot_be_told_from_none_nor_two_names_of_one_account_from_two_asvs_6_3_8() {
    let names = ["alice", "alice@example.com", "alice", " ALICE ", "alice@example.com", "alice", "carol"];
    let mut seen = Vec::new();
    for is_there in [true, false] {
        let mut site = site();
        if !is_there {
            site.world.facts.login = None;
        }
        let stranger = Attempt::from_address(THERE);
        let mut told: Vec<Option<No>> = Vec::new();
        for round in 0..40 {
            told.push(site.password(&stranger, names[round % names.len()], "wrong horse"));
            if is_there && round == 15 {
                assert_eq!(site.password(&Attempt::from_address(HERE), "alice", sample::PASSWORD), None);
            }
        }
        seen.push(told);
    }
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0].contains(&Some(No::LockedOut)));
}

#[test]
fn two_names_of_one_account_give_no_more_guesses_than_one() {
    let mut site = site();
    let stranger = Attempt::from_address(THERE);
    site.fail(5, &stranger, "alice");
    site.fail(5, &stranger, "alice@example.com");
    assert_eq!(site.password(&stranger, "alice", sample::PASSWORD), Some(No::CredentialsWrong));
}

#[test]
fn an_attempt_at_a_name_of_nobody_and_at_an_account_write_the_same_rows() {
    let mut counts = Vec::new();
    for is_there in [true, false] {
        let mut site = site();
        if !is_there {
            site.world.facts.login = None;
        }
        site.fail(1, &Attempt::from_address(THERE), "alice");
        counts.push((site.rows.len(), site.events.len()));
    }
    assert_eq!(counts[0], counts[1]);
}

#[test]
fn an_address_is_locked_out_whatever_accounts_it_tries() {
    let mut site = site();
    let stranger = Attempt::from_address(THERE);
    for name in 0..100 {
        site.fail(1, &stranger, &format!("name {name}"));
    }
    assert!(site.lockouts().contains(&By::Address));
    assert_eq!(site.password(&stranger, "alice", sample::PASSWORD), Some(No::LockedOut));
}

#[test]
fn a_typed_name_that_may_be_a_password_is_in_no_event() {
    let mut site = site();
    site.world.facts.login = None;
    site.fail(10, &Attempt::from_address(THERE), "my secret password");
    let (_, detail) = site.events.last().expect("somebody was locked out");
    assert!(detail.starts_with("account, for 900 s, name ") && !detail.contains("secret"), "{detail}");
}

#[test]
fn codes_are_guessed_ten_times_a_quarter_twenty_times_a_day_and_sixty_times_a_month() {
    let mut site = site_with_second_factor();
    let guess = |site: &mut Site, place: usize| site.code(&Attempt::from_address(&format!("place {place}")), "000000");
    let mut compared = 0;
    for quarter in 0..30 * 96 {
        for place in 0..12 {
            compared += usize::from(guess(&mut site, quarter * 12 + place) == Some(No::SecondFactorWrong));
        }
        if quarter == 0 {
            assert_eq!(compared, 10);
        }
        if quarter == 95 {
            assert_eq!(compared, 20);
        }
        site.wait(WINDOW_S);
    }
    assert_eq!(compared, 60);
    assert!(site.lockouts().iter().all(|by| *by == By::SecondFactor) && site.lockouts().len() >= 6);
}

#[test]
fn whoever_knows_the_password_cannot_lock_the_owner_out_of_the_second_factor() {
    let mut site = site_with_second_factor();
    let known = site.device();
    for _ in 0..6 {
        for _ in 0..10 {
            site.code(&Attempt::from_address(THERE), "000000");
        }
        site.wait(24 * 60 * 60);
    }
    let code = crate::person::totp::code(SEED, u64::try_from(site.world.now.0).unwrap() / 30, 6);
    assert_eq!(site.code(&Attempt::from_address(HERE), &code), Some(No::LockedOut));
    assert_eq!(site.code(&known, &code), None, "a known device has counters of its own");
    assert_eq!(site.code(&Attempt::from_address(HERE), &recovery_code()), None, "a recovery code cannot be guessed");
}

#[test]
fn a_right_code_does_not_forget_the_wrong_ones_and_recovery_codes_wait_at_their_address() {
    let mut site = site_with_second_factor();
    let thief = Attempt::from_address(THERE);
    for _ in 0..9 {
        assert_eq!(site.code(&thief, "000000"), Some(No::SecondFactorWrong));
    }
    let code = crate::person::totp::code(SEED, 1000 / 30, 6);
    assert_eq!(site.code(&Attempt::from_address(HERE), &code), None);
    assert_eq!(site.code(&thief, "000000"), Some(No::SecondFactorWrong));
    assert_eq!(site.code(&thief, "000000"), Some(No::LockedOut));
    assert_eq!(site.code(&thief, &recovery_code()), Some(No::LockedOut));
    assert_eq!(site.code(&Attempt::from_address(HERE), &recovery_code()), None);
}

#[test]
fn what_looks_like_recovery_codes_shuts_out_the_address_that_sends_it_and_not_the_owner() {
    let mut site = site_with_second_factor();
    let made_up = crate::person::recovery::codes(&mut Entropy::seeded([6; 32], 1)).0[0].reveal().to_owned();
    for _ in 0..3 {
        let told: Vec<_> = (0..12).filter_map(|_| site.code(&Attempt::from_address(THERE), &made_up)).collect();
        assert_eq!(told.iter().filter(|no| **no == No::LockedOut).count(), 2, "{told:?}");
        assert_eq!(site.code(&Attempt::from_address("198.51.100.7"), "000000"), Some(No::SecondFactorWrong));
        site.wait(WINDOW_S);
    }
    assert_eq!(site.code(&Attempt::from_address(HERE), &recovery_code()), None);
}

/// Attempts that arrive together are judged on the same counts. An attempt that finds its counter full at the commit is
/// judged again.
#[test]
fn a_lockout_that_many_attempts_at_once_bring_about_is_told_once() {
    let mut site = site();
    let attempt = Attempt::from_address(HERE);
    let snapshot = site.rows.clone();
    let mut lost = 0;
    for _ in 0..30 {
        let now = std::mem::replace(&mut site.rows, snapshot.clone());
        let (decided, notes) = site.decided(&attempt, "alice");
        site.rows = now;
        let fits =
            |key: &Digest, limit| found_now(&site.rows, key, site.world.now).is_none_or(|row| row.failures < limit);
        if decided.iter().all(|(key, limit, ..)| fits(key, *limit)) {
            for (key, _, resets_at, user) in decided {
                let row = found_now(&site.rows, &key, site.world.now).unwrap_or(Attempts { failures: 0, resets_at });
                site.rows.insert(key, (Attempts { failures: row.failures + 1, ..row }, user));
            }
            site.events.extend(notes);
        } else {
            lost += 1;
            site.password(&attempt, "alice", "wrong horse");
        }
    }
    assert!(lost > 0);
    assert_eq!(site.lockouts(), [By::Account]);
}

#[test]
fn a_known_device_is_bounded_at_the_second_factor_as_well() {
    let mut site = site_with_second_factor();
    let known = site.device();
    let mut compared = 0;
    for _ in 0..30 * 96 {
        compared += (0..11).filter(|_| site.code(&known, "000000") == Some(No::SecondFactorWrong)).count();
        site.wait(WINDOW_S);
    }
    assert_eq!(compared, 60);
}

#[test]
fn unlocking_ends_every_lockout_of_the_account_and_none_of_an_address() {
    let mut site = site_with_second_factor();
    let (stranger, known) = (Attempt::from_address(THERE), site.device());
    site.fail(10, &stranger, "alice");
    site.fail(10, &known, "alice");
    for _ in 0..10 {
        site.code(&known, "000000");
        site.code(&Attempt::from_address(HERE), "000000");
    }
    site.unlock();
    assert_eq!(site.password(&stranger, "alice", sample::PASSWORD), None);
    assert_eq!(site.password(&known, "alice", sample::PASSWORD), None);
    assert_eq!(site.code(&known, "000000"), Some(No::SecondFactorWrong));
    assert_eq!(site.code(&Attempt::from_address(HERE), "000000"), Some(No::SecondFactorWrong));
    let address = site.rows.get(&address_attempts_key(THERE)).expect("it is counted");
    assert_eq!((address.0.failures, address.1), (10, None));
}

#[test]
fn somebody_who_is_signed_in_has_a_counter_of_their_own() {
    let mut site = site();
    site.fail(10, &Attempt::from_address(HERE), "alice");
    let alice = site.alice();
    let attempt = Attempt { session: Some(SessionId(5)), ..Attempt::from_address(HERE) };
    let guess = |site: &mut Site, is_right: bool| {
        site.attempt(&attempt, None, |facts, turn| {
            let limits = AttemptLimits::of_password(&attempt, Some(&alice), None, turn);
            limits.check(facts, turn)?;
            if is_right {
                limits.pass(turn);
            } else {
                limits.fail("on the account page", facts, turn);
            }
            Ok(())
        })
    };
    assert_eq!(guess(&mut site, true), None);
    for _ in 0..10 {
        assert_eq!(guess(&mut site, false), None);
    }
    assert_eq!(guess(&mut site, true), Some(No::LockedOut));
    assert_eq!(site.lockouts(), [By::Account, By::Device]);
}

#[test]
fn a_lockout_reads_back_from_its_detail() {
    for by in By::ALL {
        let lockout = Lockout { by: *by, for_s: 900 };
        assert_eq!(Lockout::read(&lockout.detail("")), Some(lockout));
        assert_eq!(Lockout::read(&lockout.detail("0a1b2c3d")), Some(lockout));
    }
    assert_eq!(Lockout::read(""), None);
}
