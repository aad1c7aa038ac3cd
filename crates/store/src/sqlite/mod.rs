//! The store in an SQLite file. One thread writes, several turns in one transaction. Reads run on the calling threads.
//! Other processes may use the same file at the same time, and each sees at once what another has committed.

mod apply;
mod document;
mod enclosed;
mod error;
mod files;
mod index;
mod insert;
mod installation;
mod jobs;
mod list;
mod load;
mod moving;
mod open;
mod pen;
mod readers;
mod row;
mod schema;
mod sweep;
#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use protocol::line::{Changes, Facts, Wants};
use protocol::model::{Event, Job, JobId};
use protocol::secret::Digest;
use protocol::time::UnixTime;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

pub(crate) use self::enclosed::{enclose, enclosed};

use self::document::View;
use self::error::fault;
use self::pen::SqlitePen;
use self::readers::Readers;
use self::sweep::Sweeper;
use self::writer::{Replacement, Work, Writer};
use crate::documents::Documents;
use crate::moving::{Cell, Cells, Stretch, Table};
use crate::sweep_schedule::SweepSchedule;
use crate::{CommitError, Fault, JobBurial, JobChange, JobClaim, JobEnd, Mode, OpenError, Pen, Query, Rows, Store};

/// Counts the applications that a user registered.
const CLIENTS_OWNED: &str = "SELECT count(*) FROM clients WHERE owner = ?1";
/// Counts the personal access tokens of a user.
const PERSONALS_OWNED: &str = "SELECT count(*) FROM personal_tokens WHERE user = ?1";
/// Counts the links of a user to accounts at upstream identity providers.
const IDENTITIES_OWNED: &str = "SELECT count(*) FROM identities WHERE user = ?1";

/// A store in an SQLite file.
pub struct Sqlite {
    path: PathBuf,
    documents: Documents,
    // Dropped before the writer, because the last connection removes the write-ahead log.
    readers: Readers,
    writer: Writer,
    schedule: SweepSchedule,
}

impl Sqlite {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(path: &Path, mode: Mode) -> Result<Self, OpenError> {
        // SQLite would read a name that begins with `file:` as a URI.
        let path = if path.starts_with("file:") { Path::new(".").join(path) } else { PathBuf::from(path) };
        let connection = open::open(&path, mode)?;
        let no_thread = |error| OpenError::Unreadable {
            path: path.display().to_string(),
            cause: format!("no thread could be started: {error}"),
        };
        let readers = Readers::new(path.clone()).map_err(no_thread)?;
        let writer = Writer::start(connection, Arc::downgrade(&readers.slots)).map_err(no_thread)?;
        Ok(Self { path, documents: Documents::new(), readers, writer, schedule: SweepSchedule::new() })
    }

    /// Returns the schema version of the file at `path`; `None` if there is no file. Changes nothing.
    pub(crate) fn inspect(path: &Path) -> Result<Option<u32>, OpenError> {
        open::inspect(path)
    }

    /// Returns the greatest id in the file at `path`; 0 if there is none. Changes nothing.
    pub(crate) fn inspect_ids(path: &Path) -> Result<i64, OpenError> {
        open::inspect_ids(path)
    }

    /// Returns the fingerprint of the master key in the file at `path`, if one is noted. Changes nothing.
    pub(crate) fn inspect_master(path: &Path) -> Option<Digest> {
        open::inspect_master(path)
    }

    /// Returns identifiers that a client and a user share. Changes nothing.
    pub(crate) fn shared_ids(path: &Path) -> Result<Vec<String>, OpenError> {
        open::shared_ids(path)
    }

    /// Returns the newest schema version that this program knows.
    pub(crate) fn schema_known() -> u32 {
        schema::known()
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn load(&self, wants: Wants) -> Result<Facts, Fault> {
        Ok(self.readers.read(|connection| load::load(connection, &self.documents, wants))?)
    }

    async fn commit(&self, changes: Changes) -> Result<(), CommitError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.writer.ask(Work::Commit(changes)).await.map(drop)
    }

    async fn pen(&self) -> Result<Box<dyn Pen>, Fault> {
        let (pen, lending) = SqlitePen::new();
        self.writer.have_done(Work::Lend(lending)).await?;
        Ok(Box::new(pen))
    }

    async fn list(&self, query: &Query) -> Result<Rows, Fault> {
        if *query == Query::Counts {
            let connection = self.readers.open()?;
            let counted = tokio::task::spawn_blocking(move || list::counts(&connection)).await;
            return Ok(Rows::Counts(counted.map_err(|error| Fault::Broken { cause: error.to_string() })??));
        }
        let documents = &self.documents;
        Ok(self.readers.read(|connection| {
            load::in_snapshot(connection, || list::list(View { connection, documents, is_snapshot: true }, query))
        })?)
    }

