//! The signals of a process that serves. Left alone, most of them would end it in the middle of a request.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGXFSZ, sent when a file would grow beyond the limit of the process (`ulimit -f`). The number is the same on Linux and macOS.
const FILE_TOO_LARGE: i32 = 25;

/// What the process is told by signals, from the moment that this was made.
///
/// TERM, INT and QUIT end the server in order. HUP reads the certificate and opens the log file again. USR1, USR2, ALRM and
/// XFSZ do nothing. PIPE is ignored by every Rust program.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
}

impl Signals {
    /// Begins to listen. Signals whose receiver is dropped here are still caught, for as long as the process lives.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn listen() -> io::Result<Self> {
        for idle in [
            SignalKind::hangup(),
            SignalKind::user_defined1(),
            SignalKind::user_defined2(),
            SignalKind::alarm(),
            SignalKind::from_raw(FILE_TOO_LARGE),
        ] {
            drop(signal(idle)?);
        }
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// Waits until the process is told to end.
    pub async fn told_to_end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.quit.recv() => {}
        }
    }
}
