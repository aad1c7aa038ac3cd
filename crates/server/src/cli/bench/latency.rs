//! Latencies of many requests, in a histogram of fixed size. The width of a class is at most 1/32 of its time.

use std::time::Duration;

/// Number of classes within each power of two.
const STEPS: u64 = 32;
/// Number of powers of two that the histogram covers. Longer times count in the last class.
const POWERS: u64 = 32;

/// A histogram of latencies.
#[derive(Clone, Debug)]
pub(super) struct Latencies {
    classes: Vec<u64>,
    count: u64,
    longest_us: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { classes: vec![0; (STEPS * POWERS) as usize], count: 0, longest_us: 0 }
    }
}

impl Latencies {
    /// Adds the latency of one request.
    pub(super) fn note(&mut self, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.classes[class(took_us)] += 1;
        self.count += 1;
        self.longest_us = self.longest_us.max(took_us);
    }

    /// Adds the latencies of another connection.
    pub(super) fn add(&mut self, other: &Self) {
        for (own, more) in self.classes.iter_mut().zip(&other.classes) {
            *own += more;
        }
        self.count += other.count;
        self.longest_us = self.longest_us.max(other.longest_us);
    }

    /// Returns the number of requests.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Returns a percentile in milliseconds, such as the 99th; `None` without requests.
    pub(super) fn percentile_ms(&self, percent: u64) -> Option<f64> {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let at = self.classes.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(ms(upper_us(at).min(self.longest_us)))
    }

    /// Returns the longest latency in milliseconds; `None` without requests.
    pub(super) fn longest_ms(&self) -> Option<f64> {
        (self.count > 0).then(|| ms(self.longest_us))
    }
}

/// Converts microseconds to milliseconds.
fn ms(us: u64) -> f64 {
    Duration::from_micros(us).as_secs_f64() * 1e3
}

fn class(us: u64) -> usize {
    if us < STEPS {
        return us as usize;
    }
    // The class is made of the power of two and of the five bits below the highest one.
    let power = u64::from(us.ilog2());
    let step = (us >> (power - 5)) & (STEPS - 1);
    let class = (power - 4) * STEPS + step;
    class.min(STEPS * POWERS - 1) as usize
}

/// Returns the longest time of a class, in microseconds.
fn upper_us(class: usize) -> u64 {
    let class = class as u64;
    if class < STEPS {
        return class;
    }
    let (power, step) = (class / STEPS + 4, class % STEPS);
    ((STEPS + step + 1) << (power - 5)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_lies_in_its_class_and_classes_are_narrow() {
        for us in (0..5_000).chain([65_535, 65_536, 1_000_000, 30_000_000]) {
            let upper = upper_us(class(us));
            assert!(upper >= us && (upper - us) * STEPS <= us.max(STEPS), "{us} is in a class up to {upper}");
        }
        assert_eq!(class(u64::MAX), (STEPS * POWERS - 1) as usize);
    }

    #[test]
    fn percentiles_are_those_of_what_was_noted() {
        let mut all = Latencies::default();
        assert_eq!(all.percentile_ms(50), None);
        for us in 1..=1_000_u64 {
            let mut one = Latencies::default();
            one.note(Duration::from_micros(us));
            all.add(&one);
        }
        let near = |percent, expected: f64| {
            let found = all.percentile_ms(percent).unwrap();
            assert!((found - expected).abs() <= expected / 32.0, "{percent}: {found}");
        };
        near(50, 0.5);
        near(99, 0.99);
        assert_eq!((all.count(), all.percentile_ms(100), all.longest_ms()), (1_000, Some(1.0), Some(1.0)));
    }
}
