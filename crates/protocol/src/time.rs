//! Time as a number. This crate never reads a clock; whoever calls it says what time it is.

use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(pub i64);

impl UnixTime {
    /// A time that never comes: the expiry of what does not expire by itself.
    pub const NEVER: Self = Self(i64::MAX);

    /// This time and `seconds` more. Saturates, so that an absurd lifetime becomes [`UnixTime::NEVER`].
    #[must_use]
    pub fn plus(self, seconds: u64) -> Self {
        Self(self.0.saturating_add_unsigned(seconds))
    }

    /// How many seconds lie between `self` and a later time; 0 when that time has passed.
    #[must_use]
    pub fn seconds_until(self, later: Self) -> u64 {
        u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0)
    }

    /// Something that expires at `expiry` is dead from that second on.
    #[must_use]
    pub fn is_past(self, expiry: Self) -> bool {
        self >= expiry
    }
}