    async fn master_fingerprint(&self) -> Result<Option<Digest>, Fault> {
        Ok(self.readers.read(|connection| Ok(installation::master_fingerprint(connection)?))?)
    }

    async fn note_master_fingerprint(&self, own: Digest) -> Result<Digest, Fault> {
        self.writer.have_done(Work::NoteMaster(own)).await?;
        Ok(self.master_fingerprint().await?.unwrap_or(own))
    }

    async fn replace_master_fingerprint(&self, old: Digest, new: Digest) -> Result<bool, Fault> {
        Ok(self.writer.have_done(Work::ReplaceMaster(old, new)).await? == 1)
    }

    async fn distrust(&self) -> Result<(), Fault> {
        open::distrust(&self.path).map_err(|error| Fault::Unavailable { cause: error.to_string() })
    }

    async fn sweep(&self, now: UnixTime, rows_max: usize) -> Result<usize, Fault> {
        let connection = self.readers.open()?;
        let events_kept_s = self.schedule.events_kept_s.load(Ordering::Relaxed);
        self.schedule.go_on(Sweeper { connection, writer: &self.writer, events_kept_s }, now, rows_max).await
    }

    async fn claim_jobs(&self, claim: JobClaim) -> Result<Vec<Job>, Fault> {
        let claimed = Arc::new(Mutex::new(Vec::new()));
        self.writer.have_done(Work::ClaimJobs(claim, Arc::clone(&claimed))).await?;
        let mut claimed = claimed.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut *claimed))
    }

    async fn end_job(&self, id: JobId, holder: i64, end: JobEnd) -> Result<bool, Fault> {
        Ok(self.writer.have_done(Work::EndJob(id, holder, end)).await? == 1)
    }

    async fn bury_jobs(&self, burial: JobBurial) -> Result<usize, Fault> {
        self.writer.have_done(Work::BuryJobs(burial)).await
    }

    async fn change_job(&self, id: JobId, change: JobChange, event: Event) -> Result<bool, Fault> {
        Ok(self.writer.have_done(Work::ChangeJob(id, change, Box::new(event))).await? == 1)
    }

    fn keep_events(&self, for_s: u64) {
        self.schedule.events_kept_s.store(for_s, Ordering::Relaxed);
    }

    async fn read_stretch(
        &self,
        table: &'static Table,
        stretch: Stretch<'_>,
        rows_max: usize,
    ) -> Result<Vec<Cells>, Fault> {
        Ok(self.readers.read(|connection| moving::read(connection, table, stretch, rows_max))?)
    }

    async fn replace_stretch(
        &self,
        table: &'static Table,
        stretch: Stretch<'_>,
        rows: Vec<Cells>,
    ) -> Result<(), Fault> {
        let (after, until) = (stretch.after.map(<[Cell]>::to_vec), stretch.until.map(<[Cell]>::to_vec));
        self.writer.have_done(Work::Replace(Replacement { table, after, until, rows })).await.map(drop)
    }

    async fn backup(&self, path: &Path) -> Result<(), Fault> {
        let from = self.readers.open()?;
        let path = path.to_owned();
        let copied = tokio::task::spawn_blocking(move || copy(&from, &path)).await;
        copied.map_err(|error| Fault::Broken { cause: error.to_string() })?
    }
}

/// Copies one snapshot of all rows to a new file. The copy is one transaction of the new file, so an interrupted copy
/// leaves an empty file and never an incomplete backup.
fn copy(from: &Connection, path: &Path) -> Result<(), Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    files::make(path)
        .map_err(|error| Fault::Unavailable { cause: format!("{}: {}", path.display(), files::plain(&error)) })?;
    let refuse = |error: rusqlite::Error| Fault::Unavailable { cause: format!("{}: {error}", path.display()) };
    let mut to = Connection::open_with_flags(path, flags).map_err(refuse)?;
    let pages: i64 = to.query_row("PRAGMA page_count", [], |row| row.get(0)).map_err(refuse)?;
    if pages > 0 {
        return Err(Fault::Unavailable { cause: format!("there is a file already at {}", path.display()) });
    }
    let stepped = Backup::new(from, &mut to).map_err(refuse)?.step(-1).map_err(|error| fault(&error))?;
    if stepped != StepResult::Done {
        return Err(Fault::Unavailable { cause: "another process held the database; try again".to_owned() });
    }
    Ok(())
}
