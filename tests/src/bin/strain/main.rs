//! What is too long for a test, or has figures: `cargo xtask hostile`, `cargo xtask soak` and `cargo xtask rolling`. Each starts
//! the real binary on a folder of its own, and ends with 1 when a goal is missed.
#![allow(clippy::disallowed_methods, reason = "these commands start programs, read clocks and wait")]
#![allow(clippy::cast_precision_loss, reason = "figures are told to a few digits")]

mod hostile;
mod rolling;
mod soak;
mod wire;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "usage: strain COMMAND

  hostile [SECONDS]      what slow clients and idle connections cost the others; 4 seconds a measurement by default
  soak [--minutes N] [--store postgres]
                         mixed load; are memory, open files and p99 flat? 30 minutes by default, on SQLite
  rolling --old BINARY [--seconds N]
                         nodes of an earlier version and of this one on one PostgreSQL; 20 seconds a stage by default
";
/// Half an hour: long enough for every row that expires to expire many times, and for every cache to be full.
const SOAK_MINUTES: u64 = 30;
const HOSTILE_SECONDS: u64 = 4;
/// Long enough for every story of a rolling upgrade to be told many times.
const ROLLING_SECONDS: u64 = 20;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse().ok().filter(|number| *number > 0);
    let is_met = match words.as_slice() {
        ["hostile"] => Some(hostile::run(HOSTILE_SECONDS)),
        ["hostile", seconds] => number(seconds).map(hostile::run),
        ["soak", words @ ..] => {
            let (words, is_on_postgres) = match words {
                [words @ .., "--store", "postgres"] => (words, true),
                words => (words, false),
            };
            let count = match words {
                [] => Some(SOAK_MINUTES),
                ["--minutes", count] => number(count),
                _ => None,
            };
            count.map(|count| soak::run(minutes(count), is_on_postgres))
        }
        ["rolling", "--old", old] => Some(rolling::run(Path::new(old), ROLLING_SECONDS)),
        ["rolling", "--old", old, "--seconds", seconds] => {
            number(seconds).map(|seconds| rolling::run(Path::new(old), seconds))
        }
        _ => None,
    };
    match is_met {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::FAILURE,
        None => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// The one in the middle; of an even number, the lower one. 0 of none.
fn median(of: impl IntoIterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = of.into_iter().collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "MISSED" }
}
