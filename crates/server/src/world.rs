//! The two things that the pure half is given and cannot have by itself: the time, and randomness with fresh row ids.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use protocol::time::UnixTime;
use protocol::turn::Entropy;

/// The first id that this process has not handed out yet.
static NEXT_ID: AtomicI64 = AtomicI64::new(0);

/// What time it is.
#[must_use]
pub fn now() -> UnixTime {
    UnixTime(i64::try_from(since_epoch_ns() / 1_000_000_000).unwrap_or(i64::MAX))
}

/// Randomness for one turn, and row ids that grow.
///
/// An id is the time in nanoseconds, so that it grows across processes and restarts without anybody asking the store: a
/// command of the operator and the running server never wait for each other. In one process ids never repeat, even when
/// the clock steps back; should two processes ever take the same one, the store refuses the second and its turn is lost
/// and judged again.
///
/// # Panics
/// When the operating system has no randomness to give: nothing can be safe then.
#[must_use]
pub fn entropy() -> Entropy {
    let mut seed = [0; 32];
    aws_lc_rs::rand::fill(&mut seed).expect("the operating system gives random bytes");
    Entropy::seeded(seed, reserve(since_epoch_ns(), Entropy::IDS_MAX))
}

fn reserve(now_ns: u128, count: i64) -> i64 {
    let now = i64::try_from(now_ns).unwrap_or(i64::MAX - count);
    let step = |next: i64| Some(next.max(now) + count);
    match NEXT_ID.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step) {
        Ok(next) | Err(next) => next.max(now),
    }
}

fn since_epoch_ns() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_even_when_the_clock_steps_back() {
        let first = reserve(u128::from(u64::MAX >> 2), 8);
        let second = reserve(0, 8);
        assert_eq!(second, first + 8);
    }

    #[test]
    fn two_turns_share_neither_ids_nor_randomness() {
        let (mut one, mut other) = (entropy(), entropy());
        assert!((one.next_id() - other.next_id()).abs() >= Entropy::IDS_MAX);
        assert_ne!(one.bytes::<32>(), other.bytes::<32>());
    }
}
