//! Statements about jobs.

use protocol::model::{Event, Job, JobId, JobState};
use protocol::time::UnixTime;
use tokio_postgres::Row;

use super::error::PostgresError;
use super::gate;
use super::insert;
use super::lane::LaneWork;
use super::link::{Link, typed};
use super::row::{self, columns};
use super::text::text;
use crate::jobs::state_of;
use crate::rows::work::StoredJob;
use crate::{JobBurial, JobChange, JobClaim, JobCount, JobEnd, JobFilter};

/// Claims due jobs.
pub(super) struct Claim {
    claim: JobClaim,
    /// True if the claim was sent before and its answer did not come.
    is_repeated: bool,
}

impl Claim {
    pub(super) fn new(claim: JobClaim) -> Self {
        Self { claim, is_repeated: false }
    }

    /// The jobs of a claim that was made although its answer was lost. Without them the worker would claim others, and these
    /// would wait for the end of the claim with an attempt that nobody made.
    async fn claimed_before(&self, link: &Link) -> Result<Vec<StoredJob>, PostgresError> {
        const SQL: &str = concat!(
            "SELECT ",
            columns!(job),
            " FROM jobs AS j WHERE NOT is_dead AND claimed_by = $1 AND claimed_until = $2 AND due_at <= $3"
        );
        let JobClaim { holder, now, for_s, .. } = self.claim;
        let values = typed![INT8 holder, INT8 now.plus(for_s).0, INT8 now.0];
        link.rows(SQL, values).await?.iter().map(row::job).collect()
    }

    async fn claim_as_stored(&self, link: &Link) -> Result<Vec<StoredJob>, PostgresError> {
        // SKIP LOCKED: workers that claim at the same time get different jobs. MATERIALIZED: the inner query runs once, so
        // that it locks no more jobs than it may.
        const SQL: &str = concat!(
            "WITH due AS MATERIALIZED (SELECT id FROM jobs WHERE NOT is_dead AND due_at <= $3 \
                AND (claimed_until IS NULL OR claimed_until <= $3) AND kind = ANY($5) ORDER BY due_at, id LIMIT $4 FOR UPDATE SKIP LOCKED) \
            UPDATE jobs AS j SET claimed_by = $1, claimed_until = $2, attempts = j.attempts + 1 \
            FROM due WHERE j.id = due.id RETURNING ",
            columns!(job)
        );
        let JobClaim { holder, now, for_s, jobs_max, kinds } = self.claim;
        let until = now.plus(for_s).0;
        let values = typed![INT8 holder, INT8 until, INT8 now.0, INT8 i64::from(jobs_max), TEXT_ARRAY kinds];
        link.rows(SQL, values).await?.iter().map(row::job).collect()
    }
}

impl LaneWork for Claim {
    type Done = Vec<Job>;

    async fn run(&mut self, link: &Link) -> Result<Vec<Job>, PostgresError> {
        let JobClaim { holder, now, .. } = self.claim;
        let mut found = if self.is_repeated { self.claimed_before(link).await? } else { Vec::new() };
        self.is_repeated = true;
        loop {
            if found.is_empty() {
                found = self.claim_as_stored(link).await?;
            }
            let was_any_found = !found.is_empty();
            let mut jobs = Vec::with_capacity(found.len());
            for stored in std::mem::take(&mut found) {
                match stored.fault() {
                    // Others are claimed in the place of those that cannot be read.
                    Some(error) => {
                        let end = JobEnd::Dead { at: now, error };
                        // Whether the claim is still held or not, the job is not this worker's to do.
                        let _ = End { id: stored.job.id, holder, end }.run(link).await?;
                    }
                    None => jobs.push(stored.job),
                }
            }
            if !jobs.is_empty() || !was_any_found {
                jobs.sort_unstable_by_key(|job| (job.due_at, job.id));
                return Ok(jobs);
            }
        }
    }
}

/// Writes the outcome of an attempt at a job.
pub(super) struct End {
    pub(super) id: JobId,
    pub(super) holder: i64,
    pub(super) end: JobEnd,
}

impl LaneWork for End {
    type Done = bool;

    async fn run(&mut self, link: &Link) -> Result<bool, PostgresError> {
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

/// Buries jobs of unknown kinds.
pub(super) struct Bury(pub(super) JobBurial);

impl LaneWork for Bury {
    type Done = usize;

    async fn run(&mut self, link: &Link) -> Result<usize, PostgresError> {
        const SQL: &str = "UPDATE jobs SET due_at = $2, last_error = $3, is_dead = true, claimed_by = NULL, \
            claimed_until = NULL WHERE NOT is_dead AND due_at <= $1 AND (claimed_until IS NULL OR claimed_until <= $2) \
            AND kind <> ALL($4)";
        let JobBurial { kinds, due_before, now, error } = self.0;
        let buried = link.run(SQL, typed![INT8 due_before.0, INT8 now.0, TEXT error, TEXT_ARRAY kinds]).await?;
        Ok(usize::try_from(buried).unwrap_or(usize::MAX))
    }
}

/// Makes an operator's change to a job, and notes the event.
pub(super) struct Change {
    pub(super) id: JobId,
    pub(super) change: JobChange,
    pub(super) event: Event,
}

impl LaneWork for Change {
    type Done = bool;

    async fn run(&mut self, link: &Link) -> Result<bool, PostgresError> {
        link.begin(gate::BEGIN).await?;
        let is_changed = self.change(link).await?;
        if is_changed {
            insert::events(link, &[&self.event]).await?;
        }
        link.simple("COMMIT").await?;
        Ok(is_changed)
    }
}

impl Change {
    async fn change(&self, link: &Link) -> Result<bool, PostgresError> {
        const RETRY: &str = "UPDATE jobs SET due_at = $2, attempts = 0, is_dead = false, claimed_by = NULL, \
            claimed_until = NULL WHERE id = $1 AND (claimed_until IS NULL OR claimed_until <= $2)";
        let changed = match self.change {
            JobChange::Retry { now } => link.run(RETRY, typed![INT8 self.id.0, INT8 now.0]).await?,
            JobChange::Drop => link.run("DELETE FROM jobs WHERE id = $1", typed![INT8 self.id.0]).await?,
        };
        Ok(changed == 1)
    }
}

pub(super) async fn list(link: &Link, filter: &JobFilter) -> Result<Vec<Job>, PostgresError> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(job),
        " FROM jobs AS j WHERE ($1::boolean IS NULL OR is_dead = $1) AND ($2::text IS NULL OR kind = $2) \
        ORDER BY id LIMIT $3"
    );
    let is_dead = filter.state.map(|state| state == JobState::Dead);
    let rows_max = i64::try_from(filter.rows_max).unwrap_or(i64::MAX);
    let values = typed![BOOL is_dead, TEXT filter.kind.as_deref().map(text), INT8 rows_max];
    link.rows(SQL, values).await?.iter().map(|row| row::job(row).map(StoredJob::listed)).collect()
}

pub(super) async fn counts(link: &Link) -> Result<Vec<JobCount>, PostgresError> {
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
