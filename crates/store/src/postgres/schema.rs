//! Migrates the schema under a lock, so that nodes which start together do not collide.
//!
//! During a rolling upgrade, nodes of the previous version work on the new schema, and may be restarted. A migration
//! may therefore only add tables, indexes, and columns that are nullable or have a default, and remove what the
//! previous version no longer used. A migration that breaks this rule raises `compatibility.oldest`, and older programs
//! then refuse to start. Documents may get new members without a migration: a program keeps members that it does not
//! know.

use refinery_core::traits::r#async::{AsyncMigrate, AsyncQuery, AsyncTransaction};
use refinery_core::{Migration, Runner};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::PostgresError;
use super::link::{Link, typed};

mod embedded {
    #![allow(missing_docs, unreachable_pub, reason = "the macro writes this module")]
    refinery::embed_migrations!("migrations/postgres");
}

/// "GRTY". Distinguishes Grantry's advisory lock from those of other programs in the same database.
const LOCK: i64 = 0x4752_5459;

/// Returns the newest schema version that this program knows.
pub(super) fn known() -> u32 {
    let runner = embedded::migrations::runner();
    let newest = runner.get_migrations().iter().map(Migration::version).max().unwrap_or_default();
    u32::try_from(newest).unwrap_or_default()
}

/// Returns the schema version of the database; 0 if there is none yet.
pub(super) async fn found(link: &Link) -> Result<u32, PostgresError> {
    let history = link.rows("SELECT to_regclass('refinery_schema_history') IS NOT NULL", &[]).await?;
    if !history.first().is_some_and(|row| row.get(0)) {
        return Ok(0);
    }
    let rows = link.rows("SELECT coalesce(max(version), 0)::bigint FROM refinery_schema_history", &[]).await?;
    Ok(rows.first().and_then(|row| u32::try_from(row.get::<_, i64>(0)).ok()).unwrap_or_default())
}

/// Returns the oldest schema version whose programs can work with the current schema.
pub(super) async fn oldest(link: &Link) -> Result<u32, PostgresError> {
    let rows = link.rows("SELECT max(oldest) FROM compatibility", &[]).await?;
    let oldest = rows.first().and_then(|row| row.get::<_, Option<i64>>(0)).unwrap_or_default();
    Ok(u32::try_from(oldest).unwrap_or(u32::MAX))
}

/// Returns true if the table `installation` exists.
pub(super) async fn has_installation(link: &Link) -> Result<bool, PostgresError> {
    let rows = link.rows("SELECT to_regclass('installation') IS NOT NULL", &[]).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// Returns true if the database encoding is UTF-8.
pub(super) async fn is_utf8(link: &Link) -> Result<bool, PostgresError> {
    let rows = link.rows("SELECT current_setting('server_encoding') = 'UTF8'", &[]).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// Returns true if tables of another program have the names of Grantry's tables.
pub(super) async fn is_foreign(link: &Link) -> Result<bool, PostgresError> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema() \
        AND tablename IN ('clients', 'users', 'sessions', 'grants', 'access_tokens'))";
    let rows = link.rows(SQL, &[]).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// Applies the missing migrations, all in one transaction.
///
/// # Errors
/// The error of PostgreSQL, or of the comparison with earlier migrations.
pub(super) async fn migrate(link: &Link) -> Result<(), String> {
    let said = |stop: PostgresError| crate::Fault::from(stop).to_string();
    link.begin("BEGIN").await.map_err(said)?;
    // Wait for another node without a time limit.
    link.simple("SET LOCAL lock_timeout = 0").await.map_err(said)?;
    // Waits for another node that is migrating, and then finds nothing left to do. The lock ends with the transaction,
    // even behind a pooler.
    link.rows("SELECT pg_advisory_xact_lock($1)", typed![INT8 LOCK]).await.map_err(said)?;
    let runner: Runner = embedded::migrations::runner();
    let applied = runner.run_async(&mut Locked(link)).await.map_err(|error| format!("{error}: {:?}", error.kind()));
    let end = if applied.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = link.simple(end).await.map_err(said);
    applied?;
    ended
}

/// A connection within a transaction, so that single migrations neither begin nor end one.
struct Locked<'a>(&'a Link);

/// The error of PostgreSQL during a migration.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

impl From<PostgresError> for Refused {
    fn from(stop: PostgresError) -> Self {
        Self(crate::Fault::from(stop).to_string())
    }
}

impl AsyncTransaction for Locked<'_> {
    type Error = Refused;

    async fn execute<'a, T: Iterator<Item = &'a str> + Send + 'a>(
        &'a mut self,
        queries: T,
    ) -> Result<usize, Self::Error> {
        let mut count = 0;
        for query in queries {
            self.0.simple(query).await?;
            count += 1;
        }
        Ok(count)
    }
}

impl AsyncQuery<Vec<Migration>> for Locked<'_> {
    async fn query<'a>(&'a mut self, query: &'a str) -> Result<Vec<Migration>, Self::Error> {
        let unreadable = || Refused("the history of the schema cannot be read".to_owned());
        let mut applied = Vec::new();
        for row in self.0.rows(query, &[]).await? {
            let on = OffsetDateTime::parse(row.get(2), &Rfc3339).map_err(|_| unreadable())?;
            let checksum: String = row.get(3);
            let checksum = checksum.parse().map_err(|_| unreadable())?;
            applied.push(Migration::applied(row.get(0), row.get(1), on, checksum));
        }
        Ok(applied)
    }
}

impl AsyncMigrate for Locked<'_> {}
