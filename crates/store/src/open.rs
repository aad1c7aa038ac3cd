//! Opens and inspects the store that an address names.

use std::path::Path;
use std::sync::Arc;

use crate::fault::{Fault, OpenError};
use crate::memory::Memory;
use crate::mode::{Inspection, Mode};
use crate::postgres::{self, Postgres};
use crate::sqlite::{self, Sqlite};
use crate::store::Store;

/// Opens the store that `url` names: `sqlite:PATH`, `postgres://USER@HOST/DATABASE`, or `memory:` for one that lives and
/// dies with this process.
///
/// # Errors
/// See [`OpenError`]; its texts are for the operator.
pub async fn open(url: &str, mode: Mode) -> Result<Arc<dyn Store>, OpenError> {
    match parse(url)? {
        Place::Memory => Ok(Arc::new(Memory::default())),
        Place::Sqlite(path) => Ok(Arc::new(Sqlite::open(path, mode)?)),
        Place::Postgres => Ok(Arc::new(Postgres::open(url, mode).await?)),
    }
}

/// Looks at the store that `url` names, and changes nothing.
///
/// # Errors
/// Those of [`open`], but that nothing is there yet is no error here.
pub async fn inspect(url: &str) -> Result<Inspection, OpenError> {
    match parse(url)? {
        Place::Memory => Ok(Inspection::default()),
        Place::Sqlite(path) => Ok(Inspection {
            schema: Sqlite::inspect(path)?,
            schema_known: Some(Sqlite::schema_known()),
            greatest_id: Sqlite::inspect_ids(path)?,
            master_fingerprint: Sqlite::inspect_master(path),
        }),
        Place::Postgres => Postgres::inspect(url).await,
    }
}

/// Identifiers that a client and a user share, from before they were kept apart. RFC 9068 §5 says why they must be: a
/// resource server could take the client for the user. Changes nothing.
///
/// # Errors
/// Those of [`open`], but that nothing is there yet is no error here.
pub async fn shared_ids(url: &str) -> Result<Vec<String>, OpenError> {
    match parse(url)? {
        Place::Memory => Ok(Vec::new()),
        Place::Sqlite(path) => Sqlite::shared_ids(path),
        Place::Postgres => Postgres::shared_ids(url).await,
    }
}

/// Puts a sealed secret into a backup, which has none yet.
///
/// # Errors
/// When the file cannot be written.
pub fn enclose(backup: &Path, sealed: &[u8]) -> Result<(), Fault> {
    sqlite::enclose(backup, sealed)
}

/// The sealed secret in a backup, if there is one.
///
/// # Errors
/// When the file cannot be read.
pub fn enclosed(backup: &Path) -> Result<Option<Vec<u8>>, Fault> {
    sqlite::enclosed(backup)
}

/// Reads the address of a PostgreSQL without going there, and returns what the operator should know about it, if anything.
///
/// # Errors
/// What is wrong with it, in words that hold no password.
pub fn check_address(url: &str) -> Result<Option<String>, String> {
    postgres::check_address(url)
}

enum Place<'a> {
    Memory,
    Sqlite(&'a Path),
    Postgres,
}

fn parse(url: &str) -> Result<Place<'_>, OpenError> {
    match url.split_once(':') {
        Some(("memory", "")) => Ok(Place::Memory),
        Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => Ok(Place::Postgres),
        // `:memory:` is SQLite's word for a database that each connection has for itself: of no use here.
        Some(("sqlite", path)) if !path.is_empty() && !path.starts_with(":memory:") => {
            Ok(Place::Sqlite(Path::new(path)))
        }
        _ => Err(OpenError::Url),
    }
}
