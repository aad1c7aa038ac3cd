//! Runs the benchmark. It is a program of its own, so that the other chores need not build an HTTP library.

use std::process::{Command, ExitCode};

use crate::tree::root;

pub(crate) fn run(seconds: Option<&str>) -> ExitCode {
    if Command::new("wrk").arg("--version").output().is_err() {
        eprintln!("xtask bench: needs wrk; `apt-get install wrk` brings it");
        return ExitCode::FAILURE;
    }
    let cargo = |words: &[&str]| Command::new("cargo").args(words).current_dir(root()).status();
    let is_built = cargo(&["build", "--release", "--package", "server", "--package", "bench"]);
    if !is_built.is_ok_and(|status| status.success()) {
        return ExitCode::FAILURE;
    }
    let mut words = vec!["run", "--release", "--quiet", "--package", "bench", "--bin", "bench", "--"];
    words.extend(seconds);
    match cargo(&words) {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
