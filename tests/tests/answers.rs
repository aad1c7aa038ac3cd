//! Whoever asks why a call failed finds the answer in the log: each refusal by the id of its request, with who asked and what was
//! wrong, and each act of the operator with who did it.
#![allow(clippy::disallowed_methods, reason = "tests read clocks")]

use serde_json::Value;
use tests::{Answer, Installation, person, send, wait_for};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

fn started() -> (Installation, String, String) {
    let mut grantry = Installation::new("[log]\nformat = \"json\"\n");
    let (id, secret) = grantry.client(&[
        "--pkce",
        "optional",
        "--scope",
        "profile",
        "--grant",
        "authorization_code",
        "--grant",
        "client_credentials",
    ]);
    grantry.start();
    (grantry, id, secret)
}

/// The lines of the log, each a document.
fn lines(grantry: &Installation) -> Vec<Value> {
    grantry.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The line of the request that was answered like this.
fn line(grantry: &Installation, answer: &Answer) -> Value {
    let id = answer.header("x-request-id").expect("each answer has the id of its request").to_owned();
    let found = || lines(grantry).into_iter().find(|line| line["id"] == id.as_str());
    wait_for("the refusal has a line", || found().is_some());
    found().expect("it was there")
}

#[test]
fn each_refusal_is_found_by_the_id_of_its_request_with_who_asked_and_what_was_wrong() {
    let (grantry, id, secret) = started();
    let ask = |path: &str| {
        let path = format!("/oauth/authorize?response_type=code&client_id={id}&{path}");
        send(&grantry.address, "GET", &path, &[], "").expect("an answer")
    };
    let token = |fields: &[(&str, &str)]| grantry.post("/oauth/token", fields).expect("an answer");
    let own = [("client_id", id.as_str()), ("client_secret", secret.as_str())];
    let with = |more: &[(&'static str, &'static str)]| [&own[..], more].concat();

    let told = line(&grantry, &ask("redirect_uri=https://app.example/cb/"));
    assert_eq!(told["refusal"], "RedirectUriUnregistered", "{told}");
    assert_eq!(
        (&told["client_id"], &told["param"]),
        (&Value::from(id.as_str()), &Value::from("redirect_uri")),
        "{told}"
    );
    assert_eq!(told["value"], "https://app.example/cb/", "{told}");
    assert_eq!(told["address"], "127.0.0.1", "{told}");

    let told = line(&grantry, &ask("redirect_uri=https://app.example/cb&scope=profile+offline_access"));
    assert_eq!(told["client_id"], id.as_str(), "{told}");
    assert!(told["value"].as_str().is_some_and(|value| value.contains("offline_access")), "{told}");

    for (fields, param, value) in [
        (with(&[("grant_type", "device_code")]), "grant_type", "device_code"),
        (with(&[("grant_type", "client_credentials"), ("scope", "admin")]), "scope", "admin"),
        (
            with(&[("grant_type", "client_credentials"), ("resource", "https://x.example")]),
            "resource",
            "https://x.example",
        ),
    ] {
        let told = line(&grantry, &token(&fields));
        let client = if told["client_id"].is_null() { &told["client_id_unverified"] } else { &told["client_id"] };
        assert_eq!(client, id.as_str(), "{told}");
        assert_eq!((&told["param"], &told["value"]), (&Value::from(param), &Value::from(value)), "{told}");
    }

    let wrong = [("grant_type", "client_credentials"), ("client_id", id.as_str()), ("client_secret", "wrong-secret")];
    let told = line(&grantry, &token(&wrong));
    assert_eq!(
        (&told["client_id"], &told["auth_method"]),
        (&Value::from(id.as_str()), &Value::from("client_secret_post"))
    );
    let stranger = [("grant_type", "client_credentials"), ("client_id", "nobody"), ("client_secret", "hush-hush")];
    let told = line(&grantry, &token(&stranger));
    assert_eq!((&told["client_id"], &told["client_id_unverified"]), (&Value::Null, &Value::from("nobody")), "{told}");

    let host = send(&grantry.address, "GET", "/oauth/userinfo", &[("Host", "auth.internal")], "").expect("an answer");
    let told = line(&grantry, &host);
    assert_eq!(
        (&told["host"], &told["hosts"]),
        (&Value::from("auth.internal"), &Value::from(grantry.address.as_str()))
    );
    let kind = [("Content-Type", "application/json")];
    let told = line(&grantry, &send(&grantry.address, "POST", "/oauth/token", &kind, "{}").expect("an answer"));
    assert_eq!(told["content_type"], "application/json", "{told}");
    let told = line(&grantry, &send(&grantry.address, "GET", "/oauth2/token", &[], "").expect("an answer"));
    assert_eq!(told["path"], "/oauth2/token", "{told}");
    let log = grantry.log();
    assert!(!log.contains(&secret) && !log.contains("hush-hush") && !log.contains("wrong-secret"), "{log}");
}

#[test]
fn nobody_forges_a_line_of_the_log() {
    let mut grantry = Installation::default();
    grantry.start();
    let forged = "x%0A2026-01-01T00:00:00Z%20%20INFO%20server%3A%20forged%20line%1B%5B31m";
    let path = format!("/oauth/authorize?response_type=code&client_id={forged}&redirect_uri={forged}&scope={forged}");
    let _ = send(&grantry.address, "GET", &format!("/nowhere/{forged}?{forged}"), &[], "").expect("an answer");
    let answer = send(&grantry.address, "GET", &path, &[], "").expect("an answer");
    let body = format!("grant_type={forged}&client_id={forged}&client_secret=x");
    let _ = send(&grantry.address, "POST", "/oauth/token", &[FORM], &body).expect("an answer");
    let id = answer.header("x-request-id").expect("it has an id").to_owned();
    wait_for("the refusal has a line", || grantry.log().contains(&id));
    let log = grantry.log();
    assert!(!log.lines().any(|line| line.starts_with("2026-01-01")) && !log.contains('\u{1b}'), "{log}");
}

#[test]
fn the_server_logs_what_the_operator_does_with_who_it_was() {
    let (grantry, ..) = started();
    grantry.add_person();
    let sub = grantry.json(&["user", "show", person::NAME], "")["id"].as_str().expect("a user has an id").to_owned();
    let _ = grantry.json(&["user", "disable", person::NAME], "");
    let found = || lines(&grantry).into_iter().find(|line| line["target"] == "audit" && line["kind"] == "user_changed");
    wait_for("the command has a line", || found().is_some());
    let told = found().expect("it was there");
    assert_eq!((&told["user"], &told["detail"]), (&Value::from(sub.as_str()), &Value::from("disabled")), "{told}");
    assert!(told["actor"].as_str().is_some_and(|actor| actor.contains("uid ")), "{told}");
}

#[test]
fn audit_lines_can_be_switched_on_and_off_whatever_the_level() {
    for (options, has_lines) in [
        ("", true),
        ("level = \"error\"", false),
        ("level = \"error\"\naudit = true", true),
        ("audit = false", false),
        ("level = \"error,audit=info\"", true),
    ] {
        let mut grantry = Installation::new(&format!("[log]\n{options}\n"));
        let (id, _) = grantry.client(&["--grant", "authorization_code", "--grant", "client_credentials"]);
        grantry.start();
        let wrong = [("grant_type", "client_credentials"), ("client_id", id.as_str()), ("client_secret", "wrong")];
        assert_eq!(grantry.post("/oauth/token", &wrong).expect("an answer").status, 401);
        if has_lines {
            wait_for("there is a line", || grantry.log().contains("client_auth_failed"));
        } else {
            assert!(!grantry.log().contains("client_auth_failed"), "{options}");
        }
        assert_eq!(
            grantry.json(&["event", "list", "--kind", "client_auth_failed"], "").as_array().map(Vec::len),
            Some(1)
        );
    }
}
