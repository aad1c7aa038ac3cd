//! What an installation owns: files for their owner alone, the master key, a store that can be used. Whatever is wrong with
//! them is told by every command.
#![allow(clippy::disallowed_methods, reason = "tests look at files, start programs and read clocks")]

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use tests::disk::Disk;
use tests::{Installation, MASTER, skip, wait_for};

/// Another key than [`MASTER`].
const OTHER_MASTER: &str = "HxwdHh8AAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRo";
const PASSPHRASE: &str = "umbrella quartz lemon seventeen";

#[test]
fn another_master_key_can_take_the_place_of_one_that_leaked() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let grantry = used(&format!("sqlite:{}", home.path().join("g.db").display()), "");
    let _ = grantry.json(&["user", "totp", tests::person::NAME, "--enable"], "");
    let file = grantry.folder().join("new.key");
    let words = ["key", "replace-master", "--new-file", file.to_str().expect("text")];
    assert_eq!(grantry.run(&words, "").status.code(), Some(2), "the servers must be stopped");
    assert!(!file.exists());
    let done = grantry.json(&[&words[..], &["--servers-are-stopped"]].concat(), "");
    assert_eq!(done["second_factors"], 1);
    assert_all_told("the old key", &grantry, &["the master key is not the one"]);
    assert_eq!(fs::metadata(&file).expect("it was made").mode() & 0o777, 0o600);
    let config = grantry.folder().join("grantry.toml");
    let text = fs::read_to_string(&config).expect("it is there");
    fs::write(&config, format!("{text}[keys]\nmaster_file = \"{}\"\n", file.display())).expect("it is writable");
    assert!(grantry.run(&["check"], "").status.success());
    let _ = grantry.json(&["user", "totp", tests::person::NAME, "--disable"], "");
}

/// Every file in a folder, and in those in it.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("it can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        }
        found.push(path);
    }
    found
}

/// Nobody but the owner may do anything with these files, sockets excepted.
fn assert_shut(folder: &Path, except: &[&str]) {
    let mut count = 0;
    for path in files(folder) {
        let Ok(file) = path.symlink_metadata() else { continue };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if except.contains(&name.as_str()) || file.file_type().is_socket() {
            continue;
        }
        count += 1;
        assert_eq!(file.mode() & 0o077, 0, "{} has mode {:o}", path.display(), file.mode());
    }
    assert!(count > 0, "nothing was looked at");
}

#[test]
fn whatever_the_umask_every_file_is_for_its_owner_alone() {
    let mut grantry = Installation::new("[log]\nfile = \"grantry.log\"\n");
    grantry.run_through(&["sh", "-c", "umask 000; exec \"$@\"", "sh"]);
    // What the test itself made.
    let own = ["grantry.toml", "log"];
    grantry.add_person();
    let _ = grantry.json(&["user", "totp", tests::person::NAME, "--enable"], "");
    assert_shut(grantry.folder(), &own);
    grantry.start();
    assert_shut(grantry.folder(), &own);
    let backup = grantry.folder().join("backup.db").display().to_string();
    let _ = grantry.json(&["db", "backup", &backup, "--passphrase-stdin"], PASSPHRASE);
    assert_shut(grantry.folder(), &own);
    let made = grantry.folder().join("made").display().to_string();
    let _ = grantry.json(&["init", "--dir", &made], "");
    assert_shut(grantry.folder(), &own);
    let config = fs::metadata(Path::new(&made).join("grantry.toml")).expect("it was made");
    assert_eq!(config.mode() & 0o777, 0o600);
    let names = files(grantry.folder());
    for name in ["grantry.db", "grantry.db-wal", "grantry.db.key", "grantry.log", "backup.db", "made/grantry.key"] {
        assert!(names.iter().any(|path| path.ends_with(name)), "no {name} was looked at");
    }
}

