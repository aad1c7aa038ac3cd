//! Brute force: failures are counted per account and per network address. The counters are rows; an attempt is answered
//! only by a commit whose precondition is that the door is still open, so that a thousand attempts at once get no further
//! than ten in a row.

use std::sync::Arc;

use crate::model::{Attempts, EventKind, User};
use crate::refusal::{No, Refusal};
use crate::secret::Digest;
use crate::turn::{Change, Facts, Turn};

/// The two doors that an attempt passes.
#[derive(Clone, Copy, Debug)]
pub struct Doors {
    account: Digest,
    address: Digest,
}

impl Doors {
    /// The doors of an account and of the caller's address.
    #[must_use]
    pub fn new(account: Digest, address: Digest) -> Self {
        Self { account, address }
    }

    /// Is one of them shut?
    ///
    /// # Errors
    /// [`No::LockedOut`] with the time to wait.
    pub fn check(&self, facts: &Facts, turn: &Turn<'_>) -> Result<(), Refusal> {
        let lockout = turn.policy.lockout;
        let shut = |attempts: Option<Attempts>, limit| {
            attempts.filter(|own| own.failures >= limit && !turn.now.is_past(own.resets_at))
        };
        let account = shut(facts.account_attempts, lockout.account_failures);
        let address = shut(facts.address_attempts, lockout.address_failures);
        match account.into_iter().chain(address).map(|own| own.resets_at).max() {
            Some(resets_at) => {
                Err(Refusal { retry_after_s: Some(turn.now.seconds_until(resets_at)), ..No::LockedOut.into() })
            }
            None => Ok(()),
        }
    }

    /// Counts a failure at both doors, and tells the auditor; also when it was the one that shut the account's.
    pub fn fail(&self, user: Option<&Arc<User>>, facts: &Facts, turn: &mut Turn<'_>) {
        self.count(turn);
        let counted = facts.account_attempts.filter(|own| !turn.now.is_past(own.resets_at));
        let failures = counted.map_or(0, |own| own.failures);
        let user = user.map(|user| user.key);
        turn.note(EventKind::SignInFailed, user, None, "");
        if failures + 1 >= turn.policy.lockout.account_failures {
            turn.note(EventKind::LockedOut, user, None, "");
        }
    }

    /// Counts a failure at both doors.
    pub fn count(&self, turn: &mut Turn<'_>) {
        let lockout = turn.policy.lockout;
        let resets_at = turn.now.plus(lockout.window_s);
        for (key, limit) in [(self.account, lockout.account_failures), (self.address, lockout.address_failures)] {
            turn.change(Change::CountFailure { key, limit, now: turn.now, resets_at });
        }
    }

    /// Lets a success through, if the doors are still open when it is committed. A success forgets the failures against
    /// the account, but not those from the address, whose owner may be trying others.
    pub fn pass(&self, turn: &mut Turn<'_>) {
        self.pass_with(true, turn);
    }

    /// Lets half a success through: the failures against the account stay until its second factor was right as well.
    pub fn pass_without_clearing(&self, turn: &mut Turn<'_>) {
        self.pass_with(false, turn);
    }

    fn pass_with(&self, is_cleared: bool, turn: &mut Turn<'_>) {
        let lockout = turn.policy.lockout;
        let now = turn.now;
        turn.change(Change::PassCounter { key: self.account, limit: lockout.account_failures, now, is_cleared });
        turn.change(Change::PassCounter { key: self.address, limit: lockout.address_failures, now, is_cleared: false });
    }
}
