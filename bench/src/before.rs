//! An older Grantry and this one in one run, at every workload: is anything slower than it was?

use std::fmt::Write as _;
use std::path::Path;

use crate::database::Database;
use crate::load::{self, Measured, WARM_REQUESTS, Workload, median};
use crate::process::binaries;
use crate::report::verdict;
use crate::scene::Scene;
use crate::work::{self, Way};
use crate::{Asked, machine, measure, postgres, say, sqlite};

/// What must be reached of the older one's rate.
const KEPT: f64 = 0.97;
/// How often each side is measured at a workload. The rate of one program swings by a fifth from one measurement to the next, so
/// the median of three would not show a loss of three in a hundred.
const TURNS: usize = 9;
/// A rate in which more than one of so many answers is an error is the rate of something else.
const ONE_ERROR_IN: u64 = 1_000;

/// A Grantry with a store of its own.
struct Side {
    name: &'static str,
    scene: Scene,
    work: Vec<Workload>,
    // Ends after the server that uses it.
    _database: Option<Database>,
}

impl Side {
    fn new(name: &'static str, binary: &Path, folder: &Path, asked: &Asked) -> Self {
        let mut side = Self::with_all_work(name, binary, folder, asked.is_on_postgres);
        if let Some(only) = &asked.only {
            side.work.retain(|workload| workload.name.contains(only));
            assert!(!side.work.is_empty(), "no workload has {only:?} in its name");
        }
        side
    }

    fn with_all_work(name: &'static str, binary: &Path, folder: &Path, is_on_postgres: bool) -> Self {
        let runs = TURNS + load::WARM_UPS;
        if !is_on_postgres {
            let scene = Scene::of_binary_on_sqlite(binary, folder, sqlite::PAST);
            let mut work = work::standard(&scene, runs);
            work.extend(work::other(&scene, runs));
            return Self { name, scene, work, _database: None };
        }
        let database = Database::start();
        let mut scene = Scene::of_binary(binary, folder, &database.url(), postgres::PAST);
        scene.server.postmaster = Some(database.pid());
        database.settle();
        let work = work::on_postgres(&Way::to(&scene), runs);
        Self { name, scene, work, _database: Some(database) }
    }
}

/// What came out of one workload on both sides.
struct Compared {
    name: &'static str,
    before: Measured,
    now: Measured,
    /// The middle one of the ratios of the rates of a round, now to before. Neighbours of the machine disturb both sides of a
    /// round alike, and the rounds by different amounts.
    ratio: f64,
}

impl Compared {
    /// Compares the measurements of both sides, which are in the order of the rounds.
    fn of(name: &'static str, before: Vec<Measured>, now: Vec<Measured>) -> Self {
        let mut ratios: Vec<f64> = before.iter().zip(&now).map(|(before, now)| now.rate / before.rate).collect();
        ratios.sort_by(f64::total_cmp);
        Self { name, ratio: ratios[ratios.len() / 2], before: median(before), now: median(now) }
    }

    fn is_met(&self) -> bool {
        let is_void = [self.before, self.now].iter().any(|of| of.errors * ONE_ERROR_IN > of.requests);
        !is_void && self.ratio >= KEPT
    }
}

/// Measures, and gives a page and the workloads that are slower than they were.
///
/// The sides take turns within each round, and the one that begins changes from round to round.
pub(crate) fn run(folder: &Path, asked: &Asked, before: &Path) -> (String, Vec<String>) {
    say("seeding both sides");
    let sides = [
        Side::new("before", before, &folder.join("before"), asked),
        Side::new("now", &binaries().join("grantry"), &folder.join("now"), asked),
    ];
    for side in &sides {
        Way::to(&side.scene).must_find(&side.scene.server);
        say(&format!("warming up: {}", side.name));
        for workload in &side.work {
            load::warm_up(&side.scene.server, workload, WARM_REQUESTS, TURNS);
        }
    }
    let mut measured: [Vec<Vec<Measured>>; 2] = [vec![], vec![]].map(|_: Vec<()>| vec![vec![]; sides[0].work.len()]);
    for round in 1..=TURNS {
        for at in 0..sides[0].work.len() {
            for turn in [round % 2, (round + 1) % 2] {
                let Side { name, scene, work, .. } = &sides[turn];
                measured[turn][at].push(measure(asked.seconds, round, name, &scene.server, &work[at]));
            }
        }
    }
    let [before, now] = measured;
    let pairs = before.into_iter().zip(now).zip(&sides[0].work);
    let compared: Vec<Compared> =
        pairs.map(|((before, now), workload)| Compared::of(workload.name, before, now)).collect();
    let missed = compared.iter().filter(|of| !of.is_met()).map(told).collect();
    (page(&machine(TURNS, asked.seconds), &compared), missed)
}

fn told(of: &Compared) -> String {
    format!("{}: {:.2} of the rate before, goal {KEPT}", of.name, of.ratio)
}

fn page(machine: &str, compared: &[Compared]) -> String {
    let mut out = format!(
        "# Before and now\n\n{machine}\n\n\
         | workload | a second, before | now | ratio | CPU µs each, before | now | PostgreSQL, before | now | errors |\n\
         |---|--:|--:|---|--:|--:|--:|--:|--:|\n"
    );
    for of in compared {
        let Compared { name, before, now, ratio } = of;
        writeln!(
            out,
            "| {name} | {:.0} | {:.0} | {ratio:.2} (goal {KEPT}: {}) | {:.1} | {:.1} | {:.1} | {:.1} | {} |",
            before.rate,
            now.rate,
            verdict(of.is_met()),
            before.cpu_us,
            now.cpu_us,
            before.store_cpu_us,
            now.store_cpu_us,
            before.errors + now.errors
        )
        .expect("strings take text");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_that_lost_more_than_its_share_or_has_errors_is_named() {
        let measured = |rate, errors| Measured {
            rate,
            cpu_us: 1.0,
            store_cpu_us: 0.0,
            p50_ms: 1.0,
            p99_ms: 1.0,
            errors,
            requests: 1_000,
        };
        let of = |rate, errors| Compared::of("it", vec![measured(100.0, 0)], vec![measured(rate, errors)]);
        assert!(of(97.0, 1).is_met());
        assert!(!of(96.9, 0).is_met() && !of(120.0, 2).is_met());
        assert_eq!(told(&of(90.0, 0)), "it: 0.90 of the rate before, goal 0.97");
        let disturbed = Compared::of(
            "it",
            [100.0, 50.0, 100.0].map(|rate| measured(rate, 0)).to_vec(),
            [98.0, 49.0, 30.0].map(|rate| measured(rate, 0)).to_vec(),
        );
        assert!(disturbed.is_met(), "{}", disturbed.ratio);
        assert!(page("", &[of(90.0, 0)]).contains("0.90 (goal 0.97: **missed**)"));
    }
}
