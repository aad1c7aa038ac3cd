//! A lane: a task with a connection of its own that takes what waits, does it together, and then answers everybody. When the
//! connection breaks, the lane gets another one, and does again what was not decided.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::link::{Connector, LastWord, Link, Pause, Purpose};
use super::stop::Stop;
use crate::documents::Documents;

/// How long a lane tries before it gives up on a batch. Long enough for a server that restarts or fails over quickly, and
/// shorter than a client waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a batch may take, and what else somebody waits for.
const BATCH_MAX: Duration = Duration::from_secs(20);
/// How long a server may take to undo.
const ROLLBACK_MAX: Duration = Duration::from_secs(2);

/// One kind of work on a connection.
pub(super) trait Errand: Send {
    /// What comes out.
    type Done: Send;

    /// How long it may take. A connection that does not answer for so long is given up.
    fn time_max(&self) -> Duration {
        BATCH_MAX
    }

    /// Does it. When this fails with what may go better, it is called again, perhaps with another connection.
    fn run(&mut self, link: &Link) -> impl Future<Output = Result<Self::Done, Stop>> + Send;
}

/// A connection that is had again when it breaks.
pub(super) struct Hold {
    connector: Arc<Connector>,
    purpose: Purpose,
    link: Option<Link>,
    /// The connection that is on its way, and what became of it so far.
    coming: Option<(JoinHandle<Result<Link, Stop>>, LastWord)>,
    /// Since when nothing works.
    down_since: Option<Instant>,
    /// What is forgotten with every new connection.
    documents: Option<Arc<Documents>>,
}

impl Hold {
    pub(super) fn new(connector: Arc<Connector>, purpose: Purpose) -> Self {
        Self { connector, purpose, link: None, coming: None, down_since: None, documents: None }
    }

    /// With documents that belong to what this connection shows.
    pub(super) fn with(mut self, documents: Arc<Documents>) -> Self {
        self.documents = Some(documents);
        self
    }

    /// Connects now and not when there is something to do.
    pub(super) async fn connect(&mut self) -> Result<(), Stop> {
        self.link = Some(self.link().await?);
        Ok(())
    }

    /// Takes the connection out; whoever is dropped with it in hand closes it, and nobody goes on in the middle of what it did.
    ///
    /// When there is none, one is made in the background until there is. Nobody waits longer for it than patience lasts: who
    /// comes after that is told at once, and the first one who comes when the server is back finds a connection.
    pub(super) async fn link(&mut self) -> Result<Link, Stop> {
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
            return Err(if cause.is_empty() { Stop::Late("connecting") } else { Stop::Away(cause) });
        };
        self.coming = None;
        let link = done.unwrap_or(Err(Stop::Late("connecting")))?;
        if let Some(documents) = &self.documents {
            // This may be another server, which was promoted, or a database that was restored: the same version of a row
            // need not be the same row.
            documents.forget();
        }
        Ok(link)
    }

    /// Does an errand, again and again until it is done, fails for good, or patience ends. While nothing works, nobody
    /// is kept waiting for more than one attempt.
    pub(super) async fn perform<E: Errand>(&mut self, errand: &mut E) -> Result<E::Done, Stop> {
        let mut pause = Pause::first();
        if self.coming.as_ref().is_some_and(|(task, _)| task.is_finished()) {
            // It came when nobody waited for it any more. What was amiss then is over; what is amiss now begins now.
            self.down_since = None;
        }
        loop {
            let attempt = match self.link().await {
                Ok(mut link) => {
                    let time_max = errand.time_max();
                    let doing = async {
                        link.plan_anew().await?;
                        errand.run(&link).await
                    };
                    let done = tokio::time::timeout(time_max, doing).await;
                    let done = done.unwrap_or(Err(Stop::Late("a batch")));
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

    /// Keeps a connection that can be used again, outside of any transaction.
    pub(super) async fn put_back(&mut self, link: Link, stop: Option<&Stop>) {
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
