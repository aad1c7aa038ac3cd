//! Connections that only read. Every thread has a favourite, so that reads run where they are asked for and nobody waits
//! for anybody; with more threads than connections, a thread takes whichever is free.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};

use rusqlite::{Connection, OpenFlags};

use super::open::{BUSY_MAX, keep_statements};
use super::stop::Stop;

/// More connections than this help nobody.
const READERS_MAX: usize = 16;
/// Pages that all connections together keep in memory, in KiB: enough for the leaves of some hundred thousand tokens.
/// Memory is taken as pages are read, so an idle process has little of it.
const CACHE_KIB: usize = 48 << 10;

/// The connections; each is opened when it is first used.
pub(super) struct Readers {
    path: PathBuf,
    slots: Box<[Mutex<Option<Connection>>]>,
}

thread_local! {
    static THREAD: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed)
    };
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let slots = (0..threads.clamp(2, READERS_MAX)).map(|_| Mutex::new(None)).collect();
        Self { path, slots }
    }

    /// Reads with one of the connections.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Stop>) -> Result<T, Stop> {
        let mut slot = self.slot();
        let connection = match &mut *slot {
            Some(connection) => connection,
            empty => empty.insert(self.open()?),
        };
        if !connection.is_autocommit() {
            // Somebody panicked inside a snapshot. It would show old rows for ever.
            connection.execute_batch("ROLLBACK")?;
        }
        read(connection)
    }

    /// A connection of the caller's own.
    pub(super) fn open(&self) -> Result<Connection, Stop> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY_MAX)?;
        keep_statements(&connection)?;
        let cache_kib = CACHE_KIB / self.slots.len();
        connection.execute_batch(&format!("PRAGMA cache_size = -{cache_kib}; PRAGMA trusted_schema = OFF;"))?;
        Ok(connection)
    }

    fn slot(&self) -> MutexGuard<'_, Option<Connection>> {
        let favourite = THREAD.with(|number| *number) % self.slots.len();
        let (before, from) = self.slots.split_at(favourite);
        for slot in from.iter().chain(before) {
            match slot.try_lock() {
                Ok(guard) => return guard,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.slots[favourite].lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
