//! The second factor, wherever it is asked for: a code of the authenticator, or a recovery code in its place. Each works
//! once, on every pathway.

use std::sync::Arc;

use crate::line::{Facts, Turn};
use crate::model::{EventKind, User};
use crate::person::attempt::Attempt;
use crate::person::attempts::AttemptLimits;
use crate::person::failure::Failure;
use crate::person::{recovery, totp};
use crate::refusal::{No, Refusal};
use crate::secret::Secret;
use crate::wire::Param;

/// Proves the second factor: gives the account with the code used up, for the caller to write, and how it was proven, for
/// the auditor. The account's version is the next one: of two who come with the same code, the second finds it used.
///
/// # Errors
/// [`No::LockedOut`]; [`No::SecondFactorWrong`], and the failure is counted.
pub fn prove(
    user: &Arc<User>,
    typed: &Secret,
    attempt: &Attempt,
    facts: &Facts,
    turn: &mut Turn<'_>,
) -> Result<(User, &'static str), Refusal> {
    let limits = AttemptLimits::of_second_factor(attempt, user, typed, turn);
    limits.check(facts, turn)?;
    let Some(burnt) = burn(user, typed, turn) else {
        let failure = if recovery::is_one(typed.reveal()) { Failure::RecoveryCode } else { Failure::Code };
        limits.fail(failure.as_str(), facts, turn);
        return Err(Refusal::of(No::SecondFactorWrong, Param::Otp));
    };
    limits.pass(turn);
    let codes = |user: &User| user.totp.as_ref().map_or(0, |own| own.recovery.len());
    let left = codes(&burnt.0);
    if left < codes(user) {
        turn.note(EventKind::RecoveryUsed, Some(user.key), attempt.client, format!("{left} left"));
    }
    Ok(burnt)
}

/// The account with the presented code or recovery code used up; `None` if it is neither.
fn burn(user: &User, typed: &Secret, turn: &Turn<'_>) -> Option<(User, &'static str)> {
    let own = user.totp.as_ref()?;
    let mut burnt = user.clone();
    burnt.version += 1;
    let factor = burnt.totp.as_mut()?;
    let used = recovery::digest(typed.reveal());
    if let Some(at) = own.recovery.iter().position(|digest| *digest == used) {
        factor.recovery.remove(at);
        return Some((burnt, "password and recovery code"));
    }
    let seed = turn.keys.open_kept("totp", user.sub.as_bytes(), &own.sealed_seed)?;
    // A surface may ask for more digits than the authenticator was set up for, or for fewer: RFC 4226 §5.3 cuts the same
    // number to the length that is wanted.
    let typed = typed.reveal();
    let length = typed.chars().filter(|c| !c.is_whitespace()).count();
    let digits = if length == turn.policy.otp_digits as usize { turn.policy.otp_digits } else { own.digits };
    factor.last_step = totp::matching_step(&seed, typed, digits, turn.now, own.last_step)?;
    Some((burnt, "password and code"))
}
