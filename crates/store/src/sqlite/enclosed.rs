//! An encrypted secret that is part of a backup. It has a table of its own, which no server reads.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::error::fault;
use crate::Fault;

/// See [`crate::enclose`].
pub(crate) fn enclose(backup: &Path, sealed: &[u8]) -> Result<(), Fault> {
    const TABLE: &str = "CREATE TABLE enclosed (sealed BLOB NOT NULL) STRICT";
    let put = || {
        let connection = Connection::open_with_flags(backup, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.execute_batch(TABLE)?;
        connection.execute("INSERT INTO enclosed (sealed) VALUES (?1)", [sealed]).map(drop)
    };
    put().map_err(|error| fault(&error))
}

/// See [`crate::enclosed`].
pub(crate) fn enclosed(backup: &Path) -> Result<Option<Vec<u8>>, Fault> {
    let look = || {
        let connection = Connection::open_with_flags(backup, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let table = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'enclosed'";
        if !connection.prepare(table)?.exists([])? {
            return Ok(None);
        }
        connection.query_row("SELECT sealed FROM enclosed", [], |row| row.get(0)).optional()
    };
    look().map_err(|error: rusqlite::Error| fault(&error))
}
