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
    /// One that is compared with the time since the machine was started, for tests of that comparison.
    Steered {
        /// Milliseconds since 1970.
        now_ms: AtomicI64,
        /// Milliseconds since the machine was started.
        uptime_ms: AtomicI64,
    },
}

impl Clock {
    /// A clock that stands at `time`.
    #[must_use]
    pub const fn fixed(time: UnixTime) -> Self {
        Self::Fixed(AtomicI64::new(time.0 * 1000))
    }

    /// A clock that stands at `now_ms` on a machine that was started `uptime_ms` ago.
    #[must_use]
    pub const fn steered(now_ms: i64, uptime_ms: i64) -> Self {
        Self::Steered { now_ms: AtomicI64::new(now_ms), uptime_ms: AtomicI64::new(uptime_ms) }
    }

    /// Moves a clock that [`Clock::steered`] made; does nothing to any other.
    pub fn steer(&self, to_ms: i64, to_uptime_ms: i64) {
        if let Self::Steered { now_ms, uptime_ms } = self {
            now_ms.store(to_ms, Ordering::Relaxed);
            uptime_ms.store(to_uptime_ms, Ordering::Relaxed);
        }
    }

    /// Milliseconds since the machine was started, including those in which it slept. Nothing that sets the clock changes
    /// them. Absent for a clock that stands still.
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
            Self::Fixed(milliseconds) | Self::Steered { now_ms: milliseconds, .. } => {
                milliseconds.load(Ordering::Relaxed)
            }
            // A clock before 1970 is broken; everything that it dates is then long expired, which fails closed.
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
        }
    }
}
