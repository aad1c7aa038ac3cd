//! The bounded thread pool for password hashing and other slow computations. It uses only a part of the cores and has a
//! bounded queue, so that a storm of sign-ins cannot starve the token endpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use crate::fault::Fault;

/// Maximum queue length per worker. At about 50 ms a password, the last one waits for about six seconds.
const WAITING_PER_WORKER_MAX: usize = 128;

/// The thread pool.
#[derive(Debug)]
pub struct SlowPool {
    workers: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
}

/// The queue is full.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl SlowPool {
    /// Makes a pool with `workers` threads.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        let workers = workers.max(1);
        Self {
            workers: Arc::new(Semaphore::new(workers)),
            waiting: AtomicUsize::new(0),
            waiting_max: workers * WAITING_PER_WORKER_MAX,
        }
    }

    /// Returns the number of queued and running computations.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Runs `work` on a thread as soon as a worker is free.
    ///
    /// # Errors
    /// `Ok(Err(Full))` if the queue is full. A fault if the work panics.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Result<T, Full>, Fault> {
        let Some(_place) = Queued::take(self) else { return Ok(Err(Full)) };
        let permit =
            Arc::clone(&self.workers).acquire_owned().await.map_err(|closed| Fault::Slow(closed.to_string()))?;
        // The permit moves into the thread, so that the worker counts as busy until the work is done, even if the
        // caller gave up.
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        done.await.map(Ok).map_err(|lost| Fault::Slow(lost.to_string()))
    }
}

/// A place in the queue. Dropping it frees the place.
struct Queued<'a>(&'a SlowPool);

impl<'a> Queued<'a> {
    fn take(pool: &'a SlowPool) -> Option<Self> {
        if pool.waiting.fetch_add(1, Ordering::Relaxed) >= pool.waiting_max {
            pool.waiting.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Self(pool))
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn more_than_may_wait_is_turned_away_and_what_waits_is_done() {
        let pool = Arc::new(SlowPool::new(1));
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let gate = Arc::new(std::sync::Mutex::new(gate));
        let mut waiting = Vec::new();
        for _ in 0..WAITING_PER_WORKER_MAX {
            let (pool, gate) = (Arc::clone(&pool), Arc::clone(&gate));
            waiting.push(tokio::spawn(async move { pool.run(move || gate.lock().unwrap().recv().is_ok()).await }));
        }
        while pool.waiting() < WAITING_PER_WORKER_MAX {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(pool.run(|| true).await.unwrap(), Err(Full));
        for _ in 0..WAITING_PER_WORKER_MAX {
            open.send(()).unwrap();
        }
        for one in waiting {
            assert_eq!(one.await.unwrap().unwrap(), Ok(true));
        }
        assert_eq!(pool.waiting(), 0);
    }

    #[tokio::test]
    async fn work_that_panics_frees_its_place() {
        let pool = SlowPool::new(1);
        assert!(matches!(pool.run(|| panic!("boom")).await, Err::<Result<(), _>, _>(Fault::Slow(_))));
        assert_eq!(pool.run(|| 7).await.unwrap(), Ok(7));
    }
}
