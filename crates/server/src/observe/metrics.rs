//! Prometheus metrics for `/metrics`. A request only adds to existing counters, without a lock and without a look-up by
//! name.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use dialect::Dialects;
use protocol::endpoint::Endpoint;
use protocol::person::attempts::By;
use protocol::refusal::{self, No};
use protocol::time::UnixTime;

use super::jobs::Jobs;

/// Upper bounds of the duration buckets, in microseconds.
pub(super) const BOUNDS_US: [u64; 14] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000];

/// The refusals that make a caller wait, and their labels.
pub(super) const LIMITED: [(No, &str); 2] = [(No::LockedOut, "attempts"), (No::TooManyRequests, "rate_limit")];

/// All metrics.
#[derive(Debug)]
pub struct Metrics {
    /// Requests by dialect and endpoint.
    pub(super) series: BTreeMap<String, Vec<(Endpoint, Series)>>,
    /// Requests for pages and for unknown paths.
    pub(crate) pages: Series,
    pub(super) turns_lost: AtomicU64,
    pub(super) turns_contended: AtomicU64,
    pub(super) store_faults: AtomicU64,
    /// True if the last write to the store succeeded.
    is_store_writable: AtomicBool,
    pub(super) panics: AtomicU64,
    pub(crate) connections_open: AtomicU64,
    pub(super) swept_rows: AtomicU64,
    /// Indexed as [`LIMITED`].
    pub(super) limited: [AtomicU64; LIMITED.len()],
    /// Connections refused because of the limit per client address.
    pub(crate) connections_refused: AtomicU64,
    /// Indexed as [`SignIn::ALL`].
    pub(super) sign_ins: [AtomicU64; SignIn::ALL.len()],
    /// Indexed as [`By::ALL`].
    pub(super) lockouts: [AtomicU64; By::ALL.len()],
    /// Jobs of the store.
    pub(crate) jobs: Jobs,
    /// The counters of each task, by its name.
    pub(super) tasks: Vec<(&'static str, TaskCounts)>,
}

/// The counters of a task.
#[derive(Debug, Default)]
pub(super) struct TaskCounts {
    pub(super) runs: AtomicU64,
    pub(super) failures: AtomicU64,
    /// The time at which the last successful run ended, in seconds since 1970; 0 before the first one.
    pub(super) last_run_at: AtomicI64,
}

/// The outcome of an attempt to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// The user is signed in.
    Ok,
    /// A password or a code was wrong.
    Failed,
    /// The password was right, and the second factor was not presented with it.
    SecondFactorMissing,
}

impl SignIn {
    /// Every outcome and its label.
    pub const ALL: [(Self, &str); 3] =
        [(Self::Ok, "ok"), (Self::Failed, "failed"), (Self::SecondFactorMissing, "second_factor_missing")];
}

/// The requests to one endpoint: their outcomes and durations.
#[derive(Debug)]
pub struct Series {
    pub(super) good: AtomicU64,
    /// Indexed by the refusal's position in its table.
    pub(super) refused: Vec<AtomicU64>,
    /// Requests by duration bucket. The last bucket has no upper bound.
    pub(super) classes: [AtomicU64; BOUNDS_US.len() + 1],
    pub(super) sum_us: AtomicU64,
}

impl Series {
    fn new() -> Self {
        Self {
            good: AtomicU64::new(0),
            refused: refusal::TABLE.iter().map(|_| AtomicU64::new(0)).collect(),
            classes: Default::default(),
            sum_us: AtomicU64::new(0),
        }
    }

    /// Counts one request.
    pub fn count(&self, no: Option<No>, took: Duration) {
        match no {
            None => self.good.fetch_add(1, Relaxed),
            Some(no) => self.refused[no as usize].fetch_add(1, Relaxed),
        };
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let class = BOUNDS_US.iter().position(|bound| took_us <= *bound).unwrap_or(BOUNDS_US.len());
        self.classes[class].fetch_add(1, Relaxed);
        self.sum_us.fetch_add(took_us, Relaxed);
    }
}

