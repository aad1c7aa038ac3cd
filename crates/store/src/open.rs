//! Opens and inspects the store that a URL names.

use std::path::Path;
use std::sync::Arc;

use crate::fault::{Fault, OpenError};
use crate::memory::Memory;
use crate::mode::{Inspection, Mode};
use crate::postgres::{self, Postgres};
use crate::sqlite::{self, Sqlite};
use crate::store::Store;

/// Opens the store that `url` names: `sqlite:PATH`, `postgres://USER@HOST/DATABASE`, or `memory:` for a store that ends
/// with this process.
///
/// # Errors
/// See [`OpenError`], whose messages are for the operator.
pub async fn open(url: &str, mode: Mode) -> Result<Arc<dyn Store>, OpenError> {
    match parse(url)? {
        Backend::Memory => Ok(Arc::new(Memory::default())),
        Backend::Sqlite(path) => Ok(Arc::new(Sqlite::open(path, mode)?)),
        Backend::Postgres => Ok(Arc::new(Postgres::open(url, mode).await?)),
    }
}

/// Inspects the store that `url` names. Changes nothing.
///
/// # Errors
/// Those of [`open`], except that a missing store is no error.
pub async fn inspect(url: &str) -> Result<Inspection, OpenError> {
    match parse(url)? {
        Backend::Memory => Ok(Inspection::default()),
        Backend::Sqlite(path) => Ok(Inspection {
            schema: Sqlite::inspect(path)?,
            schema_known: Some(Sqlite::schema_known()),
            greatest_id: Sqlite::inspect_ids(path)?,
            master_fingerprint: Sqlite::inspect_master(path),
        }),
        Backend::Postgres => Postgres::inspect(url).await,
    }
}

/// Returns identifiers that a client and a user share. Older versions allowed that. RFC 9068 §5 says why they must
/// differ: a resource server could take the client for the user. Changes nothing.
///
/// # Errors
/// Those of [`open`], except that a missing store is no error.
pub async fn shared_ids(url: &str) -> Result<Vec<String>, OpenError> {
    match parse(url)? {
        Backend::Memory => Ok(Vec::new()),
        Backend::Sqlite(path) => Sqlite::shared_ids(path),
        Backend::Postgres => Postgres::shared_ids(url).await,
    }
}

/// Adds a sealed secret to a backup that has none yet.
///
/// # Errors
/// If the file cannot be written.
pub fn enclose(backup: &Path, sealed: &[u8]) -> Result<(), Fault> {
    sqlite::enclose(backup, sealed)
}

/// Returns the sealed secret in a backup, if there is one.
///
/// # Errors
/// If the file cannot be read.
pub fn enclosed(backup: &Path) -> Result<Option<Vec<u8>>, Fault> {
    sqlite::enclosed(backup)
}

/// Parses the URL of a PostgreSQL database without connecting. Returns a warning for the operator, if there is one.
///
/// # Errors
/// The fault of the URL, without the password.
pub fn check_address(url: &str) -> Result<Option<String>, String> {
    postgres::check_address(url)
}

enum Backend<'a> {
    Memory,
    Sqlite(&'a Path),
    Postgres,
}

fn parse(url: &str) -> Result<Backend<'_>, OpenError> {
    match url.split_once(':') {
        Some(("memory", "")) => Ok(Backend::Memory),
        Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => Ok(Backend::Postgres),
        // SQLite opens a separate `:memory:` database for each connection, which is useless here.
        Some(("sqlite", path)) if !path.is_empty() && !path.starts_with(":memory:") => {
            Ok(Backend::Sqlite(Path::new(path)))
        }
        _ => Err(OpenError::Url),
    }
}
