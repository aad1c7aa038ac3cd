//! Checks whether the clock is plausible. Ids, lifetimes and revocations depend on the time, and rows written with a
//! wrong time stay wrong after the clock is corrected. So nothing is written while the clock is implausible.

use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use thiserror::Error;

use crate::clock::Clock;
use crate::id_time;

/// 2026-01-01T00:00:00Z, in milliseconds since 1970: the first day of the year in which this release was made. No right
/// clock shows an earlier time.
const RELEASED_AT_MS: i64 = 1_767_225_600_000;
/// Maximum time by which the clock may be ahead of this release and of the newest row of the store, in milliseconds:
/// five years of 365.25 days. A machine that was off for a year still starts. A release that is older than five years
/// should be replaced.
const AHEAD_MAX_MS: i64 = 157_788_000_000;
/// Maximum time by which the clock may be behind the newest row of the store, in milliseconds: one day. Clocks of nodes
/// differ by less, and so do a clock that is set to local time and one that is set to UTC.
pub const BEHIND_MAX_MS: i64 = 86_400_000;
/// Maximum change of the clock against the uptime of the machine, in milliseconds: one day. Corrections by NTP are
/// smaller. The uptime includes the time in which the machine sleeps.
const JUMP_MAX_MS: i64 = 86_400_000;
/// Value of `Retry-After` when the clock is not plausible, in seconds. NTP corrects a clock within about a minute.
pub(crate) const RETRY_AFTER_S: u64 = 30;

/// The reason why the clock is implausible. The messages are for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Implausible {
    /// The clock shows a time before this release.
    #[error(
        "the clock of this machine says {}, which is before this release of Grantry was made ({}). Set the clock, for \
         instance with `timedatectl set-ntp true`, and try again. Nothing was written", date(*.now_ms), date(RELEASED_AT_MS)
    )]
    BeforeRelease {
        /// The time of the clock, in milliseconds since 1970.
        now_ms: i64,
    },
    /// The clock is years ahead of this release and of the newest row.
    #[error(
        "the clock of this machine says {}, more than five years after {}, the date of the newest row of the database or of \
         this release. Set the clock, for instance with `timedatectl set-ntp true`, and try again. If the clock is right, \
         install a newer release. Nothing was written", date(*.now_ms), date(*.newest_ms)
    )]
    Ahead {
        /// The time of the clock, in milliseconds since 1970.
        now_ms: i64,
        /// The newest row, or this release, in milliseconds since 1970.
        newest_ms: i64,
    },
    /// The clock is far behind the newest row.
    #[error(
        "the clock of this machine says {}, but the database has a row from {}. If the clock is wrong, set it. If it is \
         right, the clock was wrong when that row was written: `grantry db repair --dry-run` shows such rows, and \
         `grantry db repair` removes them. Nothing was written", date(*.now_ms), told(*.newest_ms)
    )]
    Behind {
        /// The time of the clock, in milliseconds since 1970.
        now_ms: i64,
        /// The newest row, in milliseconds since 1970.
        newest_ms: i64,
    },
    /// The clock was moved while the process was running.
    #[error(
        "the clock of this machine went from {} to {}, although {} s have passed since. Set the clock: the server goes on by \
         itself once it is right. If the clock is right now, restart the server. Nothing is written until then",
        date(*.then_ms), date(*.now_ms), .passed_ms / 1000
    )]
    Jumped {
        /// The time of the clock when the process started, in milliseconds since 1970.
        then_ms: i64,
        /// The current time of the clock, in milliseconds since 1970.
        now_ms: i64,
        /// The time since the process started, in milliseconds.
        passed_ms: i64,
    },
    /// The revocation time of a user or client is in the future.
    #[error(
        "a user or a client has everything revoked until {}, which did not come yet: the clock was wrong when that was \
         written. Stop all servers and run `grantry db repair --dry-run`, then `grantry db repair`", told(*.revoked_until_ms)
    )]
    Revoked {
        /// The time until which everything is revoked, in milliseconds since 1970.
        revoked_until_ms: i64,
    },
    /// All ids are used up.
    #[error("the ids of this release end in the year 2094, and the next one would be later. Nothing was written")]
    NoIds,
}

/// Compares the clock with the newest row and the machine's uptime.
#[derive(Debug)]
pub struct Plausible {
    /// Time of the newest row when the process started, in milliseconds since 1970.
    newest_ms: i64,
    /// The clock's time and the machine's uptime when the process started.
    then_ms: i64,
    then_uptime_ms: i64,
    was_plausible: AtomicBool,
}

impl Plausible {
    /// Starts the comparison, with the greatest id in the store.
    #[must_use]
    pub fn new(clock: &Clock, greatest_id: i64) -> Self {
        Self {
            newest_ms: id_time::time_ms(greatest_id),
            then_ms: clock.now_ms(),
            then_uptime_ms: clock.uptime_ms().unwrap_or_default(),
            was_plausible: AtomicBool::new(true),
        }
    }

    /// Checks the clock. A fixed clock of a test is always plausible.
    ///
    /// # Errors
    /// The reason why the clock is implausible.
    pub fn check(&self, clock: &Clock) -> Result<(), Implausible> {
        let Some(uptime_ms) = clock.uptime_ms() else { return Ok(()) };
        let now_ms = clock.now_ms();
        let passed_ms = uptime_ms - self.then_uptime_ms;
        check(now_ms, self.newest_ms)?;
        if (now_ms - self.then_ms - passed_ms).abs() > JUMP_MAX_MS {
            return Err(Implausible::Jumped { then_ms: self.then_ms, now_ms, passed_ms });
        }
        Ok(())
    }

