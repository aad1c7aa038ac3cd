//! Grantry on SQLite against the ceiling: all workloads, other dialects, a storm of sign-ins, growth, memory.

use std::path::{Path, PathBuf};

use crate::load::{self, Measured, Workload, medians};
use crate::process::Server;
use crate::report::{self, Figure, Goal, Line};
use crate::scene::{Past, Scene};
use crate::work::{self, Sizes, Way};
use crate::{ROUNDS, machine, measure, say, sign_ins};

/// What every server was seeded with that is measured at all workloads.
pub(crate) const PAST: Past =
    Past { tokens: 100_000, every: 1, grants: 20_000, browsers: 0, people: 10_000, has_others: true };

/// Measures, and gives the page and the goals that were missed.
pub(crate) fn run(folder: &Path, seconds: u64) -> (String, Vec<String>) {
    Bench { seconds, folder: folder.to_owned() }.run()
}

struct Bench {
    seconds: u64,
    folder: PathBuf,
}

impl Bench {
    fn run(&self) -> (String, Vec<String>) {
        say("seeding 100,000 tokens");
        let scene = Scene::on_sqlite(&self.folder.join("main"), PAST);
        let sizes = Sizes::of(&scene);
        let ceiling = Server::ceiling(&sizes.all());
        let on_ceiling = work::of_the_ceiling(sizes);
        let mut on_grantry = work::standard(&scene, ROUNDS);
        let issue = on_grantry[ISSUE_AT].clone();
        on_grantry.extend(work::other(&scene, ROUNDS));
        let mut ceilings = vec![Vec::new(); on_ceiling.len()];
        let mut measured = vec![Vec::new(); on_grantry.len()];
        for round in 1..=ROUNDS {
            for (at, workload) in on_ceiling.iter().enumerate() {
                ceilings[at].push(measure(self.seconds, round, "ceiling", &ceiling, workload));
            }
            for (at, workload) in on_grantry.iter().enumerate() {
                measured[at].push(measure(self.seconds, round, "grantry", &scene.server, workload));
            }
        }
        let mut lines = lines(medians(ceilings), medians(measured), (&on_ceiling, &on_grantry));
        let mut figures = self.storm(&scene, &issue);
        figures.extend(footprint(&scene));
        drop((scene, ceiling));
        lines.extend(self.growth());
        (report::page(&machine(ROUNDS, self.seconds), &lines, &figures), report::missed(&lines, &figures))
    }

    /// The token endpoint's p99 while 50 people sign in, against a quiet one.
    fn storm(&self, scene: &Scene, issue: &Workload) -> Vec<Figure> {
        say("the token endpoint in a storm of sign-ins");
        let quiet = load::run(&scene.server, issue, self.seconds, 1);
        let storm = sign_ins::SignIns::begin(&scene.server.address);
        std::thread::sleep(std::time::Duration::from_secs(1));
        let loud = load::run(&scene.server, issue, self.seconds, 1);
        let signed_in = storm.end();
        assert!(signed_in > 0, "nobody could sign in: the storm was none");
        let times = loud.p99_ms / quiet.p99_ms;
        vec![Figure {
            name: "p99 of client_credentials while 50 people sign in, against a quiet one",
            value: format!(
                "{:.1} ms / {:.1} ms = {times:.1} ({signed_in} sign-ins meanwhile)",
                loud.p99_ms, quiet.p99_ms
            ),
            goal: Some(("≤ 5".into(), times <= 5.0)),
        }]
    }

    /// Introspection with a million live tokens, against ten thousand.
    fn growth(&self) -> Vec<Line> {
        say("seeding 10,000 and 1,000,000 tokens");
        let past = |tokens, every| Past { tokens, every, ..Past::default() };
        let small = Scene::on_sqlite(&self.folder.join("small"), past(10_000, 1));
        let large = Scene::on_sqlite(&self.folder.join("large"), past(1_000_000, 10));
        let mut of = vec![Vec::new(), Vec::new()];
        for round in 1..=ROUNDS {
            for (at, (name, scene)) in [("10,000", &small), ("1,000,000", &large)].into_iter().enumerate() {
                of[at].push(measure(self.seconds, round, name, &scene.server, &Way::to(scene).introspection()));
            }
        }
        let [few, many]: [Measured; 2] = medians(of);
        let goal = Goal { rate: 0.85, cpu: f64::INFINITY };
        vec![
            Line { name: "introspection, 10,000 live tokens", measured: few, against: None },
            Line {
                name: "introspection, 1,000,000 live tokens, against 10,000",
                measured: many,
                against: Some((few, goal)),
            },
        ]
    }
}

/// Where in [`work::standard`] the token endpoint is asked for a token of the client's own.
const ISSUE_AT: usize = 3;

/// What was measured, in the order of [`work::of_the_ceiling`], [`work::standard`] and [`work::other`], beside what it must
/// reach.
fn lines(
    ceilings: [Measured; 5],
    measured: [Measured; 10],
    (on_ceiling, on_grantry): (&[Workload], &[Workload]),
) -> Vec<Line> {
    let [post, introspection, personal, userinfo, discovery] = ceilings;
    let goal = |ceiling, rate, cpu| Some((ceiling, Goal { rate, cpu }));
    let like = |standard: usize| goal(measured[standard], 0.85, f64::INFINITY);
    let against = [
        goal(introspection, 0.80, 2.0),
        goal(personal, 0.70, 2.5),
        goal(userinfo, 0.70, 2.5),
        goal(post, 0.50, 3.5),
        goal(post, 0.25, 6.0),
        goal(post, 0.10, 12.0),
        goal(discovery, 0.90, 1.3),
        like(0),
        like(4),
        like(5),
    ];
    let line = |(workload, (measured, against)): (&Workload, _)| Line { name: workload.name, measured, against };
    let of_ceiling = on_ceiling.iter().zip(ceilings.map(|measured| (measured, None))).map(line);
    of_ceiling.chain(on_grantry.iter().zip(measured.into_iter().zip(against)).map(line)).collect()
}

fn footprint(scene: &Scene) -> Vec<Figure> {
    let after_mib = scene.server.memory_mib();
    vec![
        Figure {
            name: "start to first answer",
            value: format!("{:.0} ms", scene.start_ms),
            goal: Some(("≤ 100 ms".into(), scene.start_ms <= 100.0)),
        },
        Figure {
            name: "memory, idle",
            value: format!("{:.0} MiB", scene.idle_mib),
            goal: Some(("≤ 30 MiB".into(), scene.idle_mib <= 30.0)),
        },
        Figure {
            name: "memory, after the run",
            value: format!("{after_mib:.0} MiB"),
            goal: Some(("≤ 150 MiB".into(), after_mib <= 150.0)),
        },
    ]
}
