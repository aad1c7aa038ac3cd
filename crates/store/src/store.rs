//! What every store can do.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use protocol::line::{Changes, Facts, Wants};
use protocol::model::{Event, Job, JobId};
use protocol::secret::Digest;
use protocol::time::UnixTime;
use tokio::sync::watch;

use crate::fault::{CommitError, Fault};
use crate::jobs::{JobBurial, JobChange, JobClaim, JobEnd};
use crate::moving::{Cells, Stretch, Table};
use crate::query::{Query, Rows};

/// Where the rows are. Every method may be called from any number of tasks at once.
#[async_trait]
pub trait Store: Send + Sync {
    /// Finds the rows that a call must be judged against, all as of one moment.
    ///
    /// Rows are found also when they are expired or spent: the judge decides. [`protocol::model::Held::is_grant_revoked`]
    /// is true when the row's grant is revoked, and for an access token also when its grant is gone. The grant of a code
    /// begins with its redemption, so for a code only a grant that is there and revoked counts.
    ///
    /// # Errors
    /// When the rows cannot be read. That a row is absent is no error.
    async fn load(&self, wants: Wants) -> Result<Facts, Fault>;

    /// Writes the changes of one turn: all of them, durably, or none.
    ///
    /// [`Changes::relied`] is compared with the rows as they were before the turn. [`Changes::writes`] are made in their
    /// order.
    ///
    /// # Errors
    /// [`CommitError::Lost`] when a precondition does not hold or a new row's id is taken: look again, judge again.
    /// [`CommitError::Behind`] when a `revoked_below` that was raised would miss a session, code, grant or token that is
    /// there. [`CommitError::Taken`] when a name belongs to somebody else. After an error nothing of the turn is written.
    async fn commit(&self, changes: Changes) -> Result<(), CommitError>;

