//! Brute-force protection: counters of failed attempts, and the lockout when a counter is full.
//!
//! | counter | counts failures | checked for | visible |
//! |---|---|---|---|
//! | name | by the name that was typed and the network address | unknown devices | yes |
//! | near | by account and network address | unknown devices | no |
//! | far | by account, over all addresses | unknown devices | no |
//! | address | by network address, whatever account | unknown devices | yes |
//! | known | by one known device, or one signed-in session, of the account | that device or session | yes |
//! | factor | codes of the second factor, by account or by known device | whoever knows the password | yes |
//! | factor near | codes of both kinds, by account and network address | unknown devices, whoever knows the password | yes |
//!
//! The owner of an account can be locked out only at devices on which they never signed in: attempts from a known
//! device ([`super::device`]) are counted separately. A stranger sees a lockout only by counters that the stranger's
//! own attempts fill. When a hidden counter is full, the right password is answered like a wrong one. So nobody can
//! find out whether an account exists, or whether two names belong to one account. A success clears only the counters
//! of its own device, because clearing the others would be visible.
//!
//! The counters are rows. Each attempt is committed with the precondition that the counter is not full. So a thousand
//! concurrent attempts, on any number of nodes, succeed no more often than ten in a row.

use std::sync::Arc;

use super::device::Device;
use super::password;
use crate::line::{Facts, Key, Rely, Turn, Wants, Write};
use crate::model::{Attempts, EventKind, SessionId, User, UserKey};
use crate::names::login_name;
use crate::person::attempt::Attempt;
use crate::person::counters::{account_attempts_key, address_attempts_key};
use crate::policy::LockoutPolicy;
use crate::refusal::{No, Refusal};
use crate::secret::{Digest, Secret};

impl Attempt {
    /// Adds the keys of all counters that the attempt may pass.
    pub fn want(&self, wants: &mut Wants) {
        wants.add(Key::Failures(address_attempts_key(&self.address)));
        wants.attempt(self.clone());
    }

    /// Returns the keys of the counters of an attempt at `account`, or at the typed name `login` where no account has
    /// that name. The counter of the network address is not among them; [`Attempt::want`] adds its key.
    #[must_use]
    pub fn keys(&self, account: Option<UserKey>, login: Option<&str>) -> Vec<Digest> {
        if account.is_none() && login.is_none() {
            return Vec::new();
        }
        let target = Target { account, login, address: &self.address };
        let mut keys = vec![target.near(), target.far()];
        keys.extend(target.name());
        keys.extend(self.session.map(session_key));
        keys.extend(self.device(account).map(device_key));
        if let Some(user) = account {
            let factors = std::iter::once(account_factor(user)).chain(self.device(account).map(device_factor));
            keys.extend(factors.flat_map(|own| TIERS.map(|tier| tier.key(&own))));
            keys.push(TIERS[0].key(&factor_near(user, &self.address)));
        }
        keys
    }
}

/// The account or name that an attempt is aimed at, and the network address that it comes from.
#[derive(Clone, Copy)]
struct Target<'a> {
    account: Option<UserKey>,
    login: Option<&'a str>,
    address: &'a str,
}

impl Target<'_> {
    /// The key of the counter by typed name and network address; `None` if no name was typed.
    fn name(&self) -> Option<Digest> {
        let name = login_name(self.login?);
        Some(Digest::of(format!("name\0{name}\0{}", self.address).as_bytes()))
    }

    /// The key of the counter over all addresses. A name without an account has such a counter too, so that an attempt
    /// writes the same number of rows whether the account exists or not.
    fn far(&self) -> Digest {
        account_attempts_key(self.account, self.login.unwrap_or_default())
    }

    fn near(&self) -> Digest {
        Digest::of(&[b"near\0", &self.far().0[..], self.address.as_bytes()].concat())
    }
}

fn session_key(id: SessionId) -> Digest {
    Digest::of(format!("session\0{}", id.0).as_bytes())
}

fn device_key(device: &Device) -> Digest {
    Digest::of(format!("device\0{}\0{}", device.user.0, device.id).as_bytes())
}

fn account_factor(user: UserKey) -> String {
    format!("factor\0{}", user.0)
}

