//! The row of a task in the table of tasks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::http::tls::Tls;

/// What the tasks of a process share.
#[derive(Debug)]
pub(crate) struct Node {
    /// The state that requests share.
    pub(crate) app: Arc<App>,
    /// The TLS certificate, if this process terminates TLS.
    pub(crate) tls: Option<Arc<Tls>>,
}

/// A task, and the conditions under which it runs.
pub(crate) struct Task {
    /// The name of the task in logs, metrics and leases.
    pub(crate) name: &'static str,
    /// What the task does, as a sentence without a subject.
    pub(crate) does: &'static str,
    /// What the task waits for before each run.
    pub(crate) wake: Wake,
    /// True if the first run comes at once.
    pub(crate) is_at_once: bool,
    /// True if one node does the task for all. Before each run, the runner takes or renews the lease of the task's
    /// name.
    pub(crate) has_lease: bool,
    /// True if the task must not run while the clock is implausible, because everything may seem expired then.
    pub(crate) needs_clock: bool,
    /// Runs the task once. The number counts the runs before this one that followed each other by [`Next::Soon`].
    pub(crate) run: for<'n> fn(&'n Node, u32) -> Running<'n>,
}

/// A run in progress.
pub(crate) type Running<'n> = Pin<Box<dyn Future<Output = Result<Next, Failure>> + Send + 'n>>;

/// What a task waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wake {
    /// This time after the last run.
    Every(Duration),
    /// News from the store, but at most this time.
    News(Duration),
    /// The signal SIGHUP.
    Hangup,
}

/// When the next run of a task comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The next run waits as the table of tasks says.
    Usual,
    /// There is more to do. The next run comes after this time.
    Soon(Duration),
    /// The task has nothing to do on this node, now or later.
    Never,
}

/// Why a run failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What could not be done. The text is also the kind of the failure: the log has one line a minute for each kind.
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
