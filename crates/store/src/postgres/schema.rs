//! Bringing the schema up to date, under a lock, so that nodes that start together do not collide.
//!
//! During a rolling upgrade nodes of the previous version go on working beside the new schema, and may start anew. So a
//! migration adds tables, indexes, and columns that have a default or may be absent, and removes only what the previous
//! version no longer used. One that cannot keep to that raises `compatibility.oldest`, and older programs refuse to start.
//! The documents of clients and users may get new members without any of that: who does not know one keeps it as it is.

use refinery_core::traits::r#async::{AsyncMigrate, AsyncQuery, AsyncTransaction};
use refinery_core::{Migration, Runner};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::link::{Link, typed};
use super::stop::Stop;

mod embedded {
    #![allow(missing_docs, unreachable_pub, reason = "the macro writes this module")]
    refinery::embed_migrations!("migrations/postgres");
}

/// "GRTY": tells our lock from those of other programs in the same database.
const LOCK: i64 = 0x4752_5459;

/// The newest schema that this program knows.
pub(super) fn known() -> u32 {
    let runner = embedded::migrations::runner();
    let newest = runner.get_migrations().iter().map(Migration::version).max().unwrap_or_default();
    u32::try_from(newest).unwrap_or_default()
}

/// The schema of the database: 0 when there is none yet.
pub(super) async fn found(link: &Link) -> Result<u32, Stop> {
    let history = link.rows("SELECT to_regclass('refinery_schema_history') IS NOT NULL", &[]).await?;
    if !history.first().is_some_and(|row| row.get(0)) {
        return Ok(0);
    }
    let rows = link.rows("SELECT coalesce(max(version), 0)::bigint FROM refinery_schema_history", &[]).await?;
    Ok(rows.first().and_then(|row| u32::try_from(row.get::<_, i64>(0)).ok()).unwrap_or_default())
}

/// The oldest schema whose programs can work with the one that is there.
pub(super) async fn oldest(link: &Link) -> Result<u32, Stop> {
    let rows = link.rows("SELECT max(oldest) FROM compatibility", &[]).await?;
    let oldest = rows.first().and_then(|row| row.get::<_, Option<i64>>(0)).unwrap_or_default();
    Ok(u32::try_from(oldest).unwrap_or(u32::MAX))
}

/// Is the table there that holds facts about the installation as a whole?
pub(super) async fn has_installation(link: &Link) -> Result<bool, Stop> {
    let rows = link.rows("SELECT to_regclass('installation') IS NOT NULL", &[]).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// Can the database hold every text?
pub(super) async fn is_utf8(link: &Link) -> Result<bool, Stop> {
    let rows = link.rows("SELECT current_setting('server_encoding') = 'UTF8'", &[]).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// Are there tables of another program's where ours would be?
pub(super) async fn is_foreign(link: &Link) -> Result<bool, Stop> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema() \
        AND tablename IN ('clients', 'users', 'sessions', 'grants', 'access_tokens'))";
    let rows = link.rows(SQL, &[]).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// Applies what is missing. All of it lands together, or nothing does.
///
/// # Errors
/// What PostgreSQL, or the comparison with what was applied before, said.
pub(super) async fn migrate(link: &Link) -> Result<(), String> {
    let said = |stop: Stop| crate::Fault::from(stop).to_string();
    link.begin("BEGIN").await.map_err(said)?;
    // Another node may take as long as it takes.
    link.simple("SET LOCAL lock_timeout = 0").await.map_err(said)?;
    // Waits for another node that is doing the same, and then finds nothing left to do. The lock ends with the
    // transaction, also behind a pooler.
    link.rows("SELECT pg_advisory_xact_lock($1)", typed![INT8 LOCK]).await.map_err(said)?;
    let runner: Runner = embedded::migrations::runner();
    let applied = runner.run_async(&mut Locked(link)).await.map_err(|error| format!("{error}: {:?}", error.kind()));
    let end = if applied.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = link.simple(end).await.map_err(said);
    applied?;
    ended
}

/// A connection that is inside a transaction already, so that none is begun or ended for a single migration.
struct Locked<'a>(&'a Link);

/// What PostgreSQL said about a migration.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

impl From<Stop> for Refused {
    fn from(stop: Stop) -> Self {
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
