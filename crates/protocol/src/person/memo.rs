//! Memory of the password hashes that one turn computed. A turn that lost a race is judged again on rows that may
//! differ. The hashes stay valid, so no user waits for them twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::secret::{Digest, Secret};

/// The results of password hashing in one turn, kept over all attempts at it. The keys are digests, so that the memo
/// holds no clear-text secret.
#[derive(Default)]
pub struct Memo {
    compared: Mutex<BTreeMap<Digest, bool>>,
    hashed: Mutex<BTreeMap<Digest, String>>,
    /// True while hashing is not allowed.
    is_quick: AtomicBool,
    was_missed: AtomicBool,
}

impl std::fmt::Debug for Memo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memo(…)")
    }
}

impl Memo {
    /// Returns true if no password was hashed or compared so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_nothing_compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        is_nothing_compared && self.hashed.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Forbids (`true`) or allows (`false`) hashing from now on. While it is forbidden, a password that was not
    /// compared before counts as wrong, and [`Memo::was_missed`] becomes true: the verdict is then of no use.
    pub fn be_quick(&self, is_quick: bool) {
        self.is_quick.store(is_quick, Ordering::Relaxed);
        self.was_missed.store(false, Ordering::Relaxed);
    }

    /// Returns true if a result was needed but not known since the last call of [`Memo::be_quick`].
    #[must_use]
    pub fn was_missed(&self) -> bool {
        self.was_missed.load(Ordering::Relaxed)
    }

    /// Returns the result of `compare`, which runs only the first time for this hash and password.
    pub(crate) fn is_right(&self, stored: &str, typed: &Secret, compare: impl FnOnce() -> bool) -> bool {
        let pair = [Digest::of(stored.as_bytes()).0, Digest::of(typed.reveal().as_bytes()).0];
        self.known(&self.compared, Digest::of(&pair.concat()), compare)
    }

    /// Returns the result of `hash`, which runs only the first time for this password.
    pub(crate) fn hash(&self, text: &Secret, hash: impl FnOnce() -> String) -> String {
        self.known(&self.hashed, Digest::of(text.reveal().as_bytes()), hash)
    }

    fn known<T: Clone + Default>(&self, map: &Mutex<BTreeMap<Digest, T>>, key: Digest, find: impl FnOnce() -> T) -> T {
        // Attempts at one turn run one after the other, so nobody else holds the lock.
        let mut map = map.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = map.get(&key) {
            return known.clone();
        }
        if self.is_quick.load(Ordering::Relaxed) {
            self.was_missed.store(true, Ordering::Relaxed);
            return T::default();
        }
        let found = find();
        map.insert(key, found.clone());
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_computed_once_is_not_computed_again() {
        let memo = Memo::default();
        let secret = Secret::new("correct horse");
        assert!(memo.is_empty());
        assert!(memo.is_right("stored", &secret, || true));
        assert!(memo.is_right("stored", &secret, || panic!("it is known")));
        assert!(!memo.is_right("another", &secret, || false), "another hash is compared anew");
        assert!(!memo.is_right("stored", &Secret::new("wrong"), || false), "and so is another password");
        assert_eq!(memo.hash(&secret, || "hash".to_owned()), "hash");
        assert_eq!(memo.hash(&secret, || panic!("it is known")), "hash");
        assert!(!memo.is_empty());
    }

    #[test]
    fn a_quick_turn_computes_nothing_slow_and_tells_what_it_missed() {
        let memo = Memo::default();
        let secret = Secret::new("correct horse");
        assert!(memo.is_right("stored", &secret, || true));
        memo.be_quick(true);
        assert!(memo.is_right("stored", &secret, || panic!("it is known")) && !memo.was_missed());
        assert!(!memo.is_right("changed", &secret, || panic!("it is slow")) && memo.was_missed());
        memo.be_quick(false);
        assert!(memo.is_right("changed", &secret, || true) && !memo.was_missed());
    }
}
