//! Rows in and out, atomically. The only crate with SQL; it knows no HTTP and no rule of OAuth, and it only ever sees
//! digests of secrets.
//!
//! Four verbs: [`Store::load`] finds the rows that one call is judged against, [`Store::commit`] writes what was decided,
//! [`Store::list`] is for people who look at many rows, [`Store::sweep`] removes what is of no more use.

#[cfg(test)]
mod conformance;
mod documents;
mod fault;
mod jobs;
mod memory;
pub mod moving;
mod names;
mod postgres;
mod query;
mod rows;
mod sqlite;
#[cfg(test)]
mod upgrade_tests;
mod walk;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use protocol::line::{Changes, Facts, Wants};
use protocol::model::{Job, JobId};
use protocol::secret::Digest;
use protocol::time::UnixTime;
use tokio::sync::watch;

use moving::{Cells, Stretch, Table};

pub use fault::{CommitError, Fault, OpenError};
pub use jobs::{DEAD_JOB_KEPT_S, JobChange, JobClaim, JobCount, JobEnd, JobFilter};
pub use memory::Memory;
pub use names::{CLIENT_ID_OF_USER, SUB_OF_CLIENT};
pub use postgres::Postgres;
pub use query::{Application, Counts, EventFilter, Noted, Query, Rows};
pub use sqlite::Sqlite;

/// The tables, in the order in which people ask for them.
pub(crate) const TABLES: [&str; 15] = [
    "clients",
    "users",
    "sessions",
    "identities",
    "consents",
    "codes",
    "grants",
    "access_tokens",
    "personal_tokens",
    "secret_uses",
    "attempts",
    "burned",
    "seal_keys",
    "jobs",
    "events",
];

/// Identifiers that a client and a user share. So many are enough to say that there are some.
pub(crate) const SHARED_IDS: &str = "SELECT c.client_id FROM clients AS c JOIN users AS u ON u.sub = c.client_id \
    ORDER BY c.client_id LIMIT 20";

/// How one asks when the first and the last row of a table were made.
pub(crate) struct Ages {
    /// The statement, which both kinds of SQL understand.
    pub(crate) sql: String,
    /// Are two look-ups enough? Else the whole table is read.
    pub(crate) is_by_key: bool,
}

/// When the first and the last row of a table were made; none for a table whose rows have no time. Ids and keys grow with
/// time, so two look-ups are enough where there is an id. `in_document` is how the time is read out of a document.
pub(crate) fn ages(table: &str, in_document: &str) -> Option<Ages> {
    let (time, key) = match table {
        "clients" | "users" => (in_document, Some("key")),
        "sessions" | "grants" | "personal_tokens" | "seal_keys" | "jobs" => ("created_at", Some("id")),
        "codes" | "access_tokens" => ("issued_at", Some("id")),
        "events" => ("at", Some("id")),
        "consents" => ("given_at", None),
        "identities" => ("linked_at", None),
        _ => return None,
    };
    let ends = key.map_or_else(String::new, |key| {
        format!(" WHERE {key} IN ((SELECT min({key}) FROM {table}), (SELECT max({key}) FROM {table}))")
    });
    Some(Ages { sql: format!("SELECT min({time}), max({time}) FROM {table}{ends}"), is_by_key: key.is_some() })
}

/// The statement for [`Query::GreatestId`], which both kinds of SQL understand. An id below zero ran over.
pub(crate) fn greatest_id_sql() -> String {
    let tables = [
        ("clients", "key"),
        ("users", "key"),
        ("sessions", "id"),
        ("codes", "id"),
        ("grants", "id"),
        ("access_tokens", "id"),
        ("personal_tokens", "id"),
        ("jobs", "id"),
    ];
    let parts = tables.map(|(table, key)| {
        let overrun = i64::MAX;
        format!("SELECT max({key}) AS id FROM {table} UNION ALL SELECT max({overrun}) FROM {table} WHERE {key} < 0")
    });
    format!("SELECT max(id) FROM ({}) AS ids", parts.join(" UNION ALL "))
}

/// A spent code is kept for so many seconds after its end, so that a late replay still ends its grant. RFC 6749 §4.1.2
/// leaves the time open; an hour outlives every queue and log shipper that a code may leak from in passing.
pub const SPENT_CODE_KEPT_S: u64 = 3_600;

/// A token that was good once is remembered for so many seconds after its end: another node's clock may be behind, and
/// would take it once more.
pub const BURNED_KEPT_S: u64 = 3_600;

/// Audit events are kept for so many seconds unless [`Store::keep_events`] says otherwise: a year, and a month in which to
/// look back at it.
pub const EVENT_KEPT_S: u64 = 396 * 86_400;

