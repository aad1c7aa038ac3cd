//! Runs commands of the crate `tests`: what is too long for a test (`hostile`, `soak` and `rolling`, on the binary as it is
//! shipped), and `fixture`, which makes the databases of an earlier version.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::tree::root;

/// Thousands of connections are thousands of open files, and most systems give a process fewer until it asks.
const WITH_FILES: &str = "ulimit -n 16384 2>/dev/null || ulimit -n \"$(ulimit -Hn)\"; exec \"$@\"";

pub(crate) fn run(words: &[&str]) -> ExitCode {
    let cargo = |command: &mut Command| command.current_dir(root()).status().is_ok_and(|status| status.success());
    let build = ["build", "--profile", "ship", "--package", "server", "--package", "tests"];
    if !cargo(Command::new("cargo").args(build)) {
        return ExitCode::FAILURE;
    }
    let run = [
        "cargo",
        "run",
        "--profile",
        "ship",
        "--quiet",
        "--package",
        "server",
        "--package",
        "tests",
        "--bin",
        "strain",
        "--",
    ];
    let words = words.iter().map(|word| absolute(word));
    if cargo(Command::new("sh").args(["-c", WITH_FILES, "sh"]).args(run).args(words)) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The path from the root of the file system, for a word that is the path of a file; any other word as it is.
fn absolute(word: &str) -> OsString {
    let is_file = word.contains('/') && Path::new(word).is_file();
    if is_file { std::path::absolute(word).map_or_else(|_| word.into(), Into::into) } else { word.into() }
}

/// Makes a fixture with the binary of an earlier version.
pub(crate) fn fixture(words: &[&str]) -> ExitCode {
    let run = ["run", "--quiet", "--package", "tests", "--bin", "fixture", "--"];
    // A path on the command line is one from where the command was given, so this does not go to the root.
    match Command::new("cargo").args(run).args(words).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
