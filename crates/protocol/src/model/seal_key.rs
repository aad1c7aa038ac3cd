//! The ring of sealing keys.

use crate::time::UnixTime;

/// One number of the ring of sealing keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealKey {
    /// Which one. Numbers only grow: the same number is always the same key.
    pub number: u32,
    /// When it began to seal.
    pub created_at: UnixTime,
}