/// The counter of second-factor codes, of an authenticator or for recovery, that one address tries at an account.
fn factor_near(user: UserKey, address: &str) -> String {
    format!("factor near\0{}\0{address}", user.0)
}

fn device_factor(device: &Device) -> String {
    format!("factor\0{}\0{}", device.user.0, device.id)
}

/// A limit on guesses at the second factor within a window. Three codes are valid at any time (RFC 6238 §5.2), so ten
/// guesses in each quarter of an hour would find one within a year. The longer windows reduce the chance to one in
/// 5,000 a month. They grow with the operator's own limits.
#[derive(Clone, Copy)]
struct Tier {
    name: &'static str,
    /// The limit of failures, as a multiple of [`LockoutPolicy::account_failures`].
    times: u32,
    /// Minimum length of the window in seconds. The operator's window applies if it is longer.
    window_s: u64,
    /// True if the tier also counts recovery codes at a known device. Recovery codes have 120 random bits and cannot be
    /// guessed, so the longer windows do not count them. At unknown devices, only the counters of the caller's own
    /// address count them.
    is_for_recovery: bool,
}

const TIERS: [Tier; 3] = [
    Tier { name: "window", times: 1, window_s: 0, is_for_recovery: true },
    Tier { name: "day", times: 2, window_s: 24 * 60 * 60, is_for_recovery: false },
    Tier { name: "month", times: 6, window_s: 30 * 24 * 60 * 60, is_for_recovery: false },
];

impl Tier {
    fn key(&self, own: &str) -> Digest {
        Digest::of(format!("{own}\0{}", self.name).as_bytes())
    }

    fn counter(&self, own: &str, lockout: LockoutPolicy) -> Counter {
        let limit = lockout.account_failures.saturating_mul(self.times);
        let window_s = lockout.window_s.max(self.window_s);
        Counter { key: self.key(own), limit, window_s, by: By::SecondFactor, is_hidden: false, is_cleared: false }
    }
}

crate::wire::names! {
    /// The kind of counter that causes a lockout.
    By {
        /// Failures against one account or name, from devices that the account does not know.
        Account = "account",
        /// Failures from one network address.
        Address = "address",
        /// Failures from a known device, or in the session of a signed-in user.
        Device = "device",
        /// Wrong codes of the second factor.
        SecondFactor = "second_factor",
    }
}

/// Limit of the account-wide counter of unknown devices, as a multiple of the limit of one address. Filling it takes
/// many addresses.
const FAR_TIMES: u32 = 10;
/// Window of the account-wide counter, as a multiple of the usual window: with the defaults, 100 failures in three
/// hours. An attacker with many addresses guesses no faster in a day than one with a single address.
const FAR_WINDOWS: u64 = 12;

/// A counter of failures that an attempt must pass.
#[derive(Clone, Copy, Debug)]
struct Counter {
    key: Digest,
    limit: u32,
    window_s: u64,
    by: By,
    /// True if the caller must not notice that the counter is full.
    is_hidden: bool,
    /// True if a success clears the counter.
    is_cleared: bool,
}

impl Counter {
    /// Returns the counted failures; `None` if there are none within the window.
    fn counted(&self, facts: &Facts, turn: &Turn<'_>) -> Option<Attempts> {
        facts.failures(self.key).filter(|own| !turn.now.is_past(own.resets_at))
    }

    fn shut(&self, facts: &Facts, turn: &Turn<'_>) -> Option<Attempts> {
        self.counted(facts, turn).filter(|own| own.failures >= self.limit)
    }
}

/// The counters that an attempt must pass: those for passwords, or those for the second factor.
#[derive(Clone, Debug)]
pub struct AttemptLimits {
    limits: Vec<Counter>,
    user: Option<UserKey>,
    /// The first bytes of the digest of a typed name that no account has, in hexadecimal. Audit events show it instead
    /// of the name, which may be a password typed into the wrong field.
    name: String,
}

impl AttemptLimits {
    /// Returns the counters of an attempt with a password. `login` is the typed name; `None` if a signed-in user
    /// confirms the password.
    #[must_use]
    pub fn of_password(attempt: &Attempt, user: Option<&Arc<User>>, login: Option<&str>, turn: &Turn<'_>) -> Self {
        let lockout = turn.policy.lockout;
        let limits = match known_key(attempt, user) {
            Some(key) => vec![known(key, lockout)],
            None => strangers(attempt, user, login, lockout),
        };
        let digest = Digest::of(login_name(login.unwrap_or_default()).as_bytes());
        let name = data_encoding::HEXLOWER.encode(&digest.0[..4]);
        Self { limits, user: user.map(|user| user.key), name }
    }

