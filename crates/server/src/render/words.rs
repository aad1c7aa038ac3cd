//! Texts for times, waiting times, numbers, browsers and scopes.

use jiff::{Timestamp, Zoned, tz::TimeZone};
use protocol::policy::ScopePolicy;
use protocol::time::UnixTime;
use serde::Serialize;

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 60 * MINUTE_S;
const DAY_S: u64 = 24 * HOUR_S;
/// Age in seconds from which a date is shown instead of a number of days.
const DATE_AFTER_S: u64 = 7 * DAY_S;

/// A point in time, as text and in ISO 8601.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Moment {
    /// "3 minutes ago", or "on 24 November 2026".
    words: String,
    /// "24 November 2026, 09:05 UTC".
    full: String,
    /// ISO 8601.
    datetime: String,
}

impl Moment {
    /// The text for a past time: "just now", "3 hours ago", or "on 24 November 2026".
    pub(crate) fn new(at: UnixTime, now: UnixTime) -> Self {
        let stamp = zoned(at);
        let age_s = at.seconds_until(now);
        let words = match age_s {
            0..MINUTE_S => "just now".to_owned(),
            MINUTE_S..DATE_AFTER_S => format!("{} ago", span(age_s)),
            _ => format!("on {}", stamp.strftime("%-d %B %Y")),
        };
        Self {
            words,
            full: stamp.strftime("%-d %B %Y, %H:%M UTC").to_string(),
            datetime: stamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }

    /// The text for a future time: "in 3 days", or "on 24 November 2026".
    pub(crate) fn ahead(at: UnixTime, now: UnixTime) -> Self {
        let words = match now.seconds_until(at) {
            0 => "now".to_owned(),
            left_s @ 1..DATE_AFTER_S => format!("in {}", span(left_s)),
            _ => format!("on {}", zoned(at).strftime("%-d %B %Y")),
        };
        Self { words, ..Self::new(at, now) }
    }
}

fn zoned(at: UnixTime) -> Zoned {
    Timestamp::from_second(at.0).unwrap_or_default().to_zoned(TimeZone::UTC)
}

/// Returns a length of time in its largest unit, rounded down: "2 hours".
pub(crate) fn span(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..MINUTE_S => (seconds, "second"),
        MINUTE_S..HOUR_S => (seconds / MINUTE_S, "minute"),
        HOUR_S..DAY_S => (seconds / HOUR_S, "hour"),
        _ => (seconds / DAY_S, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Returns a number with thousands separators: "1,204".
pub(crate) fn count(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Maximum number of people that are counted for a page.
pub(crate) const PEOPLE_MAX: u32 = 10_000;

/// Returns a number of people as text.
pub(crate) fn people(number: u32) -> String {
    match number {
        0 => "Nobody".to_owned(),
        1 => "1 person".to_owned(),
        PEOPLE_MAX.. => format!("{} people or more", count(number)),
        _ => format!("{} people", count(number)),
    }
}

/// Returns a waiting time, rounded up to whole minutes so that nobody comes too early: "15 minutes".
pub(crate) fn wait(seconds: u64) -> String {
    span(seconds.div_ceil(MINUTE_S).max(1) * MINUTE_S)
}

/// Returns the description of a scope; the scope itself if it has none.
pub(crate) fn scope(scopes: &ScopePolicy, word: &str) -> String {
    scopes.sentence(word).unwrap_or(word).to_owned()
}

// The first match counts, because browsers also name those that they descend from.
const BROWSERS: &[(&str, &str)] = &[
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi", "Vivaldi"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chromium", "Chromium"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl", "curl"),
];
const SYSTEMS: &[(&str, &str)] = &[
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

/// Returns the name of a browser by its `User-Agent`: "Firefox on Windows".
pub(crate) fn browser(agent: &str) -> String {
    let find = |names: &'static [(&str, &'static str)]| {
        names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    match (find(BROWSERS), find(SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => "An unknown browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_counted_in_words() {
        assert_eq!([people(0), people(1), people(2)], ["Nobody", "1 person", "2 people"]);
        assert_eq!(people(PEOPLE_MAX), "10,000 people or more");
    }

    fn words(age_s: u64) -> String {
        let now = UnixTime(1_795_600_000);
        Moment::new(UnixTime(now.0 - i64::try_from(age_s).unwrap()), now).words
    }

    #[test]
    fn a_moment_is_an_age_for_a_week_and_then_a_date() {
        assert_eq!(words(0), "just now");
        assert_eq!(words(60), "1 minute ago");
        assert_eq!(words(3 * HOUR_S + 59 * MINUTE_S), "3 hours ago");
        assert_eq!(words(6 * DAY_S), "6 days ago");
        assert_eq!(words(8 * DAY_S), "on 17 November 2026");
    }

    #[test]
    fn a_moment_ahead_is_a_span_for_a_week_and_then_a_date() {
        let now = UnixTime(1_795_600_000);
        let ahead = |seconds| Moment::ahead(now.plus(seconds), now).words;
        assert_eq!([ahead(0), ahead(7_300), ahead(3 * DAY_S)], ["now", "in 2 hours", "in 3 days"]);
        assert_eq!(ahead(90 * DAY_S), "on 23 February 2027");
    }

    #[test]
    fn a_moment_is_exact_for_programs() {
        let moment = Moment::new(UnixTime(1_795_600_000), UnixTime(1_795_600_000));
        assert_eq!(
            (moment.datetime.as_str(), moment.full.as_str()),
            ("2026-11-25T09:46:40Z", "25 November 2026, 09:46 UTC")
        );
    }

    #[test]
    fn a_time_beyond_the_calendar_is_no_panic() {
        assert_eq!(Moment::new(UnixTime::NEVER, UnixTime(0)).words, "just now");
        assert_eq!(Moment::new(UnixTime(i64::MIN), UnixTime(0)).words, "on 1 January 1970");
    }

    #[test]
    fn a_great_number_has_its_thousands_apart() {
        assert_eq!([count(0), count(999), count(1_000), count(1_234_567)], ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_wait_is_rounded_up_to_minutes() {
        assert_eq!(
            [wait(0), wait(1), wait(61), wait(900), wait(3600)],
            ["1 minute", "1 minute", "2 minutes", "15 minutes", "1 hour"]
        );
    }

    #[test]
    fn browsers_are_told_apart_by_what_they_say() {
        let mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15";
        for (agent, expected) in [
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"),
            (&format!("{mac} (KHTML, like Gecko) Version/26.0 Safari/605.1.15"), "Safari on macOS"),
            (&format!("{mac} (KHTML, like Gecko) Chrome/142.0 Safari/537.36 Edg/142.0"), "Edge on macOS"),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) CriOS/142.0 Mobile Safari/604.1",
                "Chrome on iPhone",
            ),
            ("Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/142.0 Safari/537.36", "Chrome on Linux"),
            ("curl/8.14", "curl"),
            ("", "An unknown browser"),
        ] {
            assert_eq!(browser(agent), expected);
        }
    }
}
