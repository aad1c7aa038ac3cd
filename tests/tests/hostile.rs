//! Clients that mean harm, or are merely slow: connections that say nothing, requests that do not end, requests that are too
//! large in any way, storms of sign-ins. Each costs the server little, and others are served meanwhile.
//!
//! What it costs the others in time is measured by `cargo xtask hostile`; here it is whether they are served at all.
#![allow(clippy::disallowed_methods, reason = "tests read clocks and wait")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tests::load::Client;
use tests::person::{self, sign_in};
use tests::{Answer, Installation, form, send};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
/// No slow client is suffered longer than this, with time-outs of one or two seconds and a busy machine.
const SUFFERED_MAX: Duration = Duration::from_secs(12);

fn started(limits: &str) -> (Installation, Client) {
    let mut grantry = Installation::new(&format!("[limits]\n{limits}\n"));
    let client = grantry.own_client();
    grantry.start();
    (grantry, client)
}

fn connect(grantry: &Installation) -> TcpStream {
    let stream = TcpStream::connect(&grantry.address).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
    stream
}

/// The beginning of a request with a body of so many bytes, of which none is sent.
fn post(grantry: &Installation, length: usize) -> String {
    format!("POST /oauth/token HTTP/1.1\r\nHost: {}\r\n{FORM}Content-Length: {length}\r\n\r\n", grantry.address)
}

/// Sends a byte now and then until the server has had enough, and says how long that took.
fn trickle(stream: &mut TcpStream) -> Duration {
    let begun = Instant::now();
    stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a time-out");
    while begun.elapsed() < SUFFERED_MAX * 2 {
        let _ = stream.write_all(b"x");
        match stream.read(&mut [0; 512]) {
            // An answer of 408, and then the end.
            Ok(length) if length > 0 => {}
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            _ => break,
        }
    }
    begun.elapsed()
}

#[test]
fn slow_headers_and_slow_bodies_are_cut_off_and_others_are_served_meanwhile() {
    let (grantry, client) = started("header_timeout = \"1s\"\nbody_timeout = \"1s\"");
    std::thread::scope(|scope| {
        let slow: Vec<_> = (0..60)
            .map(|number| {
                let mut stream = connect(&grantry);
                let head = format!("GET / HTTP/1.1\r\nHost: {}\r\nX-Slow: ", grantry.address);
                let begin = if number % 2 == 0 { head } else { post(&grantry, 60_000) };
                stream.write_all(begin.as_bytes()).expect("it takes bytes");
                scope.spawn(move || trickle(&mut stream))
            })
            .collect();
        for _ in 0..20 {
            assert!(client.issue().is_some(), "somebody else is not served");
        }
        for one in slow {
            let took = one.join().expect("it ends");
            assert!(took < SUFFERED_MAX, "a slow client was suffered for {took:?}");
        }
    });
}

#[test]
fn connections_above_the_limit_wait_for_a_place_and_those_that_say_nothing_lose_theirs() {
    let (grantry, client) = started("connections = 8\nheader_timeout = \"2s\"");
    let silent: Vec<TcpStream> = (0..30).map(|_| connect(&grantry)).collect();
    std::thread::sleep(Duration::from_millis(300));
    let metrics = send(grantry.admin(), "GET", "/metrics", &[], "").expect("the operator is answered").body;
    let open = metrics.lines().find_map(|line| line.strip_prefix("grantry_connections_open "));
    assert_eq!(open, Some("8"), "{metrics}");
    let begun = Instant::now();
    assert!(client.issue().is_some(), "whoever waits gets a place");
    assert!(begun.elapsed() < SUFFERED_MAX * 2, "after {:?}", begun.elapsed());
    drop(silent);
}

#[test]
fn when_files_are_few_connections_wait_and_the_store_keeps_its_own() {
    let mut grantry = Installation::new("[limits]\nheader_timeout = \"1s\"");
    let client = grantry.own_client();
    grantry.run_through(&["sh", "-c", "ulimit -n 120; exec \"$@\"", "sh"]);
    grantry.start();
    let silent: Vec<TcpStream> = (0..300).map(|_| connect(&grantry)).collect();
    for _ in 0..3 {
        assert!(client.issue().is_some(), "{}", grantry.log());
    }
    drop(silent);
    let log = grantry.log();
    assert!(log.contains("fewer open files than limits.connections needs"), "{log}");
    assert!(!log.contains("could not be accepted") && !log.contains("ERROR"), "{log}");
}

