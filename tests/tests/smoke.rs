//! Bad input gets a clear error that names the fault, nothing is half-written, and the server lives.
#![allow(clippy::disallowed_methods, reason = "tests read clocks and wait")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tests::{Answer, Installation, form, send};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// A running server with a confidential client.
fn started() -> (Installation, String, String) {
    let mut grantry = Installation::default();
    let (id, secret) = grantry.client(&["--kind", "confidential"]);
    grantry.start();
    (grantry, id, secret)
}

fn error(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn malformed_token_requests_are_named_and_answered_as_json() {
    let (mut grantry, id, secret) = started();
    let own = form(&[("client_id", &id), ("client_secret", &secret)]);
    let long = "x".repeat(9_000);
    let cases: &[(&str, String, u16, &str)] = &[
        ("nothing at all", String::new(), 400, "invalid_request"),
        ("no grant_type", own.clone(), 400, "invalid_request"),
        ("an unknown grant", format!("{own}&grant_type=magic"), 400, "unsupported_grant_type"),
        (
            "a repeated parameter",
            format!("{own}&grant_type=client_credentials&scope=profile&scope=email"),
            400,
            "invalid_request",
        ),
        ("an unknown scope", format!("{own}&grant_type=client_credentials&scope=nonsense"), 400, "invalid_scope"),
        ("no code", format!("{own}&grant_type=authorization_code"), 400, "invalid_request"),
        ("a code that was never ours", format!("{own}&grant_type=authorization_code&code=abc"), 400, "invalid_grant"),
        (
            "a refresh token that was never ours",
            format!("{own}&grant_type=refresh_token&refresh_token=abc"),
            400,
            "invalid_grant",
        ),
        ("broken percent-encoding", format!("{own}&grant_type=%zz"), 400, "invalid_request"),
        ("broken UTF-8", format!("{own}&grant_type=%ff%fe"), 400, "invalid_request"),
        (
            "a parameter that is too long",
            format!("{own}&grant_type=client_credentials&scope={long}"),
            400,
            "invalid_request",
        ),
        (
            "an unknown client",
            "client_id=nobody&client_secret=x&grant_type=client_credentials".into(),
            401,
            "invalid_client",
        ),
        (
            "a wrong secret",
            format!("client_id={id}&client_secret=x&grant_type=client_credentials"),
            401,
            "invalid_client",
        ),
    ];
    for (what, body, status, word) in cases {
        let answer = send(&grantry.address, "POST", "/oauth/token", &[FORM], body).expect(what);
        assert_eq!(error(&answer), (*status, (*word).to_owned()), "{what}: {answer:?}");
        assert!(answer.header("cache-control").is_some_and(|value| value.contains("no-store")), "{what}: {answer:?}");
        assert!(answer.header("x-request-id").is_some(), "{what}: {answer:?}");
    }
    let wrong_type =
        send(&grantry.address, "POST", "/oauth/token", &[("Content-Type", "text/plain")], "x").expect("an answer");
    assert_eq!(error(&wrong_type), (400, "invalid_request".into()));
    let many: String = (0..200).map(|at| format!("&p{at}=x")).collect();
    let too_many = send(&grantry.address, "POST", "/oauth/token", &[FORM], &format!("{own}{many}")).expect("an answer");
    assert_eq!(error(&too_many), (400, "invalid_request".into()));
    assert!(grantry.is_running());
}

#[test]
fn oversized_bodies_and_headers_are_refused_early() {
    let (mut grantry, ..) = started();
    let body = send(&grantry.address, "POST", "/oauth/token", &[FORM], &"x".repeat(200_000)).expect("an answer");
    assert!(matches!(body.status, 400 | 413), "{body:?}");
    let huge = "x".repeat(200_000);
    let headers = send(&grantry.address, "GET", "/", &[("X-Huge", &huge)], "");
    assert!(headers.is_none_or(|answer| matches!(answer.status, 400 | 431)));
    assert!(grantry.is_running());
}

#[test]
fn other_methods_paths_and_hosts_are_told_apart() {
    let (mut grantry, ..) = started();
    let method = send(&grantry.address, "GET", "/oauth/token", &[], "").expect("an answer");
    assert_eq!(method.status, 405, "{method:?}");
    assert!(method.header("allow").is_some_and(|allow| allow.contains("POST")), "{method:?}");
    let path = send(&grantry.address, "GET", "/nowhere", &[], "").expect("an answer");
    assert_eq!(path.status, 404, "{path:?}");
    let host = send(&grantry.address, "GET", "/oauth/userinfo", &[("Host", "evil.example")], "").expect("an answer");
    assert!(matches!(host.status, 404 | 421), "{host:?}");
    assert!(grantry.is_running());
}

#[test]
fn a_query_string_is_no_place_for_a_secret() {
    let (grantry, id, secret) = started();
    let path = format!("/oauth/token?client_id={id}&client_secret={secret}&grant_type=client_credentials");
    let answer = send(&grantry.address, "POST", &path, &[FORM], "").expect("an answer");
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(!grantry.log().contains(&secret), "the secret is in the log");
}

#[test]
fn a_protected_address_says_how_to_ask_rfc_6750_3() {
    let (grantry, ..) = started();
    let bare = send(&grantry.address, "GET", "/oauth/userinfo", &[], "").expect("an answer");
    assert_eq!(bare.status, 401);
    assert!(bare.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")), "{bare:?}");
    let bad = send(&grantry.address, "GET", "/oauth/userinfo", &[("Authorization", "Bearer nonsense")], "")
        .expect("an answer");
    assert!(bad.header("www-authenticate").is_some_and(|value| value.contains("invalid_token")), "{bad:?}");
}

#[test]
fn an_authorization_request_that_must_not_redirect_shows_a_page_that_names_the_parameter() {
    let (grantry, id, _) = started();
    let html = [("Accept", "text/html")];
    let unknown = send(&grantry.address, "GET", "/oauth/authorize?response_type=code&client_id=nobody", &html, "")
        .expect("an answer");
    assert_eq!(unknown.status, 400);
    assert!(unknown.body.contains("client_id") && unknown.header("location").is_none(), "{unknown:?}");
    let path = format!("/oauth/authorize?response_type=code&client_id={id}&redirect_uri=https%3A%2F%2Fevil.example%2F");
    let foreign = send(&grantry.address, "GET", &path, &html, "").expect("an answer");
    assert_eq!(foreign.status, 400);
    assert!(foreign.body.contains("redirect_uri") && foreign.header("location").is_none(), "{foreign:?}");
}

#[test]
fn broken_cookies_and_forged_forms_are_refused_on_a_page() {
    let (grantry, ..) = started();
    let broken = [("Cookie", "grantry-session=\u{fffd}broken; grantry-browser=%%%; =; ;;")];
    let page = send(&grantry.address, "GET", "/account", &broken, "").expect("an answer");
    assert!(matches!(page.status, 200 | 302 | 303 | 401), "{page:?}");
    let forged = form(&[("csrf", "forged"), ("username", "alice"), ("password", "x")]);
    let answer = send(&grantry.address, "POST", "/sign-in", &[FORM], &forged).expect("an answer");
    assert_eq!(answer.status, 400, "{answer:?}");
}

#[test]
fn a_page_cannot_be_framed_or_run_foreign_script() {
    let (grantry, ..) = started();
    let page = send(&grantry.address, "GET", "/sign-in?next=/account", &[], "").expect("an answer");
    assert_eq!(page.status, 200, "{page:?}");
    let policy = page.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe-inline"), "{policy}");
    assert_eq!(page.header("referrer-policy"), Some("same-origin"));
    assert!(page.header("cache-control").is_some_and(|value| value.contains("no-store")));
}

#[test]
fn a_second_server_on_the_same_port_says_so_and_leaves_the_first_alone() {
    let (mut grantry, ..) = started();
    let second = grantry.run(&["serve"], "");
    assert_eq!(second.status.code(), Some(1));
    let text = String::from_utf8_lossy(&second.stderr);
    assert!(text.contains(grantry.address.as_str()), "{text}");
    assert!(grantry.is_running());
}

#[test]
fn headers_that_never_end_do_not_hold_a_connection_for_ever() {
    let (grantry, ..) = started();
    let mut stream = TcpStream::connect(&grantry.address).expect("the server listens");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").expect("it takes bytes");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a time-out");
    let begun = Instant::now();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    assert!(begun.elapsed() < Duration::from_secs(30), "the connection was held for {:?}", begun.elapsed());
}

#[test]
fn the_admin_listener_answers_and_is_apart() {
    let (grantry, ..) = started();
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(send(grantry.admin(), "GET", path, &[], "").expect("an answer").status, 200, "{path}");
        assert_eq!(send(&grantry.address, "GET", path, &[], "").expect("an answer").status, 404, "{path}");
    }
}

