//! What the lanes do that write: a batch of turns of the frequent kinds together, any other turn on its own.

use std::ops::Range;
use std::sync::Arc;

use protocol::line::{Changes, Write};

use super::batch::Batch;
use super::error::PostgresError;
use super::gate::BEGIN;
use super::lane::LaneWork;
use super::link::{Link, typed};
use super::{apply, gate};
use crate::CommitError;

/// How often a turn is tried that others are in the way of, before it is given up for the moment.
const ATTEMPTS_MAX: u32 = 3;

/// Is a turn written?
type Answer = Result<(), CommitError>;

/// Turns that are written together, or one that is written on its own.
pub(super) struct Turns {
    turns: Arc<[Changes]>,
    /// As far as they are known.
    answers: Vec<Option<Answer>>,
    /// May they be written together?
    are_frequent: bool,
    /// Those that the end of a transaction was sent for, whose answer did not come yet.
    ending: Option<Range<usize>>,
    /// Was there ever such an answer that did not come?
    is_doubtful: bool,
}

impl Turns {
    /// Turns of the frequent kinds.
    pub(super) fn together(turns: Vec<Changes>) -> Self {
        let answers = turns.iter().map(|_| None).collect();
        Self { turns: turns.into(), answers, are_frequent: true, ending: None, is_doubtful: false }
    }

    /// A turn of any kind.
    pub(super) fn alone(turn: Changes) -> Self {
        Self { turns: [turn].into(), answers: vec![None], are_frequent: false, ending: None, is_doubtful: false }
    }

    /// What became of the turns; `stop` is why the work ended early, if it did.
    pub(super) fn answers(self, stop: Option<PostgresError>) -> Vec<Answer> {
        let rest = match stop {
            None => CommitError::Lost,
            Some(stop) => CommitError::from(stop),
        };
        let unknown = CommitError::from(PostgresError::Unknown);
        let ending = self.ending.unwrap_or_default();
        let answers = self.answers.into_iter().enumerate();
        answers
            .map(|(at, answer)| {
                answer.unwrap_or_else(|| Err(if ending.contains(&at) { unknown.clone() } else { rest.clone() }))
            })
            .collect()
    }

    /// Waits for the end of a transaction that writes a part of the turns.
    async fn end(
        &mut self,
        part: Range<usize>,
        ending: impl Future<Output = Result<(), PostgresError>>,
    ) -> Result<(), PostgresError> {
        // Before the first poll: it may be dropped at any time.
        self.ending = Some(part.clone());
        let ended = ending.await;
        if matches!(ended, Err(PostgresError::Unanswered)) {
            return ended;
        }
        self.ending = None;
        if ended.is_ok() {
            self.answers[part].fill(Some(Ok(())));
        }
        ended
    }

    /// Finds out what became of a transaction whose end was not answered.
    async fn find_out(&mut self, link: &Link) -> Result<(), PostgresError> {
        let Some(part) = self.ending.clone() else { return Ok(()) };
        self.is_doubtful = true;
        let answer = match witness(&self.turns[part.clone()]) {
            Some(row) => is_there(link, row).await?.then_some(Ok(())),
            // The turns change no row, so that they can be committed once more.
            None if self.turns[part.clone()].iter().all(changes_nothing) => None,
            None => Some(Err(CommitError::from(PostgresError::Unknown))),
        };
        self.ending = None;
        if answer.is_some() {
            self.answers[part].fill(answer);
        }
        Ok(())
    }

    /// Answers a turn that lost. What it lost against may be itself, written by a transaction that was given up and went on.
    async fn lose(&mut self, link: &Link, at: usize) -> Result<(), PostgresError> {
        let row = witness(&self.turns[at..=at]).filter(|_| self.is_doubtful);
        let is_written = match row {
            Some(row) => is_there(link, row).await?,
            None => false,
        };
        self.answers[at] = Some(if is_written { Ok(()) } else { Err(CommitError::Lost) });
        Ok(())
    }

    /// Writes a part of the turns together. When it does not go through, its halves are tried: so a turn that loses, or waits
    /// for a lock, or cannot be written at all, costs its neighbours a few attempts and no more.
    async fn write_together(&mut self, link: &Link) -> Result<(), PostgresError> {
        let mut parts: Vec<_> = std::iter::once(0..self.turns.len()).collect();
        while let Some(mut part) = parts.pop() {
            let turns = Arc::clone(&self.turns);
            let written = match Batch::of(&turns[part.clone()]) {
                Ok((batch, count)) => {
                    if count < part.len() {
                        // The rest changes what these rely on, and the other way round.
                        parts.push(part.start + count..part.end);
                        part.end = part.start + count;
                    }
                    // Boxed: it has room for every statement of a batch.
                    self.end(part.clone(), Box::pin(batch.commit(link))).await
                }
                Err(stop) => Err(stop),
            };
            match written {
                Ok(()) => {}
                Err(stop) if stop.is_gone() => return Err(stop),
                // Nobody else can have been the reason.
                Err(PostgresError::Lost) if part.len() == 1 => self.lose(link, part.start).await?,
                Err(_) if part.len() == 1 => self.write_alone(link, part.start).await?,
                Err(_) => {
                    let middle = part.start + part.len() / 2;
                    parts.extend([middle..part.end, part.start..middle]);
                }
            }
        }
        Ok(())
    }

