//! The accept loop: accepts connections, enforces their limits, and shuts them down in order.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use ::http::StatusCode;
use ::http::header::{CONNECTION, HeaderValue, RETRY_AFTER};
use ::http::uri::PathAndQuery;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use protocol::refusal::No;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use super::body::{self, Room, Unread};
use super::callers::{Callers, Seat};
use super::connection_state::{ConnectionState, Watched};
use super::listen::Listener;
use super::tls::Tls;
use super::{Peer, Request, RequestId, RequestIds, Response, answer};
use crate::config::settings::Limits;

/// Pause after the system reports that no more files can be opened.
const BREATH: Duration = Duration::from_millis(100);
/// Time that a client has to finish sending a request once shutdown has begun.
const LAST_WORD: Duration = Duration::from_millis(500);
/// Time that an idle HTTP/1.1 connection stays open once shutdown has begun. Its next response carries `Connection:
/// close`. If the server closed the connection at once, a request under way would be lost, and clients may not repeat
/// it by themselves.
const FAREWELL: Duration = Duration::from_secs(2);
/// Time limit of a TLS handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// Time between the graceful shutdown of a connection that used up its time, and closing it.
const LEAVE_TIME: Duration = Duration::from_secs(1);

/// The request handler of a listener.
pub trait Site: Send + Sync + 'static {
    /// Answers one request.
    fn answer(&self, request: Request) -> impl Future<Output = Response> + Send;

    /// Returns the limits of connections.
    fn limits(&self) -> &Limits;

    /// Returns the generator of request IDs (`X-Request-Id`).
    fn request_ids(&self) -> &RequestIds;

    /// Returns the counter of open connections.
    fn connections_open(&self) -> &AtomicU64;

    /// Returns the client address that connections of a peer are counted by. Returns `None` for a peer without a limit
    /// of its own.
    fn client(&self, _peer: Peer) -> Option<IpAddr> {
        None
    }

    /// Called when a connection is closed at once because its client has too many open connections.
    fn refuse_connection(&self, _client: IpAddr) {}
}

