//! What the operator changes and finds by commands: users, clients, and lists of them in pages.
#![allow(clippy::disallowed_methods, reason = "the tests make files and start the binary")]

use std::process::{Command, Stdio};

use serde_json::{Value, json};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "issuer = \"https://auth.example.com\"\n";
        std::fs::write(folder.path().join("grantry.toml"), text).expect("the folder is writable");
        Self(folder)
    }

    /// Runs a command with `--json`, and gives its exit code and its document.
    fn run(&self, words: &[&str]) -> (Option<i32>, Value) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grantry"));
        command.args(words).arg("--json").current_dir(self.0.path()).env_clear().stdin(Stdio::null());
        let output = command.output().expect("it ends");
        (output.status.code(), serde_json::from_slice(&output.stdout).expect("one document"))
    }

    fn yes(&self, words: &[&str]) -> Value {
        let (code, document) = self.run(words);
        assert_eq!(code, Some(0), "{words:?}: {document}");
        document
    }

    fn no(&self, code: i32, words: &[&str]) -> String {
        let (found, document) = self.run(words);
        assert_eq!(found, Some(code), "{words:?}: {document}");
        document["error"].as_str().expect("an error has a text").to_owned()
    }

    fn user(&self, name: &str) -> Value {
        self.yes(&["user", "add", "--username", name, "--email", &format!("{name}@example.com"), "--name", name])
    }

    fn client(&self, name: &str, more: &[&str]) -> Value {
        self.yes(&[&["client", "add", "--name", name, "--redirect-uri", "https://app.example/cb"], more].concat())
    }
}

#[test]
fn a_user_is_renamed_and_the_names_before_are_in_the_trail() {
    let place = Folder::new();
    let before = place.user("alice");
    place.user("bob");
    let words = ["user", "set", "alice", "--email", "new@example.com", "--username", "allie", "--name", "Allie"];
    let after = place.yes(&words);
    assert_eq!((&after["id"], &after["email_verified"]), (&before["id"], &json!(false)));
    assert_eq!([&after["email"], &after["username"], &after["name"]], ["new@example.com", "allie", "Allie"]);
    assert_eq!(place.yes(&["user", "set", "allie", "--email-verified"])["email_verified"], json!(true));
    assert_eq!(place.yes(&["user", "set", "allie", "--email-verified", "false"])["email_verified"], json!(false));
    let events = place.yes(&["event", "list", "--user", "allie", "--kind", "user_changed"]).to_string();
    assert!(events.contains("email was alice@example.com, username was alice, name was alice"), "{events}");
    place.no(1, &["user", "show", "alice"]);
    for taken in [["--username", "BOB"], ["--email", "Bob@Example.com"]] {
        let told = place.no(1, &[&["user", "set", "allie"], &taken[..]].concat());
        assert!(told.contains("already taken"), "{told}");
    }
    for (words, expected) in [
        (&["--username", "a b"][..], "a user name has 1 to 64 characters"),
        (&["--name", "x\u{202e}"], "U+202E RIGHT-TO-LEFT OVERRIDE"),
        (&["--email", "x"], "`x` is no e-mail address"),
        (&[], "say what to change"),
        (&["--no-email", "--no-username"], "an account needs an e-mail address or a user name"),
    ] {
        let told = place.no(2, &[&["user", "set", "allie"], words].concat());
        assert!(told.contains(expected), "{told}");
    }
    let shown = place.yes(&["user", "show", "allie"]);
    assert_eq!([&shown["email"], &shown["username"]], ["new@example.com", "allie"], "a refusal changes nothing");
    assert_eq!(place.yes(&["user", "set", "allie", "--no-email"])["email"], Value::Null);
}

