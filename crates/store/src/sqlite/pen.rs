//! The exclusive right to write. The writer thread begins a transaction, during which no other process can write, and
//! waits inside it for the changes of the turn.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};

use async_trait::async_trait;
use protocol::line::Changes;
use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::apply;
use super::error::SqliteError;
use super::writer::Answer;
use crate::{CommitError, PEN_MAX, Pen, pen_is_gone};

/// The changes of a turn, and the channel for the result of the commit.
struct Order {
    changes: Changes,
    reply: oneshot::Sender<Result<(), CommitError>>,
}

/// The exclusive right to write to a file.
pub(super) struct SqlitePen {
    orders: Sender<Order>,
}

/// The other end of a [`SqlitePen`], for the writer thread.
pub(super) struct Lending {
    orders: Receiver<Order>,
}

impl SqlitePen {
    pub(super) fn new() -> (Self, Lending) {
        let (sender, receiver) = mpsc::channel();
        (Self { orders: sender }, Lending { orders: receiver })
    }
}

#[async_trait]
impl Pen for SqlitePen {
    async fn commit(&mut self, changes: Changes) -> Result<(), CommitError> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order { changes, reply }).map_err(|_| pen_is_gone())?;
        answer.await.map_err(|_| pen_is_gone())?
    }
}

impl Lending {
    /// Holds the transaction until the turn is written, is given up, or runs out of time. Sends to `granted` when the
    /// transaction has begun.
    pub(super) fn serve(self, connection: &Connection, granted: oneshot::Sender<Answer>) {
        if let Err(stop) = apply::run(connection, "BEGIN IMMEDIATE", []) {
            // Sending fails if the caller no longer waits.
            let _ = granted.send(Err(stop.into()));
            return;
        }
        if granted.send(Ok(0)).is_ok() {
            self.take_orders(connection);
        }
        if !connection.is_autocommit() {
            // If the rollback fails, the next BEGIN fails as well and reports it.
            let _ = connection.execute_batch("ROLLBACK");
        }
    }

    fn take_orders(&self, connection: &Connection) {
        let end = Instant::now() + PEN_MAX;
        loop {
            let Order { changes, reply } = match self.orders.recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(order) => order,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    tracing::warn!("an exclusive write took too long and was given up");
                    return;
                }
            };
            let written = apply::turn(connection, &changes).and_then(|()| apply::run(connection, "COMMIT", []));
            let may_go_on = matches!(written, Err(SqliteError::Lost | SqliteError::Behind(_) | SqliteError::Taken(_)));
            let is_heard = reply.send(written.map(drop).map_err(CommitError::from)).is_ok();
            if !may_go_on || !is_heard || connection.is_autocommit() {
                return;
            }
        }
    }
}
