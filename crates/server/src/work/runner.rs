//! The runner of tasks: it waits, takes the lease, runs the task, counts and logs failures, and catches panics.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

use super::task::{Failure, Next, Node, Task, Wake};
use crate::fault::caught;
use crate::http::accept::told;

/// Length of a lease in seconds. It is longer than the time between two runs of any task with a lease.
const LEASE_S: u32 = 90;
/// Minimum time between two log lines about the same kind of failure.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Runs `task` until `ending` becomes true, or until the task has nothing more to do.
pub(super) async fn run(task: &'static Task, node: Arc<Node>, mut ending: watch::Receiver<bool>) {
    tracing::debug!(task = task.name, does = task.does, "started");
    let Some(mut alarm) = Alarm::set(task, &node) else { return };
    let mut failures = Failures::default();
    let mut wait = task.is_at_once.then_some(Duration::ZERO);
    let mut streak = 0;
    loop {
        tokio::select! {
            biased;
            () = told(&mut ending) => return,
            () = alarm.rings(wait) => {}
        }
        let next = match one(task, &node, streak).await {
            Ok(next) => next,
            Err(failure) => {
                node.app.metrics.task_failed(task.name);
                failures.log(task.name, &failure, Instant::now());
                Next::Usual
            }
        };
        (wait, streak) = match next {
            Next::Usual => (None, 0),
            Next::Soon(pause) => (Some(pause), streak + 1),
            Next::Never => return,
        };
    }
}

/// Runs the task once, if the clock is plausible and this node holds the lease.
async fn one(task: &Task, node: &Node, streak: u32) -> Result<Next, Failure> {
    let app = &node.app;
    if task.needs_clock && app.check_clock().is_err() {
        return Ok(Next::Usual);
    }
    if task.has_lease {
        let held = app.store.lease(task.name, app.node, LEASE_S).await;
        let held = held.map_err(|fault| {
            app.metrics.store_failed();
            Failure::new("it is not known which node does this task", &fault)
        })?;
        if !held {
            return Ok(Next::Usual);
        }
    }
    let running = std::pin::pin!((task.run)(node, streak));
    let next = caught(running).await.map_err(|panic| Failure::new("the task panicked", &panic))??;
    app.metrics.task_ran(task.name, app.clock.now());
    Ok(next)
}

/// What a task waits for.
enum Alarm {
    Every(Duration),
    News(Option<watch::Receiver<u64>>, Duration),
    Hangup(Signal),
}

impl Alarm {
    /// Sets up what a task waits for; `None` if the signal cannot be watched.
    fn set(task: &Task, node: &Node) -> Option<Self> {
        Some(match task.wake {
            Wake::Every(period) => Self::Every(period),
            Wake::News(period) => Self::News(node.app.store.news(), period),
            Wake::Hangup => match signal(SignalKind::hangup()) {
                Ok(hangup) => Self::Hangup(hangup),
                Err(error) => {
                    tracing::error!(%error, "SIGHUP is not heeded");
                    return None;
                }
            },
        })
    }

    /// Waits until the next run is due. `instead` is a time to wait in place of the usual condition.
    async fn rings(&mut self, instead: Option<Duration>) {
        match (self, instead) {
            (_, Some(wait)) => tokio::time::sleep(wait).await,
            (Self::Every(period), None) => tokio::time::sleep(*period).await,
            (Self::News(news, period), None) => {
                let is_told = tokio::time::timeout(*period, changed(news)).await;
                // The store sends no more news. Wait for the period alone from now on.
                if is_told == Ok(false) {
                    *news = None;
                }
            }
            (Self::Hangup(hangup), None) => {
                if hangup.recv().await.is_none() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

/// Waits for news from the store. Returns false if there will be no more.
async fn changed(news: &mut Option<watch::Receiver<u64>>) -> bool {
    match news {
        Some(news) => news.changed().await.is_ok(),
        None => std::future::pending().await,
    }
}

/// The failures of a task that were logged, by kind.
#[derive(Default)]
struct Failures(HashMap<&'static str, Told>);

/// The time of the last log line about a kind of failure, and the number of failures since.
struct Told {
    at: Instant,
    repeated: u64,
}

impl Failures {
    fn log(&mut self, task: &str, failure: &Failure, now: Instant) {
        if let Some(repeated) = self.count(failure.what, now) {
            tracing::error!(task, cause = failure.cause, repeated, "{}", failure.what);
        }
    }

    /// Counts a failure. If a log line is due, returns the number of failures of its kind that were not logged.
    fn count(&mut self, kind: &'static str, now: Instant) -> Option<u64> {
        match self.0.get_mut(kind) {
            Some(told) if now.duration_since(told.at) < LOG_EVERY => {
                told.repeated += 1;
                None
            }
            Some(told) => {
                told.at = now;
                Some(std::mem::take(&mut told.repeated))
            }
            None => {
                self.0.insert(kind, Told { at: now, repeated: 0 });
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use protocol::time::UnixTime;
    use store::Memory;

    use super::*;
    use crate::clock::Clock;
    use crate::observe::exposition;

    async fn node() -> Arc<Node> {
        super::super::tests::node(Arc::new(Memory::default()), Clock::fixed(UnixTime(1_790_000_000)), 9).await
    }

    /// A task for tests. It has the name of a real task, because metrics exist only for those.
    const TASK: Task = Task {
        name: "sweep",
        does: "nothing",
        wake: Wake::Every(Duration::from_millis(1)),
        is_at_once: true,
        has_lease: true,
        needs_clock: true,
        run: |_, _| Box::pin(async { Ok(Next::Never) }),
    };

    #[tokio::test]
    async fn a_task_that_panics_is_counted_as_failed_and_runs_again() {
        static HAS_PANICKED: AtomicBool = AtomicBool::new(false);
        static FRAIL: Task = Task {
            run: |_, _| {
                Box::pin(async {
                    assert!(HAS_PANICKED.swap(true, Relaxed), "on purpose");
                    Ok(Next::Never)
                })
            },
            ..TASK
        };
        let (node, ending) = (node().await, watch::channel(false));
        run(&FRAIL, Arc::clone(&node), ending.1).await;
        let metrics = exposition::text(&node.app);
        for line in [
            "grantry_task_failures_total{task=\"sweep\"} 1\n",
            "grantry_task_runs_total{task=\"sweep\"} 1\n",
            "grantry_task_last_run_timestamp_seconds{task=\"sweep\"} 1790000000\n",
        ] {
            assert!(metrics.contains(line), "{line} {metrics}");
        }
    }

    #[tokio::test]
    async fn a_task_ends_when_the_server_does_also_while_there_is_more_to_do() {
        static BUSY: Task = Task { run: |_, _| Box::pin(async { Ok(Next::Soon(Duration::ZERO)) }), ..TASK };
        let (end, ending) = watch::channel(false);
        let running = tokio::spawn(run(&BUSY, node().await, ending));
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!running.is_finished());
        end.send(true).expect("the task listens");
        tokio::time::timeout(Duration::from_secs(5), running).await.expect("it ends").expect("it does not panic");
    }

    #[test]
    fn a_kind_of_failure_has_one_line_a_minute_that_says_how_many_there_were() {
        let (mut failures, now) = (Failures::default(), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(failures.count("one", at(0)), Some(0));
        assert_eq!([1, 20, 59].map(|seconds| failures.count("one", at(seconds))), [None; 3]);
        assert_eq!(failures.count("other", at(59)), Some(0), "another kind has its own line");
        assert_eq!(failures.count("one", at(61)), Some(3));
        assert_eq!(failures.count("one", at(62)), None);
    }
}
