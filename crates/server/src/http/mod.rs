//! HTTP requests and responses, as the rest of the server uses them.

pub mod accept;
pub mod answer;
mod body;
mod callers;
mod connection_state;
pub(crate) mod files;
pub mod listen;
pub mod tls;

use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use ::http::header::{ACCEPT, CONTENT_TYPE, HOST};
use ::http::{HeaderMap, Method, Uri};
use bytes::Bytes;
use http_body_util::Full;
use protocol::refusal::No;

/// An HTTP response.
pub type Response = ::http::Response<Full<Bytes>>;

/// An HTTP request with its whole body.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; empty if it could not be read.
    pub body: Bytes,
    /// The reason why the body could not be read.
    pub unread: Option<No>,
    /// The peer of the connection.
    pub peer: Peer,
    /// The request ID.
    pub id: RequestId,
    /// Whom the request is about, once a judge refused it.
    pub found: FoundOnce,
}

/// Where a turn leaves whom a refused request is about.
pub type FoundOnce = OnceLock<Box<Found>>;

/// Whom a refused request is about, as far as rows tell. It is for the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The public identifier of the user.
    pub user: Option<String>,
    /// The client ID of a client that exists.
    pub client_id: Option<String>,
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A network address.
    Ip(IpAddr),
    /// A program on the same machine, connected by a Unix socket.
    Unix,
}

impl Request {
    /// Returns the host that the request is for: the authority of an HTTP/2 request, or the `Host` header. Returns
    /// `None` if there is none or more than one.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        if let Some(authority) = self.uri.authority() {
            return Some(authority.as_str());
        }
        let mut hosts = self.headers.get_all(HOST).iter();
        let host = hosts.next()?.to_str().ok()?;
        // RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that
        // lacks a Host header field and to any request message that contains more than one Host header field line".
        if hosts.next().is_some() { None } else { Some(host) }
    }

    /// Returns the media type of the body, without parameters. Returns an empty text if none is named.
    #[must_use]
    pub fn media_type(&self) -> &str {
        let named = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        named.split(';').next().unwrap_or_default().trim()
    }

    /// Returns true if the media type of the body is form encoding.
    #[must_use]
    pub fn has_form(&self) -> bool {
        self.media_type().eq_ignore_ascii_case("application/x-www-form-urlencoded")
    }

    /// Returns true if the client accepts HTML, as browsers do.
    #[must_use]
    pub fn wants_html(&self) -> bool {
        self.headers.get_all(ACCEPT).iter().any(|value| value.to_str().is_ok_and(|text| text.contains("text/html")))
    }
}

/// A request ID, as in logs and in `X-Request-Id`. Generated here, never taken from a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId([u8; 16]);

impl RequestId {
    /// Returns the ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits are text")
    }
}

/// Generates request IDs.
#[derive(Debug)]
pub struct RequestIds {
    start: u64,
    count: AtomicU64,
}

impl RequestIds {
    /// Makes a generator whose IDs differ from those of other processes, which start at other numbers.
    #[must_use]
    pub fn new(start: u64) -> Self {
        Self { start, count: AtomicU64::new(0) }
    }

    /// Returns the next ID: a counter, permuted so that the ID does not reveal the number of requests.
    pub fn next(&self) -> RequestId {
        let mut mixed = self.start.wrapping_add(self.count.fetch_add(1, Ordering::Relaxed));
        // The finalizer of SplitMix64, a permutation of all 64-bit numbers.
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let mut text = [0; 16];
        for (at, digit) in text.iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(mixed >> (60 - 4 * at)) as usize & 15];
        }
        RequestId(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_do_not_repeat() {
        let ids = RequestIds::new(1);
        let first = ids.next();
        assert_eq!(first.as_str().len(), 16);
        assert!((0..1000).all(|_| ids.next() != first));
    }
}
