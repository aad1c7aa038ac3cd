//! Sweeping: removes expired rows. A walk in the order of the ids looks at a few rows at a time, and removes those that
//! are dead. It needs no index, and blocks nobody for long.
//!
//! Ids grow with time, so expired rows are nearly always at the beginning of a table. A round leaves a table as soon as
//! many rows in sequence are live. Only one round in many walks to the end of every table. Otherwise ten million live
//! tokens would be read every minute. A walk to the end may take hours, and the short rounds continue meanwhile.

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::time::UnixTime;
use tokio::time::Instant;

use crate::{EVENT_KEPT_S, Fault};

/// Number of rows that one step looks at. A step takes a fraction of a millisecond.
pub(crate) const STEP_ROWS: u32 = 500;

/// Number of consecutive steps without a dead row after which a round leaves the table: ten thousand rows.
const CLEAN_STEPS: u32 = 20;
/// One round in this many is followed by a walk to the end of every table. The server begins about one round a minute.
/// The first round is followed by such a walk, too.
const ROUNDS_TO_THE_END: u32 = 60;

/// Maximum pause between steps of the walk to the end.
const PAUSE_MAX: Duration = Duration::from_millis(50);
/// Maximum duration of one call. The next call continues there. Only one of several nodes sweeps, and it must renew its
/// lease at least every 90 s.
const WALK_MAX: Duration = Duration::from_secs(45);
/// Maximum time between short rounds during a walk to the end.
const ROUND_EVERY: Duration = Duration::from_secs(30);

/// The ids of the dead rows of one step, and the id of the last row looked at if the table has more rows.
pub(crate) type Seen = (Vec<i64>, Option<i64>);

/// Access to the tables of one kind of store, for sweeping.
pub(crate) trait Sweep: Send {
    /// Returns the number of tables.
    fn tables(&self) -> usize;

    /// Looks at the rows of a table after the id `after`.
    fn look(&mut self, table: usize, now: UnixTime, after: i64) -> impl Future<Output = Result<Seen, Fault>> + Send;

    /// Removes those of the rows that are still dead. Returns their number.
    fn remove(
        &mut self,
        table: usize,
        now: UnixTime,
        ids: Vec<i64>,
    ) -> impl Future<Output = Result<usize, Fault>> + Send;
}

/// The position of a walk: a table, and an id in it.
#[derive(Clone, Copy, Debug)]
struct Position {
    table: usize,
    after: i64,
    /// Number of consecutive steps in this table without a dead row.
    clean_steps: u32,
}

const START: Position = Position { table: 0, after: i64::MIN, clean_steps: 0 };

impl Position {
    /// Returns the beginning of the next table.
    fn next(self) -> Self {
        Self { table: self.table + 1, ..START }
    }

    /// Takes a step, and removes at most `room` of the dead rows.
    async fn step(&mut self, sweep: &mut impl Sweep, now: UnixTime, room: usize) -> Result<Step, Fault> {
        let begun = Instant::now();
        let (mut dead, next) = sweep.look(self.table, now, self.after).await?;
        let took = begun.elapsed();
        let is_cut = dead.len() > room;
        dead.truncate(room);
        let after = if is_cut { dead.last().copied() } else { next };
        let is_find = !dead.is_empty();
        self.clean_steps = if is_find { 0 } else { self.clean_steps + 1 };
        let removed = if is_find { sweep.remove(self.table, now, dead).await? } else { 0 };
        Ok(Step { is_find, removed, after, took })
    }
}

/// The result of a step.
struct Step {
    is_find: bool,
    removed: usize,
    /// The id to continue after, if the table has more rows.
    after: Option<i64>,
    /// The time that looking took.
    took: Duration,
}

/// The progress of sweeping.
#[derive(Debug)]
struct Course {
    /// The position of the short rounds.
    near: Position,
    /// Number of rounds so far.
    rounds: u32,
    /// Time at which the last round ended.
    ended_at: Option<Instant>,
    /// The position of the walk to the end, if there is one.
    far: Option<Position>,
}

/// The schedule of sweeping.
#[derive(Debug)]
pub(crate) struct SweepSchedule {
    course: Mutex<Course>,
    /// See [`WALK_MAX`] and [`ROUND_EVERY`].
    longest: Duration,
    round_every: Duration,
    /// Retention of audit events, in seconds.
    pub(crate) events_kept_s: AtomicU64,
}