#[test]
fn files_that_others_may_read_are_told_by_check_and_serve() {
    let mut grantry = Installation::default();
    grantry.add_person();
    let _ = grantry.json(&["key", "list"], "");
    for name in ["grantry.toml", "grantry.db", "grantry.db.key"] {
        let path = grantry.folder().join(name);
        let text = format!("chmod 600 {}", path.display());
        for mode in [0o660, 0o604] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
            let told = grantry.run(&["check"], "");
            let told = (told.status.code(), String::from_utf8_lossy(&told.stdout).into_owned());
            assert!(told.0 == Some(0) && told.1.contains(&text), "{name} {mode:o}: {told:?}");
        }
        grantry.start();
        assert!(grantry.log().contains(&text), "{name}: {}", grantry.log());
        grantry.kill();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
    }
    let told = grantry.run(&["check"], "");
    assert!(!String::from_utf8_lossy(&told.stdout).contains("chmod"), "{told:?}");
}

#[test]
fn a_weak_passphrase_seals_no_backup() {
    let grantry = Installation::default();
    let _ = grantry.json(&["key", "list"], "");
    let path = grantry.folder().join("b.db");
    for weak in ["aaaaaaaaaaaa", "passwordpassword", "\u{feff}123456789012\n"] {
        let words = ["db", "backup", path.to_str().expect("text"), "--passphrase-stdin"];
        let output = grantry.run(&words, weak);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && told.contains("five words"), "{weak}: {told}");
        assert!(!path.exists() && !path.with_extension("db.partial").exists());
    }
}

/// Every kind of command that opens a store.
fn commands(folder: &Path) -> Vec<Vec<String>> {
    let backup = folder.join("b.db").display().to_string();
    [
        &["user", "list"][..],
        &["user", "show", "nobody"],
        &["user", "add", "--username", "zed"],
        &["client", "list"],
        &["client", "add", "--name", "X", "--grant", "client_credentials"],
        &["token", "list"],
        &["grant", "list"],
        &["key", "list"],
        &["key", "rotate"],
        &["db", "info"],
        &["db", "migrate"],
        &["db", "sweep"],
        &["db", "backup", &backup],
        &["serve"],
    ]
    .into_iter()
    .map(|words| words.iter().map(|word| (*word).to_owned()).collect())
    .collect()
}

/// Each command ends with 1 and one document that says these words, and so does `check`.
fn assert_all_told(what: &str, grantry: &Installation, words: &[&str]) {
    for command in commands(grantry.folder()) {
        let line: Vec<&str> = command.iter().map(String::as_str).chain(["--json"]).collect();
        let output = grantry.run(&line, "");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{what}: {line:?}: {out}{err}");
        assert_eq!(out.lines().count(), 1, "{what}: {line:?}: {out}");
        let document: serde_json::Value = serde_json::from_str(&out).expect("one document");
        let told = document["error"].as_str().expect("an error has a text");
        assert!(words.iter().all(|word| told.contains(word)), "{what}: {line:?}: {told}");
        assert!(!err.contains("panicked"), "{what}: {line:?}: {err}");
    }
    let output = grantry.run(&["check"], "");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.code() == Some(1) && words.iter().all(|word| told.contains(word)), "{what}: check: {told}");
}

/// An installation that was used and is in order.
fn used(store: &str, more: &str) -> Installation {
    let grantry = Installation::with_store(store, more);
    grantry.add_person();
    let _ = grantry.json(&["key", "list"], "");
    grantry
}