#[test]
fn a_request_for_no_host_or_for_two_is_refused_rfc_9112_3_2() {
    let (grantry, ..) = started();
    for hosts in ["", "Host: a.example\r\nHost: b.example\r\n"] {
        let mut stream = TcpStream::connect(&grantry.address).expect("the server listens");
        let request = format!("GET /oauth/userinfo HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it takes bytes");
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let answer = Answer::parse(&bytes).expect("an answer");
        assert_eq!(answer.status, 400, "{hosts:?}: {answer:?}");
    }
}

/// What a server says until it is ready; it may answer before it said all of it.
fn start_log(grantry: &mut Installation) -> String {
    grantry.start();
    let begun = Instant::now();
    loop {
        let log = grantry.log();
        if log.lines().any(|line| line.contains(" ready ")) {
            return log;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not get ready: {log}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_start_log_names_each_waiver_in_force_and_what_it_means() {
    let dialects = "[dialects]\nenable = [\"standard\", \"tinyplus\", \"tinyemail\"]\n\
                    accept = [\"implicit-grant\", \"token-in-query\", \"secret-in-query\", \"password-grant\"]\n";
    let log = start_log(&mut Installation::new(dialects));
    for waiver in ["implicit-grant", "token-in-query", "secret-in-query"] {
        let hazard = dialect::hazard::hazard(waiver).expect("there is such a waiver");
        let line = log.lines().find(|line| line.contains("a waiver is in force") && line.contains(waiver));
        assert!(line.is_some_and(|line| line.contains(hazard.meaning)), "{waiver}: {log}");
    }
    assert_eq!(log.matches("a waiver is in force").count(), 3, "{log}");
    let plain = start_log(&mut Installation::default());
    assert!(!plain.contains("waiver"), "the standard surface waives nothing: {plain}");
}

#[test]
fn the_start_log_names_each_surface_that_reads_the_tokens_of_another() {
    let dialects = "[dialects]\nenable = [\"standard\", \"paced\"]\naccept = [\"refresh-without-expiry\"]\nalso_read = [\"standard reads paced\"]\n";
    let log = start_log(&mut Installation::new(dialects));
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("a surface reads the tokens of another")).collect();
    let [line] = lines[..] else { panic!("one pair, one line: {log}") };
    for part in ["WARN", "dialect=\"standard\"", "reads=\"paced\"", server::config::ALSO_READ_MEANING] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let plain = start_log(&mut Installation::default());
    assert!(!plain.contains("tokens of another"), "{plain}");
}

/// The surface that docs/guide/dialects.md makes up and explains.
fn kite() -> String {
    let guide = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/dialects.md");
    let guide = std::fs::read_to_string(guide).expect("the guide is there");
    let block = guide.split("```toml\n").find(|block| block.starts_with("hosts  = [\"api.kite.example\"]"));
    let block = block.expect("it has the file").split("```").next().expect("a block ends");
    block.replace("waives = []", "waives = [\"code-without-redirect-uri\"]")
}

#[test]
fn a_dialect_of_the_operators_own_folder_serves_requests() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::create_dir(folder.path().join("kite")).expect("a folder can be made");
    std::fs::write(folder.path().join("kite/dialect.toml"), kite()).expect("a file can be written");
    let mut grantry = Installation::new(&format!(
        "[dialects]\npath = \"{}\"\nenable = [\"standard\", \"kite\"]\naccept = [\"code-without-redirect-uri\"]\n",
        folder.path().display()
    ));
    let personal = {
        grantry.add_person();
        let words = ["token", "add", "--user", tests::person::NAME, "--name", "script", "--dialect", "kite"];
        grantry.json(&words, "")["token"].as_str().expect("it is shown").to_owned()
    };
    grantry.start();
    let ask = |method, path, headers: &[(&str, &str)], body: &str| {
        let headers = [&[("Host", "api.kite.example")], headers].concat();
        send(&grantry.address, method, path, &headers, body).expect("an answer")
    };
    let who = ask("GET", "/api/whoami", &[("X-Kite-Session", &personal)], "");
    assert_eq!((who.status, who.json()["ok"].as_bool()), (200, Some(true)), "{who:?}");
    assert!(who.json()["account"]["id"].is_string(), "{who:?}");
    let json = [("Content-Type", "application/json")];
    let session = ask("POST", "/api/session", &json, r#"{"app":"nobody","key":"k","ticket":"t"}"#);
    assert_eq!(session.status, 403, "{session:?}");
    assert_eq!(session.body, r#"{"ok":false,"problem":{"code":"bad_app","text":"Client authentication failed."}}"#);
}
