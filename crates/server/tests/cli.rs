//! The command line as a program sees it: the built binary, its exit codes, and the one document on standard output.
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

    fn run(&self, words: &[&str], input: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grantry"));
        command.args(words).current_dir(self.path()).env_clear();
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that reads no input may be gone before it is written.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Runs a command with `--json` that must succeed.
    fn json(&self, words: &[&str]) -> Value {
        self.json_with(words, "")
    }

    fn json_with(&self, words: &[&str], input: &str) -> Value {
        let output = self.run(&[words, &["--json"]].concat(), input);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        document(&output)
    }

    /// Runs a command with `--json` that must fail with `code`, and gives its error.
    fn no(&self, code: i32, words: &[&str]) -> String {
        let output = self.run(&[words, &["--json"]].concat(), "");
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
        document(&output)["error"].as_str().expect("an error has a text").to_owned()
    }

    fn client(&self, words: &[&str]) -> Value {
        let base = ["client", "add", "--name", "App", "--redirect-uri", "https://app.example/cb"];
        self.json(&[&base, words].concat())
    }

    fn alice(&self) -> Value {
        let words = ["user", "add", "--email", "alice@example.com", "--name", "Alice Doe", "--username", "alice"];
        self.json_with(&[&words[..], &["--password-stdin"]].concat(), "correct horse battery\n")
    }
}

/// The one document on standard output.
fn document(output: &Output) -> Value {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(text).unwrap()
}

/// A document without what differs from run to run.
fn steady(mut document: Value) -> Value {
    for name in ["id", "client_id", "client_secret", "created_at", "secrets"] {
        if let Some(member) = document.get_mut(name) {
            *member = json!("…");
        }
    }
    document
}

#[test]
fn a_user_is_added_found_by_each_name_and_deleted() {
    let place = Folder::new();
    let words = ["user", "add", "--email", "alice@example.com", "--name", "Alice Doe", "--username", "alice"];
    let attribute = r#"limits={"domains":{"used":2,"limit":3}}"#;
    let more = ["--attribute", attribute, "--password-stdin"];
    let added = place.json_with(&[&words[..], &more].concat(), "correct horse battery\n");
    assert_eq!(
        steady(added.clone()),
        json!({
            "id": "…", "email": "alice@example.com", "email_verified": false, "username": "alice", "name": "Alice Doe",
            "attributes": {"limits": {"domains": {"used": 2, "limit": 3}}}, "has_password": true,
            "has_second_factor": false, "recovery_codes_left": null, "is_disabled": false, "created_at": "…",
        })
    );
    for name in ["alice", "Alice@Example.com", added["id"].as_str().unwrap()] {
        let mut shown = place.json(&["user", "show", name]);
        assert_eq!(shown.as_object_mut().unwrap().remove("linked"), Some(json!([])));
        assert_eq!(shown, added);
    }
    assert_eq!(place.json(&["user", "list"]), json!([added]));
    assert_eq!(place.no(1, &["user", "unlink", "alice"]), "`alice` has no such link: see `grantry user show alice`");
    place.json(&["user", "delete", "alice"]);
    assert_eq!(place.no(1, &["user", "show", "alice"]), "no user `alice`: see `grantry user list`");
    assert_eq!(place.json(&["user", "list"]), json!([]));
}