    /// Checks the clock as [`Plausible::check`] does, and logs when it becomes implausible or plausible again.
    ///
    /// # Errors
    /// Those of [`Plausible::check`].
    pub fn watch(&self, clock: &Clock) -> Result<(), Implausible> {
        let checked = self.check(clock);
        if self.was_plausible.load(Ordering::Relaxed) != checked.is_ok()
            && self.was_plausible.swap(checked.is_ok(), Ordering::Relaxed) != checked.is_ok()
        {
            match checked {
                Ok(()) => tracing::info!("the clock is plausible again; the server goes on"),
                Err(why) => tracing::error!("{why}"),
            }
        }
        checked
    }
}

/// Checks the clock when a process starts, against the newest row of the store. `greatest_id` is 0 if there is no row.
///
/// # Errors
/// The reason why the clock is implausible.
pub fn check_start(clock: &Clock, greatest_id: i64) -> Result<(), Implausible> {
    Plausible::new(clock, greatest_id).check(clock)
}

/// Checks the clock before a database is created. Does nothing if there already is one, whose newest row is checked
/// instead.
///
/// # Errors
/// The reason why the clock is implausible.
pub fn check_before_making(clock: &Clock, store_url: &str) -> Result<(), Implausible> {
    match store_url.strip_prefix("sqlite:") {
        Some(path) if !std::path::Path::new(path).exists() => check_start(clock, 0),
        _ => Ok(()),
    }
}

fn check(now_ms: i64, newest_ms: i64) -> Result<(), Implausible> {
    if now_ms < RELEASED_AT_MS {
        return Err(Implausible::BeforeRelease { now_ms });
    }
    if now_ms < newest_ms.saturating_sub(BEHIND_MAX_MS) {
        return Err(Implausible::Behind { now_ms, newest_ms });
    }
    let newest_ms = newest_ms.max(RELEASED_AT_MS);
    if now_ms > newest_ms.saturating_add(AHEAD_MAX_MS) {
        return Err(Implausible::Ahead { now_ms, newest_ms });
    }
    Ok(())
}

/// Formats a time for people.
fn date(ms: i64) -> String {
    Timestamp::from_second(ms.div_euclid(1000))
        .map_or_else(|_| format!("{ms} ms since 1970"), |stamp| stamp.to_string())
}

/// Formats the time of an id as [`date`] does. Overflowed ids have no time.
fn told(ms: i64) -> String {
    if ms >= id_time::END_MS { "2094 or later".to_owned() } else { date(ms) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-30T00:00:00Z.
    const NOW_MS: i64 = 1_795_996_800_000;
    const DAY_MS: i64 = 86_400_000;
    const YEAR_MS: i64 = 365 * DAY_MS;

    #[test]
    fn a_machine_that_was_off_for_a_year_starts_and_one_from_another_century_does_not() {
        assert_eq!(check(NOW_MS, 0), Ok(()), "an empty store");
        assert_eq!(check(NOW_MS + YEAR_MS, NOW_MS), Ok(()));
        assert_eq!(check(NOW_MS + 4 * YEAR_MS, NOW_MS), Ok(()));
        for years in [6, 20, 68, 74, 200] {
            let now_ms = NOW_MS + years * YEAR_MS;
            assert_eq!(check(now_ms, NOW_MS), Err(Implausible::Ahead { now_ms, newest_ms: NOW_MS }));
        }
        for now_ms in [0, RELEASED_AT_MS - 1, i64::MIN] {
            assert_eq!(check(now_ms, 0), Err(Implausible::BeforeRelease { now_ms }));
        }
    }

    #[test]
    fn a_clock_may_be_a_day_behind_the_store_and_not_more() {
        assert_eq!(check(NOW_MS - DAY_MS, NOW_MS), Ok(()));
        let now_ms = NOW_MS - DAY_MS - 1;
        assert_eq!(check(now_ms, NOW_MS), Err(Implausible::Behind { now_ms, newest_ms: NOW_MS }));
        let overflowed = id_time::time_ms(-1);
        assert_eq!(check(NOW_MS, overflowed), Err(Implausible::Behind { now_ms: NOW_MS, newest_ms: overflowed }));
    }

    #[test]
    fn a_clock_that_jumps_is_refused_until_it_is_back() {
        let clock = Clock::steered(NOW_MS, 5_000);
        let plausible = Plausible::new(&clock, 0);
        let at = |now_ms, uptime_ms| {
            clock.steer(now_ms, uptime_ms);
            plausible.watch(&clock)
        };
        assert_eq!(at(NOW_MS + 400 * DAY_MS, 5_000 + 400 * DAY_MS), Ok(()), "time passes");
        assert_eq!(at(NOW_MS + DAY_MS, 5_000), Ok(()), "a correction");
        assert!(matches!(at(NOW_MS + DAY_MS + 1, 5_000), Err(Implausible::Jumped { .. })));
        assert!(matches!(at(NOW_MS - DAY_MS - 1, 5_000), Err(Implausible::Jumped { .. })));
        assert!(matches!(at(NOW_MS + 74 * YEAR_MS, 6_000), Err(Implausible::Ahead { .. })));
        assert_eq!(at(NOW_MS + 2_000, 7_000), Ok(()), "it is right again");
    }

    #[test]
    fn a_text_says_both_times_and_what_to_do() {
        let text = Implausible::Ahead { now_ms: 4_102_444_800_000, newest_ms: NOW_MS }.to_string();
        assert!(text.contains("2100-01-01") && text.contains("2026-11-30") && text.contains("Set the clock"), "{text}");
        let text = Implausible::Behind { now_ms: NOW_MS, newest_ms: id_time::time_ms(-1) }.to_string();
        assert!(text.contains("2094 or later") && text.contains("db repair"), "{text}");
    }
}