impl Metrics {
    /// Makes the metrics for these dialects and tasks.
    pub(crate) fn new(dialects: &Dialects, tasks: impl Iterator<Item = &'static str>) -> Self {
        let series = dialects.iter().map(|dialect| {
            let own = protocol::endpoint::TABLE.iter().map(|row| (row.endpoint, Series::new())).collect();
            (dialect.name.clone(), own)
        });
        Self {
            series: series.collect(),
            pages: Series::new(),
            turns_lost: AtomicU64::new(0),
            turns_contended: AtomicU64::new(0),
            store_faults: AtomicU64::new(0),
            is_store_writable: AtomicBool::new(true),
            panics: AtomicU64::new(0),
            connections_open: AtomicU64::new(0),
            swept_rows: AtomicU64::new(0),
            limited: Default::default(),
            connections_refused: AtomicU64::new(0),
            sign_ins: Default::default(),
            lockouts: Default::default(),
            jobs: Jobs::default(),
            tasks: tasks.map(|name| (name, TaskCounts::default())).collect(),
        }
    }

    fn task(&self, name: &str) -> Option<&TaskCounts> {
        self.tasks.iter().find(|(own, _)| *own == name).map(|(_, counts)| counts)
    }

    /// Counts a run of a task that ended at `now`.
    pub(crate) fn task_ran(&self, name: &str, now: UnixTime) {
        if let Some(counts) = self.task(name) {
            counts.runs.fetch_add(1, Relaxed);
            counts.last_run_at.store(now.0, Relaxed);
        }
    }

    /// Counts a run of a task that failed.
    pub(crate) fn task_failed(&self, name: &str) {
        if let Some(counts) = self.task(name) {
            counts.failures.fetch_add(1, Relaxed);
        }
    }

    /// Counts an attempt to sign in.
    pub fn signed_in(&self, outcome: SignIn) {
        self.sign_ins[outcome as usize].fetch_add(1, Relaxed);
    }

    /// Counts a lockout.
    pub fn locked_out(&self, by: By) {
        self.lockouts[by as usize].fetch_add(1, Relaxed);
    }

    /// Returns the counters of an endpoint of a dialect.
    #[must_use]
    pub fn of(&self, dialect: &str, endpoint: Endpoint) -> &Series {
        let own = self.series.get(dialect).and_then(|own| own.iter().find(|(known, _)| *known == endpoint));
        own.map_or(&self.pages, |(_, series)| series)
    }

    /// Counts a turn that lost a race against another.
    pub fn turn_lost(&self) {
        self.turns_lost.fetch_add(1, Relaxed);
    }

    /// Counts a turn that was given up after too many lost races.
    pub fn turn_contended(&self) {
        self.turns_contended.fetch_add(1, Relaxed);
    }

    /// Counts a failure of the store.
    pub fn store_failed(&self) {
        self.store_faults.fetch_add(1, Relaxed);
    }

    /// Records whether a write to the store succeeded.
    pub fn wrote(&self, is_written: bool) {
        // Reading first avoids invalidating the value in the caches of other cores.
        if self.is_store_writable.load(Relaxed) != is_written {
            self.is_store_writable.store(is_written, Relaxed);
        }
    }

    /// True if the last write to the store succeeded.
    #[must_use]
    pub fn is_store_writable(&self) -> bool {
        self.is_store_writable.load(Relaxed)
    }

    /// Counts a refused request.
    pub fn refused(&self, no: No) {
        if let Some(at) = LIMITED.iter().position(|(own, _)| *own == no) {
            self.limited[at].fetch_add(1, Relaxed);
        }
    }

    /// Counts a request that panicked.
    pub fn panicked(&self) {
        self.panics.fetch_add(1, Relaxed);
    }

    /// Counts rows that the sweep removed.
    pub fn swept(&self, rows: usize) {
        self.swept_rows.fetch_add(u64::try_from(rows).unwrap_or(u64::MAX), Relaxed);
    }
}
