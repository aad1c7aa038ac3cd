//! Counters of failed attempts, for all turns of a batch.
//!
//! A counter that is written is held first, also if it does not exist yet, and all counters in the order of their keys: two
//! transactions that count at the same counters never wait for each other.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;

use protocol::model::UserKey;
use protocol::secret::Digest;
use protocol::time::UnixTime;

use super::statements::{CLEAR, COUNT, HOLD_COUNTERS, all, some};
use crate::postgres::error::PostgresError;
use crate::postgres::link::{Link, Values};

type Key = [u8; 32];

/// One failure to be counted.
struct Failure {
    limit: i64,
    now: i64,
    resets_at: i64,
    user: Option<i64>,
}

/// What a batch does to counters. It clears before it counts.
#[derive(Default)]
pub(crate) struct Counters {
    /// Counters that are forgotten, unless they have reached a limit at a time.
    cleared: BTreeSet<(Key, i64, i64)>,
    /// Failures in rounds: each counts at most one failure at a counter, so that every failure meets its own limit. The first
    /// round has all counters.
    rounds: Vec<BTreeMap<Key, Failure>>,
}

impl Counters {
    pub(crate) fn clear(&mut self, key: &Digest, limit: u32, now: UnixTime) {
        self.cleared.insert((key.0, i64::from(limit), now.0));
    }

    pub(crate) fn count(
        &mut self,
        key: &Digest,
        limit: u32,
        (now, resets_at): (UnixTime, UnixTime),
        user: Option<UserKey>,
    ) {
        let failure =
            Failure { limit: i64::from(limit), now: now.0, resets_at: resets_at.0, user: user.map(|user| user.0) };
        match self.rounds.iter_mut().find(|round| !round.contains_key(&key.0)) {
            Some(round) => drop(round.insert(key.0, failure)),
            None => self.rounds.push(BTreeMap::from([(key.0, failure)])),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cleared.is_empty() && self.rounds.is_empty()
    }

    /// Returns true if a failure is counted at this counter.
    pub(super) fn counts(&self, key: &Digest) -> bool {
        self.rounds.first().is_some_and(|round| round.contains_key(&key.0))
    }

    /// Returns true if this counter is cleared.
    pub(super) fn clears(&self, key: &Digest) -> bool {
        clears(&self.cleared, &key.0)
    }

    /// Holds the counters until the end of the transaction. Counters that are only cleared are held by the statement that
    /// clears them, so that none is made for it.
    pub(crate) async fn hold(&self, link: &Link) -> Result<(), PostgresError> {
        let Some(counted) = self.rounds.first() else { return Ok(()) };
        let cleared = self.cleared.iter().map(|(key, _, _)| key);
        hold(link, counted.keys().chain(cleared).collect()).await
    }

    /// Clears and counts.
    pub(super) async fn write(&self, link: &Link) -> Result<(), PostgresError> {
        let keys: Vec<&[u8]> = self.cleared.iter().map(|(key, _, _)| key.as_slice()).collect();
        let limits: Vec<i64> = self.cleared.iter().map(|(_, limit, _)| *limit).collect();
        let times: Vec<i64> = self.cleared.iter().map(|(_, _, now)| *now).collect();
        // A counter that was held and cleared is gone.
        let counted = self.rounds.first().into_iter().flat_map(BTreeMap::keys);
        let again: BTreeSet<&Key> = counted.filter(|key| clears(&self.cleared, key)).collect();
        let cleared: Values<'_> = &[&keys, &limits, &times];
        tokio::try_join!(
            biased;
            some(link, &CLEAR, keys.len(), cleared),
            hold(link, again),
            count(link, &self.rounds),
        )
        .map(drop)
    }
}

fn clears(cleared: &BTreeSet<(Key, i64, i64)>, key: &Key) -> bool {
    cleared.range((*key, i64::MIN, i64::MIN)..).next().is_some_and(|own| own.0 == *key)
}

async fn hold(link: &Link, keys: BTreeSet<&Key>) -> Result<(), PostgresError> {
    let keys: Vec<&[u8]> = keys.into_iter().map(Key::as_slice).collect();
    some(link, &HOLD_COUNTERS, keys.len(), &[&keys]).await
}

/// Counts one round after the other. All of them are sent at the first poll.
fn count<'a>(
    link: &'a Link,
    rounds: &'a [BTreeMap<Key, Failure>],
) -> Pin<Box<dyn Future<Output = Result<(), PostgresError>> + Send + 'a>> {
    Box::pin(async move {
        let Some((round, rest)) = rounds.split_first() else { return Ok(()) };
        let keys: Vec<&[u8]> = round.keys().map(Key::as_slice).collect();
        let limits: Vec<i64> = round.values().map(|own| own.limit).collect();
        let times: Vec<i64> = round.values().map(|own| own.now).collect();
        let ends: Vec<i64> = round.values().map(|own| own.resets_at).collect();
        let users: Vec<Option<i64>> = round.values().map(|own| own.user).collect();
        let failures: Values<'_> = &[&keys, &limits, &times, &ends, &users];
        tokio::try_join!(
            biased;
            all(link, &COUNT, keys.len(), failures),
            count(link, rest),
        )
        .map(drop)
    })
}
