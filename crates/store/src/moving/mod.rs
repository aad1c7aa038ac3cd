//! Everything of an installation moves from one store to another: to outgrow a machine, to be kept, to be restored.
//!
//! Both sides are walked in the order of their keys, a stretch at a time. Where a stretch differs, the one at the
//! destination is replaced by that of the source, in one transaction. So a move that broke off goes on where it was, and
//! one that is done again finds what changed meanwhile, also what is gone: a token that was revoked does not come back.
//! A name that went from one row to another meanwhile is taken from whoever still has it at the destination.

mod cell;
mod table;
#[cfg(test)]
mod tests;

use protocol::secret::Digest;

pub use cell::Cell;
pub(crate) use table::{Column, Kind};
pub use table::{TABLES, Table};

use crate::{Fault, Store};

/// Rows of a stretch: half a megabyte or less.
pub(crate) const STRETCH_ROWS: usize = 1_000;

/// A row, by the columns of its table.
pub type Cells = Vec<Cell>;

/// The keys of a stretch of rows: all behind `after`, up to and with `until`. Without them it begins at the beginning, and
/// goes to the end.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    /// The key before the first row.
    pub after: Option<&'a [Cell]>,
    /// The key of the last row.
    pub until: Option<&'a [Cell]>,
}

/// How far a move has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Of this table.
    pub table: &'static str,
    /// Rows that are known to be the same on both sides.
    pub rows: u64,
    /// Of these, rows that had to be written.
    pub written: u64,
}

/// What became of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Its name.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
    /// SHA-256 over all of them, in the order of their keys.
    pub digest: String,
}

/// Why a move ended early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// The source cannot be read.
    #[error("the source: {0}")]
    Source(Fault),
    /// The destination cannot be read or written.
    #[error("the destination: {0}")]
    Destination(Fault),
    /// After everything was copied, the two were not the same.
    #[error(
        "{table} differs after it was copied: {there} rows there, {here} here. Is a server running on the source? Stop it, \
         and run this again: it copies only what changed"
    )]
    Differs {
        /// Which table.
        table: &'static str,
        /// Rows at the source.
        there: u64,
        /// Rows at the destination.
        here: u64,
    },
}

/// Makes the destination the same as the source, and then compares them from end to end.
///
/// # Errors
/// See [`MoveError`]; what was copied stays, and is not copied again.
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

/// The rows of a table, and what they come to.
///
/// # Errors
/// When the store cannot be read.
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
        // The last stretch goes to the end, and takes along what is beyond the end of the source.
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
