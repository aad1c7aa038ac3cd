//! What was measured, as a page of the docs.

use std::fmt::Write as _;

use crate::load::Measured;

/// What a workload must reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    /// Of the ceiling's rate, at least.
    pub(crate) rate: f64,
    /// Of the ceiling's CPU time for each request, at most.
    pub(crate) cpu: f64,
}

/// One line of the table.
pub(crate) struct Line {
    /// What was done.
    pub(crate) name: &'static str,
    /// What came out.
    pub(crate) measured: Measured,
    /// What it is compared with; none for the ceilings themselves.
    pub(crate) against: Option<(Measured, Goal)>,
}

/// A figure that stands alone.
pub(crate) struct Figure {
    /// What it is.
    pub(crate) name: &'static str,
    /// How much.
    pub(crate) value: String,
    /// What it must reach, and whether it did; none where it is only told.
    pub(crate) goal: Option<(String, bool)>,
}

/// Is a goal met?
pub(crate) fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "**missed**" }
}

/// The whole page.
pub(crate) fn page(machine: &str, lines: &[Line], figures: &[Figure]) -> String {
    let mut out = format!(
        "# What was measured\n\nWritten by `cargo xtask bench`; do not edit. {machine}\n\n\
         Server and load generator share the machine. Rates swing with its neighbours; ratios within one run, and CPU time\n\
         for each request, hold better. Every write is on disk before it is answered.\n\n\
         | workload | a second | CPU µs each | p50 ms | p99 ms | errors | of the ceiling's rate | times its CPU |\n\
         |---|--:|--:|--:|--:|--:|---|---|\n"
    );
    for line in lines {
        let m = line.measured;
        let (rate, cpu) = match line.against {
            None => (String::new(), String::new()),
            Some((ceiling, goal)) => {
                let (rate, cpu) = (m.rate / ceiling.rate, m.cpu_us / ceiling.cpu_us);
                (
                    format!("{rate:.2} (goal {:.2}: {})", goal.rate, verdict(rate >= goal.rate)),
                    if goal.cpu.is_finite() {
                        format!("{cpu:.1} (goal {:.1}: {})", goal.cpu, verdict(cpu <= goal.cpu))
                    } else {
                        String::new()
                    },
                )
            }
        };
        writeln!(
            out,
            "| {} | {:.0} | {:.1} | {:.2} | {:.2} | {} | {rate} | {cpu} |",
            line.name, m.rate, m.cpu_us, m.p50_ms, m.p99_ms, m.errors
        )
        .expect("strings take text");
    }
    out.push_str("\n| figure | value | goal |\n|---|--:|---|\n");
    for figure in figures {
        let goal =
            figure.goal.as_ref().map_or_else(String::new, |(goal, is_met)| format!("{goal}: {}", verdict(*is_met)));
        writeln!(out, "| {} | {} | {goal} |", figure.name, figure.value).expect("strings take text");
    }
    out
}
