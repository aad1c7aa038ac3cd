//! The reasons why work stops, and how they become errors for the caller.

use rusqlite::ErrorCode;

use crate::{CommitError, Fault};

/// The reason why a piece of work stopped.
#[derive(Debug)]
pub(super) enum SqliteError {
    /// A document is not cached, and reading it now would mix two snapshots.
    Missed,
    /// A precondition does not hold.
    Lost,
    /// A row that was to be revoked by its id has this greater id.
    Behind(i64),
    /// A unique name is already taken.
    Taken(&'static str),
    /// A row cannot be parsed. Names the row, but nothing of its content.
    Unreadable(String),
    /// SQLite reported an error.
    Engine(rusqlite::Error),
}

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<SqliteError> for Fault {
    fn from(stop: SqliteError) -> Self {
        match stop {
            SqliteError::Engine(error) => fault(&error),
            SqliteError::Unreadable(cause) => Self::Broken { cause },
            SqliteError::Missed | SqliteError::Lost | SqliteError::Behind(_) | SqliteError::Taken(_) => {
                Self::Broken { cause: format!("unexpected: {stop:?}") }
            }
        }
    }
}

impl From<SqliteError> for CommitError {
    fn from(stop: SqliteError) -> Self {
        match stop {
            SqliteError::Lost => Self::Lost,
            SqliteError::Behind(id) => Self::Behind(id),
            SqliteError::Taken(name) => Self::Taken(name),
            stop => Self::Fault(stop.into()),
        }
    }
}

/// Returns true if the error concerns the whole file, so that the other turns of the batch cannot be written either.
pub(super) fn is_for_all(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::OperationInterrupted
                | ErrorCode::PermissionDenied
        )
    )
}

/// Classifies an error of SQLite as temporary or permanent. Its messages name tables and columns, never values.
pub(super) fn fault(error: &rusqlite::Error) -> Fault {
    let cause = error.to_string();
    match error.sqlite_error_code() {
        _ if is_for_all(error) => Fault::Unavailable { cause },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Fault::Damaged { cause },
        _ => Fault::Broken { cause },
    }
}

/// Returns true if a key or a unique name already exists.
pub(super) fn is_conflict(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_ROWID, SQLITE_CONSTRAINT_UNIQUE};
    matches!(
        error.sqlite_error(),
        Some(code) if matches!(
            code.extended_code,
            SQLITE_CONSTRAINT_PRIMARYKEY | SQLITE_CONSTRAINT_ROWID | SQLITE_CONSTRAINT_UNIQUE
        )
    )
}
