//! An installation moves to PostgreSQL, is backed up there with its key, and is restored on SQLite: what was alive stays
//! alive, and what was revoked stays revoked.
#![allow(clippy::disallowed_methods, reason = "tests look at files")]

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use lab::{Cluster, Options};
use tests::load::{Acknowledged, Load};
use tests::person::Person;
use tests::{Installation, MASTER};

const PASSPHRASE: &str = "a passphrase for the backup";

const HOST: &str = "127.0.0.1:9";

fn keyed(path: &Path) -> String {
    format!("[keys]\nmaster_file = \"{}\"", path.display())
}

#[test]
fn an_installation_moves_to_postgres_is_backed_up_there_and_restored_on_sqlite() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let (key, file) = (home.path().join("master.key"), home.path().join("grantry.db"));
    let sqlite = format!("sqlite:{}", file.display());
    std::fs::write(&key, format!("{MASTER}\n")).expect("the folder is writable");
    let mut old = Installation::node(&sqlite, HOST, &keyed(&key));
    old.start();
    let api = old.confidential_client();
    let issue = |grantry: &Installation| api.at(grantry).issue().expect("a token");
    let revoke = |grantry: &Installation, token: &str| {
        let answer = api.at(grantry).post("/oauth/revoke", &[("token", token)]);
        assert_eq!(answer.expect("an answer").status, 200);
    };
    let (kept, revoked, late) = (issue(&old), issue(&old), issue(&old));
    revoke(&old, &revoked);

    // While the server runs, and once more when it has stopped.
    let postgres = lab::database();
    let words = ["db", "migrate", "--from", sqlite.as_str(), "--to", postgres.as_str()];
    assert!(old.json(&words, "")["rows"].as_u64().is_some_and(|rows| rows >= 5));
    let newer = issue(&old);
    revoke(&old, &late);
    // As the server does by itself from time to time.
    assert!(old.run(&["key", "rotate"], "").status.success());
    old.kill();
    assert!(old.run(&words, "").status.success());

    let mut node = Installation::node(&postgres, HOST, &keyed(&key));
    node.start();
    let verdicts =
        |grantry: &Installation| [&kept, &newer, &revoked, &late].map(|token| api.at(grantry).is_active(token));
    assert_eq!(verdicts(&node), [true, true, false, false]);
    let after = issue(&node);
    let again = node.run(&words, "");
    let text = String::from_utf8_lossy(&again.stderr);
    assert!(!again.status.success() && text.contains("--overwrite"), "what a server did was overwritten: {text}");
    assert!(api.at(&node).is_active(&after));
    let info = node.json(&["db", "info"], "");
    assert_eq!(info["backend"], "postgres");
    assert_eq!(info["rows"]["clients"], 1);

    let backup = home.path().join("backup.db");
    let path = backup.display().to_string();
    let weak = node.run(&["db", "backup", &path, "--passphrase-stdin"], "short");
    assert!(String::from_utf8_lossy(&weak.stderr).contains("12 characters"), "{weak:?}");
    assert_eq!(node.json(&["db", "backup", &path, "--passphrase-stdin"], PASSPHRASE)["has_master_key"], true);

    // On another machine: no key, no database.
    let (lost_key, fresh) = (home.path().join("new.key"), home.path().join("new.db"));
    let mut new = Installation::node(&format!("sqlite:{}", fresh.display()), HOST, &keyed(&lost_key));
    let place = lost_key.display().to_string();
    let restore = ["db", "restore", &path, "--passphrase-stdin", "--master-file", &place];
    let wrong = new.run(&restore, "another passphrase");
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("does not open"), "{wrong:?}");
    assert!(!lost_key.exists() && !fresh.exists(), "a failure left something behind");
    assert!(new.json(&restore, PASSPHRASE)["rows"].as_u64().is_some_and(|rows| rows >= 5));
    assert_eq!(std::fs::read_to_string(&lost_key).expect("the key is there").trim(), MASTER);
    let twice = new.run(&restore, PASSPHRASE);
    assert!(String::from_utf8_lossy(&twice.stderr).contains("in use"), "{twice:?}");
    new.start();
    assert_eq!(verdicts(&new), [true, true, false, false]);
    assert!(api.at(&new).is_active(&after));
}

