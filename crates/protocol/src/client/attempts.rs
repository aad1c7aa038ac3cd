//! Brute-force protection of client secrets. Failures are counted by client and network address together, and by
//! address alone. So an attacker at another address cannot lock out an honest client, and an attacker who tries many
//! clients is stopped by the address. The counters are rows, like those of users: they hold for concurrent attempts,
//! across nodes and restarts.

use crate::line::{Facts, Rely, Turn, Write};
use crate::model::{ClientKey, EventKind};
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::secret::Digest;
use crate::time::UnixTime;

/// The keys of the two counters that an attempt with a client secret must pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAttemptLimits {
    /// The counter by claimed `client_id` and address. It is kept for unknown clients too, so that an attempt looks the
    /// same whether the client exists or not.
    pub client: Digest,
    /// The counter by address. Sign-ins of users from the address have a separate counter.
    pub address: Digest,
}

impl ClientAttemptLimits {
    /// Returns the counters of a claimed `client_id` and a network address on the surface of `dialect`. Each surface
    /// has its own, because a client belongs to one surface: a client that sends its right secret to another one by
    /// mistake is not guessing.
    #[must_use]
    pub fn new(dialect: &str, client_id: &str, address: &str) -> Self {
        let of = |kind: &str, name: &str| Digest::of(format!("{kind}\0{dialect}\0{address}\0{name}").as_bytes());
        Self { client: of("client", client_id), address: of("client address", "") }
    }

    fn limits(self, policy: &Policy) -> [(Digest, u32); 2] {
        let lockout = policy.lockout;
        [(self.client, lockout.account_failures), (self.address, lockout.address_failures)]
    }

    /// Refuses an attempt if one of the counters is full. Call it before hashing the secret.
    ///
    /// # Errors
    /// [`No::ClientLockedOut`] with the seconds to wait.
    pub fn check(self, facts: &Facts, policy: &Policy, now: UnixTime) -> Result<(), Refusal> {
        let shut = self
            .limits(policy)
            .into_iter()
            .filter_map(|(key, limit)| facts.failures(key).filter(|own| own.failures >= limit))
            .filter(|own| !now.is_past(own.resets_at));
        match shut.map(|own| own.resets_at).max() {
            Some(resets_at) => {
                let wait_s = now.seconds_until(resets_at).max(1);
                Err(Refusal { retry_after_s: Some(wait_s), ..No::ClientLockedOut.into() })
            }
            None => Ok(()),
        }
    }

    /// Adds a failure to both counters. The audit log gets the first failure, each power of ten, and the one that
    /// reaches the limit, so that attackers cannot fill the table of events.
    pub fn fail(self, client: Option<ClientKey>, facts: &Facts, turn: &mut Turn<'_>) {
        let resets_at = turn.now.plus(turn.policy.lockout.window_s);
        let limits = self.limits(turn.policy);
        for (key, limit) in limits {
            let counted = facts.failures(key).filter(|own| !turn.now.is_past(own.resets_at));
            let counted = counted.map_or(0, |own| own.failures);
            // As for users: an attempt that expects room after it may not take the last place. Its commit then fails,
            // and the attempt is judged again.
            let limit = if counted + 1 >= limit { limit } else { limit - 1 };
            turn.write(Write::CountFailure { key, user: None, limit, now: turn.now, resets_at });
        }
        // Failures with unknown clients are reported by the counter of the address.
        let (key, limit) = if client.is_some() { limits[0] } else { limits[1] };
        let counted = facts.failures(key).filter(|own| !turn.now.is_past(own.resets_at));
        let failures = counted.map_or(0, |own| own.failures) + 1;
        if failures >= limit {
            let wait_s = turn.now.seconds_until(counted.map_or(resets_at, |own| own.resets_at));
            let detail = format!("{failures} failures; refused for {wait_s} s");
            turn.note(EventKind::ClientAuthFailed, None, client, detail);
        } else if is_power_of_ten(failures) {
            let plural = if failures == 1 { "" } else { "s" };
            turn.note(EventKind::ClientAuthFailed, None, client, format!("{failures} failure{plural}"));
        }
    }

    /// Adds the preconditions that the counters are not full when the success is committed. A success clears no
    /// counter: a client that asks all day would otherwise clear it for an attacker at the same address.
    pub fn pass(self, turn: &mut Turn<'_>) {
        for (key, limit) in self.limits(turn.policy) {
            turn.rely(Rely::CounterBelow { key, limit, now: turn.now });
        }
    }
}

fn is_power_of_ten(number: u32) -> bool {
    std::iter::successors(Some(1_u32), |power| power.checked_mul(10)).any(|power| power == number)
}
