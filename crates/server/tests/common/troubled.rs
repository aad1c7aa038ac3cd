//! A store that works until it does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use protocol::line::{Changes, Facts, Wants};
use protocol::time::UnixTime;
use store::{CommitError, Fault, Query, Rows, Store};

/// A way in which a store fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trouble {
    Unavailable,
    Broken,
    Lost,
    Panic,
}

/// A store that works until it does not.
pub(crate) struct Troubled {
    inner: Arc<dyn Store>,
    trouble: Trouble,
    has_begun: AtomicBool,
}

impl Troubled {
    pub(crate) fn new(inner: Arc<dyn Store>, trouble: Trouble) -> Self {
        Self { inner, trouble, has_begun: AtomicBool::new(false) }
    }

    /// Makes later commits fail, in the way chosen at the start. With `Trouble::Panic`, later reads panic.
    pub(crate) fn begin(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// Ends the failures: later calls reach the inner store.
    pub(crate) fn end(&self) {
        self.has_begun.store(false, Ordering::Relaxed);
    }
}

#[async_trait]
impl Store for Troubled {
    async fn load(&self, wants: Wants) -> Result<Facts, Fault> {
        assert!(
            !(self.has_begun.load(Ordering::Relaxed) && matches!(self.trouble, Trouble::Panic)),
            "a broken invariant"
        );
        self.inner.load(wants).await
    }

    async fn commit(&self, changes: Changes) -> Result<(), CommitError> {
        let cause = || "no space left on /secret/path".to_owned();
        match self.trouble {
            _ if !self.has_begun.load(Ordering::Relaxed) => self.inner.commit(changes).await,
            Trouble::Unavailable => Err(Fault::Unavailable { cause: cause() }.into()),
            Trouble::Broken | Trouble::Panic => Err(Fault::Broken { cause: cause() }.into()),
            Trouble::Lost => Err(CommitError::Lost),
        }
    }

    async fn list(&self, query: &Query) -> Result<Rows, Fault> {
        // Lets other tasks run, as waiting for a store over the network does.
        tokio::task::yield_now().await;
        self.inner.list(query).await
    }

    async fn sweep(&self, now: UnixTime, rows_max: usize) -> Result<usize, Fault> {
        self.inner.sweep(now, rows_max).await
    }
}