/// A client refreshes after a backup was taken. Once the backup is restored, the client's token is newer than what the store
/// knows; that is no replay, and must not end the grant as one.
#[test]
fn a_refresh_token_from_after_the_backup_is_refused_and_the_grant_lives_on() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let (old_file, new_file) = (home.path().join("old.db"), home.path().join("new.db"));
    let config = format!("[keys]\nmaster = \"{MASTER}\"\n[log]\nlevel = \"debug\"");
    let mut old = Installation::on(&old_file, &config);
    let client = old.own_client();
    old.add_person();
    old.start();
    let person = Person::signed_in(&old.address);
    let token = |answer: Option<tests::Answer>| {
        let answer = answer.expect("an answer");
        (answer.status, answer.json()["refresh_token"].as_str().unwrap_or_default().to_owned())
    };
    let code = person.code(&client).expect("a code");
    let (_, first) = token(client.redeem(&code));
    let backup = home.path().join("backup.db").display().to_string();
    assert!(old.json(&["db", "backup", &backup], "")["bytes"].as_u64().is_some_and(|bytes| bytes > 0));
    let (_, second) = token(client.refresh(&first));
    let (status, third) = token(client.refresh(&second));
    assert_eq!(status, 200);
    old.kill();

    let mut new = Installation::on(&new_file, &config);
    assert!(new.json(&["db", "restore", &backup], "")["rows"].as_u64().is_some_and(|rows| rows > 1));
    new.start();
    let client = client.at(&new);
    for lost in [&second, &third] {
        assert_eq!(token(client.refresh(lost)).0, 400);
    }
    assert!(new.log().contains("RefreshAhead") && !new.log().contains("RefreshReplayed"), "{}", new.log());
    assert_eq!(new.json(&["grant", "list"], "").as_array().map(Vec::len), Some(1), "the grant was ended");
    let (status, next) = token(client.refresh(&first));
    assert_eq!(status, 200, "the token of the backup goes on");
    assert_eq!(token(client.refresh(&third)).0, 400);
    assert_eq!(token(client.refresh(&next)).0, 200, "what the store lost ends nothing later either");
    // A token that this store has seen used is a replay as ever.
    assert_eq!(token(client.refresh(&first)).0, 400);
    assert!(new.log().contains("RefreshReplayed"), "{}", new.log());
}

#[test]
fn a_restore_that_is_refused_leaves_no_key_behind_and_says_what_to_do() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let (backup, place) = (home.path().join("backup.db"), home.path().join("new.key"));
    let (old, new) = (Installation::default(), Installation::default());
    for grantry in [&old, &new] {
        // The first command makes the master key.
        drop(grantry.client(&["--kind", "confidential"]));
        let _ = grantry.json(&["key", "rotate"], "");
    }
    let (file, key) = (backup.display().to_string(), place.display().to_string());
    assert_eq!(old.json(&["db", "backup", &file, "--passphrase-stdin"], PASSPHRASE)["has_master_key"], true);
    let own = new.folder().join("grantry.db.key");
    for words in [&[][..], &["--master-file", key.as_str()]] {
        let refused = new.run(&[&["db", "restore", &file, "--passphrase-stdin"], words].concat(), PASSPHRASE);
        let text = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && text.contains(&format!("mv {0} {0}.unused", own.display())), "{text}");
        assert!(text.contains("--master-file"), "{text}");
        assert!(!place.exists(), "the key of the backup was left behind");
    }
    let without = new.run(&["db", "restore", &file, "--master-file", &key], "");
    assert_eq!(without.status.code(), Some(2), "a key without a passphrase: {without:?}");
}

#[test]
fn another_installation_is_not_overwritten() {
    let (postgres, file) = (lab::database(), tempfile::tempdir().expect("a temporary folder"));
    let sqlite = format!("sqlite:{}", file.path().join("grantry.db").display());
    let config = format!("[keys]\nmaster = \"{MASTER}\"");
    let (one, other) = (Installation::node(&sqlite, HOST, &config), Installation::node(&postgres, HOST, &config));
    drop(one.client(&["--kind", "confidential"]));
    // Installations are told apart by when their keys were made.
    std::thread::sleep(Duration::from_millis(1_100));
    drop(other.client(&["--kind", "confidential"]));
    let words = ["db", "migrate", "--from", &sqlite, "--to", &postgres];
    let refused = one.run(&words, "");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another installation"), "{refused:?}");
    assert_eq!(other.json(&["db", "info"], "")["rows"]["clients"], 1);
    assert!(!one.run(&["db", "migrate", "--from", &sqlite], "").status.success());
}

