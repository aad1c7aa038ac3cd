//! Connections that only read. Reads run on the calling thread, and every thread has a preferred connection, so that
//! threads do not wait for each other. If there are more threads than connections, a thread takes any free connection.
//!
//! Beginning and ending a snapshot takes file locks, which SQLite takes under a mutex that all threads share. So a
//! connection keeps its snapshot from one read to the next until there is a commit. It sees that in the index of the
//! write-ahead log. See decision 0031.
//!
//! Snapshots also have to end in time, for the log to be written back and begun anew. Nobody waits for a read for that: the
//! request is a number that grows, and a read that is going on meets the request when it is over.

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::error::SqliteError;
use super::index::{Header, Index};
use super::open::{BUSY_MAX, keep_statements};

/// Maximum number of connections. More have no benefit.
const READERS_MAX: usize = 16;
/// Page cache of all connections together, in KiB: enough for the leaf pages of some hundred thousand tokens. Memory is
/// allocated as pages are read, so an idle process uses little.
const CACHE_KIB: usize = 48 << 10;
/// Approximate maximum time for which a snapshot is kept. Another process that wants to start the log from the
/// beginning must wait for the end of the snapshot.
const KEPT_MAX: Duration = Duration::from_secs(1);

/// The connections, each of which is opened when it is first used.
pub(super) struct Readers {
    path: PathBuf,
    pub(super) slots: Arc<Slots>,
    /// The thread that ends old snapshots.
    thread: Option<JoinHandle<()>>,
}

/// The connections, and the index that shows whether their snapshots are current.
pub(super) struct Slots {
    pub(super) index: Index,
    slots: Box<[Slot]>,
    /// Counts the requests to end all snapshots.
    requests: AtomicU64,
    /// True if a snapshot was kept since the thread last checked.
    has_kept: AtomicBool,
    is_over: AtomicBool,
}

/// The place of a connection.
struct Slot {
    reader: Mutex<Option<Reader>>,
    /// The last request to end all snapshots that this connection met: its snapshot, if it has one, began later.
    met: AtomicU64,
}

/// A connection. Between two reads it is inside a transaction if it keeps a snapshot.
struct Reader {
    connection: Connection,
    /// The header of the index just before the last read. A kept snapshot is at least as new.
    seen: Option<Header>,
}

thread_local! {
    static THREAD: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed)
    };
}

impl Readers {
    /// Prepares connections to the file at `path`, without opening them.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(super) fn new(path: PathBuf) -> std::io::Result<Self> {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let slots = Arc::new(Slots {
            index: Index::default(),
            slots: (0..threads.clamp(2, READERS_MAX))
                .map(|_| Slot { reader: Mutex::new(None), met: AtomicU64::new(0) })
                .collect(),
            requests: AtomicU64::new(0),
            has_kept: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        });
        let own = Arc::clone(&slots);
        let thread =
            std::thread::Builder::new().name("store-readers".to_owned()).spawn(move || own.let_go_in_time())?;
        Ok(Self { path, slots, thread: Some(thread) })
    }

    /// Reads with one of the connections. Everything that was committed before this call is visible.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, SqliteError>) -> Result<T, SqliteError> {
        let (slot, mut reader) = self.slots.take();
        let Reader { connection, seen } = match &mut *reader {
            Some(reader) => reader,
            empty => empty.insert(Reader { connection: self.open()?, seen: None }),
        };
        let requests = self.slots.requests.load(Ordering::Acquire);
        let is_asked_to_end = slot.met.load(Ordering::Acquire) < requests;
        let now = self.slots.index.header().filter(Header::may_be_kept);
        // `None` during the read. If the read panics, the age of the snapshot stays unknown.
        let before = seen.take();
        if is_asked_to_end || before.is_none() || before != now {
            end(connection)?;
        } else if connection.is_autocommit() {
            // This is the second read without a commit in between, so keeping a snapshot is worthwhile.
            connection.prepare_cached("BEGIN DEFERRED")?.execute([])?;
            self.note_kept();
        }
        slot.met.store(requests, Ordering::Release);
        let found = read(connection);
        if found.is_ok() {
            *seen = now;
        }
        // Somebody asked while the read was going on, and did not wait for it.
        let requests = self.slots.requests.load(Ordering::Acquire);
        if slot.met.load(Ordering::Relaxed) < requests {
            slot.end(&mut reader, requests);
        }
        found
    }

    /// Wakes the thread that will end the snapshot that has just begun.
    fn note_kept(&self) {
        if !self.slots.has_kept.swap(true, Ordering::AcqRel)
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
    }

    /// Opens a connection for the caller alone.
    pub(super) fn open(&self) -> Result<Connection, SqliteError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY_MAX)?;
        keep_statements(&connection)?;
        let cache_kib = CACHE_KIB / self.slots.slots.len();
        connection.execute_batch(&format!("PRAGMA cache_size = -{cache_kib}; PRAGMA trusted_schema = OFF;"))?;
        Ok(connection)
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.slots.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic of the thread no longer matters.
            let _ = thread.join();
        }
    }
}

