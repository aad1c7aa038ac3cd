//! `grantry work`: lists, retries and drops the jobs that the server does in the background.

use clap::{Args, Subcommand, ValueEnum};
use protocol::line::{Changes, Write};
use protocol::model::{Event, EventKind, Job, JobId, JobState};
use protocol::time::UnixTime;
use serde_json::{Map, Value, json};
use store::{CommitError, JobChange, JobFilter};

use super::answer::{Answer, CommandError};
use super::installation::{Installation, actor};
use super::show;
use crate::clock::Clock;
use crate::entropy::Source;
use crate::ids::Ids;
use crate::work::jobs::TEST;

/// Default of `--limit`.
const LIMIT: &str = "1000";
const COLUMNS: [&str; 7] = ["id", "kind", "state", "attempts", "created_at", "due_at", "last_error"];

#[derive(Debug, Subcommand)]
pub(super) enum Work {
    /// List jobs, the oldest first.
    #[command(after_help = "\
Examples:
  grantry work list
  grantry work list --state dead --json

A job that is done is no longer listed. A job that fails is tried again after growing pauses, from 10 seconds to 6 hours. After
20 attempts it is dead: the server keeps it for 30 days and does not try it again, unless you say `grantry work retry`.")]
    List(List),
    /// Make a waiting or dead job due now, as if it had never been tried.
    #[command(after_help = "\
Example:
  grantry work retry 90071992547409920

Remove the cause of the failure first: `grantry work list` shows it as LAST ERROR.")]
    Retry(One),
    /// Remove a job without doing it.
    #[command(after_help = "\
Example:
  grantry work drop 90071992547409920

A server that is doing the job at this moment still finishes its attempt.")]
    Drop(One),
    /// Add a job that only writes a line to the server's log, to see that jobs are done.
    #[command(after_help = "\
Examples:
  grantry work test
  grantry work test --fail

A running server does the job within 5 seconds: `did a test job` is in its log at the level info, with the account that ran this
command, and the job is gone from `grantry work list`. With --fail, look at ATTEMPTS and DUE AT there, then drop the job.")]
    Test(Test),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only jobs in this state.
    #[arg(long, value_name = "STATE")]
    state: Option<State>,
    /// Only jobs of this kind.
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// List at most so many jobs.
    #[arg(long, value_name = "NUMBER", default_value = LIMIT)]
    limit: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    /// The job waits until it is due, or is being done.
    Waiting,
    /// The job failed too often.
    Dead,
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// The ID of the job, as `grantry work list` shows it.
    #[arg(value_name = "ID")]
    id: i64,
}

#[derive(Debug, Args)]
pub(super) struct Test {
    /// Make every attempt fail, to see how jobs are tried again.
    #[arg(long)]
    fail: bool,
}

impl Work {
    pub(super) async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        match self {
            Self::List(list) => list.run(installation).await,
            Self::Retry(one) => one.retry(installation).await,
            Self::Drop(one) => one.drop(installation).await,
            Self::Test(test) => test.run(installation).await,
        }
    }
}

impl List {
    async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        let state = self.state.map(|state| match state {
            State::Waiting => JobState::Waiting,
            State::Dead => JobState::Dead,
        });
        let filter = JobFilter { state, kind: self.kind, rows_max: self.limit };
        let rows: Vec<Value> = installation.store.jobs(filter).await?.iter().map(document).collect();
        let text = show::table(&rows, &COLUMNS, "There are no such jobs.");
        Ok(Answer::new(Value::Array(rows), text))
    }
}

impl One {
    async fn retry(self, installation: &Installation) -> Result<Answer, CommandError> {
        installation.check_clock().await?;
        let (id, now) = (self.id, installation.now());
        if !installation
            .store
            .change_job(JobId(id), JobChange::Retry { now }, event(EventKind::JobRetried, id, now))
            .await?
        {
            return Err(CommandError::no(format!(
                "no job `{id}` that could be retried now: see `grantry work list`. If the job is listed, a server is doing it \
                 or was stopped while it did; try again in a minute"
            )));
        }
        let text = format!("Job {id} is due now. A running server does it within seconds.");
        Ok(Answer::new(json!({"id": id.to_string(), "is_due": true}), text))
    }

    async fn drop(self, installation: &Installation) -> Result<Answer, CommandError> {
        let id = self.id;
        if !installation
            .store
            .change_job(JobId(id), JobChange::Drop, event(EventKind::JobDropped, id, installation.now()))
            .await?
        {
            return Err(CommandError::no(format!("no job `{id}`: see `grantry work list`")));
        }
        Ok(Answer::new(json!({"id": id.to_string(), "is_dropped": true}), format!("Job {id} was removed.")))
    }
}

impl Test {
    async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        installation.check_clock().await?;
        let mut document = Map::new();
        document.insert("by".to_owned(), Value::String(actor()));
        if self.fail {
            document.insert("fail".to_owned(), Value::Bool(true));
        }
        let id = new_id()?;
        let job = Job::new(id, TEST, document, installation.now());
        installation.store.commit(Changes::from(Write::Enqueue(Box::new(job)))).await.map_err(|error| match error {
            CommitError::Fault(fault) => CommandError::from(fault),
            CommitError::Lost | CommitError::Behind(_) | CommitError::Taken(_) => {
                CommandError::no("another row has the ID that was drawn for this job; try again")
            }
        })?;
        let text =
            format!("Job {} was added. A running server does it within seconds and writes a line to its log.", id.0);
        Ok(Answer::new(json!({"id": id.0.to_string(), "kind": TEST, "fails": self.fail}), text))
    }
}

/// The audit event of a command about a job.
fn event(kind: EventKind, id: i64, now: UnixTime) -> Event {
    let detail = format!("job {id}");
    Event { at: now, kind, user: None, client: None, address: String::new(), detail, actor: Some(actor()) }
}

/// Draws the ID of a new job. The process number is random, as it is for all commands.
fn new_id() -> Result<JobId, CommandError> {
    let drawn = Source::System.draw();
    let ids = Ids::new(u16::from_be_bytes([drawn[0], drawn[1]]), 0);
    ids.reserve(Clock::System.now_ms()).map(JobId).map_err(|why| CommandError::no(why.to_string()))
}

/// Returns a job without its document, which may hold an e-mail address or a link.
fn document(job: &Job) -> Value {
    json!({
        "id": job.id.0.to_string(), "kind": job.kind, "state": job.state.as_str(), "attempts": job.attempts,
        "created_at": show::time(job.created_at), "due_at": show::time(job.due_at), "last_error": job.last_error,
    })
}
