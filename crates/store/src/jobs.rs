//! Jobs: how workers claim and end them.
//!
//! A worker claims due jobs for a time, does them, and ends each. While a job is claimed, no other worker gets it. If the
//! worker stops, the job is claimed again when that time is over.

use protocol::model::JobState;
use protocol::time::UnixTime;

/// Time in seconds for which dead jobs are kept for the operator to see: 30 days.
pub const DEAD_JOB_KEPT_S: u64 = 30 * 86_400;

/// A worker's request for due jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobClaim {
    /// A number that identifies the worker, such as a random one drawn at its start.
    pub holder: i64,
    /// The current time. Jobs that are due at this time are claimed.
    pub now: UnixTime,
    /// Length of the claim in seconds. After that, another worker may claim the jobs.
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

/// The outcome of an attempt at a claimed job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// The job is done. Its row is removed.
    Done,
    /// The attempt failed. The job is tried again.
    Later {
        /// The time from which the job is due again.
        due_at: UnixTime,
        /// The reason for the failure, for the operator.
        error: String,
    },
    /// The job failed permanently. Its row is kept for [`DEAD_JOB_KEPT_S`].
    Dead {
        /// The time of the last attempt.
        at: UnixTime,
        /// The reason for the failure, for the operator.
        error: String,
    },
}

/// A change that an operator makes to a job.
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

/// A filter for lists of jobs. A job must meet every condition that is set.
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
    /// Number of jobs.
    pub count: u64,
    /// The earliest [`protocol::model::Job::due_at`] of them.
    pub oldest_due_at: UnixTime,
}

/// Returns the state that the column `is_dead` stands for.
pub(crate) fn state_of(is_dead: bool) -> JobState {
    if is_dead { JobState::Dead } else { JobState::Waiting }
}
