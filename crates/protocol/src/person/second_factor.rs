//! Verification of the second factor, for every endpoint that asks for it: a code of the authenticator, or a recovery
//! code. Each works once.

use std::sync::Arc;

use crate::line::{Facts, Turn};
use crate::model::User;
use crate::person::attempt::Attempt;
use crate::person::attempts::AttemptLimits;
use crate::person::{recovery, totp};
use crate::refusal::{No, Refusal};
use crate::secret::Secret;
use crate::wire::Param;

/// Detail of the audit event for a wrong code after a right password.
pub const WRONG_CODE: &str = "wrong code of the second factor";

/// Verifies a code of the second factor. Returns the account with the code used up, for the caller to write, and the
/// method for the audit log. The version of the account is one higher, so that of two requests with the same code the
/// second finds the code used.
///
/// # Errors
/// [`No::LockedOut`]; [`No::SecondFactorWrong`] for a wrong code, which is counted as a failure.
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
        limits.fail(WRONG_CODE, facts, turn);
        return Err(Refusal::of(No::SecondFactorWrong, Param::Otp));
    };
    limits.pass(turn);
    Ok(burnt)
}

/// Returns the account with the typed code used up, and the method for the audit log. `None` if the code is wrong.
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
    // The surface's number of digits may differ from the one that the authenticator was set up with. RFC 4226 §5.3 cuts
    // the same number to either length.
    let typed = typed.reveal();
    let length = typed.chars().filter(|c| !c.is_whitespace()).count();
    let digits = if length == turn.policy.otp_digits as usize { turn.policy.otp_digits } else { own.digits };
    factor.last_step = totp::matching_step(&seed, typed, digits, turn.now, own.last_step)?;
    Some((burnt, "password and code"))
}
