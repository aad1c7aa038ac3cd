//! The audit trail and lockouts from the command line: the built binary on a store of its own.
#![allow(clippy::disallowed_methods, reason = "the tests make files and start the binary")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// A folder with a configuration in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self::with("")
    }

    fn with(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("issuer = \"https://auth.example.com\"\n{more}");
        std::fs::write(folder.path().join("grantry.toml"), text).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, words: &[&str], input: &str) -> (Output, Value) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grantry"));
        command.args(words).arg("--json").current_dir(self.path()).env_clear();
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that reads no input may be gone before it is written.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let document = serde_json::from_slice(&output.stdout).expect("there is one document");
        (output, document)
    }

    fn json(&self, words: &[&str]) -> Value {
        self.json_with(words, "")
    }

    fn json_with(&self, words: &[&str], input: &str) -> Value {
        let (output, document) = self.run(words, input);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        document
    }

    fn no(&self, code: i32, words: &[&str]) -> String {
        let (output, document) = self.run(words, "");
        assert_eq!(output.status.code(), Some(code), "{words:?}: {document}");
        document["error"].as_str().expect("an error has a text").to_owned()
    }

    fn alice(&self) -> Value {
        let words = ["user", "add", "--email", "alice@example.com", "--name", "Alice Doe", "--username", "alice"];
        self.json_with(&[&words[..], &["--password-stdin"]].concat(), "correct horse battery\n")
    }
}

#[test]
fn events_are_listed_with_who_ran_the_command_and_can_be_narrowed_down() {
    let place = Folder::new();
    place.alice();
    place.json(&["user", "disable", "alice"]);
    place.json(&["client", "add", "--name", "App", "--redirect-uri", "https://app.example/cb"]);
    let all = place.json(&["event", "list"]);
    let kinds: Vec<&str> = all.as_array().unwrap().iter().filter_map(|event| event["kind"].as_str()).collect();
    assert_eq!(kinds, ["client_added", "user_changed", "user_added"]);
    let event = &all[1];
    assert!(event["actor"].as_str().is_some_and(|actor| actor.contains("uid ")), "{event}");
    assert_eq!((&event["user"], &event["detail"]), (&json!("alice"), &json!("disabled")));
    assert_eq!(event["address"], Value::Null);
    let count = |words: &[&str]| place.json(&[&["event", "list"], words].concat()).as_array().unwrap().len();
    assert_eq!(count(&["--user", "alice"]), 2);
    assert_eq!(count(&["--kind", "user_added", "--kind", "client_added"]), 2);
    assert_eq!(count(&["--since", "1h"]), 3);
    assert_eq!(count(&["--address", "192.0.2.1"]), 0);
    assert_eq!(count(&["--limit", "1"]), 1);
    let at = all[2]["at"].as_str().expect("an event has a time");
    assert_eq!(count(&["--since", at]), 3, "the second of the oldest is included");
    assert_eq!(count(&["--since", "2001-02-03T04:05:06+01:00", "--until", "1h"]), 0);
    assert_eq!(count(&["--until", "2101-01-01T00:00:00Z"]), 3);
    let second = all[1]["id"].as_str().expect("an event has a number");
    assert_eq!(place.json(&["event", "list", "--before", second])[0]["kind"], "user_added");
    let unknown = place.no(2, &["event", "list", "--kind", "user_aded"]);
    assert!(unknown.contains("did you mean `user_added`"), "{unknown}");
    for (option, text) in [("--since", "soon"), ("--until", "2026-11-30"), ("--until", "2026-11-30T08:00:00")] {
        let told = place.no(2, &["event", "list", option, text]);
        assert!(told.contains(text) && told.contains("such as 2h") && told.contains("08:00:00Z"), "{told}");
    }
    assert!(place.no(2, &["event", "list", "--since", "1h", "--until", "2h"]).contains("not before --until"));
    let (refused, _) = place.run(&["event", "list", "--limit", "0"], "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(place.no(1, &["event", "list", "--user", "nobody"]).contains("no user"));
}

#[test]
fn an_account_is_unlocked_and_that_is_noted() {
    let place = Folder::new();
    let alice = place.alice();
    let unlocked = place.json(&["user", "unlock", "alice@example.com"]);
    assert_eq!(unlocked, json!({"id": alice["id"], "is_unlocked": true, "is_disabled": false}));
    assert_eq!(place.json(&["event", "list", "--kind", "user_unlocked"]).as_array().unwrap().len(), 1);
    assert!(place.no(1, &["user", "unlock", "nobody"]).contains("no user `nobody`"));
}

/// OWASP ASVS 5.0 V6.3.4: what was issued before may have come of the password alone.
#[test]
fn a_second_factor_that_is_switched_on_ends_what_was_issued_where_applications_take_passwords() {
    let surfaces = "[dialects]\nenable = [\"standard\", \"tinyrebrand\"]\naccept = [ACCEPT]\n[dialect.tinyrebrand]\nhosts = [\"api.example.com\"]\n";
    for (more, is_ended) in [("", false), (surfaces, true)] {
        let waivers = r#""password-grant", "open-introspection", "open-revocation""#;
        let place = Folder::with(&more.replace("ACCEPT", waivers));
        place.alice();
        place.json(&["user", "totp", "alice", "--enable"]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = format!("sqlite:{}", place.path().join("grantry.db").display());
        let user = runtime.block_on(async {
            let store = store::open(&url, store::Mode::Existing).await.unwrap();
            store.user_by_name("alice").await.unwrap().unwrap()
        });
        assert_eq!(user.revoked_below > 0, is_ended, "{more}");
    }
}

#[test]
fn what_the_operator_does_beside_users_and_clients_is_noted_with_who_it_was() {
    let place = Folder::new();
    place.alice();
    place.json(&["key", "rotate"]);
    place.json(&["db", "backup", "b1.db"]);
    let job = place.json(&["work", "test"])["id"].as_str().expect("a job has an id").to_owned();
    place.json(&["work", "drop", &job]);
    let token = place.json(&["token", "add", "--user", "alice", "--name", "ci"]);
    place.json(&["token", "revoke", token["id"].as_str().expect("a token has an id")]);
    let all = place.json(&["event", "list"]);
    let told: Vec<(&str, &str)> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            assert!(event["actor"].as_str().is_some_and(|actor| actor.contains("uid ")), "{event}");
            (event["kind"].as_str().unwrap(), event["detail"].as_str().unwrap())
        })
        .collect();
    let dropped = format!("job {job}");
    let expected = [
        ("personal_revoked", "ci"),
        ("personal_created", "ci"),
        ("job_dropped", dropped.as_str()),
        ("backup_made", "b1.db"),
        ("key_rotated", "sealing key 2"),
        ("user_added", ""),
    ];
    assert_eq!(told, expected);
}
