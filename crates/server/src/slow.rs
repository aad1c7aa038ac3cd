//! The bounded pool for slow pure work, such as the hashing of passwords: a storm of sign-ins must not starve the token
//! endpoint, so only a part of the cores works on it, and only so much may wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use crate::fault::Fault;

/// How much may wait for each core that works: at some 50 ms a password, the last one waits for about six seconds.
const WAITING_PER_WORKER_MAX: usize = 128;

/// The pool.
#[derive(Debug)]
pub struct SlowPool {
    workers: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
}

/// Too much is waiting already.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl SlowPool {
    /// A pool that keeps `workers` cores busy at most.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        let workers = workers.max(1);
        Self {
            workers: Arc::new(Semaphore::new(workers)),
            waiting: AtomicUsize::new(0),
            waiting_max: workers * WAITING_PER_WORKER_MAX,
        }
    }

    /// How many wait or are being worked on.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Does `work` on a thread of its own as soon as a core is free for it.
    ///
    /// # Errors
    /// `Ok(Err(Full))` when too much is waiting; a fault when the work panics.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Result<T, Full>, Fault> {
        let Some(_place) = Place::take(self) else { return Ok(Err(Full)) };
        let permit =
            Arc::clone(&self.workers).acquire_owned().await.map_err(|closed| Fault::Slow(closed.to_string()))?;
        // The permit goes along, so that the core counts as busy until the work is done, also when nobody waits for it.
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        done.await.map(Ok).map_err(|lost| Fault::Slow(lost.to_string()))
    }
}

/// A place in the queue, given back when dropped.
struct Place<'a>(&'a SlowPool);

impl<'a> Place<'a> {
    fn take(pool: &'a SlowPool) -> Option<Self> {
        if pool.waiting.fetch_add(1, Ordering::Relaxed) >= pool.waiting_max {
            pool.waiting.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Self(pool))
    }
}

impl Drop for Place<'_> {
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
