//! The thread that writes. It takes the waiting turns, writes each one or none of it, commits once, and then answers
//! all callers. There is no timer: a batch consists of the turns that queued up during the previous commit.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use protocol::line::Changes;
use protocol::model::{Event, JobId};
use protocol::secret::Digest;
use protocol::time::UnixTime;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::error::{SqliteError, fault, is_for_all};
use super::index::{FRAMES_MAX, Index, Witness};
use super::pen::Lending;
use super::readers::Slots;
use super::sweep::ExpiryRule;
use super::{apply, installation, jobs, moving};
use crate::moving::{Cells, Stretch, Table};
use crate::{CommitError, Fault, JobBurial, JobChange, JobClaim, JobEnd};

/// Maximum number of waiting turns. Further callers wait for room.
const QUEUE_MAX: usize = 4_096;
/// Maximum number of turns in a batch. Bounds how long the first of them waits for the last.
const BATCH_MAX: usize = 512;

/// A task for the thread.
pub(super) enum Work {
    /// Writes a turn.
    Commit(Changes),
    /// Removes rows, if they are still expired at the given time.
    Remove(&'static ExpiryRule, UnixTime, Vec<i64>),
    /// Replaces all rows of a stretch.
    Replace(Replacement),
    /// Gives one turn the exclusive right to write.
    Lend(Lending),
    /// Notes the fingerprint of the master key, unless one is noted.
    NoteMaster(Digest),
    /// Replaces the fingerprint of the first master key by that of the second.
    ReplaceMaster(Digest, Digest),
    /// Claims due jobs, and puts them there.
    ClaimJobs(JobClaim, Arc<Mutex<Vec<protocol::model::Job>>>),
    /// Writes the outcome of an attempt at a job that this worker holds.
    EndJob(JobId, i64, JobEnd),
    /// Buries jobs of unknown kinds.
    BuryJobs(JobBurial),
    /// Makes an operator's change to a job, and notes the event.
    ChangeJob(JobId, JobChange, Box<Event>),
    /// Limits the database to a number of pages, as a full disk would.
    #[cfg(test)]
    LimitPages(u32),
}

/// The new rows of a stretch: all rows after `after` up to and including `until` are replaced.
pub(super) struct Replacement {
    pub(super) table: &'static Table,
    pub(super) after: Option<Cells>,
    pub(super) until: Option<Cells>,
    pub(super) rows: Vec<Cells>,
}

pub(super) type Answer = Result<usize, CommitError>;

pub(super) struct Job {
    work: Work,
    reply: oneshot::Sender<Answer>,
}

/// A handle of the thread. Dropping it ends the thread after its last batch.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread with a connection of its own. `readers` are those whose snapshots may hold the log up.
    pub(super) fn start(connection: Connection, readers: Weak<Slots>) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(QUEUE_MAX);
        let serve = move || serve(connection, waiting, &readers);
        let thread = std::thread::Builder::new().name("store-writer".to_owned()).spawn(serve)?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// As [`Writer::ask`], for tasks without preconditions.
    pub(super) async fn have_done(&self, work: Work) -> Result<usize, Fault> {
        match self.ask(work).await {
            Ok(count) => Ok(count),
            Err(CommitError::Fault(fault)) => Err(fault),
            Err(error) => Err(Fault::Broken { cause: error.to_string() }),
        }
    }

    /// Has a task done, and waits until the result is on disk. Returns the number of removed rows.
    pub(super) async fn ask(&self, work: Work) -> Answer {
        let stopped = || Fault::Broken { cause: "the writer has stopped".to_owned() };
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.send(Job { work, reply }).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer had panicked");
        }
    }
}

fn serve(connection: Connection, mut waiting: mpsc::Receiver<Job>, readers: &Weak<Slots>) {
    let mut log = Log::open(&connection, readers);
    let mut batch = Vec::with_capacity(BATCH_MAX);
    let mut answers = Vec::with_capacity(BATCH_MAX);
    while waiting.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
        // Exclusive turns follow the others of the batch, in the order of their requests.
        let (lent, mut own): (Vec<Job>, Vec<Job>) = batch.drain(..).partition(|job| matches!(job.work, Work::Lend(_)));
        if !own.is_empty()
            && let Err(fault) = write(&connection, &own, &mut answers)
        {
            tracing::error!(%fault, turns = own.len(), "nothing could be written");
            answers.clear();
            answers.resize(own.len(), Err(CommitError::Fault(fault)));
        }
        for (job, answer) in own.drain(..).zip(answers.drain(..)) {
            // The caller may have given up waiting.
            let _ = job.reply.send(answer);
        }
        for Job { work, reply } in lent {
            if let Work::Lend(lending) = work {
                lending.serve(&connection, reply);
            }
        }
        log.look(&connection);
    }
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, "the database was not closed properly; nothing is lost");
    }
}

