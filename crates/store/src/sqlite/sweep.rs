//! The statements that find and remove expired rows.

use protocol::time::UnixTime;
use rusqlite::{Connection, params};

use super::error::SqliteError;
use super::writer::{Work, Writer};
use crate::sweep_schedule::{STEP_ROWS, Seen, Sweep};
use crate::{DEAD_JOB_KEPT_S, DEAD_TOKEN_KEPT_S, Fault, SPENT_CODE_KEPT_S, USED_JTI_KEPT_S};

/// The sweep of one table: the statement that finds expired rows, and the one that removes them, with the same
/// conditions. `?1` is the id, `?2` the time, `?3` the number of rows to read.
pub(super) struct ExpiryRule {
    look: &'static str,
    remove: &'static str,
}

macro_rules! expiry_rules {
    ($($table:literal: $dead:expr;)*) => {
        &[$(ExpiryRule {
            look: concat!("SELECT id, ", $dead, " FROM ", $table, " WHERE id > ?1 ORDER BY id LIMIT ?3"),
            remove: concat!("DELETE FROM ", $table, " WHERE id = ?1 AND ", $dead),
        },)*]
    };
}

// The literals are SPENT_CODE_KEPT_S and DEAD_TOKEN_KEPT_S. A test compares them.
static EXPIRY_RULES: &[ExpiryRule] = expiry_rules! {
    "access_tokens": "(expires_at <= ?2 OR (expires_at - 86400 > ?2 AND (\
        NOT EXISTS (SELECT 1 FROM clients WHERE key = client) \
        OR (user IS NOT NULL AND NOT EXISTS (SELECT 1 FROM users WHERE key = user)) \
        OR (grant_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM grants AS g WHERE g.id = grant_id AND g.is_revoked = 0)))))";
    "codes": "(expires_at + is_spent * 3600 <= ?2)";
    "grants": "(expires_at <= ?2)";
    "sessions": "(min(idle_until, expires_at) <= ?2)";
    "personal_tokens": "(expires_at <= ?2)";
    "tickets": "(expires_at <= ?2)";
    "attempts": "(resets_at <= ?2)";
    "burned": "(until + 3600 <= ?2)";
    "jobs": "(is_dead = 1 AND due_at + 2592000 <= ?2)";
    "events": "(at <= ?2)";
};

const _: () = assert!(SPENT_CODE_KEPT_S == 3_600 && USED_JTI_KEPT_S == 3_600 && DEAD_TOKEN_KEPT_S == 86_400);
const _: () = assert!(DEAD_JOB_KEPT_S == 2_592_000);

/// Returns the time with which the expiry of a table's rows is compared. For events it is earlier by their retention
/// time, which is a setting.
fn judged_at(table: usize, now: UnixTime, events_kept_s: u64) -> UnixTime {
    // The table of events is the last one.
    if table + 1 == EXPIRY_RULES.len() { UnixTime(now.0.saturating_sub_unsigned(events_kept_s)) } else { now }
}

impl ExpiryRule {
    /// Reads the rows after the id `after`. Returns the ids of the expired ones, and the last id that was read if the
    /// table continues.
    fn look(&self, connection: &Connection, now: UnixTime, after: i64) -> Result<(Vec<i64>, Option<i64>), SqliteError> {
        let mut statement = connection.prepare_cached(self.look)?;
        let mut rows = statement.query(params![after, now.0, STEP_ROWS])?;
        let (mut dead, mut looked_at, mut last) = (Vec::new(), 0_u32, after);
        while let Some(row) = rows.next()? {
            last = row.get(0)?;
            looked_at += 1;
            if row.get(1)? {
                dead.push(last);
            }
        }
        Ok((dead, (looked_at == STEP_ROWS).then_some(last)))
    }

    /// Removes those of the rows that are still expired. Returns their number.
    pub(super) fn remove(&self, connection: &Connection, now: UnixTime, ids: &[i64]) -> Result<usize, SqliteError> {
        let mut statement = connection.prepare_cached(self.remove)?;
        let mut removed = 0;
        for id in ids {
            removed += statement.execute(params![id, now.0])?;
        }
        Ok(removed)
    }
}

/// The sweep of the store: a connection that reads, and the writer that removes.
pub(super) struct Sweeper<'s> {
    pub(super) connection: Connection,
    pub(super) writer: &'s Writer,
    /// Retention of events in seconds.
    pub(super) events_kept_s: u64,
}

impl Sweep for Sweeper<'_> {
    fn tables(&self) -> usize {
        EXPIRY_RULES.len()
    }

    async fn look(&mut self, table: usize, now: UnixTime, after: i64) -> Result<Seen, Fault> {
        Ok(EXPIRY_RULES[table].look(&self.connection, judged_at(table, now, self.events_kept_s), after)?)
    }

    async fn remove(&mut self, table: usize, now: UnixTime, ids: Vec<i64>) -> Result<usize, Fault> {
        let now = judged_at(table, now, self.events_kept_s);
        self.writer.have_done(Work::Remove(&EXPIRY_RULES[table], now, ids)).await
    }
}