#[test]
fn requests_that_never_end_take_little_memory() {
    let (grantry, client) = started("header_timeout = \"20s\"\nbody_timeout = \"20s\"");
    // The first requests open what a server needs in any case.
    for _ in 0..50 {
        assert!(client.issue().is_some());
    }
    let before_kib = grantry.memory_kib();
    let mut held = Vec::new();
    for number in 0..300 {
        let mut stream = connect(&grantry);
        // Each just below its limit: 32 KiB of headers, 64 KiB of a body.
        let bytes = if number % 2 == 0 {
            format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}", "x".repeat(30_000))
        } else {
            post(&grantry, 65_000) + &"x".repeat(64_000)
        };
        stream.write_all(bytes.as_bytes()).expect("it takes bytes");
        held.push(stream);
    }
    assert!(client.issue().is_some(), "somebody else is not served");
    let grown_kib = grantry.memory_kib().saturating_sub(before_kib);
    // Twice what was sent, and some for the connections themselves.
    assert!(grown_kib < 300 * 2 * 64, "300 connections took {grown_kib} KiB");
    drop(held);
}

#[test]
fn large_bodies_together_have_a_limit_too_and_small_ones_are_not_held_up_by_it() {
    let (grantry, client) = started("body_timeout = \"20s\"\nbody_bytes = 16777216");
    assert!(client.issue().is_some());
    let before_kib = grantry.memory_kib();
    let mut held = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(&grantry);
        stream.set_write_timeout(Some(Duration::from_secs(5))).expect("a time-out");
        // Whoever is refused early cannot write to the end.
        let _ = stream.write_all(post(&grantry, 16_000_000).as_bytes());
        let _ = stream.write_all(&vec![b'x'; 15_000_000]);
        held.push(stream);
    }
    let mut refused = 0;
    for stream in &mut held {
        stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a time-out");
        let mut bytes = [0; 2048];
        if let Ok(length) = stream.read(&mut bytes)
            && let Some(answer) = Answer::parse(&bytes[..length])
        {
            assert!(answer.status == 503 && answer.header("retry-after").is_some(), "{answer:?}");
            refused += 1;
        }
    }
    assert!(refused > 10, "{refused} of 300 MB were refused");
    assert!(client.issue().is_some(), "a small body is refused");
    let grown_kib = grantry.memory_kib().saturating_sub(before_kib);
    assert!(grown_kib < 220 << 10, "300 MB of bodies took {grown_kib} KiB");
}