/// Writes a batch in one transaction. After an error, nothing of it is written.
fn write(connection: &Connection, batch: &[Job], answers: &mut Vec<Answer>) -> Result<(), Fault> {
    let written = write_all(connection, batch, answers);
    if written.is_err() && !connection.is_autocommit() {
        // If the rollback fails, the next BEGIN fails as well and reports it.
        let _ = connection.execute_batch("ROLLBACK");
    }
    written
}

fn write_all(connection: &Connection, batch: &[Job], answers: &mut Vec<Answer>) -> Result<(), Fault> {
    // IMMEDIATE takes the lock before the first read, so that compared rows cannot change before the write.
    apply::run(connection, "BEGIN IMMEDIATE", [])?;
    for job in batch {
        let done = match &job.work {
            Work::Commit(changes) => apply::turn(connection, changes).map(|()| 0),
            Work::Remove(rule, now, ids) => rule.remove(connection, *now, ids),
            Work::Replace(Replacement { table, after, until, rows }) => {
                let stretch = Stretch { after: after.as_deref(), until: until.as_deref() };
                // A stretch that fails must not be written in part.
                apply::alone(connection, || moving::replace(connection, table, stretch, rows)).map(|()| 0)
            }
            Work::Lend(_) => unreachable!("`serve` keeps it apart"),
            Work::NoteMaster(own) => installation::note_master_fingerprint(connection, *own).map_err(SqliteError::from),
            Work::ReplaceMaster(old, new) => {
                installation::replace_master_fingerprint(connection, *old, *new).map_err(SqliteError::from)
            }
            Work::ClaimJobs(claim, claimed) => jobs::claim(connection, *claim).map(|found| {
                *claimed.lock().unwrap_or_else(PoisonError::into_inner) = found;
                0
            }),
            Work::EndJob(id, holder, end) => jobs::end(connection, *id, *holder, end),
            Work::BuryJobs(burial) => jobs::bury(connection, *burial),
            Work::ChangeJob(id, change, event) => jobs::change(connection, *id, *change, event),
            #[cfg(test)]
            Work::LimitPages(pages) => limit_pages(connection, *pages),
        };
        match done {
            Err(SqliteError::Engine(error)) if is_for_all(&error) || connection.is_autocommit() => {
                return Err(fault(&error));
            }
            done => answers.push(done.map_err(CommitError::from)),
        }
    }
    apply::run(connection, "COMMIT", [])?;
    Ok(())
}

/// The length of the log, in pages, at which the writer waits for reads that are going on before it writes the log back. Until
/// then it tries again after each batch.
pub(super) const FRAMES_WAIT: u32 = 2 * FRAMES_MAX;

/// The care of the write-ahead log by the writer thread.
struct Log<'r> {
    readers: &'r Weak<Slots>,
    witness: Witness,
    /// The request to end all snapshots that was made when the log had grown long.
    request: Option<u64>,
}

impl<'r> Log<'r> {
    fn open(connection: &Connection, readers: &'r Weak<Slots>) -> Self {
        let mut log = Self { readers, witness: Witness::default(), request: None };
        // Ask SQLite for the frames first, because it creates the index when that is first needed. Errors are reported
        // below.
        let _ = frames(connection);
        if let (Some(path), Some(slots)) = (connection.path(), readers.upgrade()) {
            slots.index.open(path);
        }
        log.look(connection);
        log
    }

    /// Ends the snapshots that began before the log had grown long. A slow read must not hold up everybody who writes, so the
    /// writer leaves it alone at first. Returns false if it is to be tried again.
    fn have_readers_ended(slots: &Slots, request: &mut Option<u64>, frames: u32) -> bool {
        let request = *request.get_or_insert_with(|| slots.ask_to_end());
        if slots.have_ended(request) {
            return true;
        }
        if frames >= FRAMES_WAIT {
            slots.end_all(request);
        }
        frames >= FRAMES_WAIT
    }

    /// Writes the log back if it has become long. This is not part of the commit, so the turns of the batch do not wait
    /// for it.
    fn look(&mut self, connection: &Connection) {
        let slots = self.readers.upgrade();
        let none = Index::default();
        let index = slots.as_ref().map_or(&none, |slots| &slots.index);
        let done = match self.witness.look(index, || frames(connection)) {
            Ok(frames) if frames >= FRAMES_MAX => {
                // The log can start from the beginning only if no snapshot reads from it and all of it is written back.
                if let Some(slots) = &slots
                    && !Self::have_readers_ended(slots, &mut self.request, frames)
                {
                    return;
                }
                self.request = None;
                connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            // Everything is safe in the log. The next batch tries again.
            tracing::warn!(%error, "the write-ahead log could not be written back");
        }
    }
}

/// Returns the number of frames in the log. Each frame holds one page.
fn frames(connection: &Connection) -> rusqlite::Result<u32> {
    let mut statement = connection.prepare_cached("PRAGMA wal_checkpoint(NOOP)")?;
    statement.query_row([], |row| row.get(1))
}

#[cfg(test)]
fn limit_pages(connection: &Connection, pages: u32) -> Result<usize, SqliteError> {
    connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    Ok(0)
}
