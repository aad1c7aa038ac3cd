//! Migrates the schema under a lock, so that two processes which start together do not collide.

use refinery_core::traits::sync::{Migrate, Query, Transaction};
use refinery_core::{Migration, Runner};
use rusqlite::Connection;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

mod embedded {
    #![allow(missing_docs, unreachable_pub, reason = "the macro writes this module")]
    refinery::embed_migrations!("migrations/sqlite");
}

/// Returns the newest schema version that this program knows.
pub(super) fn known() -> u32 {
    let runner = embedded::migrations::runner();
    let newest = runner.get_migrations().iter().map(Migration::version).max().unwrap_or_default();
    u32::try_from(newest).unwrap_or_default()
}

/// Returns the schema version of the file; 0 if there is none yet.
pub(super) fn found(connection: &Connection) -> rusqlite::Result<u32> {
    const HISTORY: &str = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'refinery_schema_history'";
    if !connection.prepare(HISTORY)?.exists([])? {
        return Ok(0);
    }
    connection.query_row("SELECT coalesce(max(version), 0) FROM refinery_schema_history", [], |row| row.get(0))
}

/// Applies the missing migrations, all in one transaction.
///
/// # Errors
/// The error of SQLite, or of the comparison with earlier migrations.
pub(super) fn migrate(connection: &Connection) -> Result<(), String> {
    // IMMEDIATE waits for another process that is migrating, and then finds nothing left to do.
    connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| error.to_string())?;
    let runner: Runner = embedded::migrations::runner();
    let applied = runner.run(&mut Locked(connection)).map_err(|error| format!("{error}: {:?}", error.kind()));
    let end = if applied.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = connection.execute_batch(end).map_err(|error| error.to_string());
    applied?;
    ended
}

/// A connection within a transaction, so that single migrations neither begin nor end one.
struct Locked<'a>(&'a Connection);

impl Transaction for Locked<'_> {
    type Error = rusqlite::Error;

    fn execute<'a, T: Iterator<Item = &'a str>>(&mut self, mut queries: T) -> Result<usize, Self::Error> {
        queries.try_fold(0, |count, query| self.0.execute_batch(query).map(|()| count + 1))
    }
}

impl Query<Vec<Migration>> for Locked<'_> {
    fn query(&mut self, query: &str) -> Result<Vec<Migration>, Self::Error> {
        let mut statement = self.0.prepare(query)?;
        let rows = statement.query_map([], |row| {
            let applied_on = row.get::<_, String>(2)?;
            let checksum = row.get::<_, String>(3)?;
            let unreadable = |at| rusqlite::Error::InvalidColumnType(at, String::new(), rusqlite::types::Type::Text);
            Ok(Migration::applied(
                row.get(0)?,
                row.get(1)?,
                OffsetDateTime::parse(&applied_on, &Rfc3339).map_err(|_| unreadable(2))?,
                checksum.parse().map_err(|_| unreadable(3))?,
            ))
        })?;
        rows.collect()
    }
}

impl Migrate for Locked<'_> {}