#[test]
fn a_name_that_is_taken_and_a_password_that_everybody_tries_are_refused() {
    let place = Folder::new();
    place.alice();
    let error = place.no(1, &["user", "add", "--username", "ALICE"]);
    assert!(error.contains("username is already taken"), "{error}");
    let words = ["user", "add", "--username", "bob", "--password-stdin", "--json"];
    let output = place.run(&words, "password\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(document(&output)["error"].as_str().unwrap().contains("everybody tries"));
    assert_eq!(place.json(&["user", "list"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_password_is_made_and_shown_once() {
    let place = Folder::new();
    let added = place.json(&["user", "add", "--username", "bob", "--password-generate"]);
    assert_eq!(added["password"].as_str().unwrap().len(), 23);
    assert_eq!(place.json(&["user", "show", "bob"])["password"], Value::Null);
    let again = place.json(&["user", "set-password", "bob", "--password-generate"]);
    assert_ne!(again["password"], added["password"]);
    place.no(2, &["user", "set-password", "bob"]);
}

#[test]
fn a_disabled_user_is_disabled_until_enabled() {
    let place = Folder::new();
    place.alice();
    assert_eq!(place.json(&["user", "disable", "alice"])["is_disabled"], true);
    assert!(place.no(1, &["token", "add", "--user", "alice", "--name", "ci"]).contains("disabled"));
    assert_eq!(place.json(&["user", "enable", "alice"])["is_disabled"], false);
}

#[test]
fn a_second_factor_is_switched_on_renewed_and_off() {
    let place = Folder::new();
    place.alice();
    let factor = place.json(&["user", "totp", "alice", "--enable"]);
    let secret = factor["secret"].as_str().unwrap();
    assert_eq!(secret.len(), 32);
    assert!(factor["uri"].as_str().unwrap().starts_with("otpauth://totp/Grantry:alice%40example%2Ecom?secret="));
    assert!(factor["uri"].as_str().unwrap().contains(secret));
    assert_eq!(factor["recovery_codes"].as_array().unwrap().len(), 10);
    assert_eq!(place.json(&["user", "show", "alice"])["has_second_factor"], true);
    assert!(place.no(1, &["user", "totp", "alice", "--enable"]).contains("already"));
    let renewed = place.json(&["user", "totp", "alice", "--renew-recovery"]);
    assert_ne!(renewed["recovery_codes"], factor["recovery_codes"]);
    place.json(&["user", "totp", "alice", "--disable"]);
    assert!(place.no(1, &["user", "totp", "alice", "--disable"]).contains("no second factor"));
}

#[test]
fn a_client_gets_what_its_dialect_and_kind_allow() {
    let place = Folder::new();
    let confidential = place.client(&[]);
    assert!(confidential["client_secret"].as_str().unwrap().starts_with("gcs_"));
    assert_eq!(
        steady(confidential),
        json!({
            "client_id": "…", "dialect": "standard", "name": "App", "publisher": null, "homepage": null, "privacy_policy": null, "terms": null, "checked_at": null, "checked_by": null,
            "kind": "confidential", "auth_methods": ["client_secret_basic", "client_secret_post"],
            "jwks": null, "jwks_uri": null, "assertion_audience": "issuer", "require_par": false,
            "require_signed_request_object": false,
            "grants": ["authorization_code", "refresh_token"], "scope": "openid profile email address phone offline_access",
            "redirect_uris": ["https://app.example/cb"], "resources": [], "pkce": "required", "refresh": "rotate",
            "access_ttl_s": null, "refresh_ttl_s": null, "id_token_signed_response_alg": "RS256", "is_first_party": false, "introspection": "own", "accounts_api": false, "owner": null, "secrets": "…",
            "is_disabled": false, "created_at": "…", "client_secret": "…",
        })
    );
    let public = place.client(&["--kind", "public", "--refresh", "none"]);
    assert_eq!(public["client_secret"], Value::Null);
    assert_eq!(public["auth_methods"], json!(["none"]));
    assert_eq!(public["grants"], json!(["authorization_code"]));
    let api = place.json(&["client", "add", "--name", "API", "--resource", "https://api.example.com/"]);
    assert_eq!((&api["grants"], &api["resources"]), (&json!([]), &json!(["https://api.example.com/"])));
}

#[test]
fn what_a_client_is_told_is_kept() {
    let place = Folder::new();
    place.alice();
    let words = [
        "--kind",
        "confidential",
        "--auth-method",
        "client_secret_post",
        "--grant",
        "authorization_code",
        "--scope",
        "profile",
        "--pkce",
        "optional",
        "--refresh",
        "reuse",
        "--access-ttl",
        "10m",
        "--refresh-ttl",
        "7d",
        "--first-party",
        "--publisher",
        "Example Ltd",
        "--homepage",
        "https://app.example/",
        "--owner",
        "alice",
        "--id",
        "4711",
    ];
    let client = place.client(&words);
    let names = ["client_id", "auth_methods", "grants", "scope", "pkce", "refresh", "access_ttl_s", "refresh_ttl_s"];
    assert_eq!(
        names.map(|name| client[name].clone()),
        [
            json!("4711"),
            json!(["client_secret_post"]),
            json!(["authorization_code"]),
            json!("profile"),
            json!("optional"),
            json!("reuse"),
            json!(600),
            json!(604_800)
        ]
    );
    assert_eq!((&client["owner"], &client["is_first_party"]), (&json!("alice"), &json!(true)));
    assert_eq!(place.json(&["client", "list", "--owner", "alice"]).as_array().unwrap().len(), 1);
    let changed = place.json(&["client", "set", "4711", "--name", "New", "--redirect-uri", "https://new.example/cb"]);
    assert_eq!((&changed["name"], &changed["redirect_uris"]), (&json!("New"), &json!(["https://new.example/cb"])));
    assert_eq!(changed["publisher"], "Example Ltd");
    assert!(
        place
            .no(1, &["client", "add", "--name", "B", "--id", "4711", "--grant", "client_credentials"])
            .contains("taken")
    );
}

#[test]
fn what_a_client_cannot_be_is_wrong_usage() {
    let place = Folder::new();
    let add = |words: &[&str]| place.no(2, &[&["client", "add", "--name", "X"], words].concat());
    assert!(add(&[]).contains("--redirect-uri is missing"));
    assert!(add(&["--redirect-uri", "http://app.example/cb"]).contains("must use https"));
    assert!(add(&["--redirect-uri", "https://app.example/*"]).contains("wildcard"));
    assert!(add(&["--kind", "public", "--grant", "client_credentials"]).contains("public client"));
    assert!(add(&["--kind", "public", "--redirect-uri", "https://a.example/", "--pkce", "optional"]).contains("PKCE"));
    assert!(add(&["--kind", "confidential", "--auth-method", "none"]).contains("--kind public"));
    place.no(2, &["client", "add", "--name", "X", "--grant", "banana"]);
    let error =
        place.no(1, &["client", "add", "--name", "X", "--redirect-uri", "https://a.example/", "--scope", "profil"]);
    assert!(error.contains("did you mean `profile`"), "{error}");
    assert_eq!(place.json(&["client", "list"]), json!([]));
}

#[test]
fn a_secret_is_replaced_without_an_outage() {
    let place = Folder::new();
    let client = place.client(&["--id", "web"]);
    let hints = |document: &Value| -> Vec<String> {
        let secrets = document["secrets"].as_array().unwrap();
        secrets.iter().map(|secret| secret["hint"].as_str().unwrap().to_owned()).collect()
    };
    assert!(place.no(1, &["client", "rotate-secret", "web", "--retire-old"]).contains("no older secret"));
    let rotated = place.json(&["client", "rotate-secret", "web"]);
    assert_ne!(rotated["client_secret"], client["client_secret"]);
    assert_eq!(hints(&rotated).len(), 2);
    let retired = place.json(&["client", "rotate-secret", "web", "--retire-old"]);
    assert_eq!(hints(&retired), hints(&rotated)[1..]);
    place.json(&["client", "rotate-secret", "web"]);
    let third = place.json(&["client", "rotate-secret", "web"]);
    assert_eq!(hints(&third).len(), 2, "two live secrets at most");
}

#[test]
fn a_secret_from_elsewhere_is_kept_like_a_password() {
    let place = Folder::new();
    let words = ["client", "add", "--name", "Old", "--redirect-uri", "https://old.example/cb", "--secret-stdin"];
    let client = place.json_with(&words, "hunter2hunter2\n");
    assert_eq!(client["client_secret"], Value::Null);
    assert_eq!(client["secrets"][0]["stored"], "argon2id");
    assert_eq!(client["secrets"][0]["hint"], "", "a short secret shows nothing of itself");
}

#[test]
fn a_personal_token_is_made_listed_and_revoked_by_id_or_by_text() {
    let place = Folder::new();
    place.alice();
    let one = place.json(&["token", "add", "--user", "alice", "--name", "ci", "--expires", "30d"]);
    let other = place.json(&["token", "add", "--user", "alice", "--name", "backup", "--scope", "email"]);
    assert_eq!((&other["scope"], &other["expires_at"]), (&json!("email"), &Value::Null));
    assert_eq!(place.json(&["token", "list", "--user", "alice"]).as_array().unwrap().len(), 2);
    place.json(&["token", "revoke", one["id"].as_str().unwrap()]);
    let revoked = place.json_with(&["token", "revoke", "-"], other["token"].as_str().unwrap());
    assert_eq!(revoked["kind"], "personal token");
    assert_eq!(place.json(&["token", "list"]), json!([]));
    assert!(place.no(1, &["token", "revoke", "nonsense"]).contains("no such token"));
    place.no(2, &["token", "add", "--user", "alice", "--name", "x", "--expires", "soon"]);
}

#[test]
fn the_ring_of_keys_turns_and_stays_short() {
    let place = Folder::new();
    let numbers = |document: &Value| -> Vec<u64> {
        document.as_array().unwrap().iter().map(|key| key["number"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(&place.json(&["key", "list"])), [1]);
    assert_eq!(numbers(&place.json(&["key", "rotate"])), [1, 2]);
    assert_eq!(numbers(&place.json(&["key", "rotate"])), [2, 3]);
    assert_eq!(place.json(&["key", "list"])[1]["does"], "seals and opens");
}

#[test]
fn the_database_is_counted_copied_and_swept() {
    let place = Folder::new();
    place.no(1, &["db", "migrate"]);
    place.alice();
    let info = place.json(&["db", "info"]);
    assert_eq!((&info["backend"], &info["rows"]["users"]), (&json!("sqlite"), &json!(1)));
    let age = &info["ages"]["users"];
    assert!(
        age["oldest"].as_str().is_some_and(|text| text.starts_with("20")) && age["oldest"] == age["newest"],
        "{info}"
    );
    assert_eq!(info["ages"]["access_tokens"], Value::Null, "there is none");
    assert_eq!(info["rows_estimated"], json!([]), "a file is counted");
    assert!(info["file_bytes"].as_u64().is_some_and(|bytes| bytes > 4096) && info["free_bytes"].is_u64(), "{info}");
    let text = place.run(&["db", "info"], "");
    let text = String::from_utf8_lossy(&text.stdout);
    for words in [
        "file bytes",
        "free bytes",
        "log bytes",
        "schema",
        "TABLE            ROWS  OLDEST",
        "users            1     20",
    ] {
        assert!(text.contains(words), "no {words:?} in:\n{text}");
    }
    assert!(place.json(&["db", "migrate"])["schema"].as_u64().unwrap() >= 1);
    place.json(&["db", "backup", "copy.db"]);
    assert!(place.path().join("copy.db").metadata().unwrap().len() > 0);
    assert!(place.no(1, &["db", "backup", "copy.db"]).contains("already"));
    assert!(!place.path().join("copy.db.partial").exists());
    assert_eq!(place.json(&["db", "sweep"])["rows_removed"], 0);
}

#[test]
fn check_tells_everything_and_touches_nothing() {
    let place = Folder::with("listen = \"here\"\n[store]\nurl = \"sqlite:none/g.db\"\n[lokout]\nwindow = \"1m\"\n");
    let output = place.run(&["check", "--json"], "");
    assert_eq!(output.status.code(), Some(1));
    let document = document(&output);
    assert_eq!(document["is_good"], false);
    let lines: Vec<&Value> =
        document["problems"].as_array().unwrap().iter().filter(|row| row["is_warning"] == false).collect();
    assert_eq!(lines.len(), 2, "{document}");
    assert_eq!((&lines[0]["line"], &lines[0]["column"]), (&json!(2), &json!(10)));
    assert!(lines[1]["text"].as_str().unwrap().contains("did you mean `lockout`"));

    let good = Folder::new();
    let document = good.json(&["check"]);
    assert_eq!(document["is_good"], true);
    assert_eq!(document["notes"].as_array().unwrap().len(), 2);
    assert_eq!(std::fs::read_dir(good.path()).unwrap().count(), 1, "nothing but the configuration is there");
}

#[test]
fn a_lost_master_key_is_an_error_and_not_a_new_key() {
    let place = Folder::new();
    place.alice();
    place.json(&["key", "list"]);
    std::fs::remove_file(place.path().join("grantry.db.key")).unwrap();
    for words in [&["user", "totp", "alice", "--enable"][..], &["key", "rotate"]] {
        assert!(place.no(1, words).contains("backup"), "{words:?}");
    }
    let output = place.run(&["check"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(!place.path().join("grantry.db.key").exists());
}

#[test]
fn init_writes_a_configuration_that_checks_and_never_overwrites() {
    let folder = tempfile::tempdir().unwrap();
    let place = Folder(folder);
    place.json(&["init"]);
    assert_eq!(place.json(&["check"])["is_good"], true);
    assert!(place.no(1, &["init"]).contains("not overwritten"));
}

#[test]
fn wrong_usage_exits_with_2_and_help_with_0() {
    let place = Folder::new();
    assert_eq!(place.run(&["frobnicate"], "").status.code(), Some(2));
    assert_eq!(place.run(&["user", "add"], "").status.code(), Some(2));
    let output = place.run(&["client", "add", "--help"], "");
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("Examples:"));
    let output = place.run(&["user", "list", "--config", "elsewhere.toml"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("grantry init"));
}

#[test]
fn a_dialect_is_explained_and_a_file_is_checked() {
    let place = Folder::new();
    assert_eq!(place.json(&["dialect", "list"])[0]["name"], "standard");
    let shown = place.json(&["dialect", "show", "standard"]);
    assert_eq!(shown["base_url"], "https://auth.example.com");
    assert_eq!(shown["waives"], json!([]));
    assert!(place.no(1, &["dialect", "show", "standrad"]).contains("did you mean `standard`"));
    std::fs::write(place.path().join("mine.toml"), "grants = [\"authorization_cod\"]\n").unwrap();
    let output = place.run(&["dialect", "check", "mine.toml"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("mine.toml:1:11"));
}

#[test]
fn check_names_each_surface_that_reads_the_tokens_of_another() {
    let in_force = |dialects: &str| -> Vec<String> {
        let told = Folder::with(dialects).json(&["check"]);
        assert_eq!(told["is_good"], true);
        let texts = told["problems"].as_array().unwrap().iter().map(|problem| problem["text"].as_str().unwrap());
        texts.filter(|text| text.contains("also_read")).map(ToOwned::to_owned).collect()
    };
    let enable = "[dialects]\nenable = [\"standard\", \"paced\"]\naccept = [\"refresh-without-expiry\"]\n";
    assert_eq!(in_force(enable), [""; 0]);
    let meaning = server::config::ALSO_READ_MEANING;
    assert_eq!(
        in_force(&format!("{enable}also_read = [\"standard reads paced\"]\n")),
        [format!("also_read in force: `standard` reads `paced`. {meaning}")]
    );
    let slip = format!("{enable}also_read = [\"standard reads pacd\"]\n");
    let output = Folder::with(&slip).run(&["check"], "");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = told.lines().find(|line| line.contains("`dialects.enable` does not list `pacd`, did you mean `paced`?"));
    let place = line.unwrap_or_else(|| panic!("{told}")).split(": ").next().unwrap();
    assert!(place.contains("grantry.toml:") && place.ends_with(":14"), "it has line and column: {told}");
}

#[test]
fn check_names_each_waiver_in_force_and_what_it_means() {
    let dialects = "[dialects]\nenable = [\"tinyplus\", \"tinyemail\"]\n\
                    accept = [\"implicit-grant\", \"token-in-query\", \"secret-in-query\", \"password-grant\"]\n";
    let told = Folder::with(dialects).json(&["check"]);
    assert_eq!(told["is_good"], true);
    let texts = told["problems"].as_array().unwrap().iter().map(|problem| problem["text"].as_str().unwrap());
    let waivers: Vec<&str> = texts.filter(|text| text.starts_with("waiver in force: ")).collect();
    let named =
        ["`tinyplus` has `implicit-grant`", "`tinyplus` has `token-in-query`", "`tinyemail` has `secret-in-query`"];
    assert_eq!(waivers.len(), named.len(), "what is accepted and not needed is not in force: {waivers:?}");
    for (waiver, named) in waivers.iter().zip(named) {
        let hazard = dialect::hazard::hazard(named.rsplit('`').nth(1).unwrap()).unwrap();
        assert!(waiver.contains(named) && waiver.contains(hazard.meaning), "{waiver}");
    }
}
