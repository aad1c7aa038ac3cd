//! The kinds of jobs, and what a worker does for each.

use std::pin::Pin;

use protocol::model::Job;
use serde_json::Value;

use crate::app::App;

/// The kind of a job that only writes a line to the log, so that an operator can see that jobs are done. `grantry work
/// test` adds it. Members of its document: `by` is the operating system's account that added the job; `fail` is true if
/// every attempt must fail.
pub(crate) const TEST: &str = "test";

/// The function that does a job of one kind.
type Doing = for<'a> fn(&'a App, &'a Job) -> Pin<Box<dyn Future<Output = Result<(), JobError>> + Send + 'a>>;

/// The table of jobs: each kind, and the function that does it.
const JOBS: &[(&str, Doing)] = &[(TEST, |_, job| Box::pin(async move { test(job) }))];

/// The kinds of jobs that [`run`] can do. A worker claims no others, so a job of a newer version waits for a newer node.
pub(super) const KINDS: &[&str] = &{
    let mut kinds = [""; JOBS.len()];
    let mut at = 0;
    while at < kinds.len() {
        kinds[at] = JOBS[at].0;
        at += 1;
    }
    kinds
};

/// The reason why an attempt at a job failed. The text is for the operator and holds no secrets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum JobError {
    /// A later attempt may succeed.
    Again(String),
    /// No attempt can succeed.
    Never(String),
}

/// Does a job. It may have been done before, by a worker that stopped before it could record that.
pub(super) async fn run(app: &App, job: &Job) -> Result<(), JobError> {
    match JOBS.iter().find(|(kind, _)| *kind == job.kind) {
        Some((_, doing)) => doing(app, job).await,
        None => Err(JobError::Never(format!("no worker of this version claims jobs of the kind `{}`", job.kind))),
    }
}

fn test(job: &Job) -> Result<(), JobError> {
    if job.document.get("fail") == Some(&Value::Bool(true)) {
        return Err(JobError::Again("this test job was made to fail".to_owned()));
    }
    let by = job.document.get("by").and_then(Value::as_str).unwrap_or("unknown");
    tracing::info!(job = job.id.0, by, attempts = job.attempts, "did a test job");
    Ok(())
}
