//! Brute force against client secrets: failures are counted per client and network address together, and per address. A
//! stranger elsewhere cannot use up the attempts of an honest client, and whoever tries many clients is stopped by the
//! address. The counters are rows, as those of people are: they hold for parallel attempts, across nodes and restarts.

use crate::line::{Facts, Rely, Turn, Write};
use crate::model::{ClientKey, EventKind};
use crate::person::attempts::{By, Lockout};
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::secret::Digest;
use crate::time::UnixTime;

/// The two counters that an attempt with a client secret passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAttemptLimits {
    /// The counter of the claimed `client_id` from this address. It is kept under the name that was claimed, so that an
    /// unknown client counts like a known one.
    pub client: Digest,
    /// The counter of the address. People who sign in from there have another one.
    pub address: Digest,
}

impl ClientAttemptLimits {
    /// The counters of a claimed `client_id` and a network address on the surface of `dialect`. A client belongs to one
    /// surface: whoever asks at another one by mistake, with a secret that is right at home, guesses nothing there.
    #[must_use]
    pub fn new(dialect: &str, client_id: &str, address: &str) -> Self {
        let of = |kind: &str, name: &str| Digest::of(format!("{kind}\0{dialect}\0{address}\0{name}").as_bytes());
        Self { client: of("client", client_id), address: of("client address", "") }
    }

    fn limits(self, policy: &Policy) -> [(Digest, u32); 2] {
        let lockout = policy.lockout;
        [(self.client, lockout.account_failures), (self.address, lockout.address_failures)]
    }

    /// Refuses an attempt when one of the counters is at its limit. No hash is made before that is known.
    ///
    /// # Errors
    /// [`No::ClientLockedOut`] with the time to wait.
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

    /// Counts a failure. The auditor is told of the first one, of each power of ten, and of the one that reaches the limit:
    /// strangers cannot fill the table of events. Whoever is locked out by it makes an event of its own.
    pub fn fail(self, client: Option<ClientKey>, facts: &Facts, turn: &mut Turn<'_>) {
        let resets_at = turn.now.plus(turn.policy.lockout.window_s);
        let limits = self.limits(turn.policy);
        let mut lockouts = Vec::new();
        for ((key, limit), by) in limits.into_iter().zip([By::Client, By::ClientAddress]) {
            let counted = facts.failures(key).filter(|own| !turn.now.is_past(own.resets_at));
            let failures = counted.map_or(0, |own| own.failures) + 1;
            // As for people: the failure that fills a counter must know that it does.
            let is_last = failures >= limit;
            let at_most = if is_last { limit } else { limit - 1 };
            turn.write(Write::CountFailure { key, user: None, limit: at_most, now: turn.now, resets_at });
            if failures == limit {
                let for_s = turn.now.seconds_until(counted.map_or(resets_at, |own| own.resets_at));
                lockouts.push(Lockout { by, for_s });
            }
        }
        // Whoever claims clients that do not exist is known by the address alone.
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
        for lockout in lockouts {
            turn.note(EventKind::LockedOut, None, client, lockout.detail(""));
        }
    }

    /// Lets a success through, if the counters are still below their limits when it is committed. It forgets no failures:
    /// a client that asks all day would otherwise clear the counter for whoever shares its address.
    pub fn pass(self, turn: &mut Turn<'_>) {
        for (key, limit) in self.limits(turn.policy) {
            turn.rely(Rely::CounterBelow { key, limit, now: turn.now });
        }
    }
}

fn is_power_of_ten(number: u32) -> bool {
    std::iter::successors(Some(1_u32), |power| power.checked_mul(10)).any(|power| power == number)
}