/// A file that is there in the middle of a backup under its own name would be taken for a backup.
#[test]
fn a_backup_that_is_killed_in_the_middle_leaves_no_backup() {
    let mut cluster = Cluster::start(&Options::default());
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut node = Installation::node(&cluster.database(), HOST, &format!("[keys]\nmaster = \"{MASTER}\""));
    node.start();
    assert!(node.own_client().issue().is_some());
    // Enough for a few seconds.
    cluster.sql(
        "test_1",
        "INSERT INTO access_tokens (id, digest, client_key, issued_at, expires_at, scope) \
         SELECT id + number, digest, client_key, issued_at, expires_at, scope \
         FROM access_tokens, generate_series(1, 150000) AS number",
    );
    let file = home.path().join("backup.db");
    let partial = PathBuf::from(format!("{}.partial", file.display()));
    let words = ["db", "backup", &file.display().to_string()];
    let mut running = node.begin(&words);
    let since = Instant::now();
    // Until the schema and some of the rows are in it.
    while partial.metadata().map_or(0, |metadata| metadata.len()) < 1 << 20 {
        assert!(since.elapsed() < Duration::from_secs(30), "nothing is written");
        assert!(matches!(running.try_wait(), Ok(None)), "it ended early");
        assert!(!file.exists(), "it has its name before it is whole");
        std::thread::sleep(Duration::from_millis(10));
    }
    running.kill().expect("it runs");
    assert!(!running.wait().expect("it ends").success(), "it was done already");
    assert!(!file.exists(), "half a backup looks like a whole one");

    let again = node.run(&words, "");
    let text = String::from_utf8_lossy(&again.stderr);
    assert!(!again.status.success() && text.contains("broke off"), "{again:?}");
    for ending in ["", "-wal", "-shm"] {
        std::fs::remove_file(format!("{}{ending}", partial.display())).expect("it is left");
    }
    assert!(node.json(&words, "")["bytes"].as_u64().is_some_and(|bytes| bytes > 8 << 20));
    let names: Vec<_> =
        std::fs::read_dir(home.path()).expect("a folder").flatten().map(|own| own.file_name()).collect();
    assert_eq!(names, ["backup.db"]);

    // What fails for another reason leaves nothing either.
    let other = home.path().join("other.db").display().to_string();
    cluster.sql("test_1", "DROP TABLE events");
    assert!(!node.run(&["db", "backup", &other], "").status.success());
    assert_eq!(std::fs::read_dir(home.path()).expect("a folder").count(), 1);
}

#[test]
fn a_backup_of_sqlite_under_load_has_everything_that_was_acknowledged_before_it_began() {
    let mut old = Installation::default();
    let client = old.own_client();
    old.add_person();
    old.start();
    let person = Person::signed_in(&old.address);
    let (before, during, is_over) = (Mutex::default(), Mutex::default(), AtomicBool::new(false));
    let load = |acknowledged: &Mutex<Acknowledged>, meanwhile: &mut dyn FnMut()| {
        Load { client: &client, person: &person, acknowledged, is_over: &is_over }.during(meanwhile);
    };
    load(&before, &mut || std::thread::sleep(Duration::from_secs(2)));
    let home = tempfile::tempdir().expect("a temporary folder");
    let backups: Vec<PathBuf> = (0..3).map(|number| home.path().join(format!("backup-{number}.db"))).collect();
    load(&during, &mut || {
        for file in &backups {
            std::thread::sleep(Duration::from_millis(300));
            let path = file.display().to_string();
            assert_eq!(old.json(&["db", "backup", &path, "--passphrase-stdin"], PASSPHRASE)["has_master_key"], true);
        }
        std::thread::sleep(Duration::from_millis(300));
    });
    let [before, during] =
        [before, during].map(|known: Mutex<Acknowledged>| known.into_inner().expect("nobody panicked"));
    println!("before: {before}; during: {during}");
    assert_eq!((&*before.troubles, &*during.troubles), (&[][..], &[][..]), "a request failed");
    during.hold_against(&client);
    for (number, file) in backups.iter().enumerate() {
        let (key, database) = (home.path().join(format!("{number}.key")), home.path().join(format!("{number}.db")));
        let url = format!("sqlite:{}", database.display());
        let mut new = Installation::node(&url, &old.address, &keyed(&key));
        let (path, key) = (file.display().to_string(), key.display().to_string());
        let restore = ["db", "restore", &path, "--passphrase-stdin", "--master-file", &key];
        assert!(new.json(&restore, PASSPHRASE)["rows"].as_u64().is_some_and(|rows| rows > 100));
        new.start();
        assert!(person.at_node(&new).code(&client.at(&new)).is_some(), "the person is signed out");
        before.hold_against(&client.at(&new));
        assert!(!new.log().contains("panicked"), "{}", new.log());
    }
}
