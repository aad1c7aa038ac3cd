//! The ring of sealing keys that this process uses.

use std::sync::Arc;

use arc_swap::ArcSwap;
use protocol::crypto::keys::Keys;
use protocol::line::Write;
use protocol::model::SealKey;
use store::{CommitError, Store};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::fault::Fault;

/// The sealing keys in use, and the master key from which they are derived. It cannot be printed.
pub(crate) struct Ring {
    master: Zeroizing<[u8; 32]>,
    derived: ArcSwap<Derived>,
}

/// Keys by their numbers, the current one first.
struct Derived {
    numbers: Vec<u32>,
    keys: Arc<Keys>,
}

impl Ring {
    /// Loads the sealing keys from the store. Makes the first one if there is none.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub(crate) async fn open(store: &dyn Store, clock: &Clock, master: Zeroizing<[u8; 32]>) -> Result<Self, Fault> {
        let numbers = match stored_numbers(store).await? {
            numbers if numbers.is_empty() => first_key(store, clock).await?,
            numbers => numbers,
        };
        let keys = Arc::new(Keys::derive(&master, &numbers));
        Ok(Self { master, derived: ArcSwap::from_pointee(Derived { numbers, keys }) })
    }

    /// Returns the current keys.
    pub(crate) fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.derived.load().keys)
    }

    /// Reloads the sealing keys from the store. Does nothing if they are unchanged.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn reload(&self, store: &dyn Store) -> Result<(), Fault> {
        let numbers = stored_numbers(store).await?;
        // A store without keys is a mistake of the operator. Keep the keys in use.
        if !numbers.is_empty() && self.derived.load().numbers != numbers {
            let keys = Arc::new(Keys::derive(&self.master, &numbers));
            self.derived.store(Arc::new(Derived { numbers, keys }));
            tracing::info!("took over the sealing keys that the store has now");
        }
        Ok(())
    }
}

/// Returns the numbers of the stored sealing keys, the current one first.
async fn stored_numbers(store: &dyn Store) -> Result<Vec<u32>, Fault> {
    Ok(store.seal_keys().await?.iter().rev().map(|key| key.number).collect())
}

async fn first_key(store: &dyn Store, clock: &Clock) -> Result<Vec<u32>, Fault> {
    let key = SealKey { number: 1, created_at: clock.now() };
    match store.commit([Write::PutSealKey(key)].into()).await {
        // `Lost` means that another process made the first key at the same time.
        Ok(()) | Err(CommitError::Lost | CommitError::Behind(_)) => stored_numbers(store).await,
        Err(CommitError::Taken(name)) => Err(Fault::Taken(name)),
        Err(CommitError::Fault(fault)) => Err(fault.into()),
    }
}