/// Serves a listener until `ending` becomes true, and then finishes the requests in flight.
pub async fn serve<S: Site>(
    listener: Listener,
    tls: Option<Arc<Tls>>,
    site: Arc<S>,
    mut ending: watch::Receiver<bool>,
) {
    let limits = site.limits().clone();
    let ending_for_all = ending.clone();
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let builder = Arc::new(builder(&limits));
    let room = Arc::new(Room::default());
    let callers = Callers::new(limits.connections_per_address());
    let begin = |stream: Stream, peer: Peer, place: OwnedSemaphorePermit| {
        let client = site.client(peer);
        let Some(seat) = callers.seat(client) else {
            // The connection is dropped here, which closes it without further work.
            client.into_iter().for_each(|client| site.refuse_connection(client));
            return;
        };
        let one = Connection {
            site: Arc::clone(&site),
            builder: Arc::clone(&builder),
            room: Arc::clone(&room),
            tls: tls.clone(),
            ending: ending_for_all.clone(),
            peer,
            seat: Arc::new(seat),
            _place: place,
        };
        tokio::spawn(async move {
            match stream {
                Stream::Tcp(stream) => one.run(stream).await,
                Stream::Unix(stream) => one.run(stream).await,
            }
        });
    };
    loop {
        // If all places are taken, further connections wait in the system's queue.
        let place = tokio::select! {
            biased;
            () = told(&mut ending) => break,
            place = Arc::clone(&places).acquire_owned() => place.expect("the places are never closed"),
        };
        let accepted = tokio::select! {
            biased;
            () = told(&mut ending) => break,
            accepted = accept(&listener) => accepted,
        };
        match accepted {
            Ok((stream, peer)) => begin(stream, peer, place),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    for (stream, peer) in the_last(listener) {
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            begin(stream, peer, place);
        }
    }
    let all = u32::try_from(limits.connections_max).unwrap_or(u32::MAX);
    if timeout(limits.drain_time, places.acquire_many(all)).await.is_err() {
        tracing::warn!("some connections did not end in time and were cut off");
    }
}

/// Waits until shutdown begins.
pub(crate) async fn told(ending: &mut watch::Receiver<bool>) {
    // The sender is dropped only when the process ends.
    let _ = ending.wait_for(|is_ending| *is_ending).await;
}

enum Stream {
    Tcp(tokio::net::TcpStream),
    Unix(tokio::net::UnixStream),
}

async fn accept(listener: &Listener) -> std::io::Result<(Stream, Peer)> {
    match listener {
        Listener::Tcp(listener) => {
            let (stream, address) = listener.accept().await?;
            // A response usually fits into one packet, which should not wait for more data.
            stream.set_nodelay(true)?;
            Ok((Stream::Tcp(stream), Peer::Ip(address.ip())))
        }
        Listener::Unix(listener, _) => {
            let (stream, _) = listener.accept().await?;
            Ok((Stream::Unix(stream), Peer::Unix))
        }
    }
}

/// Accepts the connections that still wait in the system's queue. Their clients believe to be connected, and would be
/// cut off when the listener closes. The listener is closed as soon as the queue is found empty.
fn the_last(listener: Listener) -> Vec<(Stream, Peer)> {
    let mut last = Vec::new();
    match listener {
        Listener::Tcp(listener) => {
            let Ok(listener) = listener.into_std() else { return last };
            while let Ok((stream, address)) = listener.accept() {
                let made_ready = stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true));
                if let Ok(stream) = made_ready.and_then(|()| tokio::net::TcpStream::from_std(stream)) {
                    last.push((Stream::Tcp(stream), Peer::Ip(address.ip())));
                }
            }
        }
        Listener::Unix(listener, _file) => {
            let Ok(listener) = listener.into_std() else { return last };
            while let Ok((stream, _)) = listener.accept() {
                let made_ready = stream.set_nonblocking(true);
                if let Ok(stream) = made_ready.and_then(|()| tokio::net::UnixStream::from_std(stream)) {
                    last.push((Stream::Unix(stream), Peer::Unix));
                }
            }
        }
    }
    last
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // Hyper's own header timer would be set and cleared for each request. `ConnectionState` watches the connection instead.
    builder.http1().header_read_timeout(None).max_headers(limits.headers_max).max_buf_size(limits.header_bytes_max);
    builder
        .http2()
        .max_concurrent_streams(limits.streams_max)
        // The data that a peer may send before it is read: one body per stream, and a few per connection. The library's
        // default windows are a megabyte each, which adds up to gigabytes over many connections.
        .initial_stream_window_size(window(limits.body_bytes_max))
        .initial_connection_window_size(window(limits.body_bytes_max.saturating_mul(4)))
        .max_header_list_size(u32::try_from(limits.header_bytes_max).unwrap_or(u32::MAX))
        .max_send_buf_size(limits.body_bytes_max);
    builder
}

/// Clamps a window to the initial size (RFC 9113 §6.9.2) and the maximum size of the protocol.
fn window(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX).clamp(65_535, (1 << 31) - 1)
}

struct Connection<S> {
    site: Arc<S>,
    builder: Arc<Builder<TokioExecutor>>,
    room: Arc<Room>,
    tls: Option<Arc<Tls>>,
    ending: watch::Receiver<bool>,
    peer: Peer,
    seat: Arc<Seat>,
    _place: OwnedSemaphorePermit,
}

impl<S: Site> Connection<S> {
    async fn run(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let site = Arc::clone(&self.site);
        site.connections_open().fetch_add(1, Relaxed);
        match self.tls.clone() {
            None => self.talk(stream).await,
            Some(tls) => match timeout(HANDSHAKE_TIME, tls.acceptor().accept(stream)).await {
                Ok(Ok(stream)) => self.talk(stream).await,
                Ok(Err(error)) => tracing::debug!(%error, "an encrypted connection did not come about"),
                Err(_) => tracing::debug!("an encrypted connection did not come about in time"),
            },
        }
        site.connections_open().fetch_sub(1, Relaxed);
    }

