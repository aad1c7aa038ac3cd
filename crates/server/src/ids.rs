//! Row ids: they grow, so that rows append, and nobody hands out the same one twice.
//!
//! 63 bits: milliseconds since 2025, then ten bits that are this process's own while it runs, then a sequence. Ids never go
//! back, also when the clock does, and when more than a millisecond's worth is needed they run ahead of the clock.

use std::sync::atomic::{AtomicI64, AtomicU16, Ordering};

use protocol::turn::Entropy;

/// 2025-01-01T00:00:00Z in milliseconds since 1970.
const EPOCH_MS: i64 = 1_735_689_600_000;
const NODE_BITS: u32 = 10;
const SEQUENCE_BITS: u32 = 12;
/// How many processes can draw ids at the same time.
pub const NODES: u16 = 1 << NODE_BITS;

/// Hands out blocks of [`Entropy::IDS_MAX`] ids.
#[derive(Debug)]
pub struct Ids {
    node: AtomicU16,
    /// Milliseconds and sequence of the next block, side by side.
    next: AtomicI64,
}

impl Ids {
    /// Ids of the process that drew the number `node`, all above `greatest`, the greatest id in the store.
    #[must_use]
    pub fn new(node: u16, greatest: i64) -> Self {
        let next = ((greatest >> (NODE_BITS + SEQUENCE_BITS)) + 1) << SEQUENCE_BITS;
        Self { node: AtomicU16::new(node % NODES), next: AtomicI64::new(next.max(0)) }
    }

    /// The number of this process, of [`NODES`].
    pub fn node(&self) -> u16 {
        self.node.load(Ordering::Relaxed)
    }

    /// Another number for this process.
    pub fn renumber(&self, node: u16) {
        self.node.store(node % NODES, Ordering::Relaxed);
    }

    /// The first id of a block that nobody else gets. `now_ms` is in milliseconds since 1970.
    pub fn reserve(&self, now_ms: i64) -> i64 {
        let floor = (now_ms - EPOCH_MS).max(0) << SEQUENCE_BITS;
        let mut next = self.next.load(Ordering::Relaxed);
        loop {
            let block = next.max(floor);
            // The length of a block divides a millisecond's sequence, so that no block straddles two.
            let after = block + Entropy::IDS_MAX;
            match self.next.compare_exchange_weak(next, after, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return self.composed(block),
                Err(other) => next = other,
            }
        }
    }

    /// From now on all ids are above `id`.
    pub fn lift(&self, id: i64) {
        let next = ((id >> (NODE_BITS + SEQUENCE_BITS)) + 1) << SEQUENCE_BITS;
        // Nearly always the clock is far beyond that, and nothing has to be written.
        if self.next.load(Ordering::Relaxed) < next {
            self.next.fetch_max(next, Ordering::Relaxed);
        }
    }

    fn composed(&self, block: i64) -> i64 {
        let sequence = block & ((1 << SEQUENCE_BITS) - 1);
        ((block >> SEQUENCE_BITS) << (NODE_BITS + SEQUENCE_BITS)) | (i64::from(self.node()) << SEQUENCE_BITS) | sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = EPOCH_MS + 1_000_000;

    #[test]
    fn ids_grow_also_when_the_clock_steps_back() {
        let ids = Ids::new(5, 0);
        let first = ids.reserve(NOW_MS);
        let second = ids.reserve(NOW_MS - 60_000);
        assert!(second >= first + Entropy::IDS_MAX);
    }

    #[test]
    fn ids_begin_above_the_greatest_in_the_store() {
        let before = Ids::new(1023, 0).reserve(NOW_MS) + Entropy::IDS_MAX;
        assert!(Ids::new(0, before).reserve(NOW_MS - 3_600_000) > before);
    }

    #[test]
    fn ids_can_be_lifted_above_those_of_a_process_whose_clock_is_ahead() {
        let (slow, fast) = (Ids::new(1, 0), Ids::new(2, 0));
        let theirs = fast.reserve(NOW_MS + 60_000);
        let before = slow.reserve(NOW_MS);
        slow.lift(theirs);
        assert!(before < theirs && slow.reserve(NOW_MS) > theirs);
        slow.lift(0);
        assert!(slow.reserve(NOW_MS) > theirs);
    }

    #[test]
    fn a_millisecond_may_need_more_blocks_than_it_has() {
        let ids = Ids::new(1023, 0);
        let mut last = 0;
        for _ in 0..2000 {
            let id = ids.reserve(NOW_MS);
            assert!(id >= last + Entropy::IDS_MAX, "blocks overlap");
            last = id;
        }
    }

    #[test]
    fn processes_with_different_numbers_differ_in_the_same_millisecond() {
        let drawn: std::collections::BTreeSet<i64> = (0..NODES).map(|node| Ids::new(node, 0).reserve(NOW_MS)).collect();
        assert_eq!(drawn.len(), usize::from(NODES));
        let ids = Ids::new(1, 0);
        ids.renumber(2);
        assert_eq!(ids.reserve(NOW_MS), Ids::new(2, 0).reserve(NOW_MS));
    }
}
