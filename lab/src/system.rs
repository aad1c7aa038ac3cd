//! Programs of PostgreSQL, and whom they run as.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

/// Where the server's own programs are, when another version is wanted than what is installed.
static OTHER: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let folder = PathBuf::from(std::env::var_os("GRANTRY_POSTGRES")?);
    assert!(folder.join("postgres").exists(), "GRANTRY_POSTGRES: no server in {}", folder.display());
    Some(folder)
});

/// Where the programs are: the newest version of those that Debian installs side by side, or what is on the path.
static PROGRAMS: LazyLock<PathBuf> = LazyLock::new(|| {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    versions.sort();
    versions.pop().map_or_else(PathBuf::new, |(_, bin)| bin)
});

/// Whether this process may not run the server itself.
static IS_ROOT: LazyLock<bool> =
    LazyLock::new(|| Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0"));

/// A program of PostgreSQL, run as somebody whom the server accepts.
pub(crate) fn program(name: &str) -> Command {
    as_owner(&path(name))
}

/// Where a program of PostgreSQL is.
pub(crate) fn path(name: &str) -> PathBuf {
    // The other version may come without clients: those that are installed will do.
    let other = OTHER.as_ref().map(|folder| folder.join(name));
    other.filter(|path| path.exists()).unwrap_or_else(|| PROGRAMS.join(name))
}

/// Any program, run as whoever runs the server.
pub(crate) fn as_owner(program: &Path) -> Command {
    let mut command = if *IS_ROOT {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.env("LC_ALL", "C").current_dir("/");
    command
}

/// Gives a folder to whoever runs the server.
pub(crate) fn give(folder: &Path) {
    if *IS_ROOT {
        must(Command::new("chown").arg("postgres:postgres").arg(folder), "chown");
    }
}

/// Runs a command to its end.
///
/// # Panics
/// When it cannot be started or fails.
pub(crate) fn must(command: &mut Command, what: &str) -> Output {
    let output = command.output().unwrap_or_else(|error| {
        panic!(
            "{what} cannot be run ({error}); tests need a PostgreSQL server: on Debian, `apt-get install postgresql`"
        )
    });
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
