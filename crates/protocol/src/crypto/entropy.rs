//! The source of random bytes and row ids of one turn.

use crate::secret::Digest;

/// The source of random bytes and row ids of one turn: a seed, expanded by SHA-256 in counter mode, and a block of row
/// ids that is reserved for the turn.
#[derive(Clone)]
pub struct Entropy {
    seed: Seed,
    block: [u8; 32],
    counter: u32,
    left: usize,
    next_id: i64,
}

/// The seed of a turn's random bytes.
#[derive(Clone)]
enum Seed {
    Drawn([u8; 32]),
    /// A function that draws the seed when the first random byte is needed. Most requests are introspections, which
    /// need none, and drawing costs a system call.
    Undrawn(fn() -> [u8; 32]),
}

impl std::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entropy(…)")
    }
}

impl Entropy {
    /// Maximum number of row ids that a turn may use, which is the size of a block.
    pub const IDS_MAX: i64 = 8;

    /// A source with this seed, and with row ids from `first_id` on.
    #[must_use]
    pub fn seeded(seed: [u8; 32], first_id: i64) -> Self {
        Self { seed: Seed::Drawn(seed), block: [0; 32], counter: 0, left: 0, next_id: first_id }
    }

    /// A source whose seed `draw` returns when it is first needed, with row ids from `first_id` on.
    #[must_use]
    pub fn undrawn(draw: fn() -> [u8; 32], first_id: i64) -> Self {
        Self { seed: Seed::Undrawn(draw), ..Self::seeded([0; 32], first_id) }
    }

    fn seed(&mut self) -> [u8; 32] {
        let seed = match self.seed {
            Seed::Drawn(seed) => seed,
            Seed::Undrawn(draw) => draw(),
        };
        self.seed = Seed::Drawn(seed);
        seed
    }

    /// Fills `out` with random bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            if self.left == 0 {
                let mut input = [0; 36];
                input[..32].copy_from_slice(&self.seed());
                input[32..].copy_from_slice(&self.counter.to_be_bytes());
                self.block = Digest::of(&input).0;
                self.counter += 1;
                self.left = self.block.len();
            }
            self.left -= 1;
            *byte = self.block[self.left];
        }
    }

    /// Returns `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// Returns the next row id, which is greater than all before it.
    pub fn next_id(&mut self) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes_however_they_are_drawn() {
        let mut one = Entropy::seeded([9; 32], 1);
        let mut other = Entropy::seeded([9; 32], 1);
        let whole: [u8; 80] = one.bytes();
        let mut parts = [0; 80];
        other.fill(&mut parts[..33]);
        other.fill(&mut parts[33..]);
        assert_eq!(whole, parts);
    }

    #[test]
    fn a_seed_is_drawn_once_and_only_when_it_is_needed() {
        use std::sync::atomic::{AtomicU8, Ordering};
        static DRAWS: AtomicU8 = AtomicU8::new(0);
        let mut entropy = Entropy::undrawn(|| [DRAWS.fetch_add(1, Ordering::Relaxed); 32], 7);
        assert_eq!((entropy.next_id(), DRAWS.load(Ordering::Relaxed)), (7, 0));
        let drawn: [u8; 80] = entropy.bytes();
        assert_eq!(DRAWS.load(Ordering::Relaxed), 1);
        assert_eq!(drawn, Entropy::seeded([0; 32], 7).bytes());
    }
}
