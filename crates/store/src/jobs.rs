//! Jobs: how workers claim them and say what became of them.
//!
//! A worker claims due jobs for a time, does them, and ends each. While a job is claimed, no other worker gets it. If the
//! worker stops, the job is claimed again when that time is over.

use protocol::model::JobState;
use protocol::time::UnixTime;

/// A dead job is kept for so many seconds after its death, for people to look at: 30 days.
pub const DEAD_JOB_KEPT_S: u64 = 30 * 86_400;

/// A worker's request for due jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobClaim {
    /// A number of the worker's own, such as a random one that is drawn at its start.
    pub holder: i64,
    /// Jobs are claimed that are due at this time.
    pub now: UnixTime,
    /// How many seconds the worker may take before another one gets the jobs.
    pub for_s: u64,
    /// The maximum number of jobs.
    pub jobs_max: u32,
    /// The kinds of jobs that the worker can do. A job of another kind, such as one of a newer version, stays as it is.
    pub kinds: &'static [&'static str],
}

/// A request to bury jobs that no worker can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobBurial {
    /// The kinds of jobs that workers can do. Jobs of these kinds stay as they are.
    pub kinds: &'static [&'static str],
    /// Jobs that were due at this time or before are buried. A younger job may be one of a newer version, whose node is about
    /// to do it.
    pub due_before: UnixTime,
    /// The time of the burial.
    pub now: UnixTime,
    /// Why the jobs are buried.
    pub error: &'static str,
}

/// What became of a claimed job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// It is done. Its row is removed.
    Done,
    /// It failed and is tried again.
    Later {
        /// When it is due again.
        due_at: UnixTime,
        /// Why it failed.
        error: String,
    },
    /// It failed for good. Its row is kept for [`DEAD_JOB_KEPT_S`].
    Dead {
        /// When it died.
        at: UnixTime,
        /// Why it failed.
        error: String,
    },
}

/// What an operator does with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobChange {
    /// Makes a waiting or dead job due at once, as if it had never been tried. A job that a worker holds at `now` stays as it
    /// is, so that no two workers do it at the same time.
    Retry {
        /// The time of the change.
        now: UnixTime,
    },
    /// Removes a job, whatever its state.
    Drop,
}

/// Which jobs a list has. A job must meet every condition that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Jobs in this state.
    pub state: Option<JobState>,
    /// Jobs of this kind.
    pub kind: Option<String>,
    /// The maximum number of jobs.
    pub rows_max: usize,
}

/// The jobs of one kind in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobCount {
    /// The kind.
    pub kind: String,
    /// The state.
    pub state: JobState,
    /// How many jobs there are.
    pub count: u64,
    /// The earliest [`protocol::model::Job::due_at`] of them.
    pub oldest_due_at: UnixTime,
}

/// The state that the column `is_dead` stands for.
pub(crate) fn state_of(is_dead: bool) -> JobState {
    if is_dead { JobState::Dead } else { JobState::Waiting }
}
