//! Counters of failed attempts.

use crate::time::UnixTime;

/// Failed attempts against one account or from one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// Failures since the window opened.
    pub failures: u32,
    /// The end of the window, after which the failures no longer count.
    pub resets_at: UnixTime,
}
