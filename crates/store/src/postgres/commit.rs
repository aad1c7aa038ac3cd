//! What the lanes do that write: a batch of turns of the frequent kinds together, any other turn on its own.

use protocol::turn::Change;

use super::apply;
use super::batch::Batch;
use super::lane::Errand;
use super::link::Link;
use super::stop::Stop;
use crate::CommitError;

/// Is a turn written?
type Answer = Result<(), CommitError>;

/// Turns that are written together, or one that is written on its own.
pub(super) struct Turns {
    turns: Vec<Vec<Change>>,
    /// As far as they are known.
    answers: Vec<Option<Answer>>,
    /// Are they written one by one? So it is when one of them loses.
    is_single: bool,
    /// Was the end of a transaction sent whose answer did not come yet?
    is_ending: bool,
}

impl Turns {
    /// Turns of the frequent kinds.
    pub(super) fn together(turns: Vec<Vec<Change>>) -> Self {
        let answers = turns.iter().map(|_| None).collect();
        let is_single = turns.len() == 1;
        Self { turns, answers, is_single, is_ending: false }
    }

    /// A turn of any kind.
    pub(super) fn alone(turn: Vec<Change>) -> Self {
        Self { turns: vec![turn], answers: vec![None], is_single: true, is_ending: false }
    }

    /// What became of the turns; `stop` is why the work ended early, if it did.
    pub(super) fn answers(self, stop: Option<Stop>) -> Vec<Answer> {
        let rest = match stop {
            None => Err(CommitError::Lost),
            Some(stop) => Err(CommitError::from(stop)),
        };
        self.answers.into_iter().map(|answer| answer.unwrap_or_else(|| rest.clone())).collect()
    }

    async fn end(&mut self, link: &Link) -> Result<(), Stop> {
        self.is_ending = true;
        let ended = link.simple("COMMIT").await;
        match ended {
            Err(stop) if stop.is_gone() => Err(Stop::Unknown),
            // The server said no, and so nothing was written.
            ended => {
                self.is_ending = false;
                ended
            }
        }
    }

    async fn write_together(&mut self, link: &Link) -> Result<(), Stop> {
        let mut batch = Batch::default();
        self.turns.iter().for_each(|turn| batch.add(turn));
        // Boxed: it has room for every statement of a batch.
        let written = Box::pin(batch.write(link)).await;
        match written {
            Ok(()) => {
                self.end(link).await?;
                self.answers.fill(Some(Ok(())));
                Ok(())
            }
            Err(Stop::Lost) => {
                link.simple("ROLLBACK").await?;
                self.is_single = true;
                self.write_singly(link).await
            }
            Err(stop) => Err(stop),
        }
    }

    async fn write_singly(&mut self, link: &Link) -> Result<(), Stop> {
        for at in 0..self.turns.len() {
            if self.answers[at].is_some() {
                continue;
            }
            match apply::turn(link, &self.turns[at]).await {
                Ok(()) => {
                    self.end(link).await?;
                    self.answers[at] = Some(Ok(()));
                }
                Err(stop) if stop.may_go_better() => return Err(stop),
                Err(stop) => {
                    link.simple("ROLLBACK").await?;
                    let stop = if stop.is_conflict() { Stop::Lost } else { stop };
                    self.answers[at] = Some(Err(stop.into()));
                }
            }
        }
        Ok(())
    }
}

impl Errand for Turns {
    type Done = ();

    async fn run(&mut self, link: &Link) -> Result<(), Stop> {
        if self.is_ending {
            // The time was up while the end of a transaction was on its way.
            return Err(Stop::Unknown);
        }
        if self.is_single { self.write_singly(link).await } else { self.write_together(link).await }
    }
}
