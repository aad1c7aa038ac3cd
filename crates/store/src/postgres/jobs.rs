//! Statements about jobs.

use protocol::model::{Job, JobId, JobState};
use protocol::time::UnixTime;
use tokio_postgres::Row;

use super::lane::Errand;
use super::link::{Link, typed};
use super::row::{self, columns};
use super::stop::Stop;
use super::text::text;
use crate::jobs::state_of;
use crate::{JobChange, JobClaim, JobCount, JobEnd, JobFilter};

/// Claims due jobs.
pub(super) struct Claim(pub(super) JobClaim);

impl Errand for Claim {
    type Done = Vec<Job>;

    async fn run(&mut self, link: &Link) -> Result<Vec<Job>, Stop> {
        // SKIP LOCKED: workers that claim at the same time get different jobs. MATERIALIZED: the inner query runs once, so
        // that it locks no more jobs than it may.
        const SQL: &str = concat!(
            "WITH due AS MATERIALIZED (SELECT id FROM jobs WHERE NOT is_dead AND due_at <= $3 \
                AND (claimed_until IS NULL OR claimed_until <= $3) AND kind = ANY($5) ORDER BY due_at, id LIMIT $4 FOR UPDATE SKIP LOCKED) \
            UPDATE jobs AS j SET claimed_by = $1, claimed_until = $2, attempts = j.attempts + 1 \
            FROM due WHERE j.id = due.id RETURNING ",
            columns!(job)
        );
        let JobClaim { holder, now, for_s, jobs_max, kinds } = self.0;
        let until = now.plus(for_s).0;
        let values = typed![INT8 holder, INT8 until, INT8 now.0, INT8 i64::from(jobs_max), TEXT_ARRAY kinds];
        let mut jobs = link.rows(SQL, values).await?.iter().map(row::job).collect::<Result<Vec<Job>, Stop>>()?;
        jobs.sort_unstable_by_key(|job| (job.due_at, job.id));
        Ok(jobs)
    }
}

/// Writes the outcome of an attempt at a job.
pub(super) struct End {
    pub(super) id: JobId,
    pub(super) holder: i64,
    pub(super) end: JobEnd,
}

impl Errand for End {
    type Done = bool;

    async fn run(&mut self, link: &Link) -> Result<bool, Stop> {
        const LATER: &str = "UPDATE jobs SET due_at = $3, last_error = $4, is_dead = $5, claimed_by = NULL, \
            claimed_until = NULL WHERE id = $1 AND claimed_by = $2";
        let (id, holder) = (self.id.0, self.holder);
        let held = match &self.end {
            JobEnd::Done => {
                link.run("DELETE FROM jobs WHERE id = $1 AND claimed_by = $2", typed![INT8 id, INT8 holder]).await?
            }
            JobEnd::Later { due_at, error } => {
                let values = typed![INT8 id, INT8 holder, INT8 due_at.0, TEXT text(error), BOOL false];
                link.run(LATER, values).await?
            }
            JobEnd::Dead { at, error } => {
                let values = typed![INT8 id, INT8 holder, INT8 at.0, TEXT text(error), BOOL true];
                link.run(LATER, values).await?
            }
        };
        Ok(held == 1)
    }
}

/// Makes an operator's change to a job.
pub(super) struct Change {
    pub(super) id: JobId,
    pub(super) change: JobChange,
}

impl Errand for Change {
    type Done = bool;

    async fn run(&mut self, link: &Link) -> Result<bool, Stop> {
        const RETRY: &str = "UPDATE jobs SET due_at = $2, attempts = 0, is_dead = false, claimed_by = NULL, \
            claimed_until = NULL WHERE id = $1 AND (claimed_until IS NULL OR claimed_until <= $2)";
        let changed = match self.change {
            JobChange::Retry { now } => link.run(RETRY, typed![INT8 self.id.0, INT8 now.0]).await?,
            JobChange::Drop => link.run("DELETE FROM jobs WHERE id = $1", typed![INT8 self.id.0]).await?,
        };
        Ok(changed == 1)
    }
}

pub(super) async fn list(link: &Link, filter: &JobFilter) -> Result<Vec<Job>, Stop> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(job),
        " FROM jobs AS j WHERE ($1::boolean IS NULL OR is_dead = $1) AND ($2::text IS NULL OR kind = $2) \
        ORDER BY id LIMIT $3"
    );
    let is_dead = filter.state.map(|state| state == JobState::Dead);
    let rows_max = i64::try_from(filter.rows_max).unwrap_or(i64::MAX);
    let values = typed![BOOL is_dead, TEXT filter.kind.as_deref().map(text), INT8 rows_max];
    link.rows(SQL, values).await?.iter().map(row::job).collect()
}

pub(super) async fn counts(link: &Link) -> Result<Vec<JobCount>, Stop> {
    const SQL: &str = "SELECT kind, is_dead, count(*), min(due_at) FROM jobs GROUP BY kind, is_dead \
        ORDER BY kind COLLATE \"C\", is_dead";
    let read = |row: &Row| {
        Ok(JobCount {
            kind: row::get(row, 0)?,
            state: state_of(row::get(row, 1)?),
            count: u64::try_from(row::get::<i64>(row, 2)?).unwrap_or(0),
            oldest_due_at: UnixTime(row::get(row, 3)?),
        })
    };
    link.rows(SQL, &[]).await?.iter().map(read).collect()
}
