//! Signal handling of the server. By default, most signals would end the process in the middle of a request.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGXFSZ, sent when a file would grow beyond the limit of the process (`ulimit -f`). The number is the same on Linux and macOS.
const FILE_TOO_LARGE: i32 = 25;

/// The signals that the process handles from the moment when this is created.
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
    /// Starts listening. Signals whose receiver is dropped here stay caught for the lifetime of the process.
    ///
    /// # Errors
    /// The system refuses to install a handler.
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

    /// Waits for a signal that ends the process.
    pub async fn told_to_end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.quit.recv() => {}
        }
    }
}
