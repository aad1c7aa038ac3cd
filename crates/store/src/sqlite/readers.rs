//! Connections that only read. Every thread has a favourite, so that reads run where they are asked for and nobody waits
//! for anybody; with more threads than connections, a thread takes whichever is free.
//!
//! To begin and to end a snapshot takes file locks, and SQLite takes them under a mutex that all threads share. So a
//! connection keeps its snapshot from one read to the next for as long as nobody commits, which it sees in the index of the
//! write-ahead log. See decision 0031.

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::index::{Header, Index};
use super::open::{BUSY_MAX, keep_statements};
use super::stop::Stop;

/// More connections than this help nobody.
const READERS_MAX: usize = 16;
/// Pages that all connections together keep in memory, in KiB: enough for the leaves of some hundred thousand tokens.
/// Memory is taken as pages are read, so an idle process has little of it.
const CACHE_KIB: usize = 48 << 10;
/// No snapshot is kept for longer than about this. Another process that wants to begin the log anew waits for its end.
const KEPT_MAX: Duration = Duration::from_secs(1);

/// The connections; each is opened when it is first used.
pub(super) struct Readers {
    path: PathBuf,
    pub(super) slots: Arc<Slots>,
    /// Ends snapshots that were kept for long enough.
    thread: Option<JoinHandle<()>>,
}

/// The connections, and what says whether their snapshots are still of this moment.
pub(super) struct Slots {
    pub(super) index: Index,
    slots: Box<[Mutex<Option<Reader>>]>,
    /// True if a snapshot was kept since it was last looked at.
    has_kept: AtomicBool,
    is_over: AtomicBool,
}

/// A connection. Between two reads it is inside a transaction if it keeps a snapshot.
struct Reader {
    connection: Connection,
    /// The index as it was just before the last read. A kept snapshot is at least as new.
    seen: Option<Header>,
}

thread_local! {
    static THREAD: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed)
    };
}

impl Readers {
    /// Connections to the file at `path`, which are not opened yet.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(super) fn new(path: PathBuf) -> std::io::Result<Self> {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let slots = Arc::new(Slots {
            index: Index::default(),
            slots: (0..threads.clamp(2, READERS_MAX)).map(|_| Mutex::new(None)).collect(),
            has_kept: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        });
        let own = Arc::clone(&slots);
        let thread =
            std::thread::Builder::new().name("store-readers".to_owned()).spawn(move || own.let_go_in_time())?;
        Ok(Self { path, slots, thread: Some(thread) })
    }

    /// Reads with one of the connections: what was committed before this call is seen.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Stop>) -> Result<T, Stop> {
        let mut slot = self.slots.take();
        let Reader { connection, seen } = match &mut *slot {
            Some(reader) => reader,
            empty => empty.insert(Reader { connection: self.open()?, seen: None }),
        };
        let now = self.slots.index.header().filter(Header::may_be_kept);
        // Absent while the read is going on: when it panics, the snapshot is of unknown age.
        let before = seen.take();
        if before.is_none() || before != now {
            end(connection)?;
        } else if connection.is_autocommit() {
            // The second read without a commit in between: it seems to be worth while.
            connection.prepare_cached("BEGIN DEFERRED")?.execute([])?;
            self.note_kept();
        }
        let found = read(connection);
        if found.is_ok() {
            *seen = now;
        }
        found
    }

    /// Has the snapshot that was just begun ended in time.
    fn note_kept(&self) {
        if !self.slots.has_kept.swap(true, Ordering::AcqRel)
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
    }

    /// A connection of the caller's own.
    pub(super) fn open(&self) -> Result<Connection, Stop> {
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
            // It cannot panic in the middle of anything that matters now.
            let _ = thread.join();
        }
    }
}

impl Slots {
    fn take(&self) -> MutexGuard<'_, Option<Reader>> {
        let favourite = THREAD.with(|number| *number) % self.slots.len();
        let (before, from) = self.slots.split_at(favourite);
        for slot in from.iter().chain(before) {
            match slot.try_lock() {
                Ok(guard) => return guard,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.slots[favourite].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends every snapshot that began before this call. Waits for the reads that are going on, which are short.
    pub(super) fn let_go(&self) {
        for slot in &self.slots {
            if let Some(Reader { connection, seen }) = &mut *slot.lock().unwrap_or_else(PoisonError::into_inner)
                && end(connection).is_err()
            {
                // The next read finds the transaction, and nothing that says of when it is.
                *seen = None;
            }
        }
    }

    /// Ends every snapshot that was kept, once in [`KEPT_MAX`], until the store is closed.
    #[allow(clippy::disallowed_methods, reason = "a period is measured, and nothing is dated by it")]
    fn let_go_in_time(&self) {
        while !self.is_over.load(Ordering::Acquire) {
            if self.has_kept.load(Ordering::Acquire) {
                // Snapshots that begin meanwhile wake nobody: `has_kept` stays true until this period is over.
                let until = Instant::now() + KEPT_MAX;
                while let Some(left) = until.checked_duration_since(Instant::now())
                    && !self.is_over.load(Ordering::Acquire)
                {
                    std::thread::park_timeout(left);
                }
                self.has_kept.store(false, Ordering::Release);
                self.let_go();
            } else {
                std::thread::park();
            }
        }
    }

    /// How many snapshots are kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        let is_kept = |slot: &&Mutex<Option<Reader>>| {
            let slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            slot.as_ref().is_some_and(|reader| !reader.connection.is_autocommit())
        };
        self.slots.iter().filter(is_kept).count()
    }
}

/// Ends the transaction of a connection, if it is inside one: a snapshot that is too old, or one in which somebody panicked.
/// Nothing was written, so there is nothing to be lost.
fn end(connection: &Connection) -> Result<(), Stop> {
    if !connection.is_autocommit() {
        connection.prepare_cached("ROLLBACK")?.execute([])?;
    }
    Ok(())
}
