//! The benchmark: the ceiling, Grantry, and a peer if wanted, in one run, interleaved, the median of three. See
//! `cargo xtask bench`.
#![allow(clippy::disallowed_methods, reason = "a benchmark starts programs, reads clocks and writes files")]
#![allow(clippy::cast_precision_loss, reason = "rates and times are told to three figures")]

mod before;
mod database;
mod growth;
mod load;
mod peer;
mod postgres;
mod process;
mod ratios;
mod report;
mod scene;
mod seed;
mod sign_ins;
mod sqlite;
mod work;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use load::{Measured, Workload};
use process::Server;

const ROUNDS: usize = 3;
const SECONDS: u64 = 6;

fn main() -> ExitCode {
    let asked = Asked::read(std::env::args().skip(1));
    let folder = tempfile::Builder::new().prefix("grantry-bench").tempdir_in(process::binaries()).expect("a folder");
    let (name, (page, missed)) = match (&asked.before, asked.is_on_postgres) {
        (Some(binary), _) => (None, before::run(folder.path(), &asked, binary)),
        (None, true) => (Some("bench-postgres.md"), postgres::run(folder.path(), &asked)),
        (None, false) => (Some("bench.md"), sqlite::run(folder.path(), asked.seconds)),
    };
    if let Some(name) = name {
        let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/generated").join(name);
        std::fs::write(&out, &page).expect("the docs are writable");
    }
    println!("{page}");
    for goal in &missed {
        say(&format!("missed: {goal}"));
    }
    if asked.is_strict && !missed.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// What is to be measured. `cargo xtask bench` has looked at the words before it built anything.
struct Asked {
    seconds: u64,
    is_on_postgres: bool,
    has_peer: bool,
    has_growth: bool,
    /// True if a missed goal is a failure.
    is_strict: bool,
    /// An older program to compare with.
    before: Option<PathBuf>,
    /// Only workloads whose names contain this are compared with the older program.
    only: Option<String>,
    /// All that was said.
    words: String,
}

impl Asked {
    fn read(words: impl Iterator<Item = String>) -> Self {
        let words: Vec<String> = words.collect();
        let has = |word: &str| words.iter().any(|said| said == word);
        let after = |word: &str| words.iter().position(|said| said == word).and_then(|at| words.get(at + 1));
        Self {
            seconds: words.iter().find_map(|word| word.parse().ok()).unwrap_or(SECONDS),
            is_on_postgres: has("postgres"),
            has_peer: has("--peer"),
            has_growth: has("--growth"),
            is_strict: has("--strict"),
            before: after("--before").map(PathBuf::from),
            only: after("--only").cloned(),
            words: words.join(" "),
        }
    }
}

/// One measurement of a round, told while it goes on.
fn measure(seconds: u64, round: usize, name: &str, server: &Server, workload: &Workload) -> Measured {
    let measured = load::run(server, workload, seconds, round);
    say(&format!(
        "round {round}: {name}: {}: {:.0}/s, {:.1} µs and {:.1} µs of PostgreSQL, {} errors",
        workload.name, measured.rate, measured.cpu_us, measured.store_cpu_us, measured.errors
    ));
    measured
}

/// The machine and how often and how long was measured, as a line for a page.
fn machine(rounds: usize, seconds: u64) -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{cores} cores,{}; {} connections; {rounds} rounds of {seconds} s, the median.",
        model.trim_start_matches([' ', '\t', ':']).split('@').next().map(|name| format!(" {name}")).unwrap_or_default(),
        load::CONNECTIONS
    )
}

fn say(text: &str) {
    eprintln!("bench: {text}");
}
