//! Processes under measurement: started, asked for their CPU time and memory, stopped.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Clock ticks a second in `/proc/PID/stat`; Linux has had 100 on every architecture for decades.
const TICKS_PER_S: f64 = 100.0;
/// Where in `/proc/PID/stat` the fields are, counted from 0 after the name in parentheses.
const PARENT_AT: usize = 1;
const UTIME_AT: usize = 11;
/// `cutime`: what children used that have ended.
const CHILDREN_AT: usize = 13;

/// A server under measurement. Dies with this value.
pub(crate) struct Server {
    child: Child,
    /// All its processes.
    pub(crate) pids: Vec<u32>,
    /// The first process of the PostgreSQL that it keeps its rows in, if it does.
    pub(crate) postmaster: Option<u32>,
    /// Where it listens, `127.0.0.1:port`.
    pub(crate) address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder of the binaries that were built with this one.
pub(crate) fn binaries() -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a path");
    own.parent().expect("a program lies in a folder").to_owned()
}

impl Server {
    /// A process that listens somewhere.
    pub(crate) fn of(child: Child, address: String) -> Self {
        Self { pids: vec![child.id()], child, postmaster: None, address }
    }

    /// Starts the ceiling, which also answers with bodies of these sizes; it prints its port.
    pub(crate) fn ceiling(sizes: &[usize]) -> Self {
        let mut command = Command::new(binaries().join("ceiling"));
        let (child, port) = spoken(command.args(sizes.iter().map(ToString::to_string)));
        Self::of(child, format!("127.0.0.1:{}", port.trim()))
    }

    /// Starts the Grantry at `binary` on a configuration, and says how long it took to its first answer.
    pub(crate) fn grantry(binary: &Path, config: &Path, address: &str) -> (Self, Duration) {
        let begun = Instant::now();
        let log = fs::File::create(config.with_extension("log")).expect("the folder is writable");
        let child = Command::new(binary)
            .args(["serve", "--config"])
            .arg(config)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("there is such a program");
        let server = Self::of(child, address.to_owned());
        while begun.elapsed() < Duration::from_secs(20) {
            if get(address, "/.well-known/oauth-authorization-server").is_some_and(|answer| answer.contains(" 200 ")) {
                return (server, begun.elapsed());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let log = fs::read_to_string(config.with_extension("log")).unwrap_or_default();
        panic!("grantry did not answer within 20 s; it said: {log}");
    }

    /// User and system time of all its processes so far, in µs.
    pub(crate) fn cpu_us(&self) -> f64 {
        self.pids.iter().map(|&pid| Clocks::read(pid).expect("the process lives").own_us).sum()
    }

    /// The same of its PostgreSQL: of the first process, of its children, and of the children that have ended.
    pub(crate) fn store_cpu_us(&self) -> f64 {
        let Some(postmaster) = self.postmaster else { return 0.0 };
        let own = Clocks::read(postmaster).expect("PostgreSQL lives");
        let living = fs::read_dir("/proc").expect("Linux has /proc").flatten();
        let children = living.filter_map(|entry| Clocks::read(entry.file_name().to_str()?.parse().ok()?));
        own.own_us + own.ended_us + children.filter(|of| of.parent == postmaster).map(|of| of.own_us).sum::<f64>()
    }

    /// Resident memory of all its processes, in MiB.
    pub(crate) fn memory_mib(&self) -> f64 {
        self.pids.iter().map(|&pid| memory_mib(pid)).sum()
    }
}

/// Starts a program that prints one line once it serves, and gives the line. Its standard input is held open, because
/// the peer ends when that closes.
pub(crate) fn spoken(command: &mut Command) -> (Child, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program can be started");
    let mut line = String::new();
    let output = child.stdout.take().expect("its output is piped");
    BufReader::new(output).read_line(&mut line).expect("it prints a line");
    (child, line)
}

fn memory_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).expect("in KiB") / 1024.0
}

/// What a process has used.
struct Clocks {
    parent: u32,
    own_us: f64,
    ended_us: f64,
}

impl Clocks {
    /// None when there is no such process, or none any more.
    fn read(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let rest: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let pair_us = |at: usize| -> Option<f64> {
            let ticks = rest.get(at)?.parse::<f64>().ok()? + rest.get(at + 1)?.parse::<f64>().ok()?;
            Some(ticks / TICKS_PER_S * 1e6)
        };
        Some(Self {
            parent: rest.get(PARENT_AT)?.parse().ok()?,
            own_us: pair_us(UTIME_AT)?,
            ended_us: pair_us(CHILDREN_AT)?,
        })
    }
}

/// One GET on a connection of its own; the whole answer as text.
pub(crate) fn get(address: &str, path: &str) -> Option<String> {
    exchange(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"))
}

/// One form on a connection of its own; the whole answer as text.
pub(crate) fn post(address: &str, path: &str, body: &str) -> Option<String> {
    let length = body.len();
    exchange(
        address,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ),
    )
}

/// The length of the body of an answer, in bytes.
///
/// # Panics
/// When it was not answered with success.
pub(crate) fn body_bytes(answer: Option<String>) -> usize {
    let answer = answer.expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
    body.len()
}

/// Sends a request on a connection of its own, and reads until the server closes it.
pub(crate) fn exchange(address: &str, request: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("a bound socket has an address").port()
}
