//! Writes log lines through a bounded queue in a thread of its own, to standard error or to a file. If the log cannot
//! be written, or nobody reads it, lines are lost. The server is never blocked or ended.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// Maximum number of lines in the queue. Further lines are lost.
const QUEUE_LINES_MAX: usize = 8_192;
/// Maximum number of bytes in the queue, because a line may be long.
const QUEUE_BYTES_MAX: usize = 8 << 20;
/// Pause before the next attempt if the reader currently accepts no data.
const RETRY_PAUSE: Duration = Duration::from_millis(20);
/// Pause between attempts to open a log file.
const REOPEN_EVERY: Duration = Duration::from_secs(10);
/// Maximum time that the end of the process waits for lines in the queue.
const END_MAX: Duration = Duration::from_secs(1);
/// Mode of a log file: only its owner may read it.
const FILE_MODE: u32 = 0o600;

/// The queue, once logging has started. A process has one log.
static QUEUE: OnceLock<Queue> = OnceLock::new();
/// Number of lines lost since the process started.
static LINES_LOST: AtomicU64 = AtomicU64::new(0);
/// Number of bytes in the queue.
static BYTES_WAITING: AtomicUsize = AtomicUsize::new(0);
/// True if the log file must be reopened before the next line.
static IS_REOPENING: AtomicBool = AtomicBool::new(false);

struct Queue {
    works: SyncSender<Work>,
    /// True if lines are written to standard error rather than to a file.
    is_standard_error: bool,
}

/// A task for the thread.
enum Work {
    Line(Vec<u8>),
    /// Confirms that all earlier lines were written.
    Flush(SyncSender<()>),
}

/// Returns the number of lines lost since the process started.
pub(crate) fn lines_lost() -> u64 {
    LINES_LOST.load(Relaxed)
}

/// Starts the thread. Lines go to `file`, or to standard error if there is none.
///
/// # Errors
/// The thread cannot be started, or logging was started before.
pub(super) fn start(file: Option<PathBuf>) -> Result<(), String> {
    let standard_error = io::stderr().as_fd().try_clone_to_owned().map_err(|error| error.to_string())?;
    let (works, waiting) = sync_channel(QUEUE_LINES_MAX);
    let queue = Queue { works, is_standard_error: file.is_none() };
    QUEUE.set(queue).map_err(|_| "the log was started before".to_owned())?;
    let out = Out::new(File::from(standard_error), file);
    let started = std::thread::Builder::new().name("log".to_owned()).spawn(move || serve(&waiting, out));
    started.map(drop).map_err(|error| format!("the log's thread could not be started: {error}"))
}

/// Makes the thread reopen the log file before the next line, so that a rotated file is released.
pub(crate) fn reopen() {
    IS_REOPENING.store(true, Relaxed);
}

/// Waits briefly for the lines in the queue. A log that nobody reads does not delay the end of the process.
pub(crate) fn flush() {
    let Some(queue) = QUEUE.get() else { return };
    let (done, is_done) = sync_channel(1);
    if queue.works.try_send(Work::Flush(done)).is_ok() {
        // The process ends now in any case.
        let _ = is_done.recv_timeout(END_MAX);
    }
}

/// Writes a message for a person to standard error, after the queued lines. A failure is ignored, because the exit code
/// carries the same information.
pub(crate) fn say(text: &str) {
    let text = format!("{text}\n");
    match QUEUE.get() {
        Some(queue) if queue.is_standard_error => {
            push(text.into_bytes());
            flush();
        }
        _ => {
            let _ = io::stderr().lock().write_all(text.as_bytes());
        }
    }
}

fn push(line: Vec<u8>) {
    let Some(queue) = QUEUE.get() else { return };
    let length = line.len();
    let waiting = BYTES_WAITING.fetch_add(length, Relaxed);
    if waiting + length > QUEUE_BYTES_MAX || queue.works.try_send(Work::Line(line)).is_err() {
        BYTES_WAITING.fetch_sub(length, Relaxed);
        LINES_LOST.fetch_add(1, Relaxed);
    }
}

/// The writer for `tracing`. It accepts every line and never fails.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sink;

impl Write for Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        push(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Sink {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

fn serve(waiting: &Receiver<Work>, mut out: Out) {
    let mut told = 0;
    while let Ok(work) = waiting.recv() {
        match work {
            Work::Line(line) => {
                BYTES_WAITING.fetch_sub(line.len(), Relaxed);
                if !out.write(&line) {
                    LINES_LOST.fetch_add(1, Relaxed);
                    continue;
                }
                let lost = lines_lost();
                if lost > told {
                    tracing::warn!(lines = lost - told, "the log can be written again; lines of it were lost");
                    told = lost;
                }
            }
            // The caller may have given up waiting.
            Work::Flush(done) => drop(done.try_send(())),
        }
    }
}

/// The destination of lines.
struct Out {
    standard_error: File,
    path: Option<PathBuf>,
    file: Option<File>,
    opened_at: Option<Instant>,
    /// True if the last line was only partly written.
    is_torn: bool,
}

impl Out {
    fn new(standard_error: File, path: Option<PathBuf>) -> Self {
        let mut own = Self { standard_error, path, file: None, opened_at: None, is_torn: false };
        own.open();
        own
    }

    /// Opens the log file. If it cannot be opened, lines go to standard error until it can.
    fn open(&mut self) {
        let Some(path) = &self.path else { return };
        self.opened_at = Some(Instant::now());
        match open(path) {
            Ok(file) => self.file = Some(file),
            Err(error) => {
                let text = format!("the log file {} cannot be opened: {error}; the log goes here\n", path.display());
                self.file = None;
                // There is no other place to report this failure.
                let _ = self.standard_error.write_all(text.as_bytes());
            }
        }
    }

    /// Writes a line. Returns true if it was written.
    fn write(&mut self, line: &[u8]) -> bool {
        let is_asked = IS_REOPENING.swap(false, Relaxed);
        let is_due = self.file.is_none() && self.opened_at.is_some_and(|at| at.elapsed() >= REOPEN_EVERY);
        if is_asked || is_due {
            self.open();
        }
        let out = self.file.as_mut().unwrap_or(&mut self.standard_error);
        if self.is_torn && !matches!(write_all(out, b"\n"), Ok(())) {
            return false;
        }
        self.is_torn = false;
        match write_all(out, line) {
            Ok(()) => true,
            Err(written) => {
                self.is_torn = written > 0;
                false
            }
        }
    }
}

/// Opens a log file to append to it, with access for its owner only.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).mode(FILE_MODE).open(path)
}

/// Writes all bytes. The error is the number of bytes that were written before the failure.
fn write_all(out: &mut File, bytes: &[u8]) -> Result<(), usize> {
    let mut written = 0;
    while written < bytes.len() {
        match out.write(&bytes[written..]) {
            Ok(0) => return Err(written),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The parent process may have made standard error non-blocking.
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(RETRY_PAUSE),
            Err(_) => return Err(written),
        }
    }
    Ok(())
}
