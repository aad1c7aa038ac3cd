//! The queue in which work waits for lanes.
//!
//! A few large batches cost less than many small ones. Work that arrives while a lane is busy therefore waits for that
//! lane. Another lane takes it if much work waits, or if the busy lane is held up. No work waits for a batch to fill.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, oneshot};

/// Time after which a busy lane counts as held up: by a lock, a slow disk, or a server that does not answer.
const HELD_UP_AFTER: Duration = Duration::from_millis(20);

/// A piece of work in the queue, and the channel for its answer.
pub(super) struct Job<W, A> {
    pub(super) work: W,
    pub(super) reply: oneshot::Sender<A>,
}

struct State<W, A> {
    jobs: VecDeque<Job<W, A>>,
    /// Number of busy lanes that are not held up.
    working: usize,
    /// True if no more work can arrive.
    is_over: bool,
}

struct Post<W, A> {
    state: Mutex<State<W, A>>,
    /// Number of waiting jobs at which an idle lane helps a busy one.
    help_min: usize,
    /// One permit for each free place in the queue.
    room: Semaphore,
    /// Notified when an idle lane is needed.
    bell: Notify,
}

impl<W, A> Post<W, A> {
    fn lock(&self) -> MutexGuard<'_, State<W, A>> {
        // A panic cannot have interrupted a change of the state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if an idle lane should start.
    fn is_needed(&self, state: &State<W, A>) -> bool {
        state.jobs.len() >= self.help_min || (!state.jobs.is_empty() && state.working == 0)
    }
}

/// Makes a queue for at most `jobs_max` jobs. Further callers wait for room. If `help_min` jobs wait, an idle lane
/// helps a busy one.
pub(super) fn queue<W, A>(jobs_max: usize, help_min: usize) -> (Queue<W, A>, Waiting<W, A>) {
    let state = State { jobs: VecDeque::new(), working: 0, is_over: false };
    let post =
        Arc::new(Post { state: Mutex::new(state), help_min, room: Semaphore::new(jobs_max), bell: Notify::new() });
    (Queue(Arc::clone(&post)), Waiting(Arc::new(Lanes(post))))
}

/// The sending side of a queue.
pub(super) struct Queue<W, A>(Arc<Post<W, A>>);

impl<W, A> Queue<W, A> {
    /// Has a piece of work done. Returns `None` if the lanes have ended.
    pub(super) async fn ask(&self, work: W) -> Option<A> {
        let (reply, answer) = oneshot::channel();
        self.0.room.acquire().await.ok()?.forget();
        let is_needed = {
            let mut state = self.0.lock();
            state.jobs.push_back(Job { work, reply });
            self.0.is_needed(&state)
        };
        if is_needed {
            self.0.bell.notify_one();
        }
        answer.await.ok()
    }
}

impl<W, A> Drop for Queue<W, A> {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.bell.notify_waiters();
    }
}

/// The lanes of one queue. When the last one ends, the queue is closed.
struct Lanes<W, A>(Arc<Post<W, A>>);

impl<W, A> Drop for Lanes<W, A> {
    fn drop(&mut self) {
        // Waiting callers notice because their answer channels are dropped.
        self.0.room.close();
        self.0.lock().jobs.clear();
    }
}

/// The receiving side of a queue.
pub(super) struct Waiting<W, A>(Arc<Lanes<W, A>>);

impl<W, A> Clone for Waiting<W, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W, A> Waiting<W, A> {
    /// Waits until this lane is needed, and takes at most `jobs_max` jobs. Returns `None` if no more work can arrive. A
    /// lane that has finished a batch must call this again at once, because no other lane is notified of the work that
    /// arrived meanwhile.
    pub(super) async fn take(&self, jobs_max: usize) -> Option<(Vec<Job<W, A>>, AtWork<W, A>)> {
        let post = &self.0.0;
        loop {
            // Created before the check, so that no later notification is missed.
            let rung = post.bell.notified();
            {
                let mut state = post.lock();
                if post.is_needed(&state) {
                    let count = state.jobs.len().min(jobs_max);
                    let jobs = state.jobs.drain(..count).collect();
                    state.working += 1;
                    post.room.add_permits(count);
                    if post.is_needed(&state) {
                        // `Notify` stores a single notification, so pass it on.
                        post.bell.notify_one();
                    }
                    return Some((jobs, AtWork { post: Arc::clone(post), is_held_up: false }));
                }
                if state.is_over {
                    // The remaining work is left to the busy lane.
                    return None;
                }
            }
            rung.await;
        }
    }
}