fn named(answer: &Answer) -> (u16, String) {
    let document = answer.json();
    (answer.status, document["error_description"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_request_that_is_too_large_in_any_way_is_refused_by_name_before_it_is_judged() {
    let (mut grantry, client) = started("");
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    let large = "The request is too large.";
    // A body by its length, which is known before it arrives.
    let mut stream = connect(&grantry);
    stream.write_all(post(&grantry, 900_000_000).as_bytes()).expect("it takes bytes");
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    assert_eq!(named(&Answer::parse(&bytes).expect("an answer before the body")).0, 400);
    let body = send(&grantry.address, "POST", "/oauth/token", &kind, &"x".repeat(200_000)).expect("an answer");
    assert_eq!(named(&body), (400, large.to_owned()));
    let many: String = (0..5_000).map(|at| format!("&p{at}=x")).collect();
    let parameters = send(&grantry.address, "POST", "/oauth/token", &kind, &many).expect("an answer");
    assert_eq!(named(&parameters), (400, large.to_owned()));
    let long = form(&[("grant_type", "client_credentials"), ("scope", &"x".repeat(20_000))]);
    let parameter = send(&grantry.address, "POST", "/oauth/token", &kind, &long).expect("an answer");
    let long = "The parameter scope is too long: a value may have at most 8192 bytes.";
    assert_eq!(named(&parameter), (400, long.to_owned()));
    for header in [("X-Long", "x".repeat(100_000)), ("Cookie", "c=".to_owned() + &"x".repeat(100_000))] {
        let answer = send(&grantry.address, "GET", "/sign-in", &[(header.0, &header.1)], "").expect("an answer");
        assert_eq!(answer.status, 431, "{}", answer.head);
    }
    let names: Vec<String> = (0..300).map(|number| format!("X-{number}")).collect();
    let headers: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    assert_eq!(send(&grantry.address, "GET", "/sign-in", &headers, "").expect("an answer").status, 431);
    let path = format!("/oauth/authorize?state={}", "x".repeat(100_000));
    let target = send(&grantry.address, "GET", &path, &[], "").expect("an answer");
    assert!(matches!(target.status, 414 | 431), "{}", target.head);
    assert!(client.issue().is_some() && grantry.is_running());
    assert!(!grantry.log().contains("panicked"));
}

#[test]
fn json_that_is_nested_too_deeply_is_refused_by_name() {
    let mut grantry = Installation::new(
        "[dialects]\nenable = [\"standard\", \"tinyrebrand\"]\n\
         accept = [\"password-grant\", \"open-introspection\", \"open-revocation\"]\n\
         [dialect.tinyrebrand]\nhosts = [\"api.tinyrebrand.test\"]\n",
    );
    let (id, secret) = grantry.client(&["--accounts-api"]);
    grantry.add_person();
    grantry.start();
    let sub = grantry.json(&["user", "show", person::NAME], "")["id"].as_str().expect("an id").to_owned();
    let deep = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    let basic = format!("Basic {}", data_encoding::BASE64.encode(format!("{id}:{secret}").as_bytes()));
    let headers = [("Authorization", basic.as_str()), ("Content-Type", "application/merge-patch+json")];
    let path = format!("/api/accounts/{sub}/attributes");
    for depth in [100, 1_000, 10_000] {
        let answer = send(&grantry.address, "PATCH", &path, &headers, &deep(depth)).expect("an answer");
        assert_eq!(answer.status, 400, "{depth}: {answer:?}");
        assert_eq!(answer.json()["error"], "invalid_request", "{depth}");
        let odd = [("Host", "api.tinyrebrand.test"), ("Content-Type", "application/json")];
        let answer = send(&grantry.address, "POST", "/api/oauth/token", &odd, &deep(depth)).expect("an answer");
        assert_eq!(answer.status, 400, "{depth}: {answer:?}");
    }
    let shallow = send(&grantry.address, "PATCH", &path, &headers, &json!({"a": {"b": 1}}).to_string());
    assert_eq!(shallow.expect("an answer").status, 200);
    assert!(grantry.is_running() && !grantry.log().contains("panicked"));
}

#[test]
fn tokens_are_issued_while_a_storm_of_sign_ins_waits_for_its_turn() {
    const SIGN_INS: usize = 80;
    let mut grantry = Installation::new("[limits]\nhashing_threads = 1");
    let client = grantry.own_client();
    grantry.add_person();
    grantry.start();
    let (done, good) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..SIGN_INS {
            scope.spawn(|| {
                let answer = sign_in(&grantry.address, person::PASSWORD);
                let is_in = answer.as_ref().is_some_and(|(_, person)| person.is_some());
                good.fetch_add(usize::from(is_in), Ordering::Relaxed);
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
        while done.load(Ordering::Relaxed) < 2 {
            std::thread::sleep(Duration::from_millis(1));
        }
        for _ in 0..10 {
            assert!(client.issue().is_some(), "no token in a storm of sign-ins");
        }
        // An order of things and no time: were the tokens in the same queue, all who came before would be done.
        let before = done.load(Ordering::Relaxed);
        assert!(before < SIGN_INS / 2, "{before} of {SIGN_INS} sign-ins came before ten tokens");
    });
    assert_eq!(good.into_inner(), SIGN_INS, "everybody gets in in the end");
}
