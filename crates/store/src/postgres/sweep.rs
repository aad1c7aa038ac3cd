//! The statements that find and remove expired rows.

use protocol::time::UnixTime;

use super::background::BackgroundPool;
use super::error::PostgresError;
use super::lane::LaneWork;
use super::link::{Link, typed};
use super::row;
use crate::sweep_schedule::{STEP_ROWS, Seen, Sweep};
use crate::{DEAD_JOB_KEPT_S, DEAD_TOKEN_KEPT_S, Fault, SPENT_CODE_KEPT_S, USED_JTI_KEPT_S};

/// The sweep of one table: the statement that finds expired rows, and the one that removes them, with the same
/// conditions.
struct ExpiryRule {
    look: &'static str,
    remove: &'static str,
}

macro_rules! expiry_rules {
    ($($table:literal: $dead:expr;)*) => {
        &[$(ExpiryRule {
            look: concat!("SELECT id, ", $dead, " FROM ", $table, " WHERE id > $1 ORDER BY id LIMIT $3"),
            remove: concat!("DELETE FROM ", $table, " WHERE id = ANY($1) AND ", $dead),
        },)*]
    };
}

// The literals are SPENT_CODE_KEPT_S and DEAD_TOKEN_KEPT_S.
static EXPIRY_RULES: &[ExpiryRule] = expiry_rules! {
    "access_tokens": "(expires_at <= $2 OR (expires_at - 86400 > $2 AND (\
        NOT EXISTS (SELECT 1 FROM clients WHERE key = client_key) \
        OR (user_key IS NOT NULL AND NOT EXISTS (SELECT 1 FROM users WHERE key = user_key)) \
        OR (grant_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM grants AS g WHERE g.id = grant_id AND NOT g.is_revoked)))))";
    "codes": "(expires_at + CASE WHEN is_spent THEN 3600 ELSE 0 END <= $2)";
    "grants": "(expires_at <= $2)";
    "sessions": "(least(idle_until, expires_at) <= $2)";
    "personal_tokens": "(expires_at <= $2)";
    "tickets": "(expires_at <= $2)";
    "attempts": "(resets_at <= $2)";
    "burned": "(until + 3600 <= $2)";
    "jobs": "(is_dead AND due_at + 2592000 <= $2)";
    "events": "(at <= $2)";
};

const _: () = assert!(SPENT_CODE_KEPT_S == 3_600 && USED_JTI_KEPT_S == 3_600 && DEAD_TOKEN_KEPT_S == 86_400);
const _: () = assert!(DEAD_JOB_KEPT_S == 2_592_000);

/// Returns the time with which the expiry of a table's rows is compared. For events it is earlier by their retention
/// time, which is a setting.
fn judged_at(table: usize, now: UnixTime, events_kept_s: u64) -> UnixTime {
    // The table of events is the last one.
    if table + 1 == EXPIRY_RULES.len() { UnixTime(now.0.saturating_sub_unsigned(events_kept_s)) } else { now }
}

/// The sweep of the store, which uses the connections for lists.
pub(super) struct Sweeper<'s> {
    pub(super) background: &'s BackgroundPool,
    /// Retention of events in seconds.
    pub(super) events_kept_s: u64,
}

impl Sweep for Sweeper<'_> {
    fn tables(&self) -> usize {
        EXPIRY_RULES.len()
    }

    async fn look(&mut self, table: usize, now: UnixTime, after: i64) -> Result<Seen, Fault> {
        let now = judged_at(table, now, self.events_kept_s);
        Ok(self.background.perform(&mut Look { rule: &EXPIRY_RULES[table], now, after }).await?)
    }

    async fn remove(&mut self, table: usize, now: UnixTime, ids: Vec<i64>) -> Result<usize, Fault> {
        let now = judged_at(table, now, self.events_kept_s);
        let removed = self.background.perform(&mut Remove { rule: &EXPIRY_RULES[table], now, ids }).await?;
        Ok(usize::try_from(removed).unwrap_or(usize::MAX))
    }
}

struct Look {
    rule: &'static ExpiryRule,
    now: UnixTime,
    after: i64,
}

impl LaneWork for Look {
    type Done = Seen;

    async fn run(&mut self, link: &Link) -> Result<Seen, PostgresError> {
        let values = typed![INT8 self.after, INT8 self.now.0, INT8 i64::from(STEP_ROWS)];
        let rows = link.rows(self.rule.look, values).await?;
        let (mut dead, mut last) = (Vec::new(), self.after);
        for row in &rows {
            last = row::get(row, 0)?;
            if row::get(row, 1)? {
                dead.push(last);
            }
        }
        Ok((dead, (u32::try_from(rows.len()) == Ok(STEP_ROWS)).then_some(last)))
    }
}

struct Remove {
    rule: &'static ExpiryRule,
    now: UnixTime,
    ids: Vec<i64>,
}

impl LaneWork for Remove {
    type Done = u64;

    async fn run(&mut self, link: &Link) -> Result<u64, PostgresError> {
        link.run(self.rule.remove, typed![INT8_ARRAY self.ids, INT8 self.now.0]).await
    }
}
