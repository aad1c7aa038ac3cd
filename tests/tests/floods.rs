//! Floods of HTTP/2 frames that cost their sender little: streams that are reset at once (CVE-2023-44487), headers that never
//! end (VU#421644), pings, settings, empty frames, more streams than are allowed. The server closes such connections or
//! outlasts them, its memory stays bounded, and others are served.
#![allow(clippy::disallowed_methods, reason = "tests read clocks and wait")]

use std::time::{Duration, Instant};

use tests::Installation;
use tests::frames::{Connection, field, flag, frame, kind, request};
use tests::load::Client;

/// What a flood may add to the memory of the server, in KiB.
const GROWTH_MAX_KIB: u64 = 48 << 10;
/// How long a body may take.
const BODY_MAX: Duration = Duration::from_secs(3);
/// Requests at once on one connection.
const STREAMS_MAX: u32 = 32;
const PATH: &str = "/.well-known/oauth-authorization-server";

struct Flooded {
    grantry: Installation,
    client: Client,
    before_kib: u64,
}

impl Flooded {
    fn new() -> Self {
        let body_s = BODY_MAX.as_secs();
        let mut grantry =
            Installation::new(&format!("[limits]\nheader_timeout = \"3s\"\nbody_timeout = \"{body_s}s\""));
        let client = grantry.own_client();
        grantry.start();
        for _ in 0..50 {
            assert!(client.issue().is_some());
        }
        let before_kib = grantry.memory_kib();
        Self { grantry, client, before_kib }
    }

    fn open(&self) -> Connection {
        Connection::open(&self.grantry.address)
    }

    fn get(&self) -> Vec<u8> {
        request("GET", &self.grantry.address, PATH)
    }

    /// Sends the same bytes again and again: some at a time, until the server closes the connection or has taken all.
    fn flood(&self, times: u32, bytes: impl Fn(u32) -> Vec<u8>) -> bool {
        let mut connection = self.open();
        let mut pending = Vec::new();
        for number in 0..times {
            pending.extend(bytes(number));
            if pending.len() > 60_000 || number + 1 == times {
                if !connection.send(&pending) {
                    return false;
                }
                pending.clear();
            }
        }
        true
    }

    /// How many files and sockets the server has open.
    fn files(&self) -> usize {
        let pid = self.grantry.pid().expect("it runs");
        std::fs::read_dir(format!("/proc/{pid}/fd")).expect("the process lives").count()
    }

    /// As [`Flooded::files`], when the connections of before are gone.
    fn files_at_rest(&self) -> usize {
        let mut files = self.files();
        loop {
            std::thread::sleep(Duration::from_millis(200));
            match self.files() {
                fewer if fewer < files => files = fewer,
                _ => return files,
            }
        }
    }

    fn assert_small(&self, what: &str) {
        let grown_kib = self.grantry.memory_kib().saturating_sub(self.before_kib);
        assert!(grown_kib < GROWTH_MAX_KIB, "{what}: memory grew by {grown_kib} KiB");
    }

    /// The server lives, its memory is bounded, and both kinds of clients are served.
    fn assert_well(mut self, what: &str) {
        assert!(self.grantry.is_running(), "{what}: {}", self.grantry.log());
        let answer = self.client.ask();
        assert!(
            answer.as_ref().is_some_and(|answer| answer.status == 200),
            "{what}: HTTP/1.1 is not served: {answer:?}"
        );
        assert_eq!(self.open().status(1, &self.get()), Some(200), "{what}: HTTP/2 is not served");
        self.assert_small(what);
        assert!(!self.grantry.log().contains("panicked"), "{what}: {}", self.grantry.log());
    }
}

fn stream(number: u32) -> u32 {
    2 * number + 1
}

#[test]
fn a_plain_request_is_answered() {
    let flooded = Flooded::new();
    let mut connection = flooded.open();
    for number in 0..3 {
        assert_eq!(connection.status(stream(number), &flooded.get()), Some(200));
    }
    let lost = request("GET", &flooded.grantry.address, "/nowhere");
    assert_eq!(connection.status(stream(3), &lost), Some(404));
}

