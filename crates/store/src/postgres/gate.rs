//! A gate for all transactions that write. PostgreSQL grants shared row locks even while a transaction waits for the
//! exclusive lock, so a busy client could delay its own revocation for as long as it is busy. Advisory locks are
//! granted in the order of the requests. A transaction that did not get a row in time closes the gate, waits for the
//! transactions inside, and is then alone.

use tokio_postgres::types::Type;

use super::error::PostgresError;
use super::link::{Link, Sql, typed};

/// Begins a transaction that writes. The sessions of writing lanes are read-only outside of such a transaction.
pub(super) const BEGIN: &str = "BEGIN READ WRITE";

/// "GRTG".
const GATE: i64 = 0x4752_5447;

static SHARED: Sql = Sql { text: "SELECT pg_advisory_xact_lock_shared($1)", types: &[Type::INT8] };

/// Every statement of this file.
pub(super) static STATEMENTS: &[&Sql] = &[&SHARED];

/// Enters the gate until the end of the transaction.
pub(super) async fn enter(link: &Link) -> Result<(), PostgresError> {
    link.query(&SHARED, &[&GATE]).await.map(drop)
}

/// Closes the gate, and waits until all transactions inside have ended.
pub(super) async fn enter_alone(link: &Link) -> Result<(), PostgresError> {
    link.rows("SELECT pg_advisory_xact_lock($1)", typed![INT8 GATE]).await.map(drop)
}

/// Ends a transaction.
pub(super) async fn commit(link: &Link) -> Result<(), PostgresError> {
    // Anything but the server's word that it did not end well leaves open how it ended.
    link.simple("COMMIT").await.map_err(|stop| if stop.is_gone() { PostgresError::Unanswered } else { stop })
}
