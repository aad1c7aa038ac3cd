//! One measurement: `wrk` on one workload, and the server's CPU time around it.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::process::Server;

/// The load: connections, and threads of the load generator.
pub(crate) const CONNECTIONS: u32 = 64;
/// One thread of `wrk` can fill one core, and the server has the other.
pub(crate) const THREADS: u32 = 1;

/// A server is warm after so many requests: the peer's rate doubles over its first ten thousand.
pub(crate) const WARM_REQUESTS: u64 = 15_000;
/// Nobody is waited for longer than so many seconds.
const WARM_UP_MAX_S: u64 = 30;
/// Runs of a workload beside the rounds.
pub(crate) const WARM_UPS: usize = 2;

/// A script of `lua/` and its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    /// What is done.
    pub(crate) name: &'static str,
    /// The script's name.
    pub(crate) script: &'static str,
    /// Its arguments.
    pub(crate) args: Vec<String>,
    /// The host that it asks, where it is not the server's own address.
    pub(crate) host: Option<&'static str>,
}

#[derive(Deserialize)]
struct Closing {
    requests: u64,
    duration_us: u64,
    status_errors: u64,
    socket_errors: u64,
    p50_us: f64,
    p99_us: f64,
}

#[derive(Deserialize)]
struct Flows {
    flows: u64,
    refused: u64,
}

/// What came out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Requests a second, or flows a second where a workload counts flows.
    pub(crate) rate: f64,
    /// The server's user and system time for each of them, in µs.
    pub(crate) cpu_us: f64,
    /// That of its PostgreSQL, if it has one.
    pub(crate) store_cpu_us: f64,
    /// Half were answered within so many ms.
    pub(crate) p50_ms: f64,
    /// 99 of 100 were answered within so many ms.
    pub(crate) p99_ms: f64,
    /// Answers that were no success, and connections that failed.
    pub(crate) errors: u64,
    /// All requests.
    pub(crate) requests: u64,
}

/// Runs a workload for so many seconds. A workload that uses things up finds others in each round, counted from 1.
pub(crate) fn run(server: &Server, workload: &Workload, seconds: u64, round: usize) -> Measured {
    let lua = Path::new(env!("CARGO_MANIFEST_DIR")).join("lua");
    let before = (server.cpu_us(), server.store_cpu_us());
    let output = Command::new("wrk")
        .args(["--connections", &CONNECTIONS.to_string(), "--threads", &THREADS.to_string()])
        .args(["--duration", &format!("{seconds}s"), "--timeout", "10s", "--script"])
        .arg(lua.join(workload.script))
        .arg(format!("http://{}/", server.address))
        .arg("--")
        .args(&workload.args)
        .env("BENCH_LUA", &lua)
        .env("BENCH_ROUND", round.to_string())
        .envs(workload.host.map(|host| ("BENCH_HOST", host)))
        .output()
        .expect("wrk is installed (Debian package `wrk`)");
    let (cpu_us, store_cpu_us) = (server.cpu_us() - before.0, server.store_cpu_us() - before.1);
    let text = String::from_utf8_lossy(&output.stdout);
    let line = |word: &str| text.lines().find_map(|line| line.strip_prefix(word));
    let closing: Closing = line("RESULT ")
        .and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_else(|| panic!("wrk said: {text}{}", String::from_utf8_lossy(&output.stderr)));
    let flows: Option<Flows> = line("FLOWS ").and_then(|json| serde_json::from_str(json).ok());
    let count = flows.as_ref().map_or(closing.requests, |flows| flows.flows) as f64;
    Measured {
        rate: count / (closing.duration_us as f64 / 1e6),
        cpu_us: cpu_us / count.max(1.0),
        store_cpu_us: store_cpu_us / count.max(1.0),
        p50_ms: closing.p50_us / 1e3,
        p99_ms: closing.p99_us / 1e3,
        errors: closing.status_errors + closing.socket_errors + flows.map_or(0, |flows| flows.refused),
        requests: closing.requests,
    }
}

/// Lets a server get warm at a workload, by at least so many requests or for half a minute, before it is measured: V8
/// compiles what runs often, and PostgreSQL reads what it was asked for into memory. A workload that uses things up finds
/// others in the two rounds after the last.
pub(crate) fn warm_up(server: &Server, workload: &Workload, requests: u64, rounds: usize) {
    let first = run(server, workload, 2, rounds + 1);
    let missing = requests.saturating_sub(first.requests);
    if missing > 0 {
        let seconds = (missing * 2).div_ceil(first.requests.max(1));
        run(server, workload, seconds.min(WARM_UP_MAX_S), rounds + 2);
    }
}

/// The measurement of each workload that has the middle rate of its rounds.
pub(crate) fn medians<const N: usize>(of: Vec<Vec<Measured>>) -> [Measured; N] {
    let medians: Vec<Measured> = of.into_iter().map(median).collect();
    medians.try_into().expect("as many as were measured")
}

/// The measurement with the middle rate of three.
pub(crate) fn median(mut of: Vec<Measured>) -> Measured {
    of.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    of[of.len() / 2]
}
