//! Removing what is of no more use. A walk in the order of the ids, a few rows at a time, finds the dead ones; the writer
//! removes them, if they are still dead. No index is needed for it, and nobody waits for long.

use std::sync::Mutex;

use protocol::time::UnixTime;
use rusqlite::{Connection, params};

use super::stop::Stop;
use super::writer::{Work, Writer};
use crate::{CommitError, DEAD_TOKEN_KEPT_S, EVENT_KEPT_S, Fault, SPENT_CODE_KEPT_S};

/// Rows that are looked at in one step, and removed by one job; takes a fraction of a millisecond.
const STEP_ROWS: u32 = 500;

/// How one table is swept: the statement that looks, and the one that removes. Both judge with the same words. `?1` is
/// the id, `?2` the time, `?3` the number of rows to look at.
pub(super) struct Broom {
    look: &'static str,
    remove: &'static str,
}

macro_rules! brooms {
    ($($table:literal: $dead:expr;)*) => {
        &[$(Broom {
            look: concat!("SELECT id, ", $dead, " FROM ", $table, " WHERE id > ?1 ORDER BY id LIMIT ?3"),
            remove: concat!("DELETE FROM ", $table, " WHERE id = ?1 AND ", $dead),
        },)*]
    };
}

// The literals are SPENT_CODE_KEPT_S, DEAD_TOKEN_KEPT_S and EVENT_KEPT_S; a test holds them together.
static BROOMS: &[Broom] = brooms! {
    "access_tokens": "(expires_at <= ?2 OR (expires_at - 86400 > ?2 AND (\
        NOT EXISTS (SELECT 1 FROM clients WHERE key = client) \
        OR (user IS NOT NULL AND NOT EXISTS (SELECT 1 FROM users WHERE key = user)) \
        OR (grant_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM grants AS g WHERE g.id = grant_id AND g.is_revoked = 0)))))";
    "codes": "(expires_at + is_spent * 3600 <= ?2)";
    "grants": "(expires_at <= ?2)";
    "sessions": "(min(idle_until, expires_at) <= ?2)";
    "personal_tokens": "(expires_at <= ?2)";
    "attempts": "(resets_at <= ?2)";
    "events": "(at + 34214400 <= ?2)";
};

const _: () = assert!(SPENT_CODE_KEPT_S == 3_600 && DEAD_TOKEN_KEPT_S == 86_400 && EVENT_KEPT_S == 34_214_400);

impl Broom {
    /// Looks at the rows behind `after`. Gives the dead ones, and the last one looked at, if the table goes on.
    fn look(&self, connection: &Connection, now: UnixTime, after: i64) -> Result<(Vec<i64>, Option<i64>), Stop> {
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

    /// Removes those of the rows that are still dead, and says how many.
    pub(super) fn remove(&self, connection: &Connection, now: UnixTime, ids: &[i64]) -> Result<usize, Stop> {
        let mut statement = connection.prepare_cached(self.remove)?;
        let mut removed = 0;
        for id in ids {
            removed += statement.execute(params![id, now.0])?;
        }
        Ok(removed)
    }
}

/// Where the walk stands: which table, behind which id.
#[derive(Clone, Copy, Debug)]
struct Place {
    table: usize,
    after: i64,
}

/// Goes round and round through the tables.
#[derive(Debug)]
pub(super) struct Walk {
    place: Mutex<Place>,
}

impl Walk {
    pub(super) fn new() -> Self {
        Self { place: Mutex::new(START) }
    }

    fn place(&self) -> Place {
        *self.place.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Goes on from where the last call ended, until `rows_max` rows are removed or nothing dead is left.
    pub(super) async fn go_on(
        &self,
        connection: Connection,
        writer: &Writer,
        now: UnixTime,
        rows_max: usize,
    ) -> Result<usize, Fault> {
        let mut place = self.place();
        // Tables that were walked from end to end, one after the other, without a find.
        let mut clean = 0;
        let mut is_find = place.after != i64::MIN;
        let mut removed = 0;
        while clean < BROOMS.len() && removed < rows_max {
            let broom = &BROOMS[place.table];
            let (mut dead, next) = broom.look(&connection, now, place.after)?;
            let is_cut = dead.len() > rows_max - removed;
            dead.truncate(rows_max - removed);
            let go_on_after = if is_cut { dead.last().copied() } else { next };
            if !dead.is_empty() {
                is_find = true;
                removed += match writer.ask(Work::Remove(broom, now, dead)).await {
                    Ok(count) => count,
                    Err(CommitError::Fault(fault)) => return Err(fault),
                    Err(error) => return Err(Fault::Broken { cause: error.to_string() }),
                };
            }
            place = match go_on_after {
                Some(after) => Place { after, ..place },
                None => {
                    clean = if is_find { 0 } else { clean + 1 };
                    is_find = false;
                    Place { table: (place.table + 1) % BROOMS.len(), after: i64::MIN }
                }
            };
            *self.place.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = place;
            tokio::task::yield_now().await;
        }
        Ok(removed)
    }
}

const START: Place = Place { table: 0, after: i64::MIN };