impl Slots {
    fn take(&self) -> (&Slot, MutexGuard<'_, Option<Reader>>) {
        let favourite = THREAD.with(|number| *number) % self.slots.len();
        let (before, from) = self.slots.split_at(favourite);
        for slot in from.iter().chain(before) {
            if let Some(reader) = slot.if_free() {
                return (slot, reader);
            }
        }
        let slot = &self.slots[favourite];
        (slot, slot.reader.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks every connection to end the snapshot that it has. Returns the number of the request.
    pub(super) fn ask_to_end(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Ends the snapshots of connections that nobody uses now, if they began before the request. Returns true if no snapshot
    /// from before the request is left; a read that is going on may still have one.
    pub(super) fn have_ended(&self, request: u64) -> bool {
        // Every slot is looked at, also after one that is in use.
        self.slots.iter().filter(|slot| !slot.has_ended(request)).count() == 0
    }

    /// Ends every snapshot that began before the request. Waits for the reads that are going on.
    pub(super) fn end_all(&self, request: u64) {
        for slot in self.slots.iter().filter(|slot| slot.met.load(Ordering::Acquire) < request) {
            slot.end(&mut slot.reader.lock().unwrap_or_else(PoisonError::into_inner), request);
        }
    }

    /// Ends every kept snapshot once in [`KEPT_MAX`], until the store is closed.
    #[allow(clippy::disallowed_methods, reason = "a period is measured, and nothing is dated by it")]
    fn let_go_in_time(&self) {
        while !self.is_over.load(Ordering::Acquire) {
            if self.has_kept.load(Ordering::Acquire) {
                // Snapshots that begin meanwhile do not wake this thread, because `has_kept` stays true until the
                // period is over.
                let until = Instant::now() + KEPT_MAX;
                while let Some(left) = until.checked_duration_since(Instant::now())
                    && !self.is_over.load(Ordering::Acquire)
                {
                    std::thread::park_timeout(left);
                }
                self.has_kept.store(false, Ordering::Release);
                if !self.have_ended(self.ask_to_end()) {
                    // Connections in use end their snapshots themselves. The next period sees to those that missed this.
                    self.has_kept.store(true, Ordering::Release);
                }
            } else {
                std::thread::park();
            }
        }
    }

    /// Returns the number of kept snapshots.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        let is_kept = |slot: &&Slot| {
            let reader = slot.reader.lock().unwrap_or_else(PoisonError::into_inner);
            reader.as_ref().is_some_and(|reader| !reader.connection.is_autocommit())
        };
        self.slots.iter().filter(is_kept).count()
    }
}

impl Slot {
    /// The connection, unless somebody uses it.
    fn if_free(&self) -> Option<MutexGuard<'_, Option<Reader>>> {
        match self.reader.try_lock() {
            Ok(reader) => Some(reader),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Ends the snapshot of a connection that nobody uses, if it began before the request. Returns false if somebody uses it.
    fn has_ended(&self, request: u64) -> bool {
        if self.met.load(Ordering::Acquire) >= request {
            return true;
        }
        let Some(mut reader) = self.if_free() else { return false };
        self.end(&mut reader, request);
        true
    }

    /// Ends the snapshot of this slot's connection.
    fn end(&self, reader: &mut Option<Reader>, request: u64) {
        if let Some(Reader { connection, seen }) = reader
            && end(connection).is_err()
        {
            // The next read finds a transaction of unknown age, and ends it.
            *seen = None;
        }
        self.met.fetch_max(request, Ordering::AcqRel);
    }
}

/// Ends the transaction of a connection, if there is one: a snapshot that is too old, or one during which a read
/// panicked. Nothing was written, so nothing is lost.
fn end(connection: &Connection) -> Result<(), SqliteError> {
    if !connection.is_autocommit() {
        connection.prepare_cached("ROLLBACK")?.execute([])?;
    }
    Ok(())
}