    /// Returns the counters of an attempt at the user's second factor. The password was right already.
    #[must_use]
    pub fn of_second_factor(attempt: &Attempt, user: &User, typed: &Secret, turn: &Turn<'_>) -> Self {
        let lockout = turn.policy.lockout;
        let device = attempt.device(Some(user.key)).filter(|device| device.is_known_to(user));
        let own = device.map_or_else(|| account_factor(user.key), device_factor);
        let is_recovery = super::recovery::is_one(typed.reveal());
        let tiers = TIERS.iter().filter(|tier| tier.is_for_recovery || !is_recovery);
        let mut limits: Vec<Counter> = tiers.map(|tier| tier.counter(&own, lockout)).collect();
        if device.is_none() {
            if is_recovery {
                // Recovery codes cannot be guessed. Count wrong ones only by address, so that an attacker cannot lock
                // out the owner, who has a right one.
                limits.clear();
            }
            limits.push(TIERS[0].counter(&factor_near(user.key, &attempt.address), lockout));
            limits.push(address(attempt, lockout));
        }
        Self { limits, user: Some(user.key), name: String::new() }
    }

    /// Checks that no counter is full. Returns false if a hidden counter is full: the attempt must then look like a
    /// failure, whatever was typed.
    ///
    /// # Errors
    /// [`No::LockedOut`] with the seconds to wait, if a visible counter is full.
    pub fn check(&self, facts: &Facts, turn: &Turn<'_>) -> Result<bool, Refusal> {
        let shut = |is_hidden| {
            let limits = self.limits.iter().filter(move |counter| counter.is_hidden == is_hidden);
            limits.filter_map(|counter| counter.shut(facts, turn)).map(|own| own.resets_at).max()
        };
        match shut(false) {
            Some(resets_at) => {
                Err(Refusal { retry_after_s: Some(turn.now.seconds_until(resets_at)), ..No::LockedOut.into() })
            }
            None => Ok(shut(true).is_none()),
        }
    }

    /// Adds a failure to every counter that is not full. Notes an audit event for the failure, and one for each lockout
    /// that it causes.
    pub fn fail(&self, detail: &str, facts: &Facts, turn: &mut Turn<'_>) {
        let user = self.user;
        let mut lockouts: Vec<Lockout> = Vec::new();
        for counter in &self.limits {
            if counter.shut(facts, turn).is_some() {
                continue;
            }
            let counted = counter.counted(facts, turn);
            let resets_at = counted.map_or(turn.now.plus(counter.window_s), |own| own.resets_at);
            let is_last = counted.map_or(0, |own| own.failures) + 1 >= counter.limit;
            // Concurrent attempts may add failures in between. The attempt whose failure fills the counter must note
            // the lockout. So an attempt that expects room after it may not take the last place: the lower limit makes
            // its commit fail, and it is judged again.
            let limit = if is_last { counter.limit } else { counter.limit - 1 };
            let (key, now) = (counter.key, turn.now);
            // Counters by address alone belong to no account, and are kept when the account is removed.
            let owner = user.filter(|_| counter.by != By::Address);
            turn.write(Write::CountFailure { key, limit, now, resets_at, user: owner });
            if is_last {
                let for_s = turn.now.seconds_until(resets_at);
                match lockouts.iter_mut().find(|own| own.by == counter.by) {
                    Some(own) => own.for_s = own.for_s.max(for_s),
                    None => lockouts.push(Lockout { by: counter.by, for_s }),
                }
            }
        }
        turn.note(EventKind::SignInFailed, user, None, detail);
        for lockout in lockouts {
            let name = if user.is_none() && lockout.by == By::Account { self.name.as_str() } else { "" };
            turn.note(EventKind::LockedOut, user, None, lockout.detail(name));
        }
    }

