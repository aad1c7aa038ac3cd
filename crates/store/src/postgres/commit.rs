//! What the lanes do that write: a batch of turns of the frequent kinds together, any other turn on its own.

use protocol::turn::Change;

use super::apply;
use super::batch::Batch;
use super::lane::Errand;
use super::link::Link;
use super::stop::Stop;
use crate::CommitError;

/// How often a turn is tried that others are in the way of, before it is given up for the moment.
const ATTEMPTS_MAX: u32 = 3;

/// Is a turn written?
type Answer = Result<(), CommitError>;

/// Turns that are written together, or one that is written on its own.
pub(super) struct Turns {
    turns: Vec<Vec<Change>>,
    /// As far as they are known.
    answers: Vec<Option<Answer>>,
    /// Was the end of a transaction sent whose answer did not come yet?
    is_ending: bool,
}

impl Turns {
    /// Turns of the frequent kinds.
    pub(super) fn together(turns: Vec<Vec<Change>>) -> Self {
        let answers = turns.iter().map(|_| None).collect();
        Self { turns, answers, is_ending: false }
    }

    /// A turn of any kind.
    pub(super) fn alone(turn: Vec<Change>) -> Self {
        Self { turns: vec![turn], answers: vec![None], is_ending: false }
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

    /// Writes a part of the turns together. When it does not go through, its halves are tried: so a turn that loses, or waits
    /// for a lock, or cannot be written at all, costs its neighbours a few attempts and no more.
    async fn write_together(&mut self, link: &Link) -> Result<(), Stop> {
        let mut parts: Vec<_> = std::iter::once(0..self.turns.len()).collect();
        while let Some(part) = parts.pop() {
            if part.len() == 1 {
                self.write_alone(link, part.start).await?;
                continue;
            }
            let mut batch = Batch::default();
            self.turns[part.clone()].iter().for_each(|turn| batch.add(turn));
            // Boxed: it has room for every statement of a batch.
            match Box::pin(batch.write(link)).await {
                Ok(()) => {
                    self.end(link).await?;
                    self.answers[part].fill(Some(Ok(())));
                }
                Err(stop) if stop.is_gone() => return Err(stop),
                Err(_) => {
                    link.simple("ROLLBACK").await?;
                    let middle = part.start + part.len() / 2;
                    parts.extend([middle..part.end, part.start..middle]);
                }
            }
        }
        Ok(())
    }

    async fn write_alone(&mut self, link: &Link, at: usize) -> Result<(), Stop> {
        for attempt in 1..=ATTEMPTS_MAX {
            // Others were in the way: from now on nobody is.
            let is_alone = attempt > 1;
            match apply::turn(link, &self.turns[at], is_alone).await {
                Ok(()) => {
                    self.end(link).await?;
                    self.answers[at] = Some(Ok(()));
                    return Ok(());
                }
                Err(stop) if stop.is_gone() => return Err(stop),
                Err(stop) => {
                    link.simple("ROLLBACK").await?;
                    if stop.may_go_better() && attempt < ATTEMPTS_MAX {
                        continue;
                    }
                    let stop = if stop.is_conflict() { Stop::Lost } else { stop };
                    self.answers[at] = Some(Err(stop.into()));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Writes what has no answer yet.
    async fn write_rest(&mut self, link: &Link) -> Result<(), Stop> {
        if self.answers.iter().all(Option::is_none) {
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

impl Errand for Turns {
    type Done = ();

    async fn run(&mut self, link: &Link) -> Result<(), Stop> {
        if self.is_ending {
            // The time was up while the end of a transaction was on its way.
            return Err(Stop::Unknown);
        }
        self.write_rest(link).await
    }
}
