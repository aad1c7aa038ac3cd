//! Facts about the installation as a whole.

use protocol::secret::Digest;
use rusqlite::{Connection, OptionalExtension};

/// Returns the fingerprint of the master key, if one was noted.
pub(super) fn master_fingerprint(connection: &Connection) -> rusqlite::Result<Option<Digest>> {
    let sql = "SELECT value FROM installation WHERE name = 'master'";
    let found = connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, [u8; 32]>(0)).optional()?;
    Ok(found.map(Digest))
}

/// Notes the fingerprint of the master key, unless one is noted.
pub(super) fn note_master_fingerprint(connection: &Connection, own: Digest) -> rusqlite::Result<usize> {
    let sql = "INSERT INTO installation (name, value) VALUES ('master', ?1) ON CONFLICT (name) DO NOTHING";
    connection.prepare_cached(sql)?.execute([own.0.as_slice()])
}

/// Replaces the fingerprint `old`. Returns the number of rows that had it.
pub(super) fn replace_master_fingerprint(connection: &Connection, old: Digest, new: Digest) -> rusqlite::Result<usize> {
    let sql = "UPDATE installation SET value = ?2 WHERE name = 'master' AND value = ?1";
    connection.prepare_cached(sql)?.execute([old.0.as_slice(), new.0.as_slice()])
}
