//! The second factor, wherever it is asked for: a code of the authenticator, or a recovery code in its place. Each works
//! once, on every pathway.

use crate::login::{recovery, totp};
use crate::model::User;
use crate::secret::Secret;
use crate::turn::Turn;

/// The account with the presented code or recovery code used up, and how it was proven, for the auditor; `None` if it is
/// neither. The account's version is the next one: of two who come with the same code, the second finds it used.
#[must_use]
pub fn burn(user: &User, typed: &Secret, turn: &Turn<'_>) -> Option<(User, &'static str)> {
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
    factor.last_step = totp::matching_step(&seed, typed.reveal(), own.digits, turn.now, own.last_step)?;
    Some((burnt, "password and code"))
}
