//! Metrics of jobs.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use protocol::model::JobState;
use protocol::time::UnixTime;
use store::JobCount;

/// Minimum time between two counts of the store's jobs by a node, in seconds.
const COUNT_EVERY_S: u64 = 15;

/// The outcome of an attempt at a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The job is done.
    Done,
    /// The attempt failed. There will be another one.
    Failed,
    /// The attempt failed, and the job is dead.
    Buried,
}

impl Attempt {
    /// Every outcome and its label.
    pub(crate) const ALL: [(Self, &str); 3] =
        [(Self::Done, "done"), (Self::Failed, "failed"), (Self::Buried, "buried")];
}

/// Counters of this node's attempts, and the jobs of the store when this node last counted them.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    /// Indexed as [`Attempt::ALL`].
    pub(super) attempts: [AtomicU64; Attempt::ALL.len()],
    pub(super) waiting: AtomicU64,
    pub(super) dead: AtomicU64,
    /// Time in seconds since the oldest waiting job became due.
    pub(super) oldest_age_s: AtomicU64,
    /// When the jobs were counted, in seconds since 1970; 0 before the first time.
    counted_at: AtomicI64,
}

impl Jobs {
    /// Returns true if it is time to count the jobs of the store.
    pub(crate) fn are_to_be_counted(&self, now: UnixTime) -> bool {
        // A clock that was set back must not stop the counting.
        now.0.abs_diff(self.counted_at.load(Relaxed)) >= COUNT_EVERY_S
    }

    /// Sets the counts of the store's jobs.
    pub(crate) fn counted(&self, counts: &[JobCount], now: UnixTime) {
        let of = |state| counts.iter().filter(move |own| own.state == state);
        let sum = |state| of(state).map(|own| own.count).sum();
        self.waiting.store(sum(JobState::Waiting), Relaxed);
        self.dead.store(sum(JobState::Dead), Relaxed);
        let oldest = of(JobState::Waiting).map(|own| own.oldest_due_at).min();
        self.oldest_age_s.store(oldest.map_or(0, |due_at| due_at.seconds_until(now)), Relaxed);
        self.counted_at.store(now.0, Relaxed);
    }

    /// Counts an attempt of this node.
    pub(crate) fn attempted(&self, outcome: Attempt) {
        self.attempts[outcome as usize].fetch_add(1, Relaxed);
    }
}
