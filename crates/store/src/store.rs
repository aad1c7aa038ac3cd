//! The interface of stores.

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

/// A store: the database that holds all persistent state. Any number of tasks may call every method at the same time.
#[async_trait]
pub trait Store: Send + Sync {
    /// Finds the rows that a call is judged by, all in one snapshot.
    ///
    /// Expired and spent rows are found too, because the judge decides. [`protocol::model::WithOwners::is_grant_revoked`] is
    /// true if the row's grant is revoked, and for an access token also if its grant was removed. The grant of a code
    /// begins only when the code is redeemed, so for a code a missing grant does not count as revoked.
    ///
    /// # Errors
    /// If the rows cannot be read. A missing row is no error.
    async fn load(&self, wants: Wants) -> Result<Facts, Fault>;

    /// Writes the changes of one turn durably: all of them, or none.
    ///
    /// [`Changes::relied`] is compared with the rows as they were before the turn. [`Changes::writes`] are made in their
    /// order.
    ///
    /// # Errors
    /// [`CommitError::Lost`] if a precondition does not hold or the id of a new row is taken: load and judge again.
    /// [`CommitError::Behind`] if raising a `revoked_below` would miss a session, code, grant or token with a greater
    /// id. [`CommitError::Taken`] if a unique name belongs to another row. After an error, nothing of the turn is
    /// written.
    async fn commit(&self, changes: Changes) -> Result<(), CommitError>;

    /// Waits for the exclusive right to write. While the returned [`Pen`] is held, no other task and no other process that
    /// shares the store writes, so every row that [`Store::load`] or [`Store::list`] reads stays as it was read. A turn that
    /// loads, judges and commits under the pen cannot be lost to a faster one.
    ///
    /// All other writers wait meanwhile, so the pen is for turns that have lost already and must not lose again. The
    /// store takes the pen away after [`PEN_MAX`].
    ///
    /// # Errors
    /// If the store cannot be written.
    async fn pen(&self) -> Result<Box<dyn Pen>, Fault> {
        Err(Fault::Unsupported("an exclusive writer"))
    }

    /// Lists rows to show to users and operators.
    ///
    /// # Errors
    /// If the rows cannot be read.
    async fn list(&self, query: &Query) -> Result<Rows, Fault>;

    /// Removes at most `rows_max` rows that have expired at `now`. Returns their number. 0 means that nothing is left
    /// to remove for now; until then, call it again. The first calls search everywhere. Later ones search for rows that
    /// are hard to find only in one round of many.
    ///
    /// # Errors
    /// If the rows cannot be read or written. Rows that were removed before stay removed.
    async fn sweep(&self, now: UnixTime, rows_max: usize) -> Result<usize, Fault>;

    /// Sets how many seconds audit events are kept before a sweep removes them.
    fn keep_events(&self, for_s: u64) {
        let _ = for_s;
    }

    /// Returns a counter that grows whenever another process may have changed what this process keeps in memory for
    /// long, such as the sealing keys. `None` if the store sends no such news; the caller must then reload from time to
    /// time.
    fn news(&self) -> Option<watch::Receiver<u64>> {
        None
    }