    /// Waits for the exclusive right to write. While the returned [`Pen`] is held, no other task and no other process that
    /// shares the store writes, so every row that [`Store::load`] or [`Store::list`] reads stays as it was read. A turn that
    /// loads, judges and commits under the pen cannot be lost to a faster one.
    ///
    /// Everybody else waits meanwhile, so the pen is for turns that lost already and must not lose again. It is taken away
    /// [`PEN_MAX`] after it was given.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn pen(&self) -> Result<Box<dyn Pen>, Fault> {
        Err(Fault::Unsupported("an exclusive writer"))
    }

    /// Lists rows for people to look at.
    ///
    /// # Errors
    /// When the rows cannot be read.
    async fn list(&self, query: &Query) -> Result<Rows, Fault>;

    /// Removes rows that are of no more use at `now`, at most `rows_max` of them, and says how many. 0 means that nothing is
    /// left to remove for now; until then, call again. The first calls look everywhere; later ones leave what is hard to
    /// find to one round in many.
    ///
    /// # Errors
    /// When the rows cannot be read or written. What was removed before stays removed.
    async fn sweep(&self, now: UnixTime, rows_max: usize) -> Result<usize, Fault>;

    /// Sets how many seconds audit events are kept before a sweep removes them.
    fn keep_events(&self, for_s: u64) {
        let _ = for_s;
    }

    /// Grows whenever another process may have changed what this one keeps in memory for long, such as the sealing keys.
    /// Absent where nobody tells; then look from time to time.
    fn news(&self) -> Option<watch::Receiver<u64>> {
        None
    }

    /// The fingerprint of the master key that the rows were made with; absent where none was noted yet.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn master_fingerprint(&self) -> Result<Option<Digest>, Fault> {
        Ok(None)
    }

    /// Notes the fingerprint of the master key, unless one is noted already, and returns the one that is noted then. When
    /// several processes do so at once, all of them get the same one.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    async fn note_master_fingerprint(&self, own: Digest) -> Result<Digest, Fault> {
        Ok(own)
    }

    /// Puts the fingerprint of another master key in the place of `old`, and says whether `old` was the one that was noted.
    ///
    /// # Errors
    /// When the store cannot be read or written, or this store keeps none.
    async fn replace_master_fingerprint(&self, old: Digest, new: Digest) -> Result<bool, Fault> {
        let _ = (old, new);
        Err(Fault::Unsupported("another master key"))
    }

    /// Asks to be the one process that does `work`, for the next `for_s` seconds. Whoever has it may ask again, to keep it;
    /// when its holder is gone, the next one gets it as soon as its time is over. A store that is not shared says yes.
    ///
    /// # Errors
    /// When the store cannot be read or written: then it is not known who has it, and nobody should do the work.
    async fn lease(&self, work: &str, holder: i64, for_s: u32) -> Result<bool, Fault> {
        let _ = (work, holder, for_s);
        Ok(true)
    }

    /// Did anybody ever ask for the lease of `work` here? A store that is not shared does not know.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn was_leased(&self, work: &str) -> Result<bool, Fault> {
        let _ = work;
        Ok(false)
    }

    /// Claims due jobs, the longest due first, and counts an attempt of each. No other worker gets them until the claim is
    /// over. [`protocol::line::Write::Enqueue`] adds jobs. A due job whose row cannot be read is buried with the reason.
    ///
    /// # Errors
    /// When the store cannot be read or written, or keeps no jobs.
    async fn claim_jobs(&self, claim: JobClaim) -> Result<Vec<Job>, Fault> {
        let _ = claim;
        Err(Fault::Unsupported("jobs"))
    }

    /// Writes what became of a job. Returns false, and writes nothing, if `holder` does not hold the job any more.
    ///
    /// # Errors
    /// When the store cannot be written, or keeps no jobs.
    async fn end_job(&self, id: JobId, holder: i64, end: JobEnd) -> Result<bool, Fault> {
        let _ = (id, holder, end);
        Err(Fault::Unsupported("jobs"))
    }

    /// Buries jobs of kinds that no worker knows, unless a worker holds them. Returns how many.
    ///
    /// # Errors
    /// When the store cannot be written, or keeps no jobs.
    async fn bury_jobs(&self, burial: JobBurial) -> Result<usize, Fault> {
        let _ = burial;
        Err(Fault::Unsupported("jobs"))
    }

    /// Makes an operator's change to a job, and notes the event with it. Returns false, and writes nothing, if there is no such
    /// job, or if it is to be retried while a worker holds it.
    ///
    /// # Errors
    /// When the store cannot be written, or keeps no jobs.
    async fn change_job(&self, id: JobId, change: JobChange, event: Event) -> Result<bool, Fault> {
        let _ = (id, change, event);
        Err(Fault::Unsupported("jobs"))
    }

    /// Adds what this process counted to what all processes did, and gives the windows as they are now. Absent where the
    /// store is not shared: then this process knows all there is to know.
    ///
    /// # Errors
    /// When the store cannot be read or written; then nothing was added.
    async fn tally(&self, now: UnixTime, counted: &[Window]) -> Result<Option<Vec<Window>>, Fault> {
        let _ = (now, counted);
        Ok(None)
    }

    /// Reads rows of a table in the order of their keys, at most so many.
    ///
    /// # Errors
    /// When the rows cannot be read, or this store has none that last.
    async fn read_stretch(
        &self,
        table: &'static Table,
        stretch: Stretch<'_>,
        rows_max: usize,
    ) -> Result<Vec<Cells>, Fault> {
        let _ = (table, stretch, rows_max);
        Err(Fault::Unsupported("to be moved"))
    }

    /// Puts these rows in the place of all that are in the stretch: all of it, durably, or nothing. A row elsewhere that has
    /// what only one row may have, such as a user name, goes.
    ///
    /// # Errors
    /// When the rows cannot be written, or this store has none that last.
    async fn replace_stretch(
        &self,
        table: &'static Table,
        stretch: Stretch<'_>,
        rows: Vec<Cells>,
    ) -> Result<(), Fault> {
        let _ = (table, stretch, rows);
        Err(Fault::Unsupported("to be moved"))
    }

    /// Is called after rows were moved here or repaired: the database learns what there is, and requests are counted anew.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn settle(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// Notes beside the rows that some of them are damaged: whoever opens the store next looks at all of it first, and does
    /// not open it while there is damage.
    ///
    /// # Errors
    /// When that cannot be noted.
    async fn distrust(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// Writes a copy of everything, as of one moment, into a new or empty file at `path`, while the store is in use. When it
    /// breaks off, the file may have half of it: give it another name until it is whole.
    ///
    /// # Errors
    /// When there is something in the file already, when it cannot be written, or when this store keeps no files.
    async fn backup(&self, path: &Path) -> Result<(), Fault> {
        let _ = path;
        Err(Fault::Unsupported("a backup"))
    }
}

/// How long one turn may keep everybody else from writing. A load, a quick judgement and a commit take milliseconds; a
/// holder that is stopped in between must not stop every other node for longer than a client waits.
pub const PEN_MAX: Duration = Duration::from_secs(1);

/// The exclusive right to write, see [`Store::pen`]. Dropping it gives it back and writes nothing.
#[async_trait]
pub trait Pen: Send {
    /// Writes the changes of one turn, as [`Store::commit`] does, and gives the pen back. After [`CommitError::Lost`],
    /// [`CommitError::Behind`] and [`CommitError::Taken`] the pen is still held: judge again and commit again.
    ///
    /// # Errors
    /// Those of [`Store::commit`]; also when the pen was given back before, or taken away.
    async fn commit(&mut self, changes: Changes) -> Result<(), CommitError>;
}

/// The fault of a pen that is not held any more.
pub(crate) fn pen_is_gone() -> Fault {
    let cause = format!("an exclusive write took longer than {} s and was given up; try again", PEN_MAX.as_secs());
    Fault::Unavailable { cause }
}

/// Requests that are counted for so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// What is counted.
    pub key: Digest,
    /// Since when.
    pub began_at: UnixTime,
    /// When it begins anew.
    pub until: UnixTime,
    /// How many.
    pub used: u32,
}
