//! Runs what is too long for a test: `hostile` and `soak`, of the crate `tests`, on the binary as it is shipped.

use std::process::{Command, ExitCode};

use crate::tree::root;

/// Thousands of connections are thousands of open files, and most systems give a process fewer until it asks.
const WITH_FILES: &str = "ulimit -n 16384 2>/dev/null || ulimit -n \"$(ulimit -Hn)\"; exec \"$@\"";

pub(crate) fn run(words: &[&str]) -> ExitCode {
    let cargo = |command: &mut Command| command.current_dir(root()).status().is_ok_and(|status| status.success());
    let build = ["build", "--release", "--package", "server", "--package", "tests"];
    if !cargo(Command::new("cargo").args(build)) {
        return ExitCode::FAILURE;
    }
    let run =
        ["cargo", "run", "--release", "--quiet", "--package", "server", "--package", "tests", "--bin", "strain", "--"];
    if cargo(Command::new("sh").args(["-c", WITH_FILES, "sh"]).args(run).args(words)) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
