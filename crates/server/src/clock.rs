//! The clock. The only place that reads the system time for the protocol.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use protocol::time::UnixTime;

/// A clock.
#[derive(Debug)]
pub enum Clock {
    /// The system clock.
    System,
    /// A clock for tests that stands still until it is set, in milliseconds since 1970.
    Fixed(AtomicI64),
    /// A clock for tests of the comparison with the machine's uptime.
    Steered {
        /// Milliseconds since 1970.
        now_ms: AtomicI64,
        /// Uptime of the machine in milliseconds.
        uptime_ms: AtomicI64,
    },
}

impl Clock {
    /// Makes a clock that stands at `time`.
    #[must_use]
    pub const fn fixed(time: UnixTime) -> Self {
        Self::Fixed(AtomicI64::new(time.0 * 1000))
    }

    /// Makes a clock that stands at `now_ms`, on a machine with the uptime `uptime_ms`.
    #[must_use]
    pub const fn steered(now_ms: i64, uptime_ms: i64) -> Self {
        Self::Steered { now_ms: AtomicI64::new(now_ms), uptime_ms: AtomicI64::new(uptime_ms) }
    }

    /// Sets a clock made by [`Clock::steered`]. Has no effect on others.
    pub fn steer(&self, to_ms: i64, to_uptime_ms: i64) {
        if let Self::Steered { now_ms, uptime_ms } = self {
            now_ms.store(to_ms, Ordering::Relaxed);
            uptime_ms.store(to_uptime_ms, Ordering::Relaxed);
        }
    }

    /// Returns the uptime of the machine in milliseconds, including time in which it slept. Setting the clock does not
    /// change it. Returns `None` for a fixed clock.
    #[must_use]
    pub fn uptime_ms(&self) -> Option<i64> {
        match self {
            Self::Fixed(_) => None,
            Self::Steered { uptime_ms, .. } => Some(uptime_ms.load(Ordering::Relaxed)),
            Self::System => {
                #[cfg(target_os = "linux")]
                let id = rustix::time::ClockId::Boottime;
                #[cfg(not(target_os = "linux"))]
                let id = rustix::time::ClockId::Monotonic;
                let time = rustix::time::clock_gettime(id);
                Some(time.tv_sec * 1000 + time.tv_nsec / 1_000_000)
            }
        }
    }

    /// Sets a fixed clock. Has no effect on the system clock.
    pub fn set(&self, time: UnixTime) {
        if let Self::Fixed(milliseconds) = self {
            milliseconds.store(time.0 * 1000, Ordering::Relaxed);
        }
    }

    /// Returns the time in seconds since 1970.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        UnixTime(self.now_ms().div_euclid(1000))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::Fixed(milliseconds) | Self::Steered { now_ms: milliseconds, .. } => {
                milliseconds.load(Ordering::Relaxed)
            }
            // A clock before 1970 is broken. Its timestamps make everything expired, which fails closed.
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
        }
    }
}