    async fn write_alone(&mut self, link: &Link, at: usize) -> Result<(), PostgresError> {
        for attempt in 1..=ATTEMPTS_MAX {
            // Others were in the way: from now on nobody is.
            let is_alone = attempt > 1;
            match apply::turn(link, &self.turns[at], is_alone).await {
                Ok(()) => return self.end(at..at + 1, gate::commit(link)).await,
                Err(stop) if stop.is_gone() => return Err(stop),
                Err(stop) => {
                    link.simple("ROLLBACK").await?;
                    if stop.may_go_better() && attempt < ATTEMPTS_MAX {
                        continue;
                    }
                    if stop.is_conflict() || matches!(stop, PostgresError::Lost) {
                        return self.lose(link, at).await;
                    }
                    self.answers[at] = Some(Err(stop.into()));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Writes what has no answer yet.
    async fn write_rest(&mut self, link: &Link) -> Result<(), PostgresError> {
        if self.are_frequent && self.answers.iter().all(Option::is_none) {
            return self.write_together(link).await;
        }
        for at in 0..self.turns.len() {
            if self.answers[at].is_none() {
                self.write_alone(link, at).await?;
            }
        }
        Ok(())
    }
}

impl LaneWork for Turns {
    type Done = ();

    async fn run(&mut self, link: &Link) -> Result<(), PostgresError> {
        self.find_out(link).await?;
        self.write_rest(link).await
    }
}

/// A statement that finds a row and holds it, and its id.
type Witness = (&'static str, i64);

/// Is a row there, and wherever the operator wants it to be before somebody is told?
async fn is_there(link: &Link, (sql, id): Witness) -> Result<bool, PostgresError> {
    link.begin(BEGIN).await?;
    // Whoever is inside the gate and may be about to add it is gone when the gate is ours.
    gate::enter_alone(link).await?;
    // FOR SHARE writes to the log: so the end waits for the disk and the standby, which have then what was logged before too.
    let is_there = !link.rows(sql, typed![INT8 id]).await?.is_empty();
    link.simple("COMMIT").await?;
    Ok(is_there)
}

/// Returns true if committing the turn once more has no effect.
fn changes_nothing(turn: &Changes) -> bool {
    turn.writes.iter().all(|write| matches!(write, Write::AwaitDurability))
}

/// How to find a row that is there if, and only if, these turns were written: one with an id of its own, which nobody was told
/// of yet.
fn witness(turns: &[Changes]) -> Option<Witness> {
    turns.iter().flat_map(|turn| &turn.writes).find_map(witness_of)
}

fn witness_of(write: &Write) -> Option<Witness> {
    match write {
        Write::PutAccess(row) => Some(("SELECT 1 FROM access_tokens WHERE id = $1 FOR SHARE", row.id.0)),
        Write::PutGrant(row) => Some(("SELECT 1 FROM grants WHERE id = $1 FOR SHARE", row.id.0)),
        Write::PutCode(row) => Some(("SELECT 1 FROM codes WHERE id = $1 FOR SHARE", row.id.0)),
        Write::PutSession(row) => Some(("SELECT 1 FROM sessions WHERE id = $1 FOR SHARE", row.id.0)),
        Write::PutPersonal(row) => Some(("SELECT 1 FROM personal_tokens WHERE id = $1 FOR SHARE", row.id.0)),
        Write::PutTicket(row) => Some(("SELECT 1 FROM tickets WHERE id = $1 FOR SHARE", row.id.0)),
        // A job is gone as soon as it is done, so its absence says nothing.
        Write::Enqueue(_)
        | Write::SpendCode(_)
        | Write::RotateRefresh { .. }
        | Write::AwaitDurability
        | Write::CountFailure { .. }
        | Write::ForgetFailures(_)
        | Write::ClearCounter { .. }
        | Write::PutClient(_)
        | Write::PutUser(_)
        | Write::ChangeTicket(_)
        | Write::SpendTicket { .. }
        | Write::PutIdentity(_)
        | Write::BurnJti { .. }
        | Write::PutConsent(_)
        | Write::PutSealKey(_)
        | Write::DropSealKey(_)
        | Write::PutSigningKey(_)
        | Write::DropSigningKey(_)
        | Write::TouchSession { .. }
        | Write::TouchPersonal { .. }
        | Write::TouchSecret { .. }
        | Write::RevokeGrant(_)
        | Write::RevokeAccess(_)
        | Write::RevokePersonal(_)
        | Write::WithdrawConsent { .. }
        | Write::EndSession(_)
        | Write::EndSessions { .. }
        | Write::DropIdentity(_)
        | Write::DeleteUser(_)
        | Write::DeleteClient(_)
        | Write::Note(_) => None,
    }
}