#[test]
fn another_master_key_is_told_by_every_command_on_every_store() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let sqlite = format!("sqlite:{}", home.path().join("g.db").display());
    for store in [sqlite, lab::database()] {
        let key = home.path().join(format!("{}.key", store.len()));
        let more = format!("[keys]\nmaster_file = \"{}\"\n", key.display());
        fs::write(&key, MASTER).expect("the folder is writable");
        let mut grantry = used(&store, &more);
        fs::write(&key, OTHER_MASTER).expect("the folder is writable");
        assert_all_told("another key", &grantry, &["the master key is not the one", "backup"]);
        fs::write(&key, MASTER).expect("the folder is writable");
        assert!(grantry.run(&["check"], "").status.success(), "the right key is good");
        grantry.start();
        let other = home.path().join("other.key");
        fs::write(&other, OTHER_MASTER).expect("the folder is writable");
        let mut second = Installation::with_store(&store, &format!("[keys]\nmaster_file = \"{}\"\n", other.display()));
        assert_eq!(second.try_start().expect_err("a second node has the same key").code(), Some(1));
        assert!(second.log().contains("the master key is not the one"), "{}", second.log());
    }
}

#[test]
fn the_fingerprint_of_the_key_travels_with_a_move_and_with_a_backup() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let place = |name: &str| home.path().join(name).display().to_string();
    let key = |text: &str| format!("[keys]\nmaster = \"{text}\"\n");
    let from = format!("sqlite:{}", place("from.db"));
    let old = used(&from, &key(MASTER));
    for to in [format!("sqlite:{}", place("to.db")), lab::database()] {
        assert!(old.run(&["db", "migrate", "--from", &from, "--to", &to], "").status.success());
        let wrong = Installation::with_store(&to, &key(OTHER_MASTER));
        assert!(wrong.run(&["user", "list"], "").status.code() == Some(1), "{to}");
        assert!(Installation::with_store(&to, &key(MASTER)).run(&["user", "list"], "").status.success(), "{to}");
    }
    let (bare, sealed) = (place("bare.db"), place("sealed.db"));
    assert!(old.run(&["db", "backup", &bare], "").status.success());
    assert!(old.run(&["db", "backup", &sealed, "--passphrase-stdin"], PASSPHRASE).status.success());
    let wrong = Installation::with_store(&format!("sqlite:{}", place("wrong.db")), &key(OTHER_MASTER));
    for (words, input) in
        [(&["db", "restore", &bare][..], ""), (&["db", "restore", &sealed, "--passphrase-stdin"], PASSPHRASE)]
    {
        let output = wrong.run(words, input);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && told.contains("master key"), "{words:?}: {told}");
    }
    let right = Installation::with_store(&format!("sqlite:{}", place("right.db")), "");
    assert!(right.run(&["db", "restore", &sealed, "--passphrase-stdin"], PASSPHRASE).status.success());
    assert!(right.run(&["user", "list"], "").status.success());
}

#[test]
fn a_store_that_cannot_be_used_is_told_by_every_command() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let file = home.path().join("g.db");
    let key = format!("[keys]\nmaster = \"{MASTER}\"\n");
    let sqlite = format!("sqlite:{}", file.display());
    let grantry = used(&sqlite, &key);
    let whole = fs::read(&file).expect("it can be read");
    fs::write(&file, "this is no database, but it is long enough to be taken for one ".repeat(100)).expect("writable");
    assert_all_told("no SQLite file", &grantry, &["g.db", "is not a SQLite file"]);
    fs::write(&file, [&whole[..100], &[0xa5; 3996], &whole[4096..]].concat()).expect("it is writable");
    assert_all_told("damaged", &grantry, &["g.db", "damaged", "backup"]);
    fs::remove_file(&file).expect("it is ours");
    fs::create_dir(&file).expect("the folder is writable");
    assert_all_told("a folder", &grantry, &["g.db", "it is a folder"]);
    let in_file = home.path().join("plain");
    fs::write(&in_file, "x").expect("the folder is writable");
    let in_file = Installation::with_store(&format!("sqlite:{}/g.db", in_file.display()), &key);
    assert_all_told("below a file", &in_file, &["is a file and no folder"]);
    let long = Installation::with_store(&format!("sqlite:{}/{}", home.path().display(), "x".repeat(300)), &key);
    assert_all_told("a long name", &long, &["the path is too long"]);
    let nowhere = Installation::with_store(&format!("sqlite:{}/no/g.db", home.path().display()), &key);
    assert_all_told("no folder", &nowhere, &["folder"]);
    let port = tests::free_port();
    let away = Installation::with_store(&format!("postgres://g@127.0.0.1:{port}/g"), &key);
    assert_all_told("nobody answers", &away, &["cannot be reached", "127.0.0.1"]);
}

