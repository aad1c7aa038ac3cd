//! The header of the write-ahead log's index, which shows whether there was a commit since a snapshot began.
//!
//! SQLite keeps the index in the file `DATABASE-shm`, which every process that uses the database maps into memory. Each
//! commit writes a new header there before it returns. SQLite documents the layout as "WAL-Index Header" (walformat.html):
//! two copies of 48 bytes in the byte order of the machine, and behind them the number of frames that were written back.
//!
//! This file reads the header directly, because SQLite reads it only when a snapshot begins, and that takes two file
//! locks.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Length of one copy of the header, in bytes.
const COPY_BYTES: usize = 48;
/// Number of bytes that are read: both copies, and the number of frames that were written back.
const READ_BYTES: usize = 2 * COPY_BYTES + 4;
/// The version of the index. No other one exists.
const VERSION: u32 = 3_007_000;
/// Offset of the flag that the header is in use, in bytes.
const IS_INIT_AT: usize = 12;
/// Offset of the number of frames in the log, in bytes.
const FRAMES_AT: usize = 16;
/// Maximum number of frames in the log with which a snapshot is kept. The writer writes a longer log back to the
/// database, and can start the log from the beginning only if no snapshot reads from it.
pub(super) const FRAMES_MAX: u32 = 4_000;

/// The content of the index at one moment. Two headers are equal only if there was no commit in between, because a
/// commit changes a counter, the checksum of the last frame, and the checksum of the header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    copy: [u8; COPY_BYTES],
    frames_written_back: u32,
}

impl PartialEq for Header {
    fn eq(&self, other: &Self) -> bool {
        // Ignore the number of written-back frames, because writing the log back changes no row.
        self.copy == other.copy
    }
}

impl Header {
    /// Parses a header. Returns `None` if it is not in use, is being written, or has an unknown format.
    fn read(bytes: &[u8; READ_BYTES]) -> Option<Self> {
        let number = |at: usize| u32::from_ne_bytes(std::array::from_fn(|offset| bytes[at + offset]));
        let (copy, rest) = bytes.split_first_chunk::<COPY_BYTES>()?;
        let is_whole = rest.starts_with(copy);
        let is_known = number(0) == VERSION && bytes[IS_INIT_AT] == 1;
        (is_whole && is_known).then(|| Self { copy: *copy, frames_written_back: number(2 * COPY_BYTES) })
    }

    /// Returns the number of frames in the log.
    pub(super) fn frames(&self) -> u32 {
        u32::from_ne_bytes(std::array::from_fn(|offset| self.copy[FRAMES_AT + offset]))
    }

    /// Returns true if a snapshot of this moment may stay open. A snapshot of a short log delays nobody. Neither does
    /// one of a log that was completely written back: it reads only the database, and the next commit can start the log
    /// from the beginning.
    pub(super) fn may_be_kept(&self) -> bool {
        self.frames() < FRAMES_MAX || self.frames() == self.frames_written_back
    }
}

/// The index of one database.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The open file, which is never closed. When a process closes any descriptor of a file, it loses all its locks on
    /// the file, including those of SQLite (fcntl(2), "Advisory record locking"). So each opened store keeps one
    /// descriptor until the process ends.
    file: OnceLock<ManuallyDrop<File>>,
    /// True while reads of the file are known to show what SQLite writes: see [`Witness`].
    is_proven: AtomicBool,
}

impl Index {
    /// Opens the index of the database at `path`, which SQLite must have opened before. If that fails, no header is
    /// ever found.
    #[allow(clippy::disallowed_methods, reason = "SQLite made this file, and has no call that reads its header")]
    pub(super) fn open(&self, path: &str) {
        if let Ok(file) = File::open(format!("{path}-shm")) {
            // A second file is not closed either.
            let _ = self.file.set(ManuallyDrop::new(file));
        }
    }

    /// Returns the current header; `None` if it cannot be trusted.
    pub(super) fn header(&self) -> Option<Header> {
        if self.is_proven.load(Ordering::Acquire) { self.peek() } else { None }
    }

    fn peek(&self) -> Option<Header> {
        let mut bytes = [0; READ_BYTES];
        let length = self.file.get()?.read_at(&mut bytes, 0).ok()?;
        if length == READ_BYTES { Header::read(&bytes) } else { None }
    }
}

/// Compares the header with what SQLite reports after each commit. On the file systems of Linux, reading a file and
/// mapping it into memory show the same bytes, but not every file system guarantees that. So headers are used only
/// after they have shown a commit of this process, and no longer once they miss one.
#[derive(Debug, Default)]
pub(super) struct Witness {
    frames_before: Option<u32>,
}

