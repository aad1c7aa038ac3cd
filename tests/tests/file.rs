//! A database that cannot be used: read-only, somebody else's, damaged. The operator is told what and why, and there is no
//! half-working server.
#![allow(clippy::disallowed_methods, reason = "tests look at files and spoil them")]

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tests::load::Client;
use tests::{Installation, skip};

const PAGE_BYTES: u64 = 4096;
/// Tokens that fill some dozens of pages.
const TOKENS: usize = 1_500;
/// A user with no rights, on every Linux.
const NOBODY: &str = "65534";

/// An installation whose server has run and ended, so that everything is in the database file itself.
fn used(tokens: usize) -> (Installation, Client, Vec<String>) {
    let mut grantry = Installation::default();
    let client = grantry.own_client();
    grantry.start();
    let issued = (0..tokens).map(|_| client.issue().expect("a token")).collect();
    grantry.signal("TERM");
    assert!(grantry.wait().success());
    (grantry, client, issued)
}

fn database(grantry: &Installation) -> PathBuf {
    grantry.folder().join("grantry.db")
}

/// Writes over pages, counted from 0.
fn spoil(path: &Path, pages: std::ops::Range<u64>) {
    let file = File::options().write(true).open(path).expect("the file is there");
    for page in pages {
        file.write_all_at(&[0xa5; PAGE_BYTES as usize], page * PAGE_BYTES).expect("it can be written");
    }
}

/// The server does not start, and says these words; neither does a command.
fn assert_told(grantry: &mut Installation, words: &[&str]) {
    let status = grantry.try_start().expect_err("no server works on such a file");
    assert_eq!(status.code(), Some(1), "{}", grantry.log());
    let command = grantry.run(&["user", "list", "--json"], "");
    let document: serde_json::Value = serde_json::from_slice(&command.stdout).expect("one document");
    assert_eq!(command.status.code(), Some(1));
    for text in [grantry.log(), document["error"].as_str().expect("an error").to_owned()] {
        for word in words {
            assert!(text.contains(word), "no {word:?} in: {text}");
        }
        assert!(!text.contains("panicked"), "{text}");
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// The same installation, run by a user without rights; `None` where only that user could do so.
fn as_nobody(grantry: &mut Installation, test: &str) -> bool {
    if !is_root() {
        // Whoever is not root has no more rights than the file says.
        return true;
    }
    let words = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"];
    let tried = std::process::Command::new(words[0]).args(&words[1..]).arg("true").status();
    if !tried.is_ok_and(|status| status.success()) {
        skip(test, "setpriv (Debian package util-linux) does not work here");
        return false;
    }
    grantry.open_to_all();
    grantry.run_through(&words);
    true
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the file is ours");
}

#[test]
fn a_file_of_another_owner_is_named_with_its_owner() {
    let (mut grantry, ..) = used(1);
    if !as_nobody(&mut grantry, "a_file_of_another_owner_is_named_with_its_owner") {
        return;
    }
    let (path, key) = (database(&grantry), grantry.folder().join("grantry.db.key"));
    allow(&key, 0o644);
    allow(&path, if is_root() { 0o600 } else { 0o000 });
    let owner = fs::metadata(&path).expect("it is there").uid();
    assert_told(&mut grantry, &["grantry.db", &format!("belongs to user {owner}")]);
}

#[test]
fn a_file_that_can_only_be_read_is_named() {
    let (mut grantry, ..) = used(1);
    if !as_nobody(&mut grantry, "a_file_that_can_only_be_read_is_named") {
        return;
    }
    let (path, key) = (database(&grantry), grantry.folder().join("grantry.db.key"));
    allow(&key, 0o644);
    allow(&path, 0o444);
    assert_told(&mut grantry, &["grantry.db", "read-only", "belongs to user"]);
}

#[test]
fn a_folder_that_takes_no_files_is_named() {
    let (mut grantry, ..) = used(1);
    if !as_nobody(&mut grantry, "a_folder_that_takes_no_files_is_named") {
        return;
    }
    allow(&grantry.folder().join("grantry.db.key"), 0o644);
    allow(&database(&grantry), 0o666);
    // The log of the test is opened before the rights are gone; the write-ahead log is not.
    allow(grantry.folder(), 0o555);
    assert_told(&mut grantry, &["grantry.db", "folder"]);
    allow(grantry.folder(), 0o755);
}

#[test]
fn a_damaged_head_and_a_cut_file_are_told_and_nothing_starts() {
    let (mut grantry, ..) = used(1);
    let path = database(&grantry);
    let whole = fs::read(&path).expect("it can be read");
    spoil(&path, 0..1);
    assert_told(&mut grantry, &["grantry.db", "is not a SQLite file"]);
    // The head is good, and the tables that it names are not.
    let spoiled = [&whole[..100], &[0xa5; 3996], &whole[4096..]].concat();
    fs::write(&path, spoiled).expect("it can be written");
    assert_told(&mut grantry, &["grantry.db", "damaged", "restore a backup"]);
    fs::write(&path, &whole[..whole.len() / 2]).expect("it can be written");
    assert_told(&mut grantry, &["grantry.db", "damaged", "restore a backup"]);
    fs::write(&path, whole).expect("it can be written");
    grantry.start();
}

#[test]
fn damage_that_is_found_while_running_ends_the_server_and_none_starts_until_a_backup_is_restored() {
    let (mut grantry, client, issued) = used(TOKENS);
    let path = database(&grantry);
    let whole = fs::read(&path).expect("it can be read");
    let pages = whole.len() as u64 / PAGE_BYTES;
    // The last pages are full of tokens; the very last one is read when the server starts.
    spoil(&path, pages - 15..pages - 10);
    let check = grantry.run(&["check"], "");
    let told = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.code() == Some(1) && told.contains("damaged"), "{check:?}");
    // No start reads all of a file that nobody complained about.
    grantry.start();
    let mut refused = 0;
    for token in &issued {
        let Some(answer) = client.post("/oauth/introspect", &[("token", token)]) else { break };
        if answer.status == 200 {
            assert_eq!(answer.json()["active"], true, "a live token is called dead: {answer:?}");
            continue;
        }
        refused += 1;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (500, Some("server_error")));
        assert!(!answer.body.contains("malformed") && !answer.body.contains("grantry.db"), "{answer:?}");
    }
    assert!(refused >= 1, "no damage was met");
    assert_eq!(grantry.wait().code(), Some(1));
    let log = grantry.log();
    for words in ["the database is damaged", "malformed", "restore a backup", "this server has ended"] {
        assert!(log.contains(words), "no {words:?} in: {log}");
    }
    assert!(!log.contains("panicked"), "{log}");
    assert_told(&mut grantry, &["grantry.db", "damaged", "restore a backup"]);
    fs::write(&path, whole).expect("it can be written");
    grantry.start();
    assert!(issued.iter().all(|token| client.is_active(token)));
    assert!(!path.with_extension("db.damaged").exists(), "the mark stays");
}
