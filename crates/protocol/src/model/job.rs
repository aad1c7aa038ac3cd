//! Work that is done after the turn that asked for it.

use serde_json::{Map, Value};

use super::JobId;
use crate::time::UnixTime;

crate::wire::names! {
    /// Whether a job is still to be done.
    JobState {
        /// The job waits until it is due, or is being done.
        Waiting = "waiting",
        /// The job failed too often. It is kept for a while, so that people can see it, and is never done.
        Dead = "dead",
    }
}

/// A piece of work, such as an e-mail to be sent. It is written in one commit with the rows that it is about, so it exists
/// if and only if they do. It is done at least once: a worker that stops in the middle leaves it to another one.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The row.
    pub id: JobId,
    /// What is to be done. A word that a worker knows.
    pub kind: String,
    /// What the worker needs to know. Members that this program does not know are kept.
    pub document: Map<String, Value>,
    /// When the job was decided.
    pub created_at: UnixTime,
    /// The job is done at this time or later. For a dead job, when it died.
    pub due_at: UnixTime,
    /// How often a worker has begun the job.
    pub attempts: u32,
    /// Why the last attempt failed, in words for the operator.
    pub last_error: Option<String>,
    /// Whether the job is still to be done.
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