impl Witness {
    /// Maximum number of comparisons after a difference. Another process may have committed in between.
    const LOOKS_MAX: u32 = 3;

    /// Compares the header with SQLite after a commit. `frames` asks SQLite for the number of frames in the log.
    pub(super) fn look<E>(&mut self, index: &Index, mut frames: impl FnMut() -> Result<u32, E>) -> Result<u32, E> {
        let mut looks = 0;
        loop {
            let told = frames()?;
            let read = index.peek().map(|header| header.frames());
            looks += 1;
            if read == Some(told) {
                // Only a changed number proves that the header is current.
                if self.frames_before.replace(told).is_some_and(|before| before != told) {
                    index.is_proven.store(true, Ordering::Release);
                }
                return Ok(told);
            }
            if looks == Self::LOOKS_MAX {
                index.is_proven.store(false, Ordering::Release);
                self.frames_before = None;
                return Ok(told);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(frames: u32, written_back: u32) -> [u8; READ_BYTES] {
        let mut bytes = [0; READ_BYTES];
        for start in [0, COPY_BYTES] {
            bytes[start..start + 4].copy_from_slice(&VERSION.to_ne_bytes());
            bytes[start + IS_INIT_AT] = 1;
            bytes[start + FRAMES_AT..start + FRAMES_AT + 4].copy_from_slice(&frames.to_ne_bytes());
        }
        bytes[2 * COPY_BYTES..].copy_from_slice(&written_back.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_header_that_is_being_written_or_has_another_form_is_none() {
        assert!(Header::read(&bytes(7, 0)).is_some_and(|header| header.frames() == 7));
        assert!(Header::read(&[0; READ_BYTES]).is_none());
        for at in [0, IS_INIT_AT, FRAMES_AT, COPY_BYTES - 1, COPY_BYTES, 2 * COPY_BYTES - 1] {
            let mut changed = bytes(7, 0);
            changed[at] ^= 0x40;
            assert!(Header::read(&changed).is_none(), "{at}");
        }
    }

    #[test]
    fn writing_the_log_back_is_no_change_and_every_byte_of_a_header_is_one() {
        let header = |bytes: &[u8; READ_BYTES]| Header::read(bytes).unwrap();
        assert_eq!(header(&bytes(7, 0)), header(&bytes(7, 7)));
        for at in (0..COPY_BYTES).filter(|at| !(0..4).contains(at) && *at != IS_INIT_AT) {
            let mut changed = bytes(7, 0);
            changed[at] ^= 1;
            changed[COPY_BYTES + at] ^= 1;
            assert_ne!(header(&changed), header(&bytes(7, 0)), "{at}");
        }
    }

    #[test]
    fn a_snapshot_of_a_long_log_is_kept_only_when_all_of_it_was_written_back() {
        let may_be_kept = |frames, written_back| Header::read(&bytes(frames, written_back)).unwrap().may_be_kept();
        assert!(may_be_kept(0, 0) && may_be_kept(FRAMES_MAX - 1, 0));
        assert!(!may_be_kept(FRAMES_MAX, 0) && !may_be_kept(FRAMES_MAX, FRAMES_MAX - 1));
        assert!(may_be_kept(FRAMES_MAX, FRAMES_MAX));
    }

    #[test]
    fn headers_count_only_after_a_commit_was_seen_in_them_and_until_one_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db").display().to_string();
        #[allow(clippy::disallowed_methods, reason = "the test writes what SQLite would")]
        let write = |frames| std::fs::write(format!("{path}-shm"), bytes(frames, 0)).unwrap();
        let (index, mut witness) = (Index::default(), Witness::default());
        let mut look = |frames: u32| witness.look(&index, || Ok::<_, ()>(frames)).unwrap();
        write(1);
        index.open(&path);
        look(1);
        look(1);
        assert!(index.header().is_none(), "what never changed may be old");
        write(2);
        look(2);
        assert!(index.header().is_some());
        look(3);
        assert!(index.header().is_none(), "a commit is missing");
        look(2);
        assert!(index.header().is_none());
        write(4);
        look(4);
        assert!(index.header().is_some());
    }

    #[test]
    fn without_a_file_there_is_no_header() {
        let folder = tempfile::tempdir().unwrap();
        let (index, mut witness) = (Index::default(), Witness::default());
        index.open(&folder.path().join("nowhere.db").display().to_string());
        for frames in [1, 2, 3] {
            assert_eq!(witness.look(&index, || Ok::<_, ()>(frames)), Ok(frames));
        }
        assert!(index.header().is_none());
    }
}
