//! What time it is. The one place that reads the system's clock for the protocol.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use protocol::time::UnixTime;

/// A clock.
#[derive(Debug)]
pub enum Clock {
    /// The system's.
    System,
    /// One that stands still until it is set, for tests: milliseconds since 1970.
    Fixed(AtomicI64),
}

impl Clock {
    /// A clock that stands at `time`.
    #[must_use]
    pub const fn fixed(time: UnixTime) -> Self {
        Self::Fixed(AtomicI64::new(time.0 * 1000))
    }

    /// Moves a clock that stands still; does nothing to the system's.
    pub fn set(&self, time: UnixTime) {
        if let Self::Fixed(milliseconds) = self {
            milliseconds.store(time.0 * 1000, Ordering::Relaxed);
        }
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        UnixTime(self.now_ms().div_euclid(1000))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::Fixed(milliseconds) => milliseconds.load(Ordering::Relaxed),
            // A clock before 1970 is broken; everything that it dates is then long expired, which fails closed.
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
        }
    }
}