    /// Returns the fingerprint of the store's master key; `None` if none was noted yet.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn master_fingerprint(&self) -> Result<Option<Digest>, Fault> {
        Ok(None)
    }

    /// Notes the fingerprint of the master key, unless one is noted already. Returns the noted one. If several
    /// processes call this at the same time, all get the same fingerprint.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    async fn note_master_fingerprint(&self, own: Digest) -> Result<Digest, Fault> {
        Ok(own)
    }

    /// Replaces the noted fingerprint `old` by `new`. Returns false, and changes nothing, if another one is noted.
    ///
    /// # Errors
    /// If the store cannot be read or written, or keeps no fingerprint.
    async fn replace_master_fingerprint(&self, old: Digest, new: Digest) -> Result<bool, Fault> {
        let _ = (old, new);
        Err(Fault::Unsupported("another master key"))
    }

    /// Takes or renews the lease of `work` for `for_s` seconds. Returns true if `holder` has the lease. While a process
    /// has it, no other process gets it. If its holder ends without renewing it, another process gets it when the time
    /// is over. A store that is not shared always returns true.
    ///
    /// # Errors
    /// If the store cannot be read or written. The holder is then unknown, and no process should do the work.
    async fn lease(&self, work: &str, holder: i64, for_s: u32) -> Result<bool, Fault> {
        let _ = (work, holder, for_s);
        Ok(true)
    }

    /// Returns true if the lease of `work` was ever taken. A store that is not shared does not know and returns false.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn was_leased(&self, work: &str) -> Result<bool, Fault> {
        let _ = work;
        Ok(false)
    }

    /// Claims due jobs, the longest due first, and counts an attempt of each. No other worker gets them until the claim is
    /// over. [`protocol::line::Write::Enqueue`] adds jobs. A due job whose row cannot be read is buried with the reason.
    ///
    /// # Errors
    /// If the store cannot be read or written, or keeps no jobs.
    async fn claim_jobs(&self, claim: JobClaim) -> Result<Vec<Job>, Fault> {
        let _ = claim;
        Err(Fault::Unsupported("jobs"))
    }

    /// Writes the outcome of an attempt at a job. Returns false, and writes nothing, if `holder` no longer holds the
    /// job.
    ///
    /// # Errors
    /// If the store cannot be written, or keeps no jobs.
    async fn end_job(&self, id: JobId, holder: i64, end: JobEnd) -> Result<bool, Fault> {
        let _ = (id, holder, end);
        Err(Fault::Unsupported("jobs"))
    }

    /// Buries jobs of kinds that no worker knows, unless a worker holds them. Returns how many.
    ///
    /// # Errors
    /// If the store cannot be written, or keeps no jobs.
    async fn bury_jobs(&self, burial: JobBurial) -> Result<usize, Fault> {
        let _ = burial;
        Err(Fault::Unsupported("jobs"))
    }

    /// Makes an operator's change to a job, and notes the event with it. Returns false, and writes nothing, if there is no such
    /// job, or if it is to be retried while a worker holds it.
    ///
    /// # Errors
    /// If the store cannot be written, or keeps no jobs.
    async fn change_job(&self, id: JobId, change: JobChange, event: Event) -> Result<bool, Fault> {
        let _ = (id, change, event);
        Err(Fault::Unsupported("jobs"))
    }

    /// Adds the requests that this process counted to the shared counts, and returns the windows with the new counts.
    /// `None` if the store is not shared, so that the counts of this process are complete.
    ///
    /// # Errors
    /// If the store cannot be read or written. Nothing was added then.
    async fn tally(&self, now: UnixTime, counted: &[Window]) -> Result<Option<Vec<Window>>, Fault> {
        let _ = (now, counted);
        Ok(None)
    }

    /// Reads at most `rows_max` rows of a stretch of a table, in the order of their keys.
    ///
    /// # Errors
    /// If the rows cannot be read, or the store is not persistent.
    async fn read_stretch(
        &self,
        table: &'static Table,
        stretch: Stretch<'_>,
        rows_max: usize,
    ) -> Result<Vec<Cells>, Fault> {
        let _ = (table, stretch, rows_max);
        Err(Fault::Unsupported("to be moved"))
    }

    /// Replaces all rows of a stretch by these, durably: completely, or not at all. Removes rows outside of the stretch
    /// that have the same unique value as one of the new rows, such as a user name.
    ///
    /// # Errors
    /// If the rows cannot be written, or the store is not persistent.
    async fn replace_stretch(
        &self,
        table: &'static Table,
        stretch: Stretch<'_>,
        rows: Vec<Cells>,
    ) -> Result<(), Fault> {
        let _ = (table, stretch, rows);
        Err(Fault::Unsupported("to be moved"))
    }

    /// Must be called after rows were copied here or repaired. Updates sequences and statistics of the database, and
    /// resets the shared counts of requests.
    ///
    /// # Errors
    /// If the store cannot be written.
    async fn settle(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// Marks the store as possibly damaged. The next process that opens the store checks all of it first, and refuses
    /// to open it while there is damage.
    ///
    /// # Errors
    /// If the mark cannot be written.
    async fn distrust(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// Writes a copy of one snapshot of all rows to a new or empty file at `path`, while the store is in use. If the
    /// copy is interrupted, the file may be incomplete, so give it a temporary name first.
    ///
    /// # Errors
    /// If the file is not empty or cannot be written, or if the store does not support backups.
    async fn backup(&self, path: &Path) -> Result<(), Fault> {
        let _ = path;
        Err(Fault::Unsupported("a backup"))
    }
}

/// Maximum time for which one turn may hold the exclusive right to write. Loading, judging and committing take
/// milliseconds. A process that stops in between must not block the other nodes for longer than clients wait.
pub const PEN_MAX: Duration = Duration::from_secs(1);

/// The exclusive right to write, see [`Store::pen`]. Dropping it releases the right and writes nothing.
#[async_trait]
pub trait Pen: Send {
    /// Writes the changes of one turn, as [`Store::commit`] does, and releases the pen. After [`CommitError::Lost`],
    /// [`CommitError::Behind`] and [`CommitError::Taken`] the pen is still held: judge again and commit again.
    ///
    /// # Errors
    /// Those of [`Store::commit`]. Also if the pen was released, or taken away.
    async fn commit(&mut self, changes: Changes) -> Result<(), CommitError>;
}

/// Returns the fault of a pen that is no longer held.
pub(crate) fn pen_is_gone() -> Fault {
    let cause = format!("an exclusive write took longer than {} s and was given up; try again", PEN_MAX.as_secs());
    Fault::Unavailable { cause }
}

/// A window of time in which requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The key of the counter.
    pub key: Digest,
    /// The beginning of the window.
    pub began_at: UnixTime,
    /// The end of the window.
    pub until: UnixTime,
    /// Number of requests in the window.
    pub used: u32,
}
