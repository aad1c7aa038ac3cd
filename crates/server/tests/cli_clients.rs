//! `grantry client` and `grantry check` as a program sees them: imported client secrets, and the rights of clients.
#![allow(clippy::disallowed_methods, reason = "the tests make files and start the binary")]

mod common;

use std::io::Write as _;
use std::process::{Command, Stdio};

use protocol::line::Write;
use protocol::model::Client;
use serde_json::{Value, json};
use store::Mode;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "issuer = \"https://auth.example.com\"\n";
        std::fs::write(folder.path().join("grantry.toml"), text).expect("the folder is writable");
        Self(folder)
    }

    /// Runs a command with `--json` and this on its standard input; gives its exit code and its document.
    fn run(&self, words: &str, input: &[u8]) -> (Option<i32>, Value) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grantry"));
        command.args(words.split(' ')).arg("--json").current_dir(self.0.path()).env_clear();
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        // A command that reads no input may be gone before it is written.
        let _ = child.stdin.take().expect("a pipe").write_all(input);
        let output = child.wait_with_output().expect("it ends");
        (output.status.code(), serde_json::from_slice(&output.stdout).expect("one document"))
    }

    fn json(&self, words: &str) -> Value {
        let (code, document) = self.run(words, b"");
        assert_eq!(code, Some(0), "{words}: {document}");
        document
    }
}

const ADD: &str = "client add --name Old --grant client_credentials";

#[test]
fn a_secret_that_no_client_can_send_is_refused_with_its_character_and_place() {
    let place = Folder::new();
    let cases: [(&str, &str); 5] = [
        ("geheim-mit-ümlaut-0123456789", "U+00FC `ü` at position 12"),
        ("secret\twith-a-tab", "U+0009 at position 7"),
        ("with-a-\u{200b}zero-width", "U+200B"),
        ("with-a-del-\u{7f}", "U+007F at position 12"),
        ("no-break\u{a0}space", "U+00A0"),
    ];
    for (secret, told) in cases {
        let (code, document) = place.run(&format!("{ADD} --secret-stdin"), secret.as_bytes());
        let error = document["error"].as_str().unwrap_or_default();
        assert!(code == Some(1) && error.contains(told) && !error.contains("0123456789"), "{secret:?}: {document}");
    }
    assert_eq!(place.json("client list"), json!([]), "nothing half-written");
    let id = place.json(&format!("{ADD} --id old"))["client_id"].clone();
    let (code, document) = place.run("client rotate-secret old --secret-stdin", "geheim-mit-ümlaut".as_bytes());
    assert!(code == Some(1) && document["error"].as_str().is_some_and(|text| text.contains("position 12")), "{id}");
}

#[test]
fn a_secret_that_libraries_spell_in_two_ways_is_taken_with_a_warning() {
    let place = Folder::new();
    for (secret, has_warning) in [("abc+def%41ghi/jkl", true), ("only~printable ASCII!", false)] {
        let (code, document) = place.run(&format!("{ADD} --secret-stdin"), secret.as_bytes());
        assert_eq!((code, document.get("warnings").is_some()), (Some(0), has_warning), "{document}");
    }
    let (_, document) = place.run(&format!("{ADD} --id 100%old --secret-stdin"), b"printable-enough");
    assert!(document["warnings"][0].as_str().is_some_and(|text| text.contains("client_id")), "{document}");
}

#[test]
fn rights_are_given_by_name_and_only_to_confidential_clients() {
    let place = Folder::new();
    let rights = |document: &Value| (document["introspection"].clone(), document["accounts_api"].clone());
    let first_party = place.json(&format!("{ADD} --id a --first-party"));
    assert_eq!(rights(&first_party), (json!("own"), json!(false)), "first-party alone opens nothing");
    let both = place.json(&format!("{ADD} --id b --introspection any --accounts-api"));
    assert_eq!(rights(&both), (json!("any"), json!(true)));
    let changed = place.json("client set b --introspection own --accounts-api false --auth-method client_secret_post");
    assert_eq!(rights(&changed), (json!("own"), json!(false)));
    assert_eq!(changed["auth_methods"], json!(["client_secret_post"]));
    assert_eq!(rights(&place.json("client set a --accounts-api true")), (json!("own"), json!(true)));
    let public = "client add --name P --kind public --redirect-uri https://a.example/cb";
    for words in ["--accounts-api", "--introspection any"] {
        assert_eq!(place.run(&format!("{public} {words}"), b"").0, Some(2), "{words}");
    }
    assert_eq!(place.run("client set b --auth-method none", b"").0, Some(2));
    let shown = place.json("client show a");
    assert_eq!(shown["secrets"][0]["used_at"], Value::Null, "it was never used");
}

#[tokio::test]
async fn check_lists_clients_that_use_the_accounts_api_only_because_they_are_older_than_the_right() {
    let place = Folder::new();
    place.json(&format!("{ADD} --id new --first-party"));
    let url = format!("sqlite:{}", place.0.path().join("grantry.db").display());
    let old = Client { client_id: "older".into(), is_first_party: true, ..common::client() };
    let store = store::open(&url, Mode::Existing).await.expect("the command made it");
    store.commit([Write::PutClient(Box::new(old))].into()).await.expect("the row is new");
    drop(store);
    let told = |document: &Value| document["problems"].to_string().matches("--accounts-api").count();
    let check = || place.run("check", b"").1;
    let document = check();
    assert!(told(&document) == 1 && document["problems"].to_string().contains("`older`"), "{document}");
    place.json("client set older --accounts-api true");
    assert_eq!(told(&check()), 0);
}

#[test]
fn a_client_that_signs_has_keys_and_no_secret_until_it_needs_one() {
    let place = Folder::new();
    let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let keys = json!({ "keys": [key] });
    std::fs::write(place.0.path().join("keys.json"), keys.to_string()).unwrap();
    let mut private = keys.clone();
    private["keys"][0]["d"] = json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    std::fs::write(place.0.path().join("private.json"), private.to_string()).unwrap();
    let signing = format!("{ADD} --id bank --auth-method private_key_jwt");
    for (more, why) in [
        ("", "--jwks-file FILE or --jwks-uri URL"),
        (" --jwks-file keys.json --jwks-uri https://bank.example/keys", "one set of keys"),
        (" --jwks-file private.json", "a key is private"),
        (" --jwks-uri http://bank.example/keys", "no https URL"),
    ] {
        let (code, document) = place.run(&format!("{signing}{more}"), b"");
        assert!(code == Some(2) && document["error"].as_str().unwrap_or_default().contains(why), "{document}");
    }
    let added = place.json(&format!("{signing} --jwks-file keys.json --require-par"));
    assert_eq!((&added["jwks"], &added["require_par"], &added["secrets"]), (&keys, &json!(true), &json!([])));
    assert!(added.get("client_secret").is_none());
    let changed = place.json("client set bank --jwks-uri https://bank.example/keys --require-par false");
    assert_eq!((&changed["jwks"], &changed["jwks_uri"]), (&Value::Null, &json!("https://bank.example/keys")));
    let changed = place.json("client set bank --auth-method client_secret_jwt --assertion-audience endpoint");
    assert!(changed["client_secret"].is_string() && changed["assertion_audience"] == "endpoint", "{changed}");
}