/// A token that is dead for another reason than its age is left to its age when that comes within so many seconds.
/// Looking for the others costs several look-ups a row, which is worth it only where rows would stay for long.
pub const DEAD_TOKEN_KEPT_S: u64 = 86_400;

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
    /// over. [`protocol::line::Write::Enqueue`] adds jobs.
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

    /// Makes an operator's change to a job. Returns false, and writes nothing, if there is no such job, or if it is to be
    /// retried while a worker holds it.
    ///
    /// # Errors
    /// When the store cannot be written, or keeps no jobs.
    async fn change_job(&self, id: JobId, change: JobChange) -> Result<bool, Fault> {
        let _ = (id, change);
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

/// What [`open`] may do with a store that is not as this program needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Make it when it is not there, and bring its schema up to date.
    Create,
    /// Bring its schema up to date, but refuse when it is not there.
    Existing,
}

/// Opens the store that `url` names: `sqlite:PATH`, `postgres://USER@HOST/DATABASE`, or `memory:` for one that lives and
/// dies with this process.
///
/// # Errors
/// See [`OpenError`]; its texts are for the operator.
pub async fn open(url: &str, mode: Mode) -> Result<Arc<dyn Store>, OpenError> {
    match parse(url)? {
        Place::Memory => Ok(Arc::new(Memory::default())),
        Place::Sqlite(path) => Ok(Arc::new(Sqlite::open(path, mode)?)),
        Place::Postgres => Ok(Arc::new(Postgres::open(url, mode).await?)),
    }
}

/// What is at an address, and what this program would make of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The fingerprint of the master key that the rows were made with, if one was noted.
    pub master_fingerprint: Option<Digest>,
    /// The schema that is there; 0 for an empty file, absent when there is nothing yet.
    pub schema: Option<u32>,
    /// The schema that [`open`] would bring it to; absent for a store without one.
    pub schema_known: Option<u32>,
    /// The answer to [`Query::GreatestId`]; 0 where there is nothing yet.
    pub greatest_id: i64,
}

/// Looks at the store that `url` names, and changes nothing.
///
/// # Errors
/// Those of [`open`], but that nothing is there yet is no error here.
pub async fn inspect(url: &str) -> Result<Inspection, OpenError> {
    match parse(url)? {
        Place::Memory => Ok(Inspection::default()),
        Place::Sqlite(path) => Ok(Inspection {
            schema: Sqlite::inspect(path)?,
            schema_known: Some(Sqlite::schema_known()),
            greatest_id: Sqlite::inspect_ids(path)?,
            master_fingerprint: Sqlite::inspect_master(path),
        }),
        Place::Postgres => Postgres::inspect(url).await,
    }
}

/// Identifiers that a client and a user share, from before they were kept apart. RFC 9068 §5 says why they must be: a
/// resource server could take the client for the user. Changes nothing.
///
/// # Errors
/// Those of [`open`], but that nothing is there yet is no error here.
pub async fn shared_ids(url: &str) -> Result<Vec<String>, OpenError> {
    match parse(url)? {
        Place::Memory => Ok(Vec::new()),
        Place::Sqlite(path) => Sqlite::shared_ids(path),
        Place::Postgres => Postgres::shared_ids(url).await,
    }
}

/// Puts a sealed secret into a backup, which has none yet.
///
/// # Errors
/// When the file cannot be written.
pub fn enclose(backup: &Path, sealed: &[u8]) -> Result<(), Fault> {
    sqlite::enclose(backup, sealed)
}

/// The sealed secret in a backup, if there is one.
///
/// # Errors
/// When the file cannot be read.
pub fn enclosed(backup: &Path) -> Result<Option<Vec<u8>>, Fault> {
    sqlite::enclosed(backup)
}

/// Reads the address of a PostgreSQL without going there, and returns what the operator should know about it, if anything.
///
/// # Errors
/// What is wrong with it, in words that hold no password.
pub fn check_address(url: &str) -> Result<Option<String>, String> {
    postgres::check_address(url)
}

enum Place<'a> {
    Memory,
    Sqlite(&'a Path),
    Postgres,
}

fn parse(url: &str) -> Result<Place<'_>, OpenError> {
    match url.split_once(':') {
        Some(("memory", "")) => Ok(Place::Memory),
        Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => Ok(Place::Postgres),
        // `:memory:` is SQLite's word for a database that each connection has for itself: of no use here.
        Some(("sqlite", path)) if !path.is_empty() && !path.starts_with(":memory:") => {
            Ok(Place::Sqlite(Path::new(path)))
        }
        _ => Err(OpenError::Url),
    }
}
