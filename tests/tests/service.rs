//! Grantry as a service of systemd: the unit that is shipped, and what the server tells its service manager.
#![allow(clippy::disallowed_methods, reason = "tests start programs and write files")]

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output};
use std::time::Duration;

use tests::{Installation, binary, skip};

const UNIT: &str = include_str!("../../packaging/grantry.service");
const GUIDE: &str = include_str!("../../docs/guide/service.md");
/// The highest exposure that `systemd-analyze security` may find, in tenths. Below 20 it says "OK".
const EXPOSURE_MAX: &str = "20";

#[test]
fn the_guide_shows_the_unit_that_is_shipped() {
    assert!(
        GUIDE.contains(&format!("```ini\n{UNIT}```\n")),
        "docs/guide/service.md must show packaging/grantry.service"
    );
}

/// Runs systemd-analyze on the unit. `None` if it is not on this machine.
fn analyzed(words: &[&str]) -> Option<Output> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let unit = folder.path().join("grantry.service");
    // The program of the unit must be there.
    let text = UNIT.replace("/usr/local/bin/grantry", &binary().display().to_string());
    std::fs::write(&unit, text).expect("the folder is writable");
    Command::new("systemd-analyze").args(words).arg(&unit).output().ok()
}

#[test]
fn systemd_finds_no_fault_in_the_unit() {
    let Some(output) = analyzed(&["verify"]) else {
        return skip("systemd_finds_no_fault_in_the_unit", "systemd-analyze is not installed");
    };
    let told = String::from_utf8_lossy(&output.stderr);
    let own: Vec<&str> = told.lines().filter(|line| line.contains("grantry.service")).collect();
    assert!(output.status.success() && own.is_empty(), "{told}");
}

#[test]
fn the_unit_leaves_the_server_little_that_it_could_do() {
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let Some(output) = analyzed(&["security", "--offline=true", "--no-pager", &threshold]) else {
        return skip("the_unit_leaves_the_server_little_that_it_could_do", "systemd-analyze is not installed");
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_service_manager_is_told_when_the_server_is_ready_and_when_it_ends() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
    let heard = || {
        let mut bytes = [0; 256];
        let length = manager.recv(&mut bytes).expect("the server says something");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let mut grantry = Installation::default();
    grantry.run_through(&["env", &format!("NOTIFY_SOCKET={}", path.display())]);
    grantry.start();
    assert_eq!(heard(), "READY=1");
    grantry.signal("TERM");
    assert_eq!(heard(), "STOPPING=1");
    assert!(grantry.wait().success());
}

#[test]
fn a_service_manager_that_cannot_be_told_is_named_in_the_log() {
    let mut grantry = Installation::default();
    grantry.run_through(&["env", "NOTIFY_SOCKET=/nowhere/notify"]);
    grantry.start();
    assert!(grantry.log().contains("check NOTIFY_SOCKET"), "{}", grantry.log());
}
