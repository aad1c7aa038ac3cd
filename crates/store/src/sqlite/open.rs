//! Opens a database file, with clear messages for the operator if it cannot be opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::secret::Digest;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{files, installation, schema};
use crate::{Mode, OpenError};

/// Maximum time to wait for a lock of another process. Commands of the operator hold locks for milliseconds.
pub(super) const BUSY_MAX: Duration = Duration::from_secs(5);
/// Capacity for prepared statements per connection. There are fewer statements than this.
const STATEMENTS_KEPT: usize = 128;

/// "GRTY", which the first migration writes into the header of the file.
const APPLICATION_ID: i64 = 0x4752_5459;
/// Page cache of the writer, in KiB.
const CACHE_KIB: u32 = 8_192;
/// Size in bytes to which the write-ahead log is truncated after a checkpoint.
const WAL_BYTES_KEPT: u32 = 64 << 20;
/// Number of attempts to switch to a write-ahead log, and the pause between them. SQLite does not wait for locks here.
const SWITCH_ATTEMPTS: u32 = 100;
const SWITCH_PAUSE: Duration = Duration::from_millis(50);

/// Opens the file for writing, and migrates its schema.
pub(super) fn open(path: &Path, mode: Mode) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if mode == Mode::Create {
        files::make(path).map_err(|error| unmade(path, &error))?;
    }
    let refuse = |error: rusqlite::Error| refusal(path, &error);
    let connection = Connection::open_with_flags(path, flags).map_err(refuse)?;
    connection.busy_timeout(BUSY_MAX).map_err(refuse)?;
    let found = examine(path, &connection)?;
    look_through_if_distrusted(path, &connection)?;
    if connection.is_readonly("main").map_err(refuse)? {
        return Err(read_only(path));
    }
    write_ahead(&connection).map_err(refuse)?;
    if found < schema::known() {
        schema::migrate(&connection).map_err(|cause| OpenError::Schema { path: text(path), cause })?;
    }
    keep_statements(&connection).map_err(refuse)?;
    // FULL: with less, a power cut could make a spent code or a revoked token valid again.
    let settings = format!(
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = {WAL_BYTES_KEPT}; \
         PRAGMA cache_size = -{CACHE_KIB}; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;"
    );
    connection.execute_batch(&settings).map_err(refuse)?;
    Ok(connection)
}

/// Returns the fingerprint of the master key in a file, if it can be read.
pub(super) fn inspect_master(path: &Path) -> Option<Digest> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).ok()?;
    connection.busy_timeout(BUSY_MAX).ok()?;
    installation::master_fingerprint(&connection).ok()?
}

/// Returns the schema version of a file, and checks that the whole file can be read. Changes nothing. Returns `None` if
/// there is no file.
pub(super) fn inspect(path: &Path) -> Result<Option<u32>, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let refused = |error: &std::io::Error| {
        matches!(error.kind(), std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem)
    };
    if let Some(error) = files::unwritable(path).filter(refused) {
        // Reading may work, but nothing could be written, so no server starts on this file.
        return Err(unwritten(path, &error));
    }
    let looked = Connection::open_with_flags(path, flags).map_err(|error| refusal(path, &error));
    let looked = looked.and_then(|connection| {
        connection.busy_timeout(BUSY_MAX).map_err(|error| refusal(path, &error))?;
        let found = examine(path, &connection)?;
        look_through(path, &connection)?;
        Ok(found)
    });
    match looked {
        Ok(found) => Ok(Some(found)),
        Err(OpenError::Missing { .. }) => match files::unwritable_folder(path) {
            Some(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unmade(path, &error)),
            _ => Ok(None),
        },
        Err(error) => Err(error),
    }
}

