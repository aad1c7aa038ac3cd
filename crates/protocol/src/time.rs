//! Time as a number of seconds. This crate never reads a clock: its callers pass the current time.

use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(pub i64);

impl UnixTime {
    /// The expiry of things that do not expire.
    pub const NEVER: Self = Self(i64::MAX);

    /// Returns the time `seconds` later. Saturates: a huge lifetime becomes [`UnixTime::NEVER`].
    #[must_use]
    pub fn plus(self, seconds: u64) -> Self {
        Self(self.0.saturating_add_unsigned(seconds))
    }

    /// Returns the seconds from `self` until a later time, or 0 if that time is not later.
    #[must_use]
    pub fn seconds_until(self, later: Self) -> u64 {
        u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0)
    }

    /// Returns true from the second `expiry` on, at which something with this expiry time becomes invalid.
    #[must_use]
    pub fn is_past(self, expiry: Self) -> bool {
        self >= expiry
    }
}
