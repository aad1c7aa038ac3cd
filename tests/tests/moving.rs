//! An installation moves to PostgreSQL, is backed up there with its key, and is restored on SQLite: what was alive stays
//! alive, and what was revoked stays revoked.
#![allow(clippy::disallowed_methods, reason = "tests look at files")]

use tests::Installation;

const PASSPHRASE: &str = "a passphrase for the backup";

const HOST: &str = "127.0.0.1:9";

fn keyed(path: &std::path::Path) -> String {
    format!("[keys]\nmaster_file = \"{}\"", path.display())
}

#[test]
fn an_installation_moves_to_postgres_is_backed_up_there_and_restored_on_sqlite() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let (key, file) = (home.path().join("master.key"), home.path().join("grantry.db"));
    let sqlite = format!("sqlite:{}", file.display());
    let master = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    std::fs::write(&key, format!("{master}\n")).expect("the folder is writable");
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
    assert_eq!(std::fs::read_to_string(&lost_key).expect("the key is there").trim(), master);
    let twice = new.run(&restore, PASSPHRASE);
    assert!(String::from_utf8_lossy(&twice.stderr).contains("in use"), "{twice:?}");
    new.start();
    assert_eq!(verdicts(&new), [true, true, false, false]);
    assert!(api.at(&new).is_active(&after));
}

#[test]
fn another_installation_is_not_overwritten() {
    let (postgres, file) = (lab::database(), tempfile::tempdir().expect("a temporary folder"));
    let sqlite = format!("sqlite:{}", file.path().join("grantry.db").display());
    let config = "[keys]\nmaster = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"";
    let (one, other) = (Installation::node(&sqlite, HOST, config), Installation::node(&postgres, HOST, config));
    drop(one.client(&["--kind", "confidential"]));
    drop(other.client(&["--kind", "confidential"]));
    let words = ["db", "migrate", "--from", &sqlite, "--to", &postgres];
    let refused = one.run(&words, "");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another installation"), "{refused:?}");
    assert_eq!(other.json(&["db", "info"], "")["rows"]["clients"], 1);
    assert!(!one.run(&["db", "migrate", "--from", &sqlite], "").status.success());
}
