//! What was measured on PostgreSQL, as a page of the docs.

use std::fmt::Write as _;

use crate::database::{advised_buffers_mib, settings};
use crate::growth::{Grown, WARM_INTROSPECTIONS};
use crate::load::{Measured, WARM_REQUESTS};
use crate::postgres::{BROWSERS, GRANTS, TOKENS};
use crate::report::verdict;
use crate::work::{FLOW, FLOW_OF_FIRST_PARTY, FLOW_OF_PUBLIC, INTROSPECTION, ISSUE, REFRESH};

/// A workload, and what Grantry must reach at it.
pub(crate) struct Goals {
    name: &'static str,
    /// On PostgreSQL, of the ceiling's rate.
    of_ceiling: f64,
    /// On PostgreSQL, of the peer's rate on PostgreSQL; none where it is not compared.
    pub(crate) of_peer: Option<f64>,
    /// On SQLite, of the peer's rate in memory; none where it is not compared.
    pub(crate) of_memory: Option<f64>,
}

/// All workloads, in the order in which they are measured. The peer takes part in those that have a goal beside it.
pub(crate) const WORKLOADS: [Goals; 6] = [
    Goals { name: INTROSPECTION, of_ceiling: 0.35, of_peer: Some(8.0), of_memory: Some(8.0) },
    Goals { name: ISSUE, of_ceiling: 0.20, of_peer: Some(4.0), of_memory: Some(5.0) },
    Goals { name: REFRESH, of_ceiling: 0.12, of_peer: Some(10.0), of_memory: None },
    Goals { name: FLOW, of_ceiling: 0.05, of_peer: Some(5.0), of_memory: None },
    Goals { name: FLOW_OF_FIRST_PARTY, of_ceiling: 0.05, of_peer: None, of_memory: None },
    Goals { name: FLOW_OF_PUBLIC, of_ceiling: 0.05, of_peer: None, of_memory: None },
];
/// What must remain of the rate with the fewest tokens.
const INTROSPECTION_KEPT: f64 = 0.85;
const ISSUE_KEPT: f64 = 0.75;
/// A rate in which more than one of so many answers is an error is the rate of something else.
const ONE_ERROR_IN: u64 = 1_000;

/// The rates of a server.
pub(crate) struct Rates {
    pub(crate) name: &'static str,
    pub(crate) is_on_postgres: bool,
    /// For the first workloads, or for all.
    pub(crate) measured: Vec<Measured>,
    /// Before the first request, and after the last.
    pub(crate) memory_mib: (f64, f64),
}

/// All that the page says.
pub(crate) struct Page<'a> {
    pub(crate) words: &'a str,
    pub(crate) machine: &'a str,
    pub(crate) versions: &'a str,
    /// For the token endpoint, and for introspection.
    pub(crate) ceilings: &'a [(&'static str, Measured); 2],
    /// Grantry on PostgreSQL; then the peer on PostgreSQL, the peer in memory, and Grantry on SQLite, if they took part.
    pub(crate) rates: &'a [Rates],
    pub(crate) grown: &'a [Grown],
}

/// The whole page, and the goals that were missed.
pub(crate) fn page(page: &Page<'_>) -> (String, Vec<String>) {
    let mut out = head(page);
    out.push_str(&goals(page));
    out.push_str(&rates(page));
    out.push_str(&memory(page.rates));
    if !page.grown.is_empty() {
        out.push_str(&growth(page.grown));
    }
    let missed = missed(&out);
    (out, missed)
}

/// The lines of the tables that tell of a missed or void goal.
fn missed(page: &str) -> Vec<String> {
    let is_missed = |line: &&str| line.contains(": **missed**)") || line.contains("(**void**: ");
    page.lines().filter(is_missed).map(|line| line.trim_matches(['|', ' ']).to_owned()).collect()
}

