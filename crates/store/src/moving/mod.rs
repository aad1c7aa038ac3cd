//! Copies a whole installation from one store to another, for a migration, a backup or a restore.
//!
//! Both sides are read in the order of their keys, one stretch of rows at a time. If a stretch differs, that of the
//! destination is replaced in one transaction. An interrupted move therefore continues where it stopped. A repeated
//! move finds all changes, including removed rows, so a revoked token does not come back. If a unique name moved to
//! another row meanwhile, the old row at the destination loses it.

mod cell;
mod table;
#[cfg(test)]
mod tests;

use protocol::secret::Digest;

pub use cell::Cell;
pub(crate) use table::{Column, Kind};
pub use table::{TABLES, Table};

use crate::{Fault, Store};

/// Number of rows in a stretch: half a megabyte or less.
pub(crate) const STRETCH_ROWS: usize = 1_000;

/// The values of a row, in the order of the table's columns.
pub type Cells = Vec<Cell>;

/// A range of keys: all rows after `after`, up to and including `until`. Without `after` it starts at the first row,
/// without `until` it ends at the last.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    /// The key before the first row.
    pub after: Option<&'a [Cell]>,
    /// The key of the last row.
    pub until: Option<&'a [Cell]>,
}

/// The progress of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The table.
    pub table: &'static str,
    /// Number of rows that are known to be equal on both sides.
    pub rows: u64,
    /// The part of them that had to be written.
    pub written: u64,
}

/// The result for one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The name of the table.
    pub table: &'static str,
    /// Number of rows.
    pub rows: u64,
    /// SHA-256 over all rows, in the order of their keys.
    pub digest: String,
}

/// The reason why a move failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// The source cannot be read.
    #[error("the source: {0}")]
    Source(Fault),
    /// The destination cannot be read or written.
    #[error("the destination: {0}")]
    Destination(Fault),
    /// After everything was copied, the two stores still differ.
    #[error(
        "{table} differs after it was copied: {there} rows there, {here} here. Is a server running on the source? Stop it, \
         and run this again: it copies only what changed"
    )]
    Differs {
        /// The table.
        table: &'static str,
        /// Number of rows at the source.
        there: u64,
        /// Number of rows at the destination.
        here: u64,
    },
}

/// Copies the source to the destination, and then compares the two completely.
///
/// # Errors
/// See [`MoveError`]. Copied rows stay, and are not copied again.
pub async fn move_all(
    source: &dyn Store,
    destination: &dyn Store,
    mut tell: impl FnMut(Progress),
) -> Result<Vec<Moved>, MoveError> {
    for table in TABLES {
        copy(source, destination, table, &mut tell).await?;
    }
    destination.settle().await.map_err(MoveError::Destination)?;
    let mut moved = Vec::new();
    for table in TABLES {
        let there = fingerprint(source, table).await.map_err(MoveError::Source)?;
        let here = fingerprint(destination, table).await.map_err(MoveError::Destination)?;
        if there != here {
            return Err(MoveError::Differs { table: table.name, there: there.rows, here: here.rows });
        }
        moved.push(here);
    }
    Ok(moved)
}

/// Returns the number of rows of a table and their digest.
///
/// # Errors
/// The store cannot be read.
pub async fn fingerprint(store: &dyn Store, table: &'static Table) -> Result<Moved, Fault> {
    let (mut rows, mut digest, mut after) = (0_u64, Digest::of(b""), None::<Cells>);
    loop {
        let whole = Stretch { after: after.as_deref(), until: None };
        let stretch = store.read_stretch(table, whole, STRETCH_ROWS).await?;
        for row in &stretch {
            let mut bytes = digest.0.to_vec();
            row.iter().for_each(|cell| cell.write(&mut bytes));
            digest = Digest::of(&bytes);
        }
        rows += u64::try_from(stretch.len()).unwrap_or(u64::MAX);
        match stretch.last() {
            Some(last) if stretch.len() == STRETCH_ROWS => after = Some(table.key_of(last)),
            _ => break,
        }
    }
    let digest = digest.0.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Moved { table: table.name, rows, digest })
}

async fn copy(
    source: &dyn Store,
    destination: &dyn Store,
    table: &'static Table,
    tell: &mut impl FnMut(Progress),
) -> Result<(), MoveError> {
    let mut progress = Progress { table: table.name, rows: 0, written: 0 };
    let mut after: Option<Cells> = None;
    loop {
        let rest = Stretch { after: after.as_deref(), until: None };
        let there = source.read_stretch(table, rest, STRETCH_ROWS).await.map_err(MoveError::Source)?;
        let count = u64::try_from(there.len()).unwrap_or(u64::MAX);
        // The last stretch has no end, so that it also removes rows beyond the end of the source.
        let until = there.last().filter(|_| there.len() == STRETCH_ROWS).map(|last| table.key_of(last));
        let stretch = Stretch { after: after.as_deref(), until: until.as_deref() };
        let here = destination.read_stretch(table, stretch, STRETCH_ROWS + 1).await.map_err(MoveError::Destination)?;
        if there != here {
            progress.written += count;
            destination.replace_stretch(table, stretch, there).await.map_err(MoveError::Destination)?;
        }
        progress.rows += count;
        tell(progress);
        match until {
            Some(until) => after = Some(until),
            None => return Ok(()),
        }
    }
}
