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

/// The goals that were missed, by the names of what missed them.
pub(crate) fn missed(lines: &[Line], figures: &[Figure]) -> Vec<String> {
    let mut missed = Vec::new();
    for line in lines {
        let Some((ceiling, goal)) = line.against else { continue };
        let (rate, cpu) = (line.measured.rate / ceiling.rate, line.measured.cpu_us / ceiling.cpu_us);
        if rate < goal.rate {
            missed.push(format!("{}: {rate:.2} of the rate, goal {:.2}", line.name, goal.rate));
        }
        if cpu > goal.cpu {
            missed.push(format!("{}: {cpu:.1} times the CPU time, goal {:.1}", line.name, goal.cpu));
        }
    }
    let figures = figures.iter().filter_map(|figure| Some((figure, figure.goal.as_ref().filter(|goal| !goal.1)?)));
    missed.extend(figures.map(|(figure, (goal, _))| format!("{}: {}, goal {goal}", figure.name, figure.value)));
    missed
}

/// The whole page.
pub(crate) fn page(machine: &str, lines: &[Line], figures: &[Figure]) -> String {
    let mut out = format!(
        "# What was measured\n\nWritten by `cargo xtask bench`; do not edit. {machine}\n\n\
         Server and load generator share the machine. Rates swing with its neighbours; ratios within one run, and CPU time\n\
         for each request, hold better. Every write is on disk before it is answered.\n\n\
         The ceiling answers introspection, userinfo and discovery with a body of the size that Grantry's has, so that their\n\
         ratios compare servers and not bytes. Until 0.1 it answered everything with 120 bytes, as it still does beside the\n\
         token endpoint: ratios from before are lower for the same server.\n\n\
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_goal_that_is_missed_is_named() {
        let measured = |rate, cpu_us| Measured {
            rate,
            cpu_us,
            store_cpu_us: 0.0,
            p50_ms: 1.0,
            p99_ms: 1.0,
            errors: 0,
            requests: 1_000,
        };
        let goal = Goal { rate: 0.8, cpu: 2.0 };
        let line = |name, rate, cpu| Line {
            name,
            measured: measured(rate, cpu),
            against: Some((measured(100.0, 10.0), goal)),
        };
        let lines = [line("well", 80.0, 20.0), line("slow", 79.0, 20.0), line("dear", 80.0, 21.0)];
        let figure = |name, is_met| Figure { name, value: "5".into(), goal: Some(("≤ 4".into(), is_met)) };
        assert_eq!(
            missed(&lines, &[figure("large", false), figure("small", true)]),
            ["slow: 0.79 of the rate, goal 0.80", "dear: 2.1 times the CPU time, goal 2.0", "large: 5, goal ≤ 4",]
        );
    }
}
