//! A rolling upgrade: nodes of an earlier version and of this one work on one PostgreSQL, under load. First the earlier
//! version is alone, then both work side by side, then this one is alone. Every answer is checked, and none may be wrong.

mod operator;
mod worker;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use lab::{Cluster, Options};
use tests::fixture::application::{Application, RESOURCE};
use tests::fixture::{HOST, REBRAND};
use tests::google::Google;
use tests::person::REDIRECT_URI;
use tests::{EVERY_GRANT, Installation, MASTER, binary};

use crate::verdict;
use operator::Operator;
use worker::Worker;

/// Nodes of each version.
const NODES: usize = 2;
/// People, each with a browser, who do one thing after the other.
const PEOPLE: usize = 6;
/// How long a node that is taken out may still be asked by whoever chose it before.
const TAKEN_OUT: Duration = Duration::from_millis(500);
/// How many wrong answers are printed.
const WRONG_SHOWN: usize = 5;
/// The versions that work in a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    OldAlone,
    SideBySide,
    NewAlone,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::OldAlone => "old alone",
            Self::SideBySide => "side by side",
            Self::NewAlone => "new alone",
        }
    }
}

/// A node that takes requests.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) address: String,
    pub(crate) is_new: bool,
}

/// What happened in a stage.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    stories: u64,
    requests: u64,
    /// Requests that went to another version than the one before in the same story.
    crossings: u64,
    wrong: u64,
}

/// Everything that the threads share.
struct Load {
    nodes: RwLock<Vec<Node>>,
    stage: Mutex<Stage>,
    tallies: Mutex<BTreeMap<(Stage, &'static str), Tally>>,
    wrong: Mutex<Vec<String>>,
    is_over: AtomicBool,
    applications: BTreeMap<&'static str, Application>,
    google: Google,
}

/// Runs the upgrade from the binary at `old`, with stages of `seconds`, and returns true if no answer was wrong.
pub(crate) fn run(old: &Path, seconds: u64) -> bool {
    let old = std::fs::canonicalize(old).unwrap_or_else(|error| panic!("{}: {error}", old.display()));
    let mut cluster = Cluster::start(&Options::default());
    let url = cluster.database();
    let google = Google::start();
    let configuration = configuration(&google);
    let make = |program: &PathBuf| {
        let mut node = Installation::node(&url, HOST, &configuration);
        node.use_program(program);
        node
    };
    let new = binary();
    let mut olds: Vec<Installation> = (0..NODES).map(|_| make(&old)).collect();
    let mut news: Vec<Installation> = (0..NODES).map(|_| make(&new)).collect();
    let commands = [make(&old), make(&new)];
    olds.iter_mut().for_each(Installation::start);
    let load = Load {
        nodes: RwLock::new(olds.iter().map(|node| node_of(node, false)).collect()),
        stage: Mutex::new(Stage::OldAlone),
        tallies: Mutex::default(),
        wrong: Mutex::default(),
        is_over: AtomicBool::new(false),
        applications: applications(&olds[0]),
        google,
    };
    let people: Vec<String> = (0..PEOPLE).map(|number| format!("person-{number}")).collect();
    people.iter().for_each(|name| olds[0].add_user(name));
    // A wrong answer is a panic in a story. It is caught and told at the end.
    std::panic::set_hook(Box::new(|_| {}));
    let shared = &load;
    std::thread::scope(|scope| {
        for (seed, name) in people.iter().enumerate() {
            let mut worker = Worker::new(shared, name, seed);
            scope.spawn(move || load_until_over(shared, || worker.story()));
        }
        let mut operator = Operator::new(shared, &commands);
        scope.spawn(move || load_until_over(shared, || operator.story()));
        let done =
            catch_unwind(AssertUnwindSafe(|| upgrade(&load, &mut olds, &mut news, Duration::from_secs(seconds))));
        load.is_over.store(true, Ordering::Relaxed);
        if let Err(panic) = done {
            load.note_wrong(format!("the upgrade: {}", message(&*panic)));
        }
    });
    drop(std::panic::take_hook());
    let is_right = load.told();
    let are_calm = olds.iter().chain(&news).all(is_calm);
    let is_refused = old_program_refuses_newer_file(&old, &new);
    is_right && are_calm && is_refused
}

/// The three stages. The load goes on all the while.
fn upgrade(load: &Load, olds: &mut [Installation], news: &mut [Installation], stage: Duration) {
    std::thread::sleep(stage);
    load.enter(Stage::SideBySide);
    for node in news.iter_mut() {
        // The first one brings the schema up to date under the old nodes.
        node.start();
        load.nodes.write().unwrap_or_else(PoisonError::into_inner).push(node_of(node, true));
    }
    std::thread::sleep(stage);
    for node in olds.iter_mut() {
        load.nodes.write().unwrap_or_else(PoisonError::into_inner).retain(|own| own.address != node.address);
        std::thread::sleep(TAKEN_OUT);
        node.signal("TERM");
        assert!(node.wait().success(), "{}", node.log());
    }
    load.enter(Stage::NewAlone);
    std::thread::sleep(stage);
}

/// The configuration of all nodes. Requests with spent codes and tokens are part of the load, so they are not limited.
fn configuration(google: &Google) -> String {
    format!(
        "[keys]\nmaster = \"{MASTER}\"\n\
         [dialects]\nenable = [\"standard\", \"tinyrebrand\"]\n\
         accept = [\"password-grant\", \"open-introspection\", \"open-revocation\"]\n\
         [dialect.standard]\nresources = [\"{RESOURCE}\"]\nlimit = {{ failed = \"off\" }}\n\
         [dialect.tinyrebrand]\nhosts = [\"{REBRAND}\", \"app.tinyrebrand.test\"]\n\
         limit = {{ token = \"100000/min/ip\", api = \"100000/min/ip\", failed = \"off\" }}\n{}",
        google.configuration()
    )
}

fn node_of(node: &Installation, is_new: bool) -> Node {
    Node { address: node.address.clone(), is_new }
}

fn applications(server: &Installation) -> BTreeMap<&'static str, Application> {
    let add = |words: &[&str]| {
        let base = ["client", "add", "--redirect-uri", REDIRECT_URI, "--name"];
        let is_plain = words.contains(&"confidential");
        let added = server.json(&[&base[..], words, if is_plain { &EVERY_GRANT[..] } else { &[] }].concat(), "");
        let id = added["client_id"].as_str().expect("a client_id");
        Application::new(&server.address, id, added["client_secret"].as_str())
    };
    BTreeMap::from([
        ("web", add(&["Web", "--kind", "confidential"])),
        ("own", add(&["Own", "--kind", "confidential", "--first-party"])),
        ("native", add(&["Native", "--kind", "public"])),
        ("api", add(&["API", "--kind", "confidential", "--introspection", "any"])),
        ("mobile", add(&["Mobile", "--kind", "public", "--dialect", "tinyrebrand"])),
    ])
}

