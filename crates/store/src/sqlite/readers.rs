//! Connections that only read. Reads run on the calling thread, and every thread has a preferred connection, so that
//! threads do not wait for each other. If there are more threads than connections, a thread takes any free connection.
//!
//! Beginning and ending a snapshot takes file locks, which SQLite takes under a mutex that all threads share. So a
//! connection keeps its snapshot from one read to the next until there is a commit. It sees that in the index of the
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
    slots: Box<[Mutex<Option<Reader>>]>,
    /// True if a snapshot was kept since the thread last checked.
    has_kept: AtomicBool,
    is_over: AtomicBool,
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
            slots: (0..threads.clamp(2, READERS_MAX)).map(|_| Mutex::new(None)).collect(),
            has_kept: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        });
        let own = Arc::clone(&slots);
        let thread =
            std::thread::Builder::new().name("store-readers".to_owned()).spawn(move || own.let_go_in_time())?;
        Ok(Self { path, slots, thread: Some(thread) })
    }

    /// Reads with one of the connections. Everything that was committed before this call is visible.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Stop>) -> Result<T, Stop> {
        let mut slot = self.slots.take();
        let Reader { connection, seen } = match &mut *slot {
            Some(reader) => reader,
            empty => empty.insert(Reader { connection: self.open()?, seen: None }),
        };
        let now = self.slots.index.header().filter(Header::may_be_kept);
        // `None` during the read. If the read panics, the age of the snapshot stays unknown.
        let before = seen.take();
        if before.is_none() || before != now {
            end(connection)?;
        } else if connection.is_autocommit() {
            // This is the second read without a commit in between, so keeping a snapshot is worthwhile.
            connection.prepare_cached("BEGIN DEFERRED")?.execute([])?;
            self.note_kept();
        }
        let found = read(connection);
        if found.is_ok() {
            *seen = now;
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
            // A panic of the thread no longer matters.
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

    /// Ends every snapshot that began before this call. Waits for the current reads, which are short.
    pub(super) fn let_go(&self) {
        for slot in &self.slots {
            if let Some(Reader { connection, seen }) = &mut *slot.lock().unwrap_or_else(PoisonError::into_inner)
                && end(connection).is_err()
            {
                // The next read finds a transaction of unknown age, and ends it.
                *seen = None;
            }
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
                self.let_go();
            } else {
                std::thread::park();
            }
        }
    }

    /// Returns the number of kept snapshots.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        let is_kept = |slot: &&Mutex<Option<Reader>>| {
            let slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            slot.as_ref().is_some_and(|reader| !reader.connection.is_autocommit())
        };
        self.slots.iter().filter(is_kept).count()
    }
}

/// Ends the transaction of a connection, if there is one: a snapshot that is too old, or one during which a read
/// panicked. Nothing was written, so nothing is lost.
fn end(connection: &Connection) -> Result<(), Stop> {
    if !connection.is_autocommit() {
        connection.prepare_cached("ROLLBACK")?.execute([])?;
    }
    Ok(())
}
