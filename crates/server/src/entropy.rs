//! Where randomness comes from: the operating system, or a seed in tests.

use std::sync::atomic::{AtomicU64, Ordering};

use protocol::secret::Digest;

/// A source of random bytes.
#[derive(Debug)]
pub enum Source {
    /// The operating system.
    System,
    /// A seed and how often it was drawn from, for tests: the same draws give the same bytes.
    Seeded([u8; 32], AtomicU64),
}

impl Source {
    /// Random bytes that are the same in every run.
    #[must_use]
    pub const fn seeded(seed: [u8; 32]) -> Self {
        Self::Seeded(seed, AtomicU64::new(0))
    }

    /// 32 random bytes.
    ///
    /// # Panics
    /// When the operating system has no random bytes: nothing can be done safely without.
    #[must_use]
    pub fn draw(&self) -> [u8; 32] {
        match self {
            Self::System => {
                let mut bytes = [0; 32];
                aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
                bytes
            }
            Self::Seeded(seed, drawn) => {
                let mut input = [0; 40];
                input[..32].copy_from_slice(seed);
                input[32..].copy_from_slice(&drawn.fetch_add(1, Ordering::Relaxed).to_be_bytes());
                Digest::of(&input).0
            }
        }
    }
}
