//! Jobs: work that is done after the turn that decided it.

use serde_json::{Map, Value};

use super::JobId;
use crate::time::UnixTime;

crate::wire::names! {
    /// The state of a job.
    JobState {
        /// The job waits until it is due, or is being done.
        Waiting = "waiting",
        /// The job failed too often. It is kept for a while for the operator to see, and is not tried again.
        Dead = "dead",
    }
}

/// A piece of work, such as an e-mail to be sent. It is written in one commit with the rows that it is about, so it
/// exists if and only if they do. It is done at least once: if a worker stops during an attempt, another worker does
/// the job again.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The row.
    pub id: JobId,
    /// The kind of work, by a word that workers know.
    pub kind: String,
    /// The data for the worker. Members that this version does not know are kept.
    pub document: Map<String, Value>,
    /// When the job was added.
    pub created_at: UnixTime,
    /// The time from which the job may be done. For a dead job, the time of the last attempt.
    pub due_at: UnixTime,
    /// Number of attempts that workers have begun.
    pub attempts: u32,
    /// The reason why the last attempt failed, for the operator.
    pub last_error: Option<String>,
    /// The state of the job.
    pub state: JobState,
}

impl Job {
    /// Returns a new job of this kind that is due at once.
    #[must_use]
    pub fn new(id: JobId, kind: &str, document: Map<String, Value>, now: UnixTime) -> Self {
        Self {
            id,
            kind: kind.to_owned(),
            document,
            created_at: now,
            due_at: now,
            attempts: 0,
            last_error: None,
            state: JobState::Waiting,
        }
    }
}