#[test]
fn lists_are_searched_and_read_in_pages() {
    let place = Folder::new();
    for name in ["alice", "bob", "J\u{f6}rg", "carol"] {
        place.user(name);
    }
    let names = |words: &[&str]| {
        let rows = place.yes(&[&["user", "list"], words].concat());
        let rows = rows.as_array().expect("an array").clone();
        let cursor = rows.last().and_then(|row| row["cursor"].as_str()).map(ToOwned::to_owned);
        (rows.iter().map(|row| row["username"].as_str().expect("a name").to_owned()).collect::<Vec<_>>(), cursor)
    };
    let (all, cursor) = names(&[]);
    assert_eq!((all.len(), cursor), (4, None), "a whole list is as it always was");
    assert_eq!(names(&["--search", "J\u{d6}RG"]).0, ["J\u{f6}rg"]);
    assert_eq!(names(&["--search", "OL@example"]).0, ["carol"]);
    assert_eq!(names(&["--search", "nobody"]).0, Vec::<String>::new());
    let (first, cursor) = names(&["--limit", "3"]);
    assert_eq!(first, ["alice", "bob", "J\u{f6}rg"]);
    assert_eq!(names(&["--limit", "3", "--after", &cursor.expect("a page has a cursor")]).0, ["carol"]);
    assert_eq!(names(&["--after", "bob", "--search", "c", "--limit", "1"]).0, ["J\u{f6}rg"], "example.com has a c");
    place.no(2, &["user", "list", "--limit", "0"]);
    assert!(place.no(2, &["user", "list", "--after", "nobody"]).contains("cursor"));
    for at in 1..=3 {
        place.client(&format!("App {at}"), &["--id", &format!("app-{at}")]);
    }
    let ids = |words: &[&str]| {
        let rows = place.yes(&[&["client", "list"], words].concat());
        rows.as_array().expect("an array").iter().map(|row| row["client_id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&["--search", "app 2"]), ["app-2"]);
    assert_eq!(ids(&["--search", "APP.EXAMPLE", "--limit", "2"]), ["app-1", "app-2"]);
    assert_eq!(ids(&["--after", "app-2"]), ["app-3"]);
}

#[test]
fn a_client_changes_in_all_that_can_be_changed_and_hears_why_the_rest_cannot() {
    let place = Folder::new();
    place.user("alice");
    let web = place.client("Web", &["--id", "web", "--owner", "alice"]);
    assert_eq!(web["grants"], json!(["authorization_code", "refresh_token"]), "the least that fits");
    let set = |words: &[&str]| place.yes(&[&["client", "set", "web"], words].concat());
    let no = |words: &[&str]| place.no(2, &[&["client", "set", "web"], words].concat());
    assert_eq!(set(&["--grant", "client_credentials"])["grants"], json!(["client_credentials"]));
    assert!(no(&["--kind", "public"]).contains("client_credentials"));
    let public = set(&["--kind", "public", "--grant", "authorization_code"]);
    assert_eq!((&public["secrets"], &public["auth_methods"]), (&json!([]), &json!(["none"])));
    assert_eq!(public["client_secret"], Value::Null);
    let confidential = set(&["--kind", "confidential", "--auth-method", "client_secret_post"]);
    assert!(confidential["client_secret"].as_str().is_some_and(|secret| secret.starts_with("gcs_")));
    assert_eq!(confidential["auth_methods"], json!(["client_secret_post"]));
    let checked = set(&["--checked"]);
    assert!(checked["checked_at"].is_string() && checked["checked_by"].as_str().is_some_and(|by| by.contains("uid")));
    assert_eq!(set(&["--unchecked"])["checked_at"], Value::Null);
    assert_eq!(set(&["--no-owner"])["owner"], Value::Null);
    let pages = ["--homepage", "https://a.example/", "--privacy-policy", "https://a.example/p", "--terms"];
    assert_eq!(set(&[&pages[..], &["https://a.example/t"]].concat())["terms"], "https://a.example/t");
    assert_eq!(set(&["--terms", "", "--homepage", ""])["homepage"], Value::Null);
    assert!(no(&["--terms", "http://a.example/"]).contains("no https URL"));
    for (words, expected) in [
        (&["--dialect", "paced"][..], "the dialect of a client cannot be changed"),
        (&["--id", "other"], "a client_id cannot be changed"),
        (&["--secret-stdin"], "rotate-secret"),
        (&["--checked", "--unchecked"], "cannot be used"),
        (&["--grant", "implicit", "--redirect-uri", "ftp://x"], "implicit"),
    ] {
        assert!(no(words).contains(expected), "{words:?}: {}", no(words));
    }
}

#[test]
fn one_fault_of_wrong_usage_makes_a_command_with_several_faults_wrong_usage() {
    let place = Folder::new();
    let add = ["client", "add", "--name", "X", "--redirect-uri"];
    assert!(place.no(1, &[&add[..], &["https://a.example/", "--scope", "profil"]].concat()).contains("profil"));
    let told = place.no(2, &[&add[..], &["http://a.example/", "--scope", "profil"]].concat());
    assert!(told.contains("profil") && told.contains("must use https"), "{told}");
}

#[test]
fn without_a_terminal_nothing_is_asked_before_something_is_deleted() {
    let place = Folder::new();
    for name in ["alice", "bob"] {
        place.user(name);
        place.client(name, &["--id", name]);
    }
    for (what, name, more) in
        [("user", "alice", &[][..]), ("client", "alice", &[]), ("user", "bob", &["--yes"]), ("client", "bob", &["-y"])]
    {
        place.yes(&[&[what, "disable", name], more].concat());
        assert_eq!(place.yes(&[&[what, "delete", name], more].concat())["is_deleted"], json!(true));
    }
}
