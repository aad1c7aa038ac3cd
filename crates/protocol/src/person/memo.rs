//! Password hashes that one turn computed. A turn that lost a race is judged again, on rows that may differ; what it hashed
//! before stays true, so nobody waits for it twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::secret::{Digest, Secret};

/// The slow results of one turn, over all attempts at it. Keys are digests, so that no clear secret stays here.
#[derive(Default)]
pub struct Memo {
    compared: Mutex<BTreeMap<Digest, bool>>,
    hashed: Mutex<BTreeMap<Digest, String>>,
    /// True while nothing slow may be computed.
    is_quick: AtomicBool,
    was_missed: AtomicBool,
}

impl std::fmt::Debug for Memo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memo(…)")
    }
}

impl Memo {
    /// Returns true if nothing was computed so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_nothing_compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        is_nothing_compared && self.hashed.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// From now on nothing slow is computed. What is not known yet counts as a wrong password, and [`Memo::was_missed`]
    /// tells so: the verdict is of no use then.
    pub fn be_quick(&self, is_quick: bool) {
        self.is_quick.store(is_quick, Ordering::Relaxed);
        self.was_missed.store(false, Ordering::Relaxed);
    }

    /// Returns true if something was asked for that was not known since [`Memo::be_quick`].
    #[must_use]
    pub fn was_missed(&self) -> bool {
        self.was_missed.load(Ordering::Relaxed)
    }

    /// The result of `compare`, which is called only if it was not called before for the same hash and password.
    pub(crate) fn is_right(&self, stored: &str, typed: &Secret, compare: impl FnOnce() -> bool) -> bool {
        let pair = [Digest::of(stored.as_bytes()).0, Digest::of(typed.reveal().as_bytes()).0];
        self.known(&self.compared, Digest::of(&pair.concat()), compare)
    }

    /// The result of `hash`, which is called only if it was not called before for the same password.
    pub(crate) fn hash(&self, text: &Secret, hash: impl FnOnce() -> String) -> String {
        self.known(&self.hashed, Digest::of(text.reveal().as_bytes()), hash)
    }

    fn known<T: Clone + Default>(&self, map: &Mutex<BTreeMap<Digest, T>>, key: Digest, find: impl FnOnce() -> T) -> T {
        // Attempts at one turn come one after the other, so the lock is free.
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
