//! Grantry on PostgreSQL against the ceiling, and against the peer: the four workloads, of all servers in turn.

use std::path::Path;

use crate::database::Database;
use crate::load::{self, Measured, WARM_REQUESTS, Workload, median};
use crate::process::Server;
use crate::ratios::{self, Goals, Page, Rates, WORKLOADS};
use crate::scene::{Past, Scene};
use crate::work::{self, Sizes, Way};
use crate::{Asked, ROUNDS, growth, machine, measure, peer, say};

/// What each server was seeded with: live access tokens, live refresh tokens, and signed-in people who consented.
pub(crate) const TOKENS: usize = 100_000;
pub(crate) const GRANTS: usize = 20_000;
pub(crate) const BROWSERS: usize = 512;
pub(crate) const PAST: Past =
    Past { tokens: TOKENS, every: 1, grants: GRANTS, browsers: BROWSERS, people: 1_000, has_others: false };

/// A server that takes part.
struct Contender {
    name: &'static str,
    server: Server,
    /// Some of [`WORKLOADS`], from the first.
    work: Vec<Workload>,
    memory_mib: f64,
    // Ends after the server that uses it.
    database: Option<Database>,
}

impl Contender {
    /// All workloads on a server that was just seeded; fewer where fewer are compared.
    fn new(name: &'static str, server: Server, way: &Way, database: Option<Database>) -> Self {
        way.must_find(&server);
        if let Some(database) = &database {
            database.settle();
        }
        let work = work::on_postgres(way, ROUNDS + load::WARM_UPS);
        let memory_mib = server.memory_mib();
        Self { name, server, work, memory_mib, database }
    }

    fn grantry(folder: &Path) -> (Self, Sizes) {
        let database = Database::start();
        let mut scene = Scene::set(&folder.join("grantry"), &database.url(), PAST);
        scene.server.postmaster = Some(database.pid());
        let way = Way::to(&scene);
        let sizes = Sizes::of(&scene);
        (Self::new("Grantry on PostgreSQL", scene.server, &way, Some(database)), sizes)
    }

    /// Only with those of the workloads that it has a goal for.
    fn grantry_on_sqlite(folder: &Path) -> Self {
        let scene = Scene::on_sqlite(&folder.join("sqlite"), PAST);
        let way = Way::to(&scene);
        Self::new("Grantry on SQLite", scene.server, &way, None).without(|goals| goals.of_memory.is_none())
    }

    /// With the first workloads alone, up to those that it has no goal for.
    fn without(mut self, has_no_goal: impl Fn(&Goals) -> bool) -> Self {
        self.work.truncate(WORKLOADS.iter().take_while(|goals| !has_no_goal(goals)).count());
        self
    }

    fn peer(folder: &Path) -> Self {
        let database = Database::start();
        let (server, way) = peer::start(&folder.join("peer"), Some(&database));
        Self::new("peer on PostgreSQL, two workers", server, &way, Some(database))
            .without(|goals| goals.of_peer.is_none())
    }

    fn peer_in_memory(folder: &Path) -> Self {
        let (server, way) = peer::start(&folder.join("peer-in-memory"), None);
        Self::new("peer in memory, one process", server, &way, None).without(|goals| goals.of_peer.is_none())
    }

    fn warm_up(&self) {
        say(&format!("warming up: {}", self.name));
        for workload in &self.work {
            load::warm_up(&self.server, workload, WARM_REQUESTS, ROUNDS);
        }
    }
}

/// Measures, and gives the page and the goals that were missed.
pub(crate) fn run(folder: &Path, asked: &Asked) -> (String, Vec<String>) {
    say(&format!("seeding {TOKENS} tokens for each server"));
    let (grantry, sizes) = Contender::grantry(folder);
    let mut contenders = vec![grantry];
    if asked.has_peer {
        contenders.push(Contender::peer(folder));
        contenders.push(Contender::peer_in_memory(folder));
        contenders.push(Contender::grantry_on_sqlite(folder));
    }
    let versions = versions(&contenders, asked.has_peer);
    let ceiling = Server::ceiling(&sizes.all());
    let [post, introspection, ..] = work::of_the_ceiling(sizes);
    let on_ceiling = [post, introspection];
    for workload in &on_ceiling {
        load::warm_up(&ceiling, workload, WARM_REQUESTS, ROUNDS);
    }
    contenders.iter().for_each(Contender::warm_up);
    let mut ceilings = [Vec::new(), Vec::new()];
    let mut measured: Vec<Vec<Vec<Measured>>> =
        contenders.iter().map(|contender| vec![Vec::new(); contender.work.len()]).collect();
    for round in 1..=ROUNDS {
        for (workload, measured) in on_ceiling.iter().zip(&mut ceilings) {
            measured.push(measure(asked.seconds, round, "ceiling", &ceiling, workload));
        }
        for at in 0..WORKLOADS.len() {
            for (contender, measured) in contenders.iter().zip(&mut measured) {
                let Some(workload) = contender.work.get(at) else { continue };
                measured[at].push(measure(asked.seconds, round, contender.name, &contender.server, workload));
            }
        }
    }
    let rates = contenders.iter().zip(measured).map(|(contender, measured)| Rates {
        name: contender.name,
        is_on_postgres: contender.server.postmaster.is_some(),
        measured: measured.into_iter().map(median).collect(),
        memory_mib: (contender.memory_mib, contender.server.memory_mib()),
    });
    let rates: Vec<Rates> = rates.collect();
    drop((contenders, ceiling));
    let grown = if asked.has_growth { growth::measure_all(folder, asked.seconds) } else { vec![] };
    let [post, introspection] = ceilings.map(median);
    ratios::page(&Page {
        words: &asked.words,
        machine: &machine(ROUNDS, asked.seconds),
        versions: &versions,
        ceilings: &[(on_ceiling[0].name, post), (on_ceiling[1].name, introspection)],
        rates: &rates,
        grown: &grown,
    })
}

fn versions(contenders: &[Contender], has_peer: bool) -> String {
    let database = contenders.iter().find_map(|contender| contender.database.as_ref()).expect("one is on PostgreSQL");
    let peer = if has_peer { format!("; {}", peer::versions()) } else { String::new() };
    format!(
        "Grantry {}; PostgreSQL {} on {}{peer}",
        env!("CARGO_PKG_VERSION"),
        database.version(),
        database.filesystem()
    )
}