fn head(page: &Page<'_>) -> String {
    let peer = if page.rates.len() > 1 {
        "\n\nThe peer is asked for the same, with the same scripts. Where there was a choice it got the cheaper side:\n\
         [bench/peer](../../bench/peer/README.md) says which. In memory nothing of it is on disk."
    } else {
        ""
    };
    format!(
        "# What was measured on PostgreSQL\n\n\
         Written by `cargo xtask bench {}`; do not edit. {}\n{}.\n\n\
         The servers, PostgreSQL and the load generator share the machine. Rates swing with its neighbours; ratios within one run,\n\
         and CPU time for each request, hold better. Every write is on disk before it is answered: `fsync`, `full_page_writes` and\n\
         `synchronous_commit` are on. Each server has a PostgreSQL of its own, with `{}`:\n\
         a quarter of the memory for its buffers, as its documentation advises.\n\n\
         Each server has {} live access tokens, {} live refresh tokens and {BROWSERS} signed-in people, and its tables are\n\
         vacuumed, analysed and on disk before the first request. **Each is warmed up** at each workload with {} requests, or for\n\
         half a minute, before anything is measured: Node.js doubles its rate over its first ten thousand. Then the rounds\n\
         begin, and in each the servers take turns. The ceiling answers introspection with a body of the size that Grantry's\n\
         has; until 0.1 it answered everything with 120 bytes, and the ratio of introspection was lower for the same\n\
         server.{peer}\n\n",
        page.words,
        page.machine,
        page.versions,
        settings(advised_buffers_mib()).join("`, `"),
        grouped(TOKENS),
        grouped(GRANTS),
        grouped(WARM_REQUESTS as usize),
    )
}

/// A number with a comma before every three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let parts: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|part| std::str::from_utf8(part).expect("digits are ASCII")).collect();
    parts.join(",")
}

/// One rate against another, and whether that is enough.
fn ratio(of: Measured, against: Measured, goal: Option<f64>, unit: &str) -> String {
    let ratio = of.rate / against.rate;
    let told = if unit.is_empty() { format!("{ratio:.2}") } else { format!("{ratio:.1}{unit}") };
    let is_void = [of, against].iter().any(|measured| measured.errors * ONE_ERROR_IN > measured.requests);
    match goal {
        _ if is_void => format!("{told} (**void**: errors)"),
        None => told,
        Some(goal) if unit.is_empty() => format!("{told} (goal {goal:.2}: {})", verdict(ratio >= goal)),
        Some(goal) => format!("{told} (goal {goal:.0}{unit}: {})", verdict(ratio >= goal)),
    }
}

fn goals(page: &Page<'_>) -> String {
    let [grantry, others @ ..] = page.rates else { panic!("Grantry was measured") };
    let mut out = String::from("| workload, Grantry on PostgreSQL | of the ceiling's rate |");
    out.push_str(if others.is_empty() {
        "\n|---|---|\n"
    } else {
        " of the peer's on PostgreSQL | of the peer's in memory |\n|---|---|---|---|\n"
    });
    for (at, workload) in WORKLOADS.iter().enumerate() {
        let own = grantry.measured[at];
        let ceiling = page.ceilings[usize::from(workload.name == INTROSPECTION)].1;
        write!(out, "| {} | {} |", workload.name, ratio(own, ceiling, Some(workload.of_ceiling), "")).expect(TAKEN);
        if let [peer, in_memory, ..] = others {
            let of = |rates: &Rates, goal| rates.measured.get(at).map(|other| ratio(own, *other, goal, "×"));
            let (peer, in_memory) = (of(peer, workload.of_peer), of(in_memory, None));
            write!(out, " {} | {} |", peer.unwrap_or_default(), in_memory.unwrap_or_default()).expect(TAKEN);
        }
        out.push('\n');
    }
    if let [_, in_memory, sqlite] = others {
        out.push_str("\n| workload, Grantry on SQLite | of the peer's rate in memory |\n|---|---|\n");
        for (at, workload) in WORKLOADS.iter().enumerate() {
            let Some(goal) = workload.of_memory else { continue };
            let against = ratio(sqlite.measured[at], in_memory.measured[at], Some(goal), "×");
            writeln!(out, "| {} | {against} |", workload.name).expect(TAKEN);
        }
    }
    out
}

fn rates(page: &Page<'_>) -> String {
    let mut out = String::from(
        "\n| workload | server | a second | CPU µs each, server | PostgreSQL | p50 ms | p99 ms | errors |\n\
         |---|---|--:|--:|--:|--:|--:|--:|\n",
    );
    let mut line = |workload: &str, server: &str, m: Measured, is_on_postgres: bool| {
        let store = if is_on_postgres { format!("{:.1}", m.store_cpu_us) } else { String::new() };
        writeln!(
            out,
            "| {workload} | {server} | {:.0} | {:.1} | {store} | {:.2} | {:.2} | {} |",
            m.rate, m.cpu_us, m.p50_ms, m.p99_ms, m.errors
        )
        .expect(TAKEN);
    };
    for (name, measured) in page.ceilings {
        line(name, "ceiling", *measured, false);
    }
    for (at, workload) in WORKLOADS.iter().enumerate() {
        for rates in page.rates {
            if let Some(&measured) = rates.measured.get(at) {
                line(workload.name, rates.name, measured, rates.is_on_postgres);
            }
        }
    }
    out
}

