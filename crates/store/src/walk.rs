//! Removing what is of no more use. A walk in the order of the ids, a few rows at a time, finds the dead ones and has them
//! removed, if they are still dead. No index is needed for it, and nobody waits for long.
//!
//! Ids grow with time, so what expired is nearly always at the beginning of a table. A round leaves a table as soon as many
//! rows in a row are alive, and only one round in many goes to the end: or else ten million live tokens would be looked at
//! every minute.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use protocol::time::UnixTime;
use tokio::time::Instant;

use crate::Fault;

/// Rows that are looked at in one step, and removed at once; takes a fraction of a millisecond.
pub(crate) const STEP_ROWS: u32 = 500;

/// After so many steps without a dead row, the rest of a table is left to another round: ten thousand rows.
const CLEAN_STEPS: u32 = 20;
/// One round in so many goes to the end of every table; the server begins about one a minute. The first one does, too.
const ROUNDS_TO_THE_END: u32 = 60;

/// The longest pause after a step far into a table.
const PAUSE_MAX: Duration = Duration::from_millis(50);
/// A walk that finds nothing ends after so long, and the next one goes on there: of several nodes only one walks, and that
/// one must say that it is still there more often than every 90 s (`LEASE_S` in the server's `sweep.rs`).
const WALK_MAX: Duration = Duration::from_secs(45);

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
    /// Steps of this table without a dead row, one after the other.
    clean_steps: u32,
    /// Rounds through all tables so far.
    rounds: u32,
}

const START: Place = Place { table: 0, after: i64::MIN, clean_steps: 0, rounds: 0 };

impl Place {
    /// The beginning of the next table.
    fn next(self, tables: usize) -> Self {
        let table = (self.table + 1) % tables;
        let rounds = if table == 0 { self.rounds.wrapping_add(1) } else { self.rounds };
        Self { table, after: i64::MIN, clean_steps: 0, rounds }
    }

    /// Is the rest of the table left to another round?
    fn is_enough(self) -> bool {
        self.clean_steps >= CLEAN_STEPS && !self.rounds.is_multiple_of(ROUNDS_TO_THE_END)
    }
}

/// Goes round and round through the tables.
#[derive(Debug)]
pub(crate) struct Walk {
    place: Mutex<Place>,
    /// See [`WALK_MAX`].
    longest: Duration,
}

impl Walk {
    pub(crate) fn new() -> Self {
        Self { place: Mutex::new(START), longest: WALK_MAX }
    }