#[test]
fn a_disk_that_can_only_be_read_is_told_by_every_command() {
    let name = "a_disk_that_can_only_be_read_is_told_by_every_command";
    let disk = match Disk::in_memory(8 << 20) {
        Ok(disk) => disk,
        Err(why) => return skip(name, &why),
    };
    let key = format!("[keys]\nmaster = \"{MASTER}\"\n");
    let grantry = used(&format!("sqlite:{}", disk.database().display()), &key);
    let empty = Installation::with_store(&format!("sqlite:{}", disk.path().join("new.db").display()), &key);
    if let Err(why) = disk.remount("ro") {
        return skip(name, &why);
    }
    assert_all_told("a database that is there", &grantry, &["read-only file system"]);
    assert_all_told("one that is not", &empty, &["read-only file system"]);
    let init = grantry.run(&["init", "--dir", disk.path().to_str().expect("text")], "");
    assert!(String::from_utf8_lossy(&init.stderr).contains("read-only file system"), "{init:?}");
    let backup = disk.path().join("b.db").display().to_string();
    let elsewhere = used(&format!("sqlite:{}", grantry.folder().join("x.db").display()), &key);
    let output = elsewhere.run(&["db", "backup", &backup], "");
    assert!(String::from_utf8_lossy(&output.stderr).contains("read-only file system"), "{output:?}");
    disk.remount("rw").expect("it was so before");
}

#[test]
fn a_member_of_the_group_of_the_folder_can_connect_to_the_socket_and_nobody_else() {
    const GROUP: u32 = 4711;
    let name = "a_member_of_the_group_of_the_folder_can_connect_to_the_socket_and_nobody_else";
    let home = tempfile::tempdir().expect("a temporary folder");
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o711)).expect("it is ours");
    if std::os::unix::fs::chown(home.path(), None, Some(GROUP)).is_err() {
        return skip(name, "only root may give a folder to another group");
    }
    let socket = home.path().join("g.sock");
    let grantry = Installation::default();
    let config = fs::read_to_string(grantry.folder().join("grantry.toml")).expect("it is there");
    let listen = config.lines().find(|line| line.starts_with("listen")).expect("it listens");
    let connects = |group: &str| {
        let ask = format!("curl -s -o /dev/null --unix-socket {} http://x/", socket.display());
        let words = ["--reuid", "65534", "--regid", group, "--clear-groups", "sh", "-c", &ask];
        Command::new("setpriv").args(words).stderr(Stdio::null()).status().ok().and_then(|status| status.code())
    };
    if Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_err() {
        return skip(name, "curl is not here");
    }
    for (mode, member, stranger) in [("0660", true, false), ("0600", false, false), ("0666", true, true)] {
        let text = config.replace(listen, &format!("listen = \"unix:{}\"\nlisten_mode = \"{mode}\"", socket.display()));
        fs::write(grantry.folder().join("grantry.toml"), text).expect("it is writable");
        let mut server = grantry.begin(&["serve"]);
        wait_for("the socket is there", || socket.exists() && connects_as_root(&socket));
        // 7 is curl's word for a connection that it did not get.
        assert_eq!(connects(&GROUP.to_string()) == Some(0), member, "{mode}: the group");
        assert_eq!(connects("65534") == Some(0), stranger, "{mode}: a stranger");
        let _ = server.kill();
        let _ = server.wait();
        // What a killed server leaves behind is replaced by the next one.
        assert!(socket.exists());
    }
}

fn connects_as_root(socket: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(socket).is_ok()
}