fn memory(rates: &[Rates]) -> String {
    let mut out = String::from("\n| memory of the server, without PostgreSQL | before | after |\n|---|--:|--:|\n");
    for rates in rates {
        let (before, after) = rates.memory_mib;
        writeln!(out, "| {} | {before:.0} MiB | {after:.0} MiB |", rates.name).expect(TAKEN);
    }
    out
}

fn growth(grown: &[Grown]) -> String {
    let mut out = format!(
        "\nGrowth: the same Grantry with more live tokens, each on a PostgreSQL of its own; at last with ten million on one whose\n\
         buffers do not hold them. Introspection asks for up to 100,000 of them, spread over all, and {} times before the\n\
         first round. CPU is PostgreSQL's, in µs for each.\n\n\
         | live tokens | database MiB | buffers MiB | introspections a second | of the first | CPU | p99 ms | issued a second | of the first | CPU | p99 ms |\n\
         |--:|--:|--:|--:|---|--:|--:|--:|---|--:|--:|\n",
        grouped(WARM_INTROSPECTIONS as usize),
    );
    let Some(first) = grown.first() else { return out };
    for (at, of) in grown.iter().enumerate() {
        let kept = |own: Measured, against: Measured, goal: f64| {
            if at == 0 { String::new() } else { ratio(own, against, Some(goal), "") }
        };
        writeln!(
            out,
            "| {} | {:.0} | {} | {:.0} | {} | {:.1} | {:.2} | {:.0} | {} | {:.1} | {:.2} |",
            grouped(of.tokens),
            of.size_mib,
            of.buffers_mib,
            of.introspection.rate,
            kept(of.introspection, first.introspection, INTROSPECTION_KEPT),
            of.introspection.store_cpu_us,
            of.introspection.p99_ms,
            of.issue.rate,
            kept(of.issue, first.issue, ISSUE_KEPT),
            of.issue.store_cpu_us,
            of.issue.p99_ms,
        )
        .expect(TAKEN);
    }
    out
}

/// Why writing into a string cannot fail.
const TAKEN: &str = "strings take text";

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(rate: f64, errors: u64) -> Measured {
        Measured { rate, cpu_us: 1.0, store_cpu_us: 1.0, p50_ms: 1.0, p99_ms: 1.0, errors, requests: 1_000 }
    }

    #[test]
    fn a_missed_goal_is_marked_missed() {
        assert_eq!(ratio(measured(35.0, 0), measured(100.0, 0), Some(0.35), ""), "0.35 (goal 0.35: met)");
        assert_eq!(ratio(measured(34.9, 0), measured(100.0, 0), Some(0.35), ""), "0.35 (goal 0.35: **missed**)");
        assert_eq!(ratio(measured(79.0, 0), measured(10.0, 0), Some(8.0), "×"), "7.9× (goal 8×: **missed**)");
    }

    #[test]
    fn a_rate_with_errors_meets_no_goal() {
        assert_eq!(ratio(measured(90.0, 2), measured(10.0, 0), Some(8.0), "×"), "9.0× (**void**: errors)");
        assert_eq!(ratio(measured(90.0, 0), measured(10.0, 2), Some(8.0), "×"), "9.0× (**void**: errors)");
        assert_eq!(ratio(measured(90.0, 1), measured(10.0, 1), Some(8.0), "×"), "9.0× (goal 8×: met)");
    }

    #[test]
    fn each_line_with_a_goal_that_is_missed_or_void_is_named() {
        let page = "# A page\n\n| one | 0.34 (goal 0.35: **missed**) |\n| two | 0.35 (goal 0.35: met) |\n| three | 9.0× (**void**: errors) |\n";
        assert_eq!(missed(page), ["one | 0.34 (goal 0.35: **missed**)", "three | 9.0× (**void**: errors)"]);
    }

    #[test]
    fn large_numbers_have_commas() {
        assert_eq!([7, 512, 20_000, 10_000_000].map(grouped), ["7", "512", "20,000", "10,000,000"]);
    }
}