    fn place(&self) -> Place {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on from where the last call ended, until `rows_max` rows are removed, nothing dead is left, or [`WALK_MAX`] is
    /// over. Gives how many rows were removed.
    pub(crate) async fn go_on(&self, mut sweep: impl Sweep, now: UnixTime, rows_max: usize) -> Result<usize, Fault> {
        let mut place = self.place();
        // Tables that were walked from end to end, one after the other, without a find.
        let mut clean = 0;
        let mut is_find = place.after != i64::MIN;
        let mut removed = 0;
        let set_out = Instant::now();
        while clean < sweep.tables() && removed < rows_max && set_out.elapsed() < self.longest {
            let begun = Instant::now();
            let (mut dead, next) = sweep.look(place.table, now, place.after).await?;
            let took = begun.elapsed();
            let is_cut = dead.len() > rows_max - removed;
            dead.truncate(rows_max - removed);
            let go_on_after = if is_cut { dead.last().copied() } else { next };
            place.clean_steps += 1;
            if !dead.is_empty() {
                is_find = true;
                place.clean_steps = 0;
                removed += sweep.remove(place.table, now, dead).await?;
            }
            place = match go_on_after {
                Some(after) if !place.is_enough() => Place { after, ..place },
                _ => {
                    clean = if is_find { 0 } else { clean + 1 };
                    is_find = false;
                    place.next(sweep.tables())
                }
            };
            *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
            if place.clean_steps > CLEAN_STEPS {
                // A walk to the end of a large table takes long and finds little: four fifths of the time are left to others.
                tokio::time::sleep((took * 4).min(PAUSE_MAX)).await;
            } else {
                tokio::task::yield_now().await;
            }
        }
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tables of so many rows, of which some are dead.
    struct Rows {
        tables: Vec<i64>,
        dead: Vec<(usize, i64)>,
        looks: usize,
    }

    impl Sweep for &mut Rows {
        fn tables(&self) -> usize {
            self.tables.len()
        }

        async fn look(&mut self, table: usize, _now: UnixTime, after: i64) -> Result<Seen, Fault> {
            self.looks += 1;
            let step = i64::from(STEP_ROWS);
            let (first, last) = (after.max(0), (after.max(0) + step).min(self.tables[table]));
            let is_here = |(own, id): &(usize, i64)| *own == table && (first + 1..=last).contains(id);
            let dead = self.dead.iter().copied().filter(is_here).map(|(_, id)| id).collect();
            Ok((dead, (last - first == step).then_some(last)))
        }

        async fn remove(&mut self, table: usize, _now: UnixTime, ids: Vec<i64>) -> Result<usize, Fault> {
            let before = self.dead.len();
            self.dead.retain(|(own, id)| *own != table || !ids.contains(id));
            Ok(before - self.dead.len())
        }
    }

    #[tokio::test]
    async fn most_rounds_leave_a_table_whose_beginning_is_alive_and_some_go_to_its_end() {
        let mut rows = Rows { tables: vec![1_000_000, 700], dead: vec![(0, 3), (1, 699)], looks: 0 };
        let walk = Walk::new();
        let go_on = async |rows: &mut Rows| walk.go_on(rows, UnixTime(0), 1_000).await.unwrap();
        assert_eq!(go_on(&mut rows).await, 2);
        rows.dead = vec![(0, 900_000), (0, 700), (1, 5)];
        rows.looks = 0;
        assert_eq!(go_on(&mut rows).await, 2, "what is at the end is left for later");
        assert!(rows.looks < 200, "{} looks", rows.looks);
        let mut rounds = 0;
        while go_on(&mut rows).await == 0 {
            rounds += 1;
            assert!(rounds < ROUNDS_TO_THE_END, "it is never found");
        }
        assert!(rows.dead.is_empty());
    }

    /// A table without an end whose every look takes a millisecond or two, and the ids behind which it was looked at.
    struct Slow(Vec<i64>);

    impl Sweep for &mut Slow {
        fn tables(&self) -> usize {
            1
        }

        async fn look(&mut self, _table: usize, _now: UnixTime, after: i64) -> Result<Seen, Fault> {
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.0.push(after);
            Ok((vec![], Some(after.max(0) + i64::from(STEP_ROWS))))
        }

        async fn remove(&mut self, _table: usize, _now: UnixTime, _ids: Vec<i64>) -> Result<usize, Fault> {
            Ok(0)
        }
    }

    #[tokio::test]
    async fn a_walk_ends_before_another_node_takes_over_and_the_next_one_goes_on_there() {
        let mut slow = Slow(vec![]);
        let walk = Walk { longest: Duration::from_millis(100), ..Walk::new() };
        for _ in 0..3 {
            // It would never end by itself.
            assert_eq!(walk.go_on(&mut slow, UnixTime(0), 1_000).await.unwrap(), 0);
        }
        assert!(slow.0.len() >= 3, "{} looks", slow.0.len());
        assert!(slow.0.is_sorted_by(|a, b| a < b), "{:?}", slow.0);
    }

    #[tokio::test]
    async fn a_walk_to_the_end_of_a_large_table_leaves_time_to_others() {
        let mut rows = Rows { tables: vec![100_000], dead: vec![], looks: 0 };
        let begun = Instant::now();
        Walk::new().go_on(&mut rows, UnixTime(0), 1_000).await.unwrap();
        // A look of this table takes no time at all; each pause takes a tick of the clock.
        assert!(begun.elapsed() > Duration::from_millis(100), "{:?} for {} looks", begun.elapsed(), rows.looks);
    }
}
