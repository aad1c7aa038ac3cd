//! Identifiers as the operator types them: those that look the same are equal, and deceptive ones are refused.
#![allow(clippy::disallowed_methods, reason = "the tests make files and start the binary")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// A folder with a configuration in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("issuer = \"https://auth.example.com\"\n{more}");
        std::fs::write(folder.path().join("grantry.toml"), text).unwrap();
        Self(folder)
    }

    /// Runs a command with `--json`; gives its exit code and its document.
    fn run(&self, words: &[&str], input: &str) -> (Option<i32>, Value) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grantry"));
        command.args(words).arg("--json").current_dir(self.0.path()).env_clear();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that reads no input may be gone before it is written.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
            panic!("{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        });
        (output.status.code(), document)
    }

    fn yes(&self, words: &[&str]) -> Value {
        let (code, document) = self.run(words, "");
        assert_eq!(code, Some(0), "{words:?}: {document}");
        document
    }

    fn no(&self, words: &[&str]) -> String {
        let (code, document) = self.run(words, "");
        assert_ne!(code, Some(0), "{words:?}: {document}");
        document["error"].as_str().expect("an error has a text").to_owned()
    }
}

const APP: [&str; 6] = ["client", "add", "--name", "App", "--redirect-uri", "https://app.example/cb"];

#[test]
fn a_name_that_deceives_is_refused_at_every_door_with_the_character() {
    let place = Folder::with("");
    place.yes(&["user", "add", "--username", "bob"]);
    let client = place.yes(&APP)["client_id"].as_str().unwrap().to_owned();
    let bad = "Bank\u{202e}knaB";
    for words in [
        &["user", "add", "--username", bad][..],
        &["user", "add", "--username", "al", "--name", bad],
        &["user", "add", "--email", "al\u{202e}@example.com"],
        &["client", "add", "--name", bad, "--redirect-uri", "https://app.example/cb"],
        &[&APP[..], &["--publisher", bad]].concat(),
        &["client", "set", &client, "--name", bad],
        &["token", "add", "--user", "bob", "--name", bad],
    ] {
        let error = place.no(words);
        assert!(error.contains("contains U+202E RIGHT-TO-LEFT OVERRIDE at character"), "{words:?}: {error}");
    }
    let brand = Folder::with("[brand]\nname = \"Gran\\u200Btry\"\n");
    let (code, told) = brand.run(&["check"], "");
    let told = told["problems"].to_string();
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("`brand.name` contains U+200B ZERO WIDTH SPACE at character 5"), "{told}");
    let scope = Folder::with("[dialect.standard.scope]\nlist = { \"read\" = \"Read \\u2066all\" }\n");
    let told = scope.run(&["check"], "").1["problems"].to_string();
    assert!(told.contains("the sentence of the scope `read` contains U+2066 LEFT-TO-RIGHT ISOLATE"), "{told}");
}

#[test]
fn an_id_is_a_clients_or_a_users_and_never_both() {
    let place = Folder::with("");
    place.yes(&["user", "add", "--username", "bob", "--id", "4711"]);
    let error = place.no(&[&APP[..], &["--id", "4711"]].concat());
    assert!(error.contains("this client_id is the id of a user"), "{error}");
    place.yes(&[&APP[..], &["--id", "4712"]].concat());
    let error = place.no(&["user", "add", "--username", "eve", "--id", "4712"]);
    assert!(error.contains("this id is the client_id of an application"), "{error}");
    let told = place.run(&["check"], "").1.to_string();
    assert!(!told.contains("also the id of a user"), "{told}");
}

#[test]
fn an_attribute_is_no_claim_and_no_number_is_rounded() {
    let place = Folder::with("");
    let add = |pair: &str| place.no(&["user", "add", "--username", "al", "--attribute", pair]);
    assert!(add("email=ceo@bigcorp.example").contains("attribute email cannot be set"));
    assert!(add("n=123456789012345678901234").contains("n: 123456789012345678901234"));
    place.yes(&["user", "add", "--username", "bob", "--attribute", "n=9007199254740993"]);
    assert_eq!(place.yes(&["user", "show", "bob"])["attributes"]["n"], json!(9_007_199_254_740_993_u64));
    assert!(place.no(&["user", "set-attribute", "bob", "email_verified=true"]).contains("email_verified"));
}

#[test]
fn user_names_that_look_the_same_are_one() {
    let place = Folder::with("");
    place.yes(&["user", "add", "--username", "jose\u{301}"]);
    assert!(place.no(&["user", "add", "--username", "JOSÉ"]).contains("username is already taken"));
    assert_eq!(place.yes(&["user", "show", "josé"])["username"], json!("jose\u{301}"));
}

#[test]
fn a_port_that_cannot_be_is_refused_and_localhost_is_advised_against() {
    let place = Folder::with("");
    for uri in ["https://app.example:0/cb", "https://app.example:65536/cb", "http://127.0.0.1:99999/cb"] {
        let error = place.no(&["client", "add", "--name", "App", "--redirect-uri", uri]);
        assert!(error.contains(uri) && error.contains("from 1 to 65535"), "{error}");
    }
    let add = |kind: &str, uri: &str| {
        place.yes(&["client", "add", "--name", "App", "--kind", kind, "--redirect-uri", uri])["warnings"].clone()
    };
    assert!(add("public", "http://localhost/cb").to_string().contains("http://127.0.0.1"));
    for (kind, uri) in [("public", "http://127.0.0.1/cb"), ("confidential", "http://localhost:3000/cb")] {
        assert_eq!(add(kind, uri), Value::Null, "{uri}");
    }
}

#[test]
fn a_scope_that_only_the_operator_gives_must_be_named() {
    let scope =
        "[dialect.standard.scope]\nlist = { \"profile\" = \"See your name\", \"admin:all\" = \"Everything\" }\n";
    let place = Folder::with(&format!("{scope}operator_only = [\"admin:all\"]\n"));
    assert_eq!(place.yes(&APP)["scope"], json!("profile openid"));
    assert_eq!(place.yes(&[&APP[..], &["--scope", "profile admin:all"]].concat())["scope"], json!("profile admin:all"));
    place.yes(&["user", "add", "--username", "bob"]);
    let token = ["token", "add", "--user", "bob", "--name", "ci"];
    assert_eq!(place.yes(&token)["scope"], json!("profile"));
    assert_eq!(place.yes(&[&token[..], &["--scope", "admin:all"]].concat())["scope"], json!("admin:all"));
    let wrong = Folder::with(&format!("{scope}operator_only = [\"admin:al\"]\n"));
    let told = wrong.run(&["check"], "").1["problems"].to_string();
    assert!(told.contains("unknown scope `admin:al`, did you mean `admin:all`"), "{told}");
}