    /// Adds the preconditions that no counter is full when the success is committed, and clears the counters of the own
    /// device.
    pub fn pass(&self, turn: &mut Turn<'_>) {
        for counter in &self.limits {
            let Counter { key, limit, is_cleared, .. } = *counter;
            turn.rely(Rely::CounterBelow { key, limit, now: turn.now });
            if is_cleared {
                turn.write(Write::ClearCounter { key, limit, now: turn.now });
            }
        }
    }
}

/// Returns the key of the counter of the known device or of the session, if the attempt comes from one.
fn known_key(attempt: &Attempt, user: Option<&Arc<User>>) -> Option<Digest> {
    let user = user?;
    let device = attempt.device(Some(user.key)).filter(|device| device.is_known_to(user));
    device.map(device_key).or(attempt.session.map(session_key))
}

fn known(key: Digest, lockout: LockoutPolicy) -> Counter {
    let (limit, window_s) = (lockout.account_failures, lockout.window_s);
    Counter { key, limit, window_s, by: By::Device, is_hidden: false, is_cleared: true }
}

/// Returns the counters of an attempt that comes from no known device. Their order is fixed, with the one that all
/// attempts at an account share first, so that transactions which write several of them cannot deadlock.
fn strangers(attempt: &Attempt, user: Option<&Arc<User>>, login: Option<&str>, lockout: LockoutPolicy) -> Vec<Counter> {
    let target = Target { account: user.map(|user| user.key), login, address: &attempt.address };
    let (limit, window_s) = (lockout.account_failures, lockout.window_s);
    let near = Counter { key: target.near(), limit, window_s, by: By::Account, is_hidden: true, is_cleared: false };
    let far = Counter {
        key: target.far(),
        limit: limit.saturating_mul(FAR_TIMES),
        window_s: window_s.saturating_mul(FAR_WINDOWS),
        ..near
    };
    let name = target.name().map(|key| Counter { key, is_hidden: false, ..near });
    // Without a typed name the user is signed in to the account, and may know that it is locked.
    let near = Counter { is_hidden: name.is_some(), ..near };
    std::iter::once(far).chain(name).chain([near, address(attempt, lockout)]).collect()
}

fn address(attempt: &Attempt, lockout: LockoutPolicy) -> Counter {
    Counter {
        key: address_attempts_key(&attempt.address),
        limit: lockout.address_failures,
        window_s: lockout.window_s,
        by: By::Address,
        is_hidden: false,
        is_cleared: false,
    }
}

/// Verifies user name and password, for every endpoint that takes passwords, and returns the user. The right password
/// must pass the counters; a wrong one adds to them.
///
/// # Errors
/// [`No::LockedOut`]; [`No::CredentialsWrong`] for a wrong password, an unknown name, a disabled account, or a right
/// password while a hidden counter is full. The caller cannot tell these cases apart, by text or by time: OWASP ASVS
/// 5.0 V6.3.8.
pub fn prove_password<'f>(
    attempt: &Attempt,
    login: &str,
    typed: &Secret,
    facts: &'f Facts,
    turn: &mut Turn<'_>,
) -> Result<&'f Arc<User>, Refusal> {
    let account = facts.login(login);
    let limits = AttemptLimits::of_password(attempt, account, Some(login), turn);
    if !limits.check(facts, turn)? {
        password::pretend(typed);
        limits.fail("not compared: too many failures", facts, turn);
        return Err(No::CredentialsWrong.into());
    }
    let Some(user) = password::proven(account, typed) else {
        limits.fail("", facts, turn);
        return Err(No::CredentialsWrong.into());
    };
    limits.pass(turn);
    Ok(user)
}

/// A lockout, as the detail of an audit event describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lockout {
    /// The kind of counter that was full.
    pub by: By,
    /// Length of the lockout in seconds.
    pub for_s: u64,
}

impl Lockout {
    fn detail(self, name: &str) -> String {
        let name = if name.is_empty() { String::new() } else { format!(", name {name}") };
        format!("{}, for {} s{name}", self.by, self.for_s)
    }

    /// Parses the detail of an event of the kind [`EventKind::LockedOut`]. `None` if an older version wrote the event.
    #[must_use]
    pub fn read(detail: &str) -> Option<Self> {
        let (by, rest) = detail.split_once(", for ")?;
        let (for_s, _) = rest.split_once(" s")?;
        Some(Self { by: By::from_name(by)?, for_s: for_s.parse().ok()? })
    }
}

#[cfg(test)]
mod tests;
