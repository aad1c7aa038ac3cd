//! Statements about jobs.

use protocol::model::{Event, Job, JobId, JobState};
use protocol::time::UnixTime;
use rusqlite::{Connection, Row, params};

use super::apply::{alone, run};
use super::error::SqliteError;
use super::insert;
use super::row;
use crate::jobs::state_of;
use crate::rows::table::described;
use crate::rows::work::StoredJob;
use crate::{JobBurial, JobChange, JobClaim, JobCount, JobEnd, JobFilter};

/// Claims due jobs within the writer's transaction. Those that cannot be read are buried, and others claimed in their place.
pub(super) fn claim(connection: &Connection, claim: JobClaim) -> Result<Vec<Job>, SqliteError> {
    loop {
        let found = claim_as_stored(connection, claim)?;
        let was_any_found = !found.is_empty();
        let mut jobs = Vec::with_capacity(found.len());
        for stored in found {
            match stored.fault() {
                Some(error) => {
                    let dead = JobEnd::Dead { at: claim.now, error };
                    end(connection, stored.job.id, claim.holder, &dead)?;
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

fn claim_as_stored(connection: &Connection, claim: JobClaim) -> Result<Vec<StoredJob>, SqliteError> {
    const SQL: &str = concat!(
        "UPDATE jobs SET claimed_by = ?1, claimed_until = ?2, attempts = attempts + 1 WHERE id IN (\
            SELECT id FROM jobs WHERE is_dead = 0 AND due_at <= ?3 AND (claimed_until IS NULL OR claimed_until <= ?3) \
            AND kind IN (SELECT value FROM json_each(?5)) ORDER BY due_at, id LIMIT ?4) RETURNING ",
        described!(sqlite_names!(job))
    );
    let JobClaim { holder, now, for_s, jobs_max, kinds } = claim;
    let kinds = serde_json::Value::from(kinds).to_string();
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query(params![holder, now.plus(for_s).0, now.0, jobs_max, kinds])?;
    let mut jobs = Vec::new();
    while let Some(row) = rows.next()? {
        jobs.push(row::job(row)?);
    }
    Ok(jobs)
}

/// Writes the outcome of an attempt at a job. Returns the number of jobs that `holder` held: 0 or 1.
pub(super) fn end(connection: &Connection, id: JobId, holder: i64, end: &JobEnd) -> Result<usize, SqliteError> {
    const LATER: &str = "UPDATE jobs SET due_at = ?3, last_error = ?4, is_dead = ?5, claimed_by = NULL, \
        claimed_until = NULL WHERE id = ?1 AND claimed_by = ?2";
    match end {
        JobEnd::Done => run(connection, "DELETE FROM jobs WHERE id = ?1 AND claimed_by = ?2", [id.0, holder]),
        JobEnd::Later { due_at, error } => run(connection, LATER, params![id.0, holder, due_at.0, error, false]),
        JobEnd::Dead { at, error } => run(connection, LATER, params![id.0, holder, at.0, error, true]),
    }
}

/// Buries jobs of unknown kinds. Returns how many.
pub(super) fn bury(connection: &Connection, burial: JobBurial) -> Result<usize, SqliteError> {
    const SQL: &str = "UPDATE jobs SET due_at = ?2, last_error = ?3, is_dead = 1, claimed_by = NULL, claimed_until = NULL \
        WHERE is_dead = 0 AND due_at <= ?1 AND (claimed_until IS NULL OR claimed_until <= ?2) \
        AND kind NOT IN (SELECT value FROM json_each(?4))";
    let JobBurial { kinds, due_before, now, error } = burial;
    run(connection, SQL, params![due_before.0, now.0, error, serde_json::Value::from(kinds).to_string()])
}

/// Makes an operator's change to a job and notes the event, or does neither. Returns the number of jobs that were changed.
pub(super) fn change(
    connection: &Connection,
    id: JobId,
    change: JobChange,
    event: &Event,
) -> Result<usize, SqliteError> {
    let mut changed = 0;
    alone(connection, || {
        changed = change_alone(connection, id, change)?;
        if changed == 0 { Ok(()) } else { insert::event(connection, event) }
    })?;
    Ok(changed)
}

fn change_alone(connection: &Connection, id: JobId, change: JobChange) -> Result<usize, SqliteError> {
    const RETRY: &str = "UPDATE jobs SET due_at = ?2, attempts = 0, is_dead = 0, claimed_by = NULL, claimed_until = NULL \
        WHERE id = ?1 AND (claimed_until IS NULL OR claimed_until <= ?2)";
    match change {
        JobChange::Retry { now } => run(connection, RETRY, [id.0, now.0]),
        JobChange::Drop => run(connection, "DELETE FROM jobs WHERE id = ?1", [id.0]),
    }
}

pub(super) fn list(connection: &Connection, filter: &JobFilter) -> Result<Vec<Job>, SqliteError> {
    const SQL: &str = concat!(
        "SELECT ",
        described!(sqlite_list!(job)),
        " FROM jobs AS j WHERE (?1 IS NULL OR is_dead = ?1) AND (?2 IS NULL OR kind = ?2) ORDER BY id LIMIT ?3"
    );
    let is_dead = filter.state.map(|state| state == JobState::Dead);
    let rows_max = i64::try_from(filter.rows_max).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query(params![is_dead, filter.kind, rows_max])?;
    let mut jobs = Vec::new();
    while let Some(row) = rows.next()? {
        jobs.push(row::job(row)?.listed());
    }
    Ok(jobs)
}

pub(super) fn counts(connection: &Connection) -> Result<Vec<JobCount>, SqliteError> {
    const SQL: &str = "SELECT CAST(kind AS TEXT), is_dead, count(*), min(due_at) FROM jobs GROUP BY kind, is_dead ORDER BY kind, is_dead";
    let mut statement = connection.prepare_cached(SQL)?;
    let read = |row: &Row<'_>| {
        Ok(JobCount {
            kind: row.get(0)?,
            state: state_of(row.get(1)?),
            count: u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0),
            oldest_due_at: UnixTime(row.get(3)?),
        })
    };
    Ok(statement.query_map([], read)?.collect::<rusqlite::Result<_>>()?)
}
