//! One gate for all transactions that write. PostgreSQL lets those who share a row in past somebody who waits for it alone, so
//! a busy client could hold off its own revocation for as long as it is busy. Advisory locks are given in the order in which
//! they are asked for: whoever did not get a row in time closes the gate, waits for those inside, and is then alone.

use tokio_postgres::types::Type;

use super::link::{Link, Sql, typed};
use super::stop::Stop;

/// Begins a transaction that writes. On the lanes of those who write, whatever is not inside one can write nothing.
pub(super) const BEGIN: &str = "BEGIN READ WRITE";

/// "GRTG".
const GATE: i64 = 0x4752_5447;

static SHARED: Sql = Sql { text: "SELECT pg_advisory_xact_lock_shared($1)", types: &[Type::INT8] };

/// Every statement of this file.
pub(super) static STATEMENTS: &[&Sql] = &[&SHARED];

/// Goes through the gate, until the end of the transaction.
pub(super) async fn enter(link: &Link) -> Result<(), Stop> {
    link.query(&SHARED, &[&GATE]).await.map(drop)
}

/// Closes the gate behind those who are inside, and waits until they are gone.
pub(super) async fn enter_alone(link: &Link) -> Result<(), Stop> {
    link.rows("SELECT pg_advisory_xact_lock($1)", typed![INT8 GATE]).await.map(drop)
}
