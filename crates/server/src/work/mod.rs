//! The table of tasks: everything that a node does besides answering requests. Each task is a row, and one runner runs
//! them all.

mod certificate;
mod commands;
mod counts;
pub(crate) mod jobs;
mod keys;
pub(crate) mod number;
mod outbox;
mod refusals;
mod runner;
mod sweep;
pub(crate) mod task;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use self::task::{Node, Task, Wake};

/// Every task. The names are used in logs, metrics and leases, so nodes of different versions that share a store must
/// agree on them.
const TABLE: &[Task] = &[
    Task {
        name: "sweep",
        does: "removes rows of no more use, in small steps",
        wake: Wake::Every(Duration::from_secs(60)),
        is_at_once: false,
        has_lease: true,
        needs_clock: true,
        run: |node, streak| Box::pin(sweep::step(node, streak)),
    },
    Task {
        name: "rotate-keys",
        does: "makes a new sealing key when the newest one is as old as the operator wants",
        wake: Wake::Every(Duration::from_secs(60)),
        is_at_once: true,
        has_lease: true,
        needs_clock: true,
        run: |node, _| Box::pin(keys::rotate(node)),
    },
    Task {
        name: "reload-keys",
        does: "takes over sealing keys and signing keys that changed in the store",
        // A request with a seal of a newer key reloads the keys at once.
        wake: Wake::News(Duration::from_secs(15)),
        is_at_once: false,
        has_lease: false,
        needs_clock: false,
        run: |node, _| Box::pin(keys::reload(node)),
    },
    Task {
        name: "rotate-signing-keys",
        does: "makes signing keys before they are needed, lets the next ones take over, and removes retired ones",
        // The first signature of an installation makes its keys, if it comes before this task.
        wake: Wake::Every(Duration::from_secs(300)),
        is_at_once: false,
        has_lease: true,
        needs_clock: true,
        run: |node, _| Box::pin(keys::maintain_signing(node)),
    },
    Task {
        name: "share-counts",
        does: "tells other nodes what was counted against rate limits, and hears what they counted",
        wake: Wake::Every(Duration::from_secs(1)),
        is_at_once: false,
        has_lease: false,
        needs_clock: true,
        run: |node, _| Box::pin(counts::share(node)),
    },
    Task {
        name: "keep-number",
        does: "keeps the number with which this node draws row IDs",
        wake: Wake::Every(Duration::from_secs(600)),
        is_at_once: false,
        has_lease: false,
        needs_clock: false,
        run: |node, _| Box::pin(number::keep(node)),
    },
    Task {
        name: "log-refusals",
        does: "logs how often requests were refused beyond the first of each kind",
        wake: Wake::Every(crate::observe::refusals::EVERY),
        is_at_once: false,
        has_lease: false,
        needs_clock: false,
        run: |node, _| Box::pin(refusals::tell(node)),
    },
    Task {
        name: "log-commands",
        does: "logs the audit events of commands, which are processes of their own",
        wake: Wake::Every(Duration::from_secs(5)),
        is_at_once: true,
        has_lease: true,
        needs_clock: true,
        run: |node, _| Box::pin(commands::log(node)),
    },
    Task {
        name: "reload-certificate",
        does: "takes over a certificate whose file changed",
        wake: Wake::Every(Duration::from_secs(10)),
        is_at_once: false,
        has_lease: false,
        needs_clock: false,
        run: |node, _| Box::pin(certificate::reload(node)),
    },
    Task {
        name: "outbox",
        does: "does the jobs of the store",
        wake: Wake::Every(Duration::from_secs(5)),
        is_at_once: true,
        // Every node does jobs. The claim of a job makes sure that only one node does it.
        has_lease: false,
        needs_clock: true,
        run: |node, _| Box::pin(outbox::step(node)),
    },
    Task {
        name: "hangup",
        does: "reads the certificate and opens the log file again when the operator sends SIGHUP",
        wake: Wake::Hangup,
        is_at_once: false,
        has_lease: false,
        needs_clock: false,
        run: |node, _| Box::pin(certificate::read_again(node)),
    },
];

/// The names of all tasks, for metrics.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|task| task.name)
}

/// Starts every task. After `ending` becomes true, each task ends when its current run is over.
pub(crate) fn start(tasks: &mut JoinSet<()>, node: &Arc<Node>, ending: &watch::Receiver<bool>) {
    for task in TABLE {
        tasks.spawn(runner::run(task, Arc::clone(node), ending.clone()));
    }
}

/// Releases the node's number and logs the remaining refusals, after all tasks have ended.
pub(crate) async fn finish(node: &Node) {
    number::give_back(&node.app).await;
    node.app.refusals.tell();
    node.app.trail.end_minute();
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use dialect::{Dialect, Dialects};
    use store::Store;
    use zeroize::Zeroizing;

    use super::*;
    use crate::app::{App, Setup};
    use crate::clock::Clock;
    use crate::config::settings::Settings;
    use crate::entropy::Source;

    /// A node for tests of tasks. The number distinguishes it from other nodes on the same store.
    pub(super) async fn node(store: Arc<dyn Store>, clock: Clock, number: u8) -> Arc<Node> {
        let settings = Settings::new("https://auth.example");
        let standard = Dialect::load("standard", &[]).expect("the shipped dialect is sound");
        let setup = Setup {
            store,
            dialects: Dialects::new(&settings.issuer, vec![standard], &[]).expect("it waives nothing"),
            policies: Vec::new(),
            master: Zeroizing::new([7; 32]),
            settings,
            clock,
            entropy: Source::seeded([number; 32]),
        };
        Arc::new(Node { app: App::open(setup).await.expect("the store works"), tls: None })
    }

    #[test]
    fn every_task_has_a_name_of_its_own_and_says_what_it_does() {
        let distinct: BTreeSet<&str> = names().collect();
        assert_eq!(distinct.len(), TABLE.len());
        assert!(TABLE.iter().all(|task| !task.does.is_empty()));
    }
}