#[test]
fn streams_that_are_reset_at_once_close_the_connection() {
    let flooded = Flooded::new();
    let get = flooded.get();
    let is_taken = flooded.flood(50_000, |number| {
        let headers = frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream(number), &get);
        [headers, frame(kind::RST_STREAM, flag::NONE, stream(number), &8_u32.to_be_bytes())].concat()
    });
    assert!(!is_taken, "50,000 streams were opened and reset, and the server went along");
    flooded.assert_well("rapid reset");
}

#[test]
fn streams_that_the_server_must_reset_close_the_connection() {
    let flooded = Flooded::new();
    let post = request("POST", &flooded.grantry.address, "/oauth/token");
    // CVE-2025-8671: the client makes the server reset its streams, here by a window that grows by nothing.
    let is_taken = flooded.flood(50_000, |number| {
        let headers = frame(kind::HEADERS, flag::END_HEADERS, stream(number), &post);
        [headers, frame(kind::WINDOW_UPDATE, flag::NONE, stream(number), &0_u32.to_be_bytes())].concat()
    });
    assert!(!is_taken, "50,000 streams were broken, and the server went along");
    flooded.assert_well("made you reset");
}

#[test]
fn headers_that_never_end_close_the_connection() {
    let flooded = Flooded::new();
    let get = flooded.get();
    let more = field("x-more", &"x".repeat(8_000));
    let is_taken = flooded.flood(20_000, |number| match number {
        0 => frame(kind::HEADERS, flag::END_STREAM, 1, &get),
        _ => frame(kind::CONTINUATION, flag::NONE, 1, &more),
    });
    assert!(!is_taken, "160 MB of headers were taken");
    flooded.assert_well("headers that never end");
}

#[test]
fn empty_continuations_do_not_hold_the_server_up() {
    let flooded = Flooded::new();
    let get = flooded.get();
    let is_taken = flooded.flood(2_000_000, |number| match number {
        0 => frame(kind::HEADERS, flag::END_STREAM, 1, &get),
        _ => frame(kind::CONTINUATION, flag::NONE, 1, &[]),
    });
    assert!(!is_taken, "two million empty frames were taken");
    flooded.assert_well("empty continuations");
}

#[test]
fn pings_settings_priorities_and_empty_frames_take_no_memory() {
    let ping = frame(kind::PING, flag::NONE, 0, &[7; 8]);
    let settings = frame(kind::SETTINGS, flag::NONE, 0, &[0, 3, 0, 0, 0, 100]);
    let priority = frame(kind::PRIORITY, flag::NONE, 1, &[0, 0, 0, 0, 16]);
    let unknown = frame(0xee, flag::NONE, 0, &[1; 100]);
    for (what, bytes) in [("pings", ping), ("settings", settings), ("priorities", priority), ("unknown", unknown)] {
        let flooded = Flooded::new();
        // The answers are not read: whoever keeps them grows.
        flooded.flood(300_000, |_| bytes.clone());
        flooded.assert_well(what);
    }
}

#[test]
fn a_body_of_empty_frames_is_cut_off() {
    let flooded = Flooded::new();
    let fields = [
        request("POST", &flooded.grantry.address, "/oauth/token"),
        field("content-type", "application/x-www-form-urlencoded"),
    ];
    let mut connection = flooded.open();
    assert!(connection.send(&frame(kind::HEADERS, flag::END_HEADERS, 1, &fields.concat())));
    // They count against no limit of bytes and no window. At the latest the time that a body may take ends them.
    let many = frame(kind::DATA, flag::NONE, 1, &[]).repeat(2_000);
    let since = Instant::now();
    let mut is_taken = true;
    while is_taken && since.elapsed() < BODY_MAX * 2 {
        is_taken = connection.send(&many);
    }
    if is_taken {
        let end = std::iter::from_fn(|| connection.receive())
            .find(|frame| frame.stream == 1 && [kind::HEADERS, kind::RST_STREAM].contains(&frame.kind));
        assert!(end.is_some(), "the server reads such a body for ever");
    }
    flooded.assert_well("a body of empty frames");
}

