//! A task: one row of the table of work.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::http::tls::Tls;

/// What the tasks of a node work on.
#[derive(Debug)]
pub(crate) struct Node {
    /// What the node's requests share.
    pub(crate) app: Arc<App>,
    /// The certificate, if this node encrypts connections itself.
    pub(crate) tls: Option<Arc<Tls>>,
}

/// A task, and when it runs.
pub(crate) struct Task {
    /// Its name in logs, metrics and leases.
    pub(crate) name: &'static str,
    /// What it does, as a sentence without a subject.
    pub(crate) does: &'static str,
    /// What it waits for before each run.
    pub(crate) wake: Wake,
    /// True if its first run does not wait.
    pub(crate) is_at_once: bool,
    /// True if one node does it for all. Before each run the runner takes or renews the lease of the task's name.
    pub(crate) has_lease: bool,
    /// True if it must not run while the clock is implausible: everything may seem to be expired then.
    pub(crate) needs_clock: bool,
    /// One run. The number counts the runs that followed each other through [`Next::Soon`] before this one.
    pub(crate) run: for<'n> fn(&'n Node, u32) -> Running<'n>,
}

/// A run in progress.
pub(crate) type Running<'n> = Pin<Box<dyn Future<Output = Result<Next, Failure>> + Send + 'n>>;

/// What a task waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wake {
    /// This time after the run before.
    Every(Duration),
    /// News from the store, and this time at most.
    News(Duration),
    /// The signal SIGHUP.
    Hangup,
}

/// What comes after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The next run waits as the table says.
    Usual,
    /// There is more to do: the next run waits for this time.
    Soon(Duration),
    /// The task has nothing to do on this node, now or later.
    Never,
}

/// Why a run failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What could not be done. This is the kind of the failure: the log has one line a minute for each kind.
    pub(crate) what: &'static str,
    /// The cause, for the operator. It holds no secrets.
    pub(crate) cause: String,
}

impl Failure {
    /// A failure to do `what`.
    pub(crate) fn new(what: &'static str, cause: &impl ToString) -> Self {
        Self { what, cause: cause.to_string() }
    }
}
