//! Watches whether a connection is alive. Costs a request only two readings of the clock.
//!
//! A client that has begun a request must send its headers within a time limit, and an idle connection is closed after
//! another. So a client that sends one byte a minute cannot hold resources for long.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Stands in for a time: nothing of the next request has arrived.
const SILENT: u64 = 0;

/// The state of a connection.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    began: Instant,
    in_flight: AtomicU32,
    /// Time when the last request ended, in milliseconds since the connection began.
    quiet_since_ms: AtomicU64,
    /// Time when the first byte after that arrived, plus one; or [`SILENT`].
    reading_since_ms: AtomicU64,
    is_multiplexed: AtomicBool,
    is_ending: AtomicBool,
}

impl ConnectionState {
    pub(crate) fn new() -> Self {
        // A new connection counts as if its first byte had arrived, because clients connect in order to send a request.
        let (in_flight, quiet_since_ms) = (AtomicU32::new(0), AtomicU64::new(0));
        Self {
            began: Instant::now(),
            in_flight,
            quiet_since_ms,
            reading_since_ms: AtomicU64::new(1),
            is_multiplexed: AtomicBool::new(false),
            is_ending: AtomicBool::new(false),
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn bytes_arrived(&self) {
        if self.in_flight.load(Relaxed) == 0 && self.reading_since_ms.load(Relaxed) == SILENT {
            self.reading_since_ms.store(self.now_ms() + 1, Relaxed);
        }
    }

    /// Notes that a request has arrived with all its headers.
    pub(crate) fn request(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Notes that the peer uses HTTP/2.
    pub(crate) fn multiplexes(&self) {
        self.is_multiplexed.store(true, Relaxed);
    }

    /// Returns true if the peer uses HTTP/2, in which it can be told that the connection ends.
    pub(crate) fn is_multiplexed(&self) -> bool {
        self.is_multiplexed.load(Relaxed)
    }

    /// Makes the next response the last one of the connection.
    pub(crate) fn end(&self) {
        self.is_ending.store(true, Relaxed);
    }

    /// Returns true if the next response is the last one of the connection.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.load(Relaxed)
    }

    /// Returns true if the headers of a request are still incomplete. This includes a new connection without any data.
    pub(crate) fn is_reading(&self) -> bool {
        self.in_flight.load(Relaxed) == 0 && self.reading_since_ms.load(Relaxed) != SILENT
    }

    /// Returns true if the connection has exceeded its time for headers or for being idle.
    pub(crate) fn is_over(&self, header_time: Duration, idle_time: Duration) -> bool {
        if self.in_flight.load(Relaxed) > 0 {
            return false;
        }
        let now_ms = self.now_ms();
        let since = |then_ms: u64| Duration::from_millis(now_ms.saturating_sub(then_ms));
        match self.reading_since_ms.load(Relaxed) {
            SILENT => since(self.quiet_since_ms.load(Relaxed)) >= idle_time,
            reading => since(reading - 1) >= header_time,
        }
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<ConnectionState>);

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Relaxed) == 1 {
            self.0.quiet_since_ms.store(self.0.now_ms(), Relaxed);
            self.0.reading_since_ms.store(SILENT, Relaxed);
        }
    }
}

/// A stream that records when bytes arrive.
#[derive(Debug)]
pub(crate) struct Watched<S> {
    stream: S,
    state: Arc<ConnectionState>,
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S, state: Arc<ConnectionState>) -> Self {
        Self { stream, state }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.state.bytes_arrived();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn a_connection_that_says_nothing_is_over_after_the_time_for_headers() {
        let state = ConnectionState::new();
        assert!(!state.is_over(LONG, Duration::ZERO), "its first request may still come");
        assert!(state.is_over(Duration::ZERO, LONG));
    }

    #[test]
    fn a_connection_with_a_request_in_flight_is_never_over() {
        let state = Arc::new(ConnectionState::new());
        let in_flight = state.request();
        assert!(!state.is_over(Duration::ZERO, Duration::ZERO));
        drop(in_flight);
        assert!(state.is_over(LONG, Duration::ZERO), "and then it may be idle");
        assert!(!state.is_over(Duration::ZERO, LONG));
        state.bytes_arrived();
        assert!(state.is_over(Duration::ZERO, LONG), "until the next request begins");
    }
}
