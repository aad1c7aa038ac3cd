//! A lane: a task with a database connection of its own. It takes the waiting requests, handles them together, and
//! answers them. If the connection breaks, the lane gets a new one and repeats what was not decided.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::error::PostgresError;
use super::link::{Connector, LastWord, Link, Pause, Purpose};
use crate::documents::Documents;

/// Time after which a lane gives up on a batch while the server is unreachable. Long enough for a quick restart or
/// failover, and shorter than clients wait.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time limit for a batch, and for other work that callers wait for.
const BATCH_MAX: Duration = Duration::from_secs(20);
/// Time limit for a rollback.
const ROLLBACK_MAX: Duration = Duration::from_secs(2);

/// A piece of work on a connection.
pub(super) trait LaneWork: Send {
    /// The result.
    type Done: Send;

    /// Returns the time limit. A connection that does not answer within it is given up.
    fn time_max(&self) -> Duration {
        BATCH_MAX
    }

    /// Does the work. After an error that may be temporary it is called again, possibly with another connection.
    fn run(&mut self, link: &Link) -> impl Future<Output = Result<Self::Done, PostgresError>> + Send;
}

/// A connection that is replaced when it breaks.
pub(super) struct Hold {
    connector: Arc<Connector>,
    purpose: Purpose,
    link: Option<Link>,
    /// The connection that is being opened, and its last error.
    coming: Option<(JoinHandle<Result<Link, PostgresError>>, LastWord)>,
    /// Time since which the server has been unreachable.
    down_since: Option<Instant>,
    /// The caches that are emptied with every new connection.
    documents: Option<Arc<Documents>>,
}

impl Hold {
    pub(super) fn new(connector: Arc<Connector>, purpose: Purpose) -> Self {
        Self { connector, purpose, link: None, coming: None, down_since: None, documents: None }
    }

    /// Adds document caches that belong to the database behind this connection.
    pub(super) fn with(mut self, documents: Arc<Documents>) -> Self {
        self.documents = Some(documents);
        self
    }

    /// Connects now rather than at the first use.
    pub(super) async fn connect(&mut self) -> Result<(), PostgresError> {
        self.link = Some(self.link().await?);
        Ok(())
    }

    /// Takes the connection out. If the caller is dropped with it, the connection is closed, so nobody continues in the
    /// middle of a transaction.
    ///
    /// If there is no connection, one is opened in the background. Callers wait for it at most [`PATIENCE`]. Later
    /// callers get an error at once, until the server is back.
    pub(super) async fn link(&mut self) -> Result<Link, PostgresError> {
        if let Some(link) = self.link.take().filter(|link| !link.is_closed()) {
            return Ok(link);
        }
        let down_for = self.down_since.get_or_insert_with(Instant::now).elapsed();
        let (task, last_word) = self.coming.get_or_insert_with(|| {
            let last_word = LastWord::default();
            let attempts = Arc::clone(&self.connector).keep_connecting(self.purpose, Arc::clone(&last_word));
            (tokio::spawn(attempts), last_word)
        });
        let Ok(done) = tokio::time::timeout(PATIENCE.saturating_sub(down_for), task).await else {
            let cause = last_word.lock().unwrap_or_else(PoisonError::into_inner).clone();
            return Err(if cause.is_empty() { PostgresError::Late("connecting") } else { PostgresError::Away(cause) });
        };
        self.coming = None;
        let link = done.unwrap_or(Err(PostgresError::Late("connecting")))?;
        if let Some(documents) = &self.documents {
            // The server may be another one that was promoted, or the database may have been restored. Rows with equal
            // versions may then differ.
            documents.forget();
        }
        Ok(link)
    }

    /// Performs a piece of work, repeatedly until it succeeds, fails permanently, or [`PATIENCE`] ends. While the server is
    /// unreachable, callers wait for one attempt at most.
    pub(super) async fn perform<E: LaneWork>(&mut self, work: &mut E) -> Result<E::Done, PostgresError> {
        let mut pause = Pause::first();
        if self.coming.as_ref().is_some_and(|(task, _)| task.is_finished()) {
            // The connection was opened after all callers had given up. The earlier outage is over, so a failure now
            // begins a new one.
            self.down_since = None;
        }
        loop {
            let attempt = match self.link().await {
                Ok(mut link) => {
                    let time_max = work.time_max();
                    let doing = async {
                        link.plan_anew().await?;
                        work.run(&link).await
                    };
                    let done = tokio::time::timeout(time_max, doing).await;
                    let done = done.unwrap_or(Err(PostgresError::Late("a batch")));
                    self.put_back(link, done.as_ref().err()).await;
                    done
                }
                Err(stop) => Err(stop),
            };
            let stop = match attempt {
                Ok(done) => {
                    self.down_since = None;
                    return Ok(done);
                }
                Err(stop) => stop,
            };
            if !stop.may_go_better() {
                self.down_since = None;
                return Err(stop);
            }
            if self.down_since.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
                return Err(stop);
            }
            pause.wait().await;
        }
    }

    /// Puts back a connection that can be used again, outside of any transaction.
    pub(super) async fn put_back(&mut self, link: Link, stop: Option<&PostgresError>) {
        let is_clean = match stop {
            None => true,
            Some(stop) if stop.is_gone() => false,
            Some(_) => matches!(tokio::time::timeout(ROLLBACK_MAX, link.simple("ROLLBACK")).await, Ok(Ok(()))),
        };
        if is_clean {
            self.link = Some(link);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some((task, _)) = &self.coming {
            task.abort();
        }
    }
}