impl SweepSchedule {
    pub(crate) fn new() -> Self {
        let course = Course { near: START, rounds: 0, ended_at: None, far: None };
        let events_kept_s = AtomicU64::new(EVENT_KEPT_S);
        Self { course: Mutex::new(course), longest: WALK_MAX, round_every: ROUND_EVERY, events_kept_s }
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Continues where the last call ended, until `rows_max` rows are removed, no dead row is left, or [`WALK_MAX`] has
    /// passed. Returns the number of removed rows.
    pub(crate) async fn go_on(&self, mut sweep: impl Sweep, now: UnixTime, rows_max: usize) -> Result<usize, Fault> {
        let is_round_due = {
            let course = self.course();
            course.far.is_none() || course.ended_at.is_none_or(|ended| ended.elapsed() >= self.round_every)
        };
        let near = if is_round_due { self.go_round(&mut sweep, now, rows_max).await? } else { 0 };
        Ok(near + self.go_far(&mut sweep, now, rows_max.saturating_sub(near)).await?)
    }

    /// Sweeps the beginnings of all tables until none has dead rows there.
    async fn go_round(&self, sweep: &mut impl Sweep, now: UnixTime, rows_max: usize) -> Result<usize, Fault> {
        let mut place = self.course().near;
        // Number of consecutive tables without dead rows.
        let mut clean = 0;
        let mut is_find = place.after != i64::MIN;
        let mut removed = 0;
        while clean < sweep.tables() && removed < rows_max {
            let step = place.step(sweep, now, rows_max - removed).await?;
            is_find |= step.is_find;
            removed += step.removed;
            place = match step.after {
                Some(after) if place.clean_steps < CLEAN_STEPS => Position { after, ..place },
                _ => {
                    clean = if is_find { 0 } else { clean + 1 };
                    is_find = false;
                    place.next()
                }
            };
            if place.table == sweep.tables() {
                place = START;
            }
            self.course().near = place;
            tokio::task::yield_now().await;
        }
        if clean >= sweep.tables() {
            let mut course = self.course();
            course.ended_at = Some(Instant::now());
            if course.rounds.is_multiple_of(ROUNDS_TO_THE_END) {
                course.far.get_or_insert(START);
            }
            course.rounds = course.rounds.wrapping_add(1);
        }
        Ok(removed)
    }

    /// Continues the walk to the end of every table, if there is one.
    async fn go_far(&self, sweep: &mut impl Sweep, now: UnixTime, rows_max: usize) -> Result<usize, Fault> {
        let set_out = Instant::now();
        let mut removed = 0;
        let mut far = self.course().far;
        while let Some(mut place) = far
            && removed < rows_max
            && set_out.elapsed() < self.longest
        {
            let step = place.step(sweep, now, rows_max - removed).await?;
            removed += step.removed;
            place = match step.after {
                Some(after) => Position { after, ..place },
                None => place.next(),
            };
            far = (place.table < sweep.tables()).then_some(place);
            self.course().far = far;
            if place.clean_steps > CLEAN_STEPS {
                // The walk takes long and finds little, so it leaves four fifths of the time to others.
                tokio::time::sleep((step.took * 4).min(PAUSE_MAX)).await;
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

    /// A store in memory: the number of rows of each table, the dead rows as (index of the table, id), and the number
    /// of looks.
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
        let schedule = SweepSchedule::new();
        let go_on = async |rows: &mut Rows| schedule.go_on(rows, UnixTime(0), 1_000).await.unwrap();
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

    /// A table that never ends and in which a look takes at least a millisecond. Holds the `after` of each look.
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
        let schedule = SweepSchedule { longest: Duration::from_millis(100), ..SweepSchedule::new() };
        for _ in 0..3 {
            // Only the time limit ends a walk here.
            assert_eq!(schedule.go_on(&mut slow, UnixTime(0), 1_000).await.unwrap(), 0);
        }
        let rounds: Vec<_> = slow.0.chunk_by(|a, b| a < b).collect();
        assert_eq!(rounds.len(), 2, "one round, and one walk in three parts: {rounds:?}");
    }

    #[tokio::test]
    async fn the_beginnings_are_swept_while_a_walk_to_the_end_is_on_its_way() {
        let mut rows = Rows { tables: vec![100_000], dead: vec![], looks: 0 };
        let schedule =
            SweepSchedule { longest: Duration::from_millis(20), round_every: Duration::ZERO, ..SweepSchedule::new() };
        assert_eq!(schedule.go_on(&mut rows, UnixTime(0), 1_000).await.unwrap(), 0);
        let far = schedule.course().far.expect("it takes longer than that").after;
        rows.dead = vec![(0, 5), (0, 99_999)];
        assert_eq!(schedule.go_on(&mut rows, UnixTime(0), 1).await.unwrap(), 1);
        assert_eq!((rows.dead.as_slice(), schedule.course().far.unwrap().after), (&[(0, 99_999)][..], far));
        while schedule.course().far.is_some() {
            schedule.go_on(&mut rows, UnixTime(0), 1).await.unwrap();
        }
        assert!(rows.dead.is_empty(), "the other one was found too");
    }

    #[tokio::test]
    async fn a_walk_to_the_end_of_a_large_table_leaves_time_to_others() {
        let mut rows = Rows { tables: vec![100_000], dead: vec![], looks: 0 };
        let begun = Instant::now();
        SweepSchedule::new().go_on(&mut rows, UnixTime(0), 1_000).await.unwrap();
        // Looks at this table take no time; each pause takes at least one tick of the timer.
        assert!(begun.elapsed() > Duration::from_millis(100), "{:?} for {} looks", begun.elapsed(), rows.looks);
    }
}
