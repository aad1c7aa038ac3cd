//! What slow clients, idle connections and storms of sign-ins cost the others, as ratios of one run. The others are `grantry bench` at a steady
//! rate, so that a longer p99 is waiting and not a full processor.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tests::Installation;
use tests::load::Client;
use tests::person::{self, sign_in};

use crate::{median, verdict};

const SLOW_CLIENTS: usize = 400;
const IDLE_CONNECTIONS: usize = 5_000;
const SIGN_INS: usize = 50;
const ROUNDS: usize = 5;
/// Requests a second of the others: a quarter of what a small machine can do.
const RATE: &str = "800";
const WORKLOADS: [&str; 2] = ["introspect", "client_credentials"];

/// Whom the others are among.
#[derive(Clone, Copy)]
enum Scene {
    Alone,
    SlowClients,
    IdleConnections,
    SignIns,
}

const SCENES: [Scene; 4] = [Scene::Alone, Scene::SlowClients, Scene::IdleConnections, Scene::SignIns];

impl Scene {
    fn name(self) -> String {
        match self {
            Self::Alone => "nobody else".to_owned(),
            Self::SlowClients => format!("{SLOW_CLIENTS} slow clients"),
            Self::IdleConnections => format!("{IDLE_CONNECTIONS} idle connections"),
            Self::SignIns => format!("{SIGN_INS} people who sign in"),
        }
    }

    /// The others' p99 may be so many times what it is without the strangers. Passwords need a processor, which strangers
    /// that merely wait do not.
    fn times_max(self) -> f64 {
        if matches!(self, Self::SignIns) { 5.0 } else { 2.0 }
    }

    fn play(self, address: &str, measure: impl FnOnce()) {
        match self {
            Self::Alone => measure(),
            Self::SlowClients => among_slow_clients(address, measure),
            Self::IdleConnections => among_idle_connections(address, measure),
            Self::SignIns => among_sign_ins(address, measure),
        }
    }
}

/// Measures, prints a table, and says whether the goals are met.
pub(crate) fn run(seconds: u64) -> bool {
    // In memory where there is such a place: the strangers write little, and the moods of a disk would hide what they cost.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary folder");
    let mut grantry = Installation::on(&folder.path().join("grantry.db"), "");
    let client = grantry.own_client();
    grantry.add_person();
    grantry.start();
    let mut p99s: [[Vec<f64>; SCENES.len()]; WORKLOADS.len()] = Default::default();
    let mut memory_kib = [0; SCENES.len()];
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}");
        for (scene, memory_kib) in memory_kib.iter_mut().enumerate() {
            SCENES[scene].play(&grantry.address, || {
                for (workload, p99s) in WORKLOADS.iter().zip(&mut p99s) {
                    p99s[scene].push(p99_ms(&grantry, &client, workload, seconds));
                }
                *memory_kib = grantry.memory_kib();
            });
        }
    }
    println!("| the others ask for | among | p99 ms | times the p99 alone, median of {ROUNDS} rounds | goal |");
    println!("|---|---|--:|--:|---|");
    let mut is_all_met = true;
    for (workload, p99s) in WORKLOADS.iter().zip(&p99s) {
        let alone = &p99s[0];
        println!("| {workload} | {} | {:.2} | | |", Scene::Alone.name(), median(alone.iter().copied()));
        for (scene, own) in SCENES.iter().zip(p99s).skip(1) {
            let times = median(own.iter().zip(alone).map(|(with, without)| with / without));
            let (name, max) = (scene.name(), scene.times_max());
            is_all_met &= times <= max;
            println!(
                "| {workload} | {name} | {:.2} | {times:.2} | ≤ {max}: {} |",
                median(own.iter().copied()),
                verdict(times <= max)
            );
        }
    }
    println!("\nmemory of the server, MiB:");
    for (scene, kib) in SCENES.iter().zip(memory_kib) {
        println!("  {:>4}  among {}", kib / 1024, scene.name());
    }
    is_all_met
}

fn p99_ms(grantry: &Installation, client: &Client, workload: &str, seconds: u64) -> f64 {
    let (url, seconds) = (format!("http://{}", grantry.address), seconds.to_string());
    let words = ["bench", "--url", &url, "--seconds", &seconds, "--rate", RATE, "--workload", workload];
    let document =
        grantry.json(&[&words[..], &["--client-id", &client.id, "--client-secret-stdin"]].concat(), &client.secret);
    assert_eq!(document["errors"], 0, "the others are refused: {document}");
    eprintln!("  {workload}: {document}");
    document["p99_ms"].as_f64().expect("a figure")
}

/// Clients that send a byte now and then, half of them of their headers and half of a body. Whoever is cut off comes back.
fn among_slow_clients(address: &str, measure: impl FnOnce()) {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut slow: Vec<TcpStream> = (0..SLOW_CLIENTS).filter_map(|number| begin(address, number)).collect();
            assert_eq!(slow.len(), SLOW_CLIENTS, "not all could connect");
            while !is_over.load(Ordering::Relaxed) {
                for (number, stream) in slow.iter_mut().enumerate() {
                    let is_there = stream.write_all(b"x").is_ok() && !is_closed(stream);
                    if !is_there && let Some(again) = begin(address, number) {
                        *stream = again;
                    }
                }
                std::thread::sleep(Duration::from_millis(500));
            }
        });
        std::thread::sleep(Duration::from_secs(1));
        measure();
        is_over.store(true, Ordering::Relaxed);
    });
}

fn begin(address: &str, number: usize) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).ok()?;
    let headers = format!("GET /sign-in HTTP/1.1\r\nHost: {address}\r\nX-Slow: ");
    let body = format!(
        "POST /oauth/token HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: 60000\r\n\r\n"
    );
    stream.write_all(if number.is_multiple_of(2) { headers } else { body }.as_bytes()).ok()?;
    stream.set_nonblocking(true).ok()?;
    Some(stream)
}

fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 512]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

/// Connections that were used once and then kept.
fn among_idle_connections(address: &str, measure: impl FnOnce()) {
    let request = format!("GET /.well-known/oauth-authorization-server HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut idle = Vec::with_capacity(IDLE_CONNECTIONS);
    for number in 0..IDLE_CONNECTIONS {
        let mut stream = TcpStream::connect(address).unwrap_or_else(|error| {
            panic!("{number} connections, and then: {error}; `ulimit -n` must be above {IDLE_CONNECTIONS} here")
        });
        stream.write_all(request.as_bytes()).expect("it takes a request");
        let read = stream.read(&mut [0; 4096]).expect("an answer");
        assert!(read > 0, "the server closed connection {number}");
        idle.push(stream);
    }
    measure();
    let open = idle.iter_mut().filter_map(|stream| stream.set_nonblocking(true).ok().map(|()| !is_closed(stream)));
    let open = open.filter(|is_open| *is_open).count();
    assert_eq!(open, IDLE_CONNECTIONS, "the server did not keep the idle connections, so nothing was measured");
}

/// People who sign in, again and again.
fn among_sign_ins(address: &str, measure: impl FnOnce()) {
    let (is_over, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..SIGN_INS {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let is_in = sign_in(address, person::PASSWORD).is_some_and(|(_, person)| person.is_some());
                    done.fetch_add(usize::from(is_in), Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(Duration::from_secs(1));
        measure();
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(done.into_inner() > SIGN_INS, "hardly anybody could sign in: the storm was none");
}