#[test]
fn more_streams_than_allowed_are_refused_and_the_others_answered() {
    let flooded = Flooded::new();
    let post = request("POST", &flooded.grantry.address, "/oauth/token");
    let mut connection = flooded.open();
    // Bodies that do not come keep their streams open.
    for number in 0..1_000 {
        assert!(connection.send(&frame(kind::HEADERS, flag::END_HEADERS, stream(number), &post)));
    }
    let refused = connection.wait_for(kind::RST_STREAM).expect("a stream above the limit is refused");
    // RFC 9113 §7: REFUSED_STREAM.
    assert_eq!(refused.payload, 7_u32.to_be_bytes());
    assert_eq!(refused.stream, stream(STREAMS_MAX), "the first one above the limit");
    flooded.assert_well("many streams");
}

#[test]
fn answers_that_nobody_reads_take_little_memory_and_end_with_the_connection() {
    let flooded = Flooded::new();
    let get = flooded.get();
    let before = flooded.files_at_rest();
    // What is left of one round would add up.
    for round in 0..6 {
        let mut connections = Vec::new();
        for _ in 0..20 {
            let mut connection = flooded.open();
            // A window of nothing: the server may not send a byte of any body.
            connection.send(&frame(kind::SETTINGS, flag::NONE, 0, &[0, 4, 0, 0, 0, 0]));
            for number in 0..STREAMS_MAX {
                connection.send(&frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream(number), &get));
            }
            connections.push(connection);
        }
        for connection in &mut connections {
            let last = std::iter::from_fn(|| connection.receive())
                .find(|frame| frame.kind == kind::HEADERS && frame.stream == stream(STREAMS_MAX - 1));
            assert!(last.is_some(), "an answer is missing");
        }
        let files = flooded.files();
        assert!(files >= before + connections.len(), "they are not held: {files} files, {before} before");
        flooded.assert_small(&format!("answers that nobody reads, round {round}"));
        drop(connections);
        let since = Instant::now();
        // The store may have opened a few files meanwhile.
        while flooded.files() > before + 8 {
            assert!(since.elapsed() < Duration::from_secs(20), "connections that are gone are kept");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    flooded.assert_well("answers that nobody read");
}

#[test]
fn header_lists_that_unpack_to_more_than_they_are_do_not_get_far() {
    let flooded = Flooded::new();
    // One field of 4,000 bytes goes into the table of the decompressor and is then named in one byte, 10,000 times:
    // RFC 7541 §7.3 calls for a limit on what is unpacked.
    let mut fields = flooded.get();
    let mut entry = field("x-bomb", &"x".repeat(4_000));
    entry[0] = 0x40;
    fields.extend(entry);
    fields.extend(vec![0xbe; 10_000]);
    let mut connection = flooded.open();
    let answer = connection.status(1, &fields);
    assert_ne!(answer, Some(200), "40 MB of headers were taken");
    flooded.assert_well("a bomb of headers");
}

#[test]
fn headers_of_requests_in_flight_are_bounded_together_and_others_are_served_meanwhile() {
    let mut flooded = Flooded::new();
    let post =
        [request("POST", &flooded.grantry.address, "/oauth/token"), field("content-type", "text/plain")].concat();
    let large: Vec<u8> = (0..3).flat_map(|at| field(&format!("x-{at}"), &"x".repeat(9_600))).collect();
    // A header list is longer than a frame may be: the rest of it continues.
    let (fields, rest) = (post, large);
    let mut connections: Vec<Connection> = (0..30).map(|_| flooded.open()).collect();
    let (mut busy, begun) = (0, Instant::now());
    for connection in &mut connections {
        for number in 0..STREAMS_MAX {
            connection.send(&frame(kind::HEADERS, flag::NONE, stream(number), &fields));
            let (first, last) = rest.split_at(16_000);
            connection.send(&frame(kind::CONTINUATION, flag::NONE, stream(number), first));
            connection.send(&frame(kind::CONTINUATION, flag::END_HEADERS, stream(number), last));
        }
        // Whoever else comes, from this very machine, has few headers and is served.
        assert!(begun.elapsed() > BODY_MAX || flooded.client.issue().is_some(), "others are not served");
    }
    flooded.assert_small("headers of many requests");
    for connection in &mut connections[20..] {
        let answer = std::iter::from_fn(|| connection.receive()).find(|frame| frame.kind == kind::HEADERS);
        busy += usize::from(answer.is_some());
    }
    assert!(busy > 0, "none was refused");
    assert!(flooded.grantry.is_running());
    drop(connections);
    flooded.assert_well("headers of many requests");
}

#[test]
fn one_address_does_not_take_all_connections() {
    let mut grantry = Installation::new("[limits]\nconnections = 50\nconnections_per_address = 20");
    grantry.start();
    let asked = |from: [u8; 4]| {
        let mut stream = tests::connect_from(from, &grantry.address)?;
        let text = format!("GET {PATH} HTTP/1.1\r\nHost: {}\r\n\r\n", grantry.address);
        std::io::Write::write_all(&mut stream, text.as_bytes()).ok()?;
        let mut head = [0; 15];
        std::io::Read::read_exact(&mut stream, &mut head).ok()?;
        (&head == b"HTTP/1.1 200 OK").then_some(stream)
    };
    let held: Vec<_> = (0..20).filter_map(|_| asked([127, 0, 0, 9])).collect();
    assert_eq!(held.len(), 20);
    assert!(asked([127, 0, 0, 9]).is_none(), "a connection beyond the bound");
    assert!(asked([127, 0, 0, 10]).is_some(), "another address");
    assert!(grantry.log().contains("connections_per_address"), "{}", grantry.log());
    drop(held);
    let since = Instant::now();
    while asked([127, 0, 0, 9]).is_none() {
        assert!(since.elapsed() < Duration::from_secs(10), "connections that ended are counted on");
    }
}

#[test]
fn a_connection_that_is_given_up_is_told_so() {
    let mut grantry = Installation::new("[limits]\nheader_timeout = \"1s\"\nidle_timeout = \"1s\"");
    grantry.start();
    let mut connection = Connection::open(&grantry.address);
    assert_eq!(connection.status(1, &request("GET", &grantry.address, PATH)), Some(200));
    // RFC 9113 §6.8: GOAWAY lets "an endpoint … gracefully stop accepting new streams": a client that was about to ask
    // knows that its request was not taken.
    assert!(connection.wait_for(kind::GOAWAY).is_some(), "the connection was dropped without a word");
}

#[test]
fn a_server_that_ends_answers_what_a_connection_of_http_2_sent_before_it_heard_of_it() {
    let mut grantry = Installation::new("");
    grantry.start();
    let mut connection = Connection::open(&grantry.address);
    let ask = request("GET", &grantry.address, PATH);
    assert_eq!(connection.status(1, &ask), Some(200));
    grantry.signal("TERM");
    assert!(connection.wait_for(kind::GOAWAY).is_some(), "the connection was dropped without a word");
    // RFC 9113 §6.8: the server says that it will end, waits for one round trip, and then says what it took.
    let ping = connection.wait_for(kind::PING).expect("it asks whether it was heard");
    assert_eq!(connection.status(3, &ask), Some(200), "it was on its way already");
    connection.send(&frame(kind::PING, flag::ACK, 0, &ping.payload));
    let last = connection.wait_for(kind::GOAWAY).expect("it says what it took");
    assert_eq!(last.payload[..4], 3_u32.to_be_bytes());
    assert!(grantry.wait().success());
}
