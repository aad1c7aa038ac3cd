//! Removing what is of no more use. A walk in the order of the ids, a few rows at a time, finds the dead ones and has them
//! removed, if they are still dead. No index is needed for it, and nobody waits for long.

use std::sync::{Mutex, PoisonError};

use protocol::time::UnixTime;

use crate::Fault;

/// Rows that are looked at in one step, and removed at once; takes a fraction of a millisecond.
pub(crate) const STEP_ROWS: u32 = 500;

/// The dead rows of one step, and the last one looked at, if the table goes on.
pub(crate) type Seen = (Vec<i64>, Option<i64>);

/// How the tables of one kind of store are swept.
pub(crate) trait Sweep: Send {
    /// How many tables there are.
    fn tables(&self) -> usize;

    /// Looks at the rows of a table behind the id `after`.
    fn look(&mut self, table: usize, now: UnixTime, after: i64) -> impl Future<Output = Result<Seen, Fault>> + Send;

    /// Removes those of the rows that are still dead, and says how many.
    fn remove(
        &mut self,
        table: usize,
        now: UnixTime,
        ids: Vec<i64>,
    ) -> impl Future<Output = Result<usize, Fault>> + Send;
}

/// Where the walk stands: which table, behind which id.
#[derive(Clone, Copy, Debug)]
struct Place {
    table: usize,
    after: i64,
}

const START: Place = Place { table: 0, after: i64::MIN };

/// Goes round and round through the tables.
#[derive(Debug)]
pub(crate) struct Walk {
    place: Mutex<Place>,
}

impl Walk {
    pub(crate) fn new() -> Self {
        Self { place: Mutex::new(START) }
    }

    fn place(&self) -> Place {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on from where the last call ended, until `rows_max` rows are removed or nothing dead is left.
    pub(crate) async fn go_on(&self, mut sweep: impl Sweep, now: UnixTime, rows_max: usize) -> Result<usize, Fault> {
        let mut place = self.place();
        // Tables that were walked from end to end, one after the other, without a find.
        let mut clean = 0;
        let mut is_find = place.after != i64::MIN;
        let mut removed = 0;
        while clean < sweep.tables() && removed < rows_max {
            let (mut dead, next) = sweep.look(place.table, now, place.after).await?;
            let is_cut = dead.len() > rows_max - removed;
            dead.truncate(rows_max - removed);
            let go_on_after = if is_cut { dead.last().copied() } else { next };
            if !dead.is_empty() {
                is_find = true;
                removed += sweep.remove(place.table, now, dead).await?;
            }
            place = match go_on_after {
                Some(after) => Place { after, ..place },
                None => {
                    clean = if is_find { 0 } else { clean + 1 };
                    is_find = false;
                    Place { table: (place.table + 1) % sweep.tables(), after: i64::MIN }
                }
            };
            *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
            tokio::task::yield_now().await;
        }
        Ok(removed)
    }
}
