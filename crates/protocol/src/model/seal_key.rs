//! The ring of sealing keys.

use crate::time::UnixTime;

/// A sealing key. The key itself is derived from the master key and the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealKey {
    /// The number of the key. Numbers only grow, so a number always means the same key.
    pub number: u32,
    /// When the key became the current one.
    pub created_at: UnixTime,
}
