//! `grantry bench` against a running server: it measures what is there, and names what is wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use tests::Installation;

fn started() -> (Installation, String, String) {
    let mut grantry = Installation::default();
    let (id, secret) = grantry.client(&["--kind", "confidential"]);
    grantry.start();
    (grantry, id, secret)
}

/// Runs it for a second; gives its exit code and its document.
fn bench(grantry: &Installation, words: &[&str], secret: &str) -> (Option<i32>, Value) {
    let url = format!("http://{}", grantry.address);
    let base = ["bench", "--json", "--url", &url, "--seconds", "1"];
    let output = grantry.run(&[&base, words].concat(), secret);
    let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|fault| panic!("{fault}: {output:?}"));
    (output.status.code(), document)
}

#[test]
fn each_workload_is_measured_without_an_error() {
    let (grantry, id, secret) = started();
    for workload in ["client_credentials", "introspect", "discovery"] {
        let words = ["--client-id", &id, "--client-secret-stdin", "--workload", workload, "--connections", "4"];
        let (code, document) = bench(&grantry, &words, &secret);
        assert_eq!((code, &document["errors"], &document["first_error"]), (Some(0), &0.into(), &Value::Null));
        assert_eq!((&document["workload"], &document["connections"]), (&workload.into(), &4.into()));
        let number = |name: &str| document[name].as_f64().unwrap_or_else(|| panic!("{name} in {document}"));
        assert!(number("requests") > 10.0 && number("requests_per_s") > 10.0, "{document}");
        assert!(number("p50_ms") > 0.0 && number("p50_ms") <= number("p99_ms"), "{document}");
        assert!(number("p99_ms") <= number("max_ms"), "{document}");
    }
    let metrics = tests::send(grantry.admin(), "GET", "/metrics", &[], "").expect("the operator is answered").body;
    assert!(metrics.contains("introspection") || metrics.contains("introspect"), "{metrics}");
}

#[test]
fn people_read_it_too_and_a_secret_comes_from_a_file() {
    let (grantry, id, secret) = started();
    let file = grantry.folder().join("bench.secret");
    fs::write(&file, format!("{secret}\n")).expect("the folder is ours");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("the file is ours");
    let url = format!("http://{}", grantry.address);
    let words = ["bench", "--url", &url, "--seconds", "1", "--client-id", &id, "--client-secret-file"];
    let output = grantry.run(&[&words[..], &[file.to_str().expect("it is text")]].concat(), "");
    let text = String::from_utf8_lossy(&output.stdout);
    for word in ["client_credentials at http://", "requests/s ", "p50 ", "p99 ", "errors      0"] {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
    assert!(!text.contains(&secret) && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_rate_is_kept() {
    let (grantry, ..) = started();
    let (_, document) = bench(&grantry, &["--workload", "discovery", "--rate", "40"], "");
    let requests = document["requests"].as_u64().expect("a number");
    assert!((20..=41).contains(&requests), "{document}");
}

#[test]
fn what_is_wrong_is_counted_and_the_first_of_it_named() {
    let (grantry, id, _) = started();
    // One connection: attempts that are made at once share the limit of failures, and most would be told of that.
    let words = ["--client-id", &id, "--client-secret-stdin", "--connections", "1"];
    let (code, document) = bench(&grantry, &words, "wrong");
    assert_eq!((code, &document["requests"]), (Some(1), &0.into()));
    let first = document["first_error"].as_str().expect("an error");
    assert!(first.starts_with("401") && first.contains("invalid_client"), "{document}");
    assert!(document["errors"].as_u64().is_some_and(|errors| errors > 0 && errors < 2_000), "{document}");
    // To ask about a token, there has to be one.
    let (mut grantry, id, secret) = started();
    let words = ["--client-id", &id, "--client-secret-stdin", "--workload", "introspect"];
    let (code, document) = bench(&grantry, &words, "wrong");
    assert!(code == Some(1) && document["error"].as_str().is_some_and(|text| text.contains("invalid_client")));
    let (code, document) = bench(&grantry, &[], "");
    assert!(code == Some(2) && document["error"].as_str().is_some_and(|text| text.contains("--client-id")));
    let (code, document) = bench(&grantry, &["--workload", "discovery", "--host", "other.example"], "");
    assert!(code == Some(1) && document["error"].as_str().is_some_and(|text| text.contains("--host")), "{document}");
    grantry.kill();
    let (code, document) = bench(&grantry, &["--client-id", &id, "--client-secret-stdin"], &secret);
    assert_eq!(code, Some(1));
    assert!(document["error"].as_str().is_some_and(|text| text.contains("refused")), "{document}");
}
