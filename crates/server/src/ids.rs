//! Generates row ids. Ids grow, so that rows are appended, and are unique over all processes.
//!
//! An id has 63 bits: milliseconds since 2025, ten bits for the process, and a sequence number. Ids never decrease,
//! even if the clock does. If a millisecond needs more ids than it has, ids run ahead of the clock.

use std::sync::atomic::{AtomicI64, AtomicU16, Ordering};

use protocol::crypto::entropy::Entropy;

use crate::id_time::{END_MS, EPOCH_MS, NODE_BITS, SEQUENCE_BITS, TIME_BITS, time_ms};
use crate::plausible::{BEHIND_MAX_MS, Implausible};

/// Maximum number of processes that can draw ids at the same time.
pub const NODES: u16 = 1 << NODE_BITS;

/// A generator of blocks of [`Entropy::IDS_MAX`] ids.
#[derive(Debug)]
pub struct Ids {
    node: AtomicU16,
    /// Milliseconds and sequence number of the next block, in one number.
    next: AtomicI64,
}

impl Ids {
    /// Makes the generator of the process with the number `node`. All its ids are above `greatest`, the greatest id in
    /// the store.
    #[must_use]
    pub fn new(node: u16, greatest: i64) -> Self {
        let next = ((greatest >> (NODE_BITS + SEQUENCE_BITS)) + 1) << SEQUENCE_BITS;
        Self { node: AtomicU16::new(node % NODES), next: AtomicI64::new(next.max(0)) }
    }

    /// Returns the number of this process, below [`NODES`].
    pub fn node(&self) -> u16 {
        self.node.load(Ordering::Relaxed)
    }

    /// Gives this process another number.
    pub fn renumber(&self, node: u16) {
        self.node.store(node % NODES, Ordering::Relaxed);
    }

    /// Reserves a block of ids and returns its first id. `now_ms` is in milliseconds since 1970.
    ///
    /// # Errors
    /// [`Implausible::NoIds`] if the next id would need more than 63 bits.
    pub fn reserve(&self, now_ms: i64) -> Result<i64, Implausible> {
        if now_ms >= END_MS {
            return Err(Implausible::NoIds);
        }
        let floor = (now_ms.saturating_sub(EPOCH_MS)).max(0) << SEQUENCE_BITS;
        let mut next = self.next.load(Ordering::Relaxed);
        loop {
            let block = next.max(floor);
            if block >> SEQUENCE_BITS >= 1 << TIME_BITS {
                return Err(Implausible::NoIds);
            }
            // The length of a block divides the number of ids of a millisecond, so no block crosses milliseconds.
            let after = block + Entropy::IDS_MAX;
            match self.next.compare_exchange_weak(next, after, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(self.composed(block)),
                Err(other) => next = other,
            }
        }
    }

    /// Makes all further ids greater than `id`, if a row with that id can exist at `now_ms`, in milliseconds since
    /// 1970.
    ///
    /// # Errors
    /// [`Implausible::Revoked`] if the id is from the future, because it would raise all further ids.
    pub fn lift(&self, id: i64, now_ms: i64) -> Result<(), Implausible> {
        let time_ms = time_ms(id);
        if time_ms > now_ms.saturating_add(BEHIND_MAX_MS) {
            return Err(Implausible::Revoked { revoked_until_ms: time_ms });
        }
        let next = ((id >> (NODE_BITS + SEQUENCE_BITS)) + 1) << SEQUENCE_BITS;
        // Usually the clock is far beyond that id, and nothing has to be written.
        if self.next.load(Ordering::Relaxed) < next {
            self.next.fetch_max(next, Ordering::Relaxed);
        }
        Ok(())
    }

    fn composed(&self, block: i64) -> i64 {
        let sequence = block & ((1 << SEQUENCE_BITS) - 1);
        ((block >> SEQUENCE_BITS) << (NODE_BITS + SEQUENCE_BITS)) | (i64::from(self.node()) << SEQUENCE_BITS) | sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id_time::first_at;

    const NOW_MS: i64 = EPOCH_MS + 1_000_000;

    fn reserve(ids: &Ids, now_ms: i64) -> i64 {
        ids.reserve(now_ms).unwrap()
    }

    #[test]
    fn ids_grow_also_when_the_clock_steps_back() {
        let ids = Ids::new(5, 0);
        let first = reserve(&ids, NOW_MS);
        let second = reserve(&ids, NOW_MS - 60_000);
        assert!(second >= first + Entropy::IDS_MAX);
    }

    #[test]
    fn ids_begin_above_the_greatest_in_the_store() {
        let before = reserve(&Ids::new(1023, 0), NOW_MS) + Entropy::IDS_MAX;
        assert!(reserve(&Ids::new(0, before), NOW_MS - 3_600_000) > before);
    }

    #[test]
    fn ids_can_be_lifted_above_those_of_a_process_whose_clock_is_ahead() {
        let (slow, fast) = (Ids::new(1, 0), Ids::new(2, 0));
        let theirs = reserve(&fast, NOW_MS + 60_000);
        let before = reserve(&slow, NOW_MS);
        slow.lift(theirs, NOW_MS).unwrap();
        assert!(before < theirs && reserve(&slow, NOW_MS) > theirs);
        slow.lift(0, NOW_MS).unwrap();
        assert!(reserve(&slow, NOW_MS) > theirs);
    }

    #[test]
    fn ids_end_with_a_fault_and_never_run_over() {
        let ids = Ids::new(1023, 0);
        let last = reserve(&ids, END_MS - 1);
        assert!(last > 0 && time_ms(last) == END_MS - 1);
        for now_ms in [END_MS, END_MS + 1, i64::MAX] {
            assert_eq!(ids.reserve(now_ms), Err(Implausible::NoIds));
        }
        // The last millisecond has 512 blocks.
        let drawn = (1..2_000).take_while(|_| ids.reserve(END_MS - 1).is_ok()).count();
        assert_eq!(drawn, 511);
        assert_eq!(ids.reserve(NOW_MS), Err(Implausible::NoIds), "and stays there, as ids never go back");
        assert!(reserve(&Ids::new(1, 0), i64::MIN) >= 0);
    }

    #[test]
    fn an_id_of_a_time_that_did_not_come_yet_lifts_nothing() {
        let (ids, before) = (Ids::new(1, 0), reserve(&Ids::new(1, 0), NOW_MS));
        for wrong in [-1, i64::MIN, i64::MAX, first_at(NOW_MS + BEHIND_MAX_MS + 1)] {
            assert!(matches!(ids.lift(wrong, NOW_MS), Err(Implausible::Revoked { .. })), "{wrong}");
        }
        assert_eq!(reserve(&ids, NOW_MS), before);
    }

    #[test]
    fn a_millisecond_may_need_more_blocks_than_it_has() {
        let ids = Ids::new(1023, 0);
        let mut last = 0;
        for _ in 0..2000 {
            let id = reserve(&ids, NOW_MS);
            assert!(id >= last + Entropy::IDS_MAX, "blocks overlap");
            last = id;
        }
    }

    #[test]
    fn processes_with_different_numbers_differ_in_the_same_millisecond() {
        let drawn: std::collections::BTreeSet<i64> =
            (0..NODES).map(|node| reserve(&Ids::new(node, 0), NOW_MS)).collect();
        assert_eq!(drawn.len(), usize::from(NODES));
        let ids = Ids::new(1, 0);
        ids.renumber(2);
        assert_eq!(reserve(&ids, NOW_MS), reserve(&Ids::new(2, 0), NOW_MS));
    }
}