/// Marks a lane as busy. Dropping it marks the lane as idle.
pub(super) struct AtWork<W, A> {
    post: Arc<Post<W, A>>,
    is_held_up: bool,
}

impl<W, A> AtWork<W, A> {
    /// Runs the lane's work. If it takes long, other lanes are notified of the waiting work.
    pub(super) async fn spend<T>(&mut self, mut doing: Pin<Box<impl Future<Output = T>>>) -> T {
        if let Ok(done) = tokio::time::timeout(HELD_UP_AFTER, &mut doing).await {
            return done;
        }
        if !self.is_held_up {
            self.is_held_up = true;
            self.post.lock().working -= 1;
            self.post.bell.notify_one();
        }
        doing.await
    }
}

impl<W, A> Drop for AtWork<W, A> {
    fn drop(&mut self) {
        if !self.is_held_up {
            self.post.lock().working -= 1;
        }
        if std::thread::panicking() {
            // The lane has ended without taking more work, so another must be notified.
            self.post.bell.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Numbers = (Queue<u32, u32>, Waiting<u32, u32>);

    /// Sends work and waits until it has arrived in the queue.
    async fn ask(queue: &Arc<Queue<u32, u32>>, work: u32) -> tokio::task::JoinHandle<Option<u32>> {
        let queue = Arc::clone(queue);
        let asking = tokio::spawn(async move { queue.ask(work).await });
        tokio::task::yield_now().await;
        asking
    }

    /// Returns what an idle lane would take now; nothing if it is not needed.
    async fn taken(waiting: &Waiting<u32, u32>) -> Vec<u32> {
        tokio::select! {
            biased;
            taken = waiting.take(10) => taken.into_iter().flat_map(|(jobs, _)| jobs).map(|job| job.work).collect(),
            () = tokio::task::yield_now() => vec![],
        }
    }

    #[tokio::test]
    async fn what_comes_while_a_lane_is_at_work_waits_for_it_until_much_waits() {
        let (queue, waiting): Numbers = queue(10, 3);
        let queue = Arc::new(queue);
        ask(&queue, 1).await;
        let (jobs, at_work) = waiting.take(10).await.unwrap();
        assert_eq!(jobs.len(), 1);
        ask(&queue, 2).await;
        ask(&queue, 3).await;
        assert!(taken(&waiting).await.is_empty());
        ask(&queue, 4).await;
        assert_eq!(taken(&waiting).await, [2, 3, 4]);
        ask(&queue, 5).await;
        assert!(taken(&waiting).await.is_empty());
        drop(at_work);
        assert_eq!(taken(&waiting).await, [5]);
    }

    #[tokio::test]
    async fn an_idle_lane_is_called_to_what_waits_for_one_that_is_held_up() {
        let (queue, waiting): Numbers = queue(10, 3);
        let queue = Arc::new(queue);
        ask(&queue, 1).await;
        let (_jobs, mut at_work) = waiting.take(10).await.unwrap();
        let idle = waiting.clone();
        let idle = tokio::spawn(async move { idle.take(10).await.map(|(jobs, _)| jobs.len()) });
        ask(&queue, 2).await;
        let begun = tokio::time::Instant::now();
        tokio::select! {
            () = at_work.spend(Box::pin(std::future::pending())) => {}
            helped = idle => assert_eq!(helped.unwrap(), Some(1)),
        }
        assert!(begun.elapsed() >= HELD_UP_AFTER);
        // A held-up lane counts once, whether or not it ends.
        drop(at_work);
        assert_eq!(waiting.0.0.lock().working, 0);
    }

    #[tokio::test]
    async fn whoever_comes_when_there_is_no_room_waits_for_room() {
        let (queue, waiting): Numbers = queue(2, 3);
        let queue = Arc::new(queue);
        for work in 1..=3 {
            ask(&queue, work).await;
        }
        assert_eq!(taken(&waiting).await, [1, 2]);
        tokio::task::yield_now().await;
        assert_eq!(taken(&waiting).await, [3]);
    }

    #[tokio::test]
    async fn whoever_waits_is_told_when_the_lanes_are_gone_and_lanes_end_with_the_queue() {
        let (gone, waiting): Numbers = queue(1, 3);
        let gone = Arc::new(gone);
        let (waits, has_no_room) = (ask(&gone, 1).await, ask(&gone, 2).await);
        drop(waiting);
        assert_eq!((waits.await.unwrap(), has_no_room.await.unwrap()), (None, None));
        let (queue, waiting): Numbers = queue(1, 3);
        let idle = tokio::spawn(async move { waiting.take(10).await.is_none() });
        tokio::task::yield_now().await;
        drop(queue);
        assert!(idle.await.unwrap());
    }
}
