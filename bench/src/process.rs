//! Processes under measurement: started, asked for their CPU time and memory, stopped.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Clock ticks a second in `/proc/PID/stat`; Linux has had 100 on every architecture for decades.
const TICKS_PER_S: f64 = 100.0;

/// A server under measurement. Dies with this value.
pub(crate) struct Server {
    child: Child,
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
    /// Starts the ceiling; it prints its port.
    pub(crate) fn ceiling() -> Self {
        let mut child = Command::new(binaries().join("ceiling"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the ceiling was built beside this program");
        let mut port = String::new();
        let output = child.stdout.take().expect("its output is piped");
        BufReader::new(output).read_line(&mut port).expect("it prints its port");
        Self { child, address: format!("127.0.0.1:{}", port.trim()) }
    }

    /// Starts Grantry on a configuration, and says how long it took to its first answer.
    pub(crate) fn grantry(config: &Path, address: &str) -> (Self, Duration) {
        let begun = Instant::now();
        let log = fs::File::create(config.with_extension("log")).expect("the folder is writable");
        let child = Command::new(binaries().join("grantry"))
            .args(["serve", "--config"])
            .arg(config)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("grantry was built beside this program");
        let server = Self { child, address: address.to_owned() };
        while begun.elapsed() < Duration::from_secs(20) {
            if get(address, "/.well-known/oauth-authorization-server").is_some_and(|answer| answer.contains(" 200 ")) {
                return (server, begun.elapsed());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let log = fs::read_to_string(config.with_extension("log")).unwrap_or_default();
        panic!("grantry did not answer within 20 s; it said: {log}");
    }

    /// User and system time so far, in µs.
    pub(crate) fn cpu_us(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("the process lives");
        // The fields after the name in parentheses: utime and stime are the 14th and 15th of all.
        let rest = stat.rsplit_once(')').expect("the name is in parentheses").1;
        let ticks: f64 = rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        ticks / TICKS_PER_S * 1e6
    }

    /// Resident memory in MiB.
    pub(crate) fn memory_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the process lives");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has memory");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).expect("in KiB") / 1024.0
    }
}

/// One GET on a connection of its own; the whole answer as text.
pub(crate) fn get(address: &str, path: &str) -> Option<String> {
    exchange(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"))
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
