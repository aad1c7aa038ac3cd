//! The randomness and the row ids of one turn.

use crate::secret::Digest;

/// Randomness for one turn: a seed drawn from the operating system before the turn began, stretched by SHA-256 in
/// counter mode; and a block of row ids that nobody else has.
#[derive(Clone)]
pub struct Entropy {
    seed: [u8; 32],
    block: [u8; 32],
    counter: u32,
    left: usize,
    next_id: i64,
}

impl std::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entropy(…)")
    }
}

impl Entropy {
    /// How many ids a turn may use. Whoever reserves a block of ids reserves that many.
    pub const IDS_MAX: i64 = 8;

    /// Randomness from `seed`, and ids from `first_id` on.
    #[must_use]
    pub fn seeded(seed: [u8; 32], first_id: i64) -> Self {
        Self { seed, block: [0; 32], counter: 0, left: 0, next_id: first_id }
    }

    /// Fills `out` with random bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            if self.left == 0 {
                let mut input = [0; 36];
                input[..32].copy_from_slice(&self.seed);
                input[32..].copy_from_slice(&self.counter.to_be_bytes());
                self.block = Digest::of(&input).0;
                self.counter += 1;
                self.left = self.block.len();
            }
            self.left -= 1;
            *byte = self.block[self.left];
        }
    }

    /// `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// The next row id, greater than all before it.
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
}