fn load_until_over(load: &Load, mut story: impl FnMut() -> Told) {
    while !load.is_over.load(Ordering::Relaxed) {
        load.count(story());
    }
}

/// What came of a story.
struct Told {
    name: &'static str,
    requests: u64,
    crossings: u64,
    /// What was wrong, if anything.
    wrong: Option<String>,
}

/// The text of a panic.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a text").to_owned()
}

impl Load {
    fn enter(&self, stage: Stage) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    /// One of the nodes that take requests now; `random` chooses.
    fn node(&self, random: usize) -> Node {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        nodes[random % nodes.len()].clone()
    }

    fn nodes(&self) -> Vec<Node> {
        self.nodes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note_wrong(&self, text: String) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    fn count(&self, told: Told) {
        let stage = *self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = tallies.entry((stage, told.name)).or_default();
        tally.stories += 1;
        tally.requests += told.requests;
        tally.crossings += told.crossings;
        tally.wrong += u64::from(told.wrong.is_some());
        drop(tallies);
        if let Some(wrong) = told.wrong {
            self.note_wrong(format!("{}, {}: {wrong}", stage.name(), told.name));
        }
    }

    /// Prints the summary, and returns true if nothing was wrong and each stage had a load.
    fn told(&self) -> bool {
        println!("| stage | story | times | requests | to the other version | wrong |\n|---|---|--:|--:|--:|--:|");
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sums: BTreeMap<Stage, Tally> = BTreeMap::new();
        for ((stage, name), tally) in &*tallies {
            let Tally { stories, requests, crossings, wrong } = tally;
            println!("| {} | {name} | {stories} | {requests} | {crossings} | {wrong} |", stage.name());
            let sum = sums.entry(*stage).or_default();
            sum.stories += stories;
            sum.requests += requests;
            sum.crossings += crossings;
        }
        let all = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        for wrong in all.iter().take(WRONG_SHOWN) {
            println!("\nwrong: {wrong}");
        }
        let has_load = [Stage::OldAlone, Stage::SideBySide, Stage::NewAlone].iter().all(|stage| {
            let sum = sums.get(stage).copied().unwrap_or_default();
            sum.stories > 0 && (*stage != Stage::SideBySide || sum.crossings > 0)
        });
        let requests: u64 = sums.values().map(|sum| sum.requests).sum();
        let is_met = all.is_empty() && has_load;
        println!("\n{requests} requests, {} wrong answers: {}", all.len(), verdict(is_met));
        is_met
    }
}

/// Returns true if the log of a node has no errors.
fn is_calm(node: &Installation) -> bool {
    let log = node.log();
    let error = log.lines().find(|line| line.contains("ERROR") || line.contains("panicked"));
    if let Some(error) = error {
        println!("the log of {} has an error: {error}", node.address);
    }
    error.is_none()
}

/// One process upgrades a SQLite file, and no program of an earlier version may work on it then: it must say so.
fn old_program_refuses_newer_file(old: &Path, new: &Path) -> bool {
    let mut server = Installation::new("");
    let schema = |server: &Installation| server.json(&["db", "info"], "")["schema"].as_u64();
    server.use_program(new);
    server.add_person();
    let current = schema(&server);
    let mut earlier = Installation::new("");
    earlier.use_program(old);
    earlier.add_person();
    if schema(&earlier) == current {
        println!("both versions have the same SQLite schema");
        return true;
    }
    server.use_program(old);
    let Output { status, stderr, .. } = server.run(&["user", "list"], "");
    let text = String::from_utf8_lossy(&stderr);
    let is_refused = !status.success() && text.contains("schema") && server.try_start().is_err();
    println!("the earlier version on a SQLite file of this one: {}", text.trim());
    is_refused
}