    async fn talk(mut self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let state = Arc::new(ConnectionState::new());
        let (site, peer, room) = (Arc::clone(&self.site), self.peer, Arc::clone(&self.room));
        let (own, seat) = (Arc::clone(&state), Arc::clone(&self.seat));
        let service = service_fn(move |incoming| {
            let (site, room, in_flight) = (Arc::clone(&site), Arc::clone(&room), own.request());
            let seat = Arc::clone(&seat);
            let own = Arc::clone(&own);
            async move {
                let is_multiplexed = incoming.version() >= ::http::Version::HTTP_2;
                if is_multiplexed {
                    own.multiplexes();
                }
                let mut response = respond(&*site, peer, (&seat, &room), incoming).await;
                if own.is_ending() && !is_multiplexed {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                drop(in_flight);
                Ok::<_, Infallible>(response)
            }
        });
        let io = TokioIo::new(Watched::new(stream, Arc::clone(&state)));
        let mut connection = pin!(self.builder.serve_connection(io, service));
        let limits = self.site.limits();
        let every = (limits.header_time.min(limits.idle_time) / 2).max(Duration::from_millis(10));
        let mut look = pin!(tokio::time::sleep(every));
        let mut last_word = pin!(tokio::time::sleep(Duration::ZERO));
        let (mut is_ending, mut is_last, mut is_over) = (false, false, false);
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection ended badly");
                    }
                    return;
                }
                () = look.as_mut() => {
                    if is_over {
                        return;
                    }
                    is_over = state.is_over(limits.header_time, limits.idle_time);
                    if is_over {
                        // An HTTP/2 client is told by GOAWAY, so that it does not send a request that would be lost.
                        connection.as_mut().graceful_shutdown();
                    }
                    let wait = if is_over { LEAVE_TIME.min(every) } else { every };
                    look.as_mut().reset(tokio::time::Instant::now() + wait);
                }
                () = told(&mut self.ending), if !is_ending => {
                    is_ending = true;
                    state.end();
                    let word = if state.is_reading() {
                        // A connection without any request yet may be about to send one, so it gets some time.
                        LAST_WORD
                    } else if state.is_multiplexed() {
                        Duration::ZERO
                    } else {
                        FAREWELL.min(limits.drain_time / 2)
                    };
                    last_word.as_mut().reset(tokio::time::Instant::now() + word);
                }
                () = last_word.as_mut(), if is_ending && !is_last => {
                    is_last = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

async fn respond<S: Site>(
    site: &S,
    peer: Peer,
    (seat, room): (&Seat, &Room),
    incoming: ::http::Request<Incoming>,
) -> Response {
    let id = site.request_ids().next();
    let (head, body) = incoming.into_parts();
    // Held until the response is made, because a slow body keeps the headers in memory, too.
    let target = head.uri.path_and_query().map_or("", PathAndQuery::as_str);
    let Some(_headers) = seat.hold(&head.headers, target) else {
        return unjudged(id, no_room());
    };
    let (body, unread) = match body::read(body, site.limits(), room).await {
        Ok(body) => (body, None),
        Err(Unread::Late) => {
            return unjudged(id, answer::plain(StatusCode::REQUEST_TIMEOUT, "The request did not arrive in time.\n"));
        }
        Err(Unread::NoRoom) => return unjudged(id, no_room()),
        Err(Unread::TooLarge) => (Bytes::new(), Some(No::RequestTooLarge)),
        Err(Unread::Broken) => (Bytes::new(), Some(No::BodyMalformed)),
    };
    let request = Request {
        method: head.method,
        uri: head.uri,
        headers: head.headers,
        body,
        unread,
        peer,
        id,
        found: Default::default(),
    };
    let mut response = site.answer(request).await;
    if unread.is_some() && head.version < ::http::Version::HTTP_2 {
        // The rest of the body is not read.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The response if headers or bodies of requests in flight have used up their memory.
fn no_room() -> Response {
    let mut response = answer::plain(StatusCode::SERVICE_UNAVAILABLE, "Too much is arriving. Try again.\n");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// The response to an incomplete request, which is not handed to the site.
fn unjudged(id: RequestId, mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer::name(&mut response, id);
    response
}