/// Returns the greatest id in a file; 0 if there is no file or no table. Changes nothing.
pub(super) fn inspect_ids(path: &Path) -> Result<i64, OpenError> {
    let refuse = |error: rusqlite::Error| refusal(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match Connection::open_with_flags(path, flags).map_err(refuse) {
        Err(OpenError::Missing { .. }) => return Ok(0),
        opened => opened?,
    };
    connection.busy_timeout(BUSY_MAX).map_err(refuse)?;
    if examine(path, &connection)? == 0 {
        return Ok(0);
    }
    let found = connection.query_row(&crate::greatest_id_sql(), [], |row| row.get::<_, Option<i64>>(0));
    Ok(found.map_err(refuse)?.unwrap_or_default())
}

/// Returns identifiers that a client and a user share. The file may be missing or empty.
pub(super) fn shared_ids(path: &Path) -> Result<Vec<String>, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let looked = Connection::open_with_flags(path, flags).map_err(|error| refusal(path, &error));
    let connection = match looked {
        Ok(connection) => connection,
        Err(OpenError::Missing { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let read = || {
        connection.busy_timeout(BUSY_MAX)?;
        if schema::found(&connection)? == 0 {
            return Ok(Vec::new());
        }
        connection.prepare(crate::SHARED_IDS)?.query_map([], |row| row.get(0))?.collect()
    };
    read().map_err(|error| refusal(path, &error))
}

/// Checks that this is a Grantry database and not too new. Returns its schema version.
fn examine(path: &Path, connection: &Connection) -> Result<u32, OpenError> {
    let read = || {
        // Read all three in one snapshot, because another process may be creating the tables.
        let moment = connection.unchecked_transaction()?;
        let id: i64 = moment.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        let tables: i64 = moment.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let found = schema::found(&moment)?;
        moment.finish()?;
        Ok((id, tables, found))
    };
    let (id, tables, found) = read().map_err(|error| refusal(path, &error))?;
    if tables > 0 && id != APPLICATION_ID {
        return Err(OpenError::Foreign { path: text(path), cause: "another program's tables are in it".to_owned() });
    }
    let known = schema::known();
    if found > known {
        return Err(OpenError::Newer { path: text(path), found, known });
    }
    Ok(found)
}

/// Reads the whole file and reports damage. Takes a second for some hundred megabytes, so a normal start skips it.
fn look_through(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let read = || connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match read().map_err(|error| refusal(path, &error))?.as_str() {
        "ok" => Ok(()),
        damage => {
            let cause = damage.lines().last().unwrap_or_default().to_owned();
            Err(OpenError::Damaged { path: text(path), cause })
        }
    }
}

/// Returns the path of the marker beside a file in which damage was found.
fn mark(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".damaged");
    PathBuf::from(name)
}

/// Makes the next process that opens the file check all of it first.
#[allow(clippy::disallowed_methods, reason = "SQLite has no place for this, least of all in a damaged file")]
pub(super) fn distrust(path: &Path) -> std::io::Result<()> {
    files::write(
        &mark(path),
        "Damage was found in the database beside this file. As long as this file is here, whoever opens the database reads \
         all of it first. It goes away by itself when all of it can be read.\n",
    )
}

#[allow(clippy::disallowed_methods, reason = "see `distrust`")]
fn look_through_if_distrusted(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let mark = mark(path);
    if !mark.exists() {
        return Ok(());
    }
    look_through(path, connection)?;
    // If the marker cannot be removed, the file is checked again next time.
    let _ = std::fs::remove_file(mark);
    Ok(())
}

/// Sets up a connection to keep its statements prepared.
pub(super) fn keep_statements(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // Without this setting SQLite replans a statement for every bound value, which takes ten times as long as the
    // look-up itself.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)) {
            Err(error) if is_busy(&error) && attempt < SWITCH_ATTEMPTS => std::thread::sleep(SWITCH_PAUSE),
            done => return done.map(drop),
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Turns an error of SQLite into a message for the operator.
fn refusal(path: &Path, error: &rusqlite::Error) -> OpenError {
    let path_text = text(path);
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            OpenError::Foreign { path: path_text, cause: "it is not a SQLite file".to_owned() }
        }
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path: path_text, cause: error.to_string() },
        Some(ErrorCode::ReadOnly) => read_only(path),
        Some(ErrorCode::DiskFull) => OpenError::Unreadable { path: path_text, cause: "the disk is full".to_owned() },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked { path: path_text },
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::SystemIoFailure) => unopened(path, error),
        _ => OpenError::Schema { path: path_text, cause: error.to_string() },
    }
}

/// Makes the error for a file that cannot be created.
fn unmade(path: &Path, error: &std::io::Error) -> OpenError {
    OpenError::Unreadable { path: text(path), cause: files::plain(error) }
}

/// Makes the error for an existing file that cannot be written, with the system's reason.
fn unwritten(path: &Path, error: &std::io::Error) -> OpenError {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => OpenError::ReadOnly { path: text(path), owner: owner(path) },
        _ => unmade(path, error),
    }
}

/// Makes the error for a file that SQLite can only read.
fn read_only(path: &Path) -> OpenError {
    files::unwritable(path)
        .or_else(|| files::unwritable_folder(path))
        .map_or_else(|| OpenError::ReadOnly { path: text(path), owner: owner(path) }, |error| unwritten(path, &error))
}

/// Explains why a file cannot be opened, as far as the file system tells.
#[allow(clippy::disallowed_methods, reason = "SQLite opened the file itself; this only words its refusal")]
fn unopened(path: &Path, error: &rusqlite::Error) -> OpenError {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let cause = match (path.metadata(), folder.map(Path::metadata)) {
        (_, Some(Err(refused))) if refused.kind() == std::io::ErrorKind::NotFound => files::plain(&refused),
        (_, Some(Err(refused))) => format!("its folder: {}", files::plain(&refused)),
        (Ok(there), _) if there.is_dir() => "it is a folder".to_owned(),
        (Ok(_), _) => match (files::unwritable(path), files::unwritable_folder(path)) {
            (Some(refused), _) if refused.kind() == std::io::ErrorKind::PermissionDenied => {
                format!("{}{}", files::plain(&refused), owner(path))
            }
            (Some(refused), _) => files::plain(&refused),
            (None, Some(refused)) => format!("its folder: {}", files::plain(&refused)),
            (None, None) => format!("{error}{}", owner(path)),
        },
        (Err(missing), _) if missing.kind() == std::io::ErrorKind::NotFound => {
            // SQLite would have created the file, unless the folder does not allow it.
            return match files::unwritable_folder(path) {
                Some(refused) => {
                    let cause = format!("it is not there, and its folder takes no files: {}", files::plain(&refused));
                    OpenError::Unreadable { path: text(path), cause }
                }
                None => OpenError::Missing { path: text(path) },
            };
        }
        (Err(hidden), _) => files::plain(&hidden),
    };
    OpenError::Unreadable { path: text(path), cause }
}

/// Describes the owner of a file.
#[allow(clippy::disallowed_methods, reason = "SQLite opened the file itself; this only words its refusal")]
fn owner(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    path.metadata().map_or_else(|_| String::new(), |there| format!(" (it belongs to user {})", there.uid()))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
