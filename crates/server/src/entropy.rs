//! The source of randomness: the operating system, or a seed in tests.

use std::sync::atomic::{AtomicU64, Ordering};

use protocol::crypto::entropy::Entropy;
use protocol::secret::Digest;

/// A source of random bytes.
#[derive(Debug)]
pub enum Source {
    /// The operating system.
    System,
    /// A seed and the number of draws, for tests. The same sequence of draws gives the same bytes.
    Seeded([u8; 32], AtomicU64),
}

impl Source {
    /// Makes a source that gives the same bytes in every run.
    #[must_use]
    pub const fn seeded(seed: [u8; 32]) -> Self {
        Self::Seeded(seed, AtomicU64::new(0))
    }

    /// Returns 32 random bytes.
    ///
    /// # Panics
    /// If the operating system has no random bytes, because nothing can be done safely without them.
    #[must_use]
    pub fn draw(&self) -> [u8; 32] {
        match self {
            Self::System => system(),
            Self::Seeded(seed, drawn) => {
                let mut input = [0; 40];
                input[..32].copy_from_slice(seed);
                input[32..].copy_from_slice(&drawn.fetch_add(1, Ordering::Relaxed).to_be_bytes());
                Digest::of(&input).0
            }
        }
    }

    /// Returns the source of random bytes for one turn, with row ids from `first_id` on. The operating system is asked
    /// when the first random byte is needed. A seed is drawn from at once, so that a test does not depend on what
    /// earlier turns needed.
    pub(crate) fn for_turn(&self, first_id: i64) -> Entropy {
        match self {
            Self::System => Entropy::undrawn(system, first_id),
            Self::Seeded(..) => Entropy::seeded(self.draw(), first_id),
        }
    }
}

fn system() -> [u8; 32] {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
