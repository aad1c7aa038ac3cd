//! Chores of the repository. `cargo xtask tidy` checks the rules of the house, `cargo xtask generate` writes the docs that
//! are made from tables, `cargo xtask bench` measures.
#![allow(clippy::disallowed_methods, reason = "chores read and write the files of the repository")]

mod bench;
mod generate;
mod strain;
mod tidy;
mod tree;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask COMMAND

  tidy                 checks the rules of the house that the compiler cannot: sizes, names, absences, quoted MUSTs
  generate [--check]   writes docs/generated from the tables in the code; with --check, only says whether they are fresh
  bench [--seconds N]  measures Grantry on SQLite against a ceiling, writes docs/generated/bench.md; 6 seconds a round by default
    --store postgres     the same on PostgreSQL, writes docs/generated/bench-postgres.md; and with it:
    --peer oidc-provider   against the npm package oidc-provider too
    --growth               with ten thousand, a million and ten million live tokens too
    --before PROGRAM     measures an older grantry and this one in turns, and writes nothing; with --store postgres too
      --only WORD          only the workloads whose names contain the word
    --strict             fails when a goal is missed
  hostile [SECONDS]    what slow clients and idle connections cost the others, as ratios of one run
  soak [--minutes N] [--store postgres]
                       mixed load: are memory, open files and p99 flat? 30 minutes by default
  rolling --old BINARY [--seconds N]
                       nodes of an earlier version and of this one on one PostgreSQL, under load; 20 seconds a stage by default
  fixture NAME COMMIT BINARY
                       makes tests/fixtures/NAME with the binary of an earlier version
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["tidy"] => tidy::run(),
        ["generate"] => generate::run(generate::Mode::Write),
        ["generate", "--check"] => generate::run(generate::Mode::Check),
        ["bench", rest @ ..] => bench::run(rest),
        ["hostile" | "soak" | "rolling", ..] => strain::run(&words),
        ["fixture", rest @ ..] => strain::fixture(rest),
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
