//! Connections for lists and sweeps, beside the lanes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Mutex;

use super::error::PostgresError;
use super::lane::{Hold, LaneWork};
use super::link::{Connector, Purpose};

/// Connections for work that is not urgent. Callers take turns on them.
pub(super) struct BackgroundPool {
    holds: Vec<Mutex<Hold>>,
    next: AtomicUsize,
}

impl BackgroundPool {
    /// Prepares `count` connections for `purpose`, which are opened when they are first used.
    pub(super) fn new(connector: &Arc<Connector>, purpose: Purpose, count: usize) -> Self {
        let hold = |_| Mutex::new(Hold::new(Arc::clone(connector), purpose));
        Self { holds: (0..count).map(hold).collect(), next: AtomicUsize::new(0) }
    }

    /// Performs a piece of work on the next connection.
    pub(super) async fn perform<E: LaneWork>(&self, work: &mut E) -> Result<E::Done, PostgresError> {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.holds.len();
        self.holds[at].lock().await.perform(work).await
    }
}
