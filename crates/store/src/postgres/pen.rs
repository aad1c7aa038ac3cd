//! The exclusive right to write: a transaction that closes the gate for all nodes, and stays open while the turn is
//! loaded and judged. Loads do not go through the gate.

use std::time::Duration;

use async_trait::async_trait;
use protocol::line::Changes;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout};

use super::error::PostgresError;
use super::lane::Hold;
use super::link::Link;
use super::{apply, gate};
use crate::{CommitError, PEN_MAX, Pen, pen_is_gone};

/// Maximum number of attempts to close the gate. The first connection may turn out to be broken, or a transaction
/// inside the gate may be held up.
const ATTEMPTS_MAX: u32 = 3;
/// Time limit for a commit, as for a batch. It may wait for a standby.
const COMMIT_MAX: Duration = Duration::from_secs(20);

/// The exclusive right to write to a database.
pub(super) struct PostgresPen {
    hold: OwnedMutexGuard<Hold>,
    /// The connection with the open transaction. Dropping it closes the connection, and the server rolls back the
    /// transaction.
    link: Option<Link>,
    end: Instant,
}

impl PostgresPen {
    /// Closes the gate, and waits until all transactions inside have ended.
    pub(super) async fn take(mut hold: OwnedMutexGuard<Hold>) -> Result<Self, PostgresError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let stop = match begin(&mut hold).await {
                Ok(link) => return Ok(Self { hold, link: Some(link), end: Instant::now() + PEN_MAX }),
                Err(stop) => stop,
            };
            if !stop.may_go_better() || attempt == ATTEMPTS_MAX {
                return Err(stop);
            }
        }
    }

    async fn write(&mut self, changes: &Changes) -> Result<(), PostgresError> {
        let Some(link) = &self.link else { return Err(PostgresError::Late("an exclusive write")) };
        link.simple("SAVEPOINT turn").await?;
        match apply::turn_inside(link, changes).await {
            Ok(()) => gate::commit(link).await.map_err(|stop| match stop {
                PostgresError::Unanswered => PostgresError::Unknown,
                stop => stop,
            }),
            Err(stop) if stop.is_gone() => Err(stop),
            Err(stop) => {
                link.simple("ROLLBACK TO SAVEPOINT turn").await?;
                Err(if stop.is_conflict() { PostgresError::Lost } else { stop })
            }
        }
    }
}

async fn begin(hold: &mut Hold) -> Result<Link, PostgresError> {
    let mut link = hold.link().await?;
    let begun = async {
        link.plan_anew().await?;
        link.begin(gate::BEGIN).await?;
        // The server ends the transaction of a holder that stops responding, because it would keep every node from
        // writing.
        let idle_ms = PEN_MAX.as_millis();
        link.simple(&format!("SET LOCAL idle_in_transaction_session_timeout = '{idle_ms}ms'")).await?;
        gate::enter_alone(&link).await
    };
    match begun.await {
        Ok(()) => Ok(link),
        Err(stop) => {
            hold.put_back(link, Some(&stop)).await;
            Err(stop)
        }
    }
}

#[async_trait]
impl Pen for PostgresPen {
    async fn commit(&mut self, changes: Changes) -> Result<(), CommitError> {
        if self.link.is_none() || Instant::now() >= self.end {
            self.link = None;
            return Err(pen_is_gone().into());
        }
        let written = timeout(COMMIT_MAX, self.write(&changes)).await;
        let written = written.unwrap_or(Err(PostgresError::Unknown));
        if matches!(written, Err(PostgresError::Lost | PostgresError::Behind(_) | PostgresError::Taken(_))) {
            return written.map_err(CommitError::from);
        }
        if let Some(link) = self.link.take() {
            self.hold.put_back(link, written.as_ref().err()).await;
        }
        written.map_err(CommitError::from)
    }
}
