//! This process's memory of client secrets, which is never stored. It holds which imported secrets were right, so that
//! an honest client does not cost a password hash for each request. It also holds which uses of secrets were written
//! within the hour.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use protocol::client::authenticate::{Credentials, SECRET_SEEN_EVERY_S};
use protocol::client::recalled::{Proven, Recalled};
use protocol::client::registration::secret_digest;
use protocol::model::Client;
use protocol::policy::Policy;
use protocol::secret::Digest;
use protocol::time::UnixTime;
use quick_cache::sync::Cache;
use zeroize::Zeroizing;

/// Maximum number of remembered imported secrets, one for each client and address. Each takes about 100 bytes.
const VERIFIED_MAX: usize = 10_000;
/// Maximum number of secrets whose last use is remembered. Each takes about 100 bytes. The use of a forgotten one is
/// written again.
const NOTED_MAX: usize = 10_000;

/// The memory of client secrets.
pub(crate) struct Recall {
    /// A random key of this process, stored nowhere else. Without it, a copy of the remembered tags is useless.
    key: Zeroizing<[u8; 32]>,
    verified: Cache<[u8; 32], ()>,
    /// For each secret, the hour of the last use that was written.
    noted: Cache<[u8; 32], i64>,
    /// For each counter, the number of attempts that are being judged.
    open: Mutex<HashMap<[u8; 32], u32>>,
}

impl std::fmt::Debug for Recall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recall(…)")
    }
}

/// An attempt that is being judged. It counts as open until it is dropped.
pub(crate) struct Guess<'r> {
    recall: &'r Recall,
    counter: [u8; 32],
}

impl Recall {
    /// An empty memory. `key` must be random and known to this process only.
    #[must_use]
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self {
            key: Zeroizing::new(key),
            verified: Cache::new(VERIFIED_MAX),
            noted: Cache::new(NOTED_MAX),
            open: Mutex::default(),
        }
    }

    /// Returns what is remembered about the client's secrets, and true if the presented secret was right before.
    ///
    /// At most as many attempts may be open at the counter as the policy allows failures. Beyond that, no secret passes
    /// without a hash. Otherwise a burst of guesses, answered from memory, would be over before the first failure is
    /// counted.
    pub(crate) fn recalled(
        &self,
        credentials: &Credentials,
        client: &Client,
        address: &str,
        now: UnixTime,
        policy: &Policy,
    ) -> (Recalled, bool) {
        let tags = credentials.tags(client, address, &self.key);
        let known = tags.into_iter().find(|(_, tag)| self.verified.get(&tag.0).is_some()).map(|(own, _)| own);
        let hour = now.0.div_euclid(SECRET_SEEN_EVERY_S);
        let is_unnoted = |(at, secret)| (self.noted.get(&secret_digest(secret).0) != Some(hour)).then_some(at);
        let unnoted = client.secrets.iter().enumerate().filter_map(is_unnoted).collect();
        let verified =
            known.filter(|_| self.open(credentials.limits(policy, address).client) < policy.lockout.account_failures);
        (Recalled { verified, unnoted }, known.is_some())
    }

    /// Remembers that a secret was right, and when its use was written, if it was.
    pub(crate) fn learn(
        &self,
        credentials: &Credentials,
        client: &Client,
        address: &str,
        proven: Proven,
        noted_at: Option<UnixTime>,
    ) {
        let tags = credentials.tags(client, address, &self.key);
        if let Some((_, tag)) = tags.into_iter().find(|(own, _)| *own == proven) {
            self.verified.insert(tag.0, ());
        }
        if let (Some(now), Some(secret)) = (noted_at, client.secrets.get(proven.at)) {
            self.noted.insert(secret_digest(secret).0, now.0.div_euclid(SECRET_SEEN_EVERY_S));
        }
    }

    /// Counts an attempt as open until the guess is dropped.
    pub(crate) fn guess(&self, counter: Digest) -> Guess<'_> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        *open.entry(counter.0).or_default() += 1;
        Guess { recall: self, counter: counter.0 }
    }

    fn open(&self, counter: Digest) -> u32 {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&counter.0).copied().unwrap_or_default()
    }
}

impl Drop for Guess<'_> {
    fn drop(&mut self) {
        let mut open = self.recall.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.counter) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.counter);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::client::registration;
    use protocol::model::{ClientKind, ClientSecret, StoredSecret};
    use protocol::wire::{Param, Params};

    const NOW: UnixTime = UnixTime(7_300);

    fn client(stored: &str) -> Client {
        let stored = StoredSecret::Argon2(stored.to_owned());
        let secret = ClientSecret { stored, hint: String::new(), created_at: NOW };
        let policy = Policy::standard("https://auth.example");
        Client { secrets: vec![secret], ..registration::client(ClientKind::Confidential, &policy) }
    }

    fn policy(account_failures: u32) -> Policy {
        let mut policy = Policy::standard("https://auth.example");
        policy.lockout.account_failures = account_failures;
        policy
    }

    fn credentials(secret: &str) -> Credentials {
        let mut params = Params::default();
        params.push(Param::ClientId, "old".to_owned()).unwrap();
        params.push(Param::ClientSecret, secret.to_owned()).unwrap();
        Credentials::parse(&mut params).unwrap()
    }

    #[test]
    fn a_secret_that_was_right_is_remembered_for_its_address_until_it_changes() {
        let (recall, own, right) = (Recall::new([7; 32]), client("$argon2id$one"), credentials("right"));
        let verified = |credentials: &Credentials, client: &Client, address: &str| {
            recall.recalled(credentials, client, address, NOW, &policy(10)).0.verified
        };
        assert_eq!(verified(&right, &own, "192.0.2.1"), None);
        recall.learn(&right, &own, "192.0.2.1", Proven::default(), None);
        assert_eq!(verified(&right, &own, "192.0.2.1"), Some(Proven::default()));
        assert_eq!(verified(&credentials("wrong"), &own, "192.0.2.1"), None);
        assert_eq!(verified(&right, &own, "192.0.2.2"), None);
        assert_eq!(verified(&right, &client("$argon2id$two"), "192.0.2.1"), None);
    }

    #[test]
    fn memory_answers_no_more_guesses_at_once_than_the_counter_allows() {
        let (recall, own, right) = (Recall::new([7; 32]), client("$argon2id$one"), credentials("right"));
        recall.learn(&right, &own, "192.0.2.1", Proven::default(), None);
        let counter = right.limits(&policy(2), "192.0.2.1").client;
        let guesses: Vec<_> = (0..2).map(|_| recall.guess(counter)).collect();
        let (recalled, is_known) = recall.recalled(&right, &own, "192.0.2.1", NOW, &policy(2));
        assert_eq!((recalled.verified, is_known), (None, true));
        drop(guesses);
        assert_eq!(recall.recalled(&right, &own, "192.0.2.1", NOW, &policy(2)).0.verified, Some(Proven::default()));
    }

    #[test]
    fn a_use_is_due_once_an_hour() {
        let (recall, own, right) = (Recall::new([7; 32]), client("$argon2id$one"), credentials("right"));
        let due = |now| recall.recalled(&right, &own, "192.0.2.1", UnixTime(now), &policy(10)).0.unnoted;
        assert_eq!(due(7_300), [0]);
        recall.learn(&right, &own, "192.0.2.1", Proven::default(), Some(UnixTime(7_300)));
        assert_eq!((due(10_799), due(10_800)), (vec![], vec![0]));
    }
}
