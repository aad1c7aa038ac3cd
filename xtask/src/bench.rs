//! Runs the benchmark. It is a program of its own, so that the other chores need not build an HTTP library.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::tree::root;

/// Returns what is wrong with the words of the command, if anything. Building takes minutes, and a slip should not cost them.
fn complaint(words: &[&str]) -> Option<String> {
    let mut rest = words;
    let mut is_on_postgres = false;
    loop {
        rest = match rest {
            [] => break,
            ["--store", store @ ("sqlite" | "postgres"), rest @ ..] => {
                is_on_postgres = *store == "postgres";
                rest
            }
            ["--before", path, rest @ ..] if Path::new(path).is_file() => rest,
            ["--only", _, rest @ ..] if words.contains(&"--before") => rest,
            ["--peer", "oidc-provider", rest @ ..] | ["--growth" | "--strict", rest @ ..] => rest,
            ["--seconds", seconds, rest @ ..] | [seconds, rest @ ..]
                if seconds.parse().is_ok_and(|many: u64| many > 0) =>
            {
                rest
            }
            [word, ..] => return Some(format!("{word} is not understood, or what follows it")),
        }
    }
    if words.contains(&"--before") && (words.contains(&"--peer") || words.contains(&"--growth")) {
        return Some("--before goes with neither --peer nor --growth".to_owned());
    }
    let needs = words.iter().find(|word| ["--peer", "--growth"].contains(word)).filter(|_| !is_on_postgres);
    needs.map(|word| format!("{word} goes with --store postgres"))
}

pub(crate) fn run(words: &[&str]) -> ExitCode {
    if let Some(complaint) = complaint(words) {
        eprintln!("xtask bench: {complaint}");
        return ExitCode::from(2);
    }
    if Command::new("wrk").arg("--version").output().is_err() {
        eprintln!("xtask bench: needs wrk; `apt-get install wrk` brings it");
        return ExitCode::FAILURE;
    }
    if words.contains(&"--peer") && !is_peer_there() {
        eprintln!("xtask bench: the peer is not there, and `npm ci` in bench/peer did not bring it");
        return ExitCode::FAILURE;
    }
    let cargo = |words: &[&str]| Command::new("cargo").args(words).current_dir(root()).status();
    let is_built = cargo(&["build", "--profile", "ship", "--package", "server", "--package", "bench"]);
    if !is_built.is_ok_and(|status| status.success()) {
        return ExitCode::FAILURE;
    }
    // Not by `cargo run`: the features of the libraries are those of all packages that are named, so naming one of the two
    // would build both again.
    let Some(bench) = built("bench") else {
        eprintln!("xtask bench: the program that was built is not where cargo puts it");
        return ExitCode::FAILURE;
    };
    match Command::new(bench).args(words).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Where a program of the profile `ship` is: beside the folder of this one, which is `target/debug`.
fn built(name: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let program = own.parent()?.parent()?.join("ship").join(name);
    program.is_file().then_some(program)
}

/// Returns true if what the lock file says is installed. If not, it is installed now.
fn is_peer_there() -> bool {
    let peer = root().join("bench/peer");
    let install = || Command::new("npm").args(["ci", "--ignore-scripts"]).current_dir(&peer).status();
    peer.join("node_modules/oidc-provider").exists() || install().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::complaint;

    #[test]
    fn a_slip_is_noticed_before_anything_is_built() {
        for words in [
            vec![],
            vec!["2"],
            vec!["--seconds", "2"],
            vec!["--store", "sqlite"],
            vec!["--strict"],
            vec!["--before", "Cargo.toml", "--store", "postgres", "--strict"],
            vec!["--before", "Cargo.toml", "--only", "flow"],
            vec!["--store", "postgres", "--peer", "oidc-provider", "--growth", "--seconds", "30"],
        ] {
            assert_eq!(complaint(&words), None, "{words:?}");
        }
        for words in [
            vec!["--store"],
            vec!["--store", "mysql"],
            vec!["--seconds", "many"],
            vec!["--seconds"],
            vec!["0"],
            vec!["--peer", "oidc-provider"],
            vec!["--store", "postgres", "--peer", "another"],
            vec!["--store", "sqlite", "--growth"],
            vec!["--grwth"],
            vec!["--before"],
            vec!["--only", "flow"],
            vec!["--before", "no/such/program"],
            vec!["--before", "Cargo.toml", "--store", "postgres", "--growth"],
        ] {
            assert!(complaint(&words).is_some(), "{words:?}");
        }
    }
}
