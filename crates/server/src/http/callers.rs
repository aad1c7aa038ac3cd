//! Limits the connections of one client address, and the memory for the headers of its requests in flight. Without
//! these limits one machine could take all connections, or fill the memory with headers over HTTP/2, where requests
//! share a connection.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use ::http::HeaderMap;

/// Memory for the headers of all requests in flight of a listener: enough for two thousand requests with the longest
/// headers allowed by default.
const HEADERS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Further memory that is reserved for requests with few headers, so that requests with many headers cannot hold them
/// up.
const RESERVE_BYTES: usize = 32 * 1024 * 1024;
/// The headers of usual browsers and programs take less memory than this.
const FEW_BYTES: usize = 8 * 1024;
/// Memory for the headers of one client address. The same amount again is reserved for its requests with few headers.
const OF_ONE_BYTES_MAX: usize = HEADERS_BYTES_MAX / 8;
const OF_ONE_RESERVE_BYTES: usize = RESERVE_BYTES / 8;
/// Memory overhead of a header field beside its name and value: its entry in the map and its share of a buffer.
const FIELD_BYTES: usize = 128;

/// The clients with connections to a listener.
#[derive(Debug)]
pub(super) struct Callers {
    connections_max: usize,
    header_bytes: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, Arc<Held>>>,
}

/// The resources that one client currently uses.
#[derive(Debug, Default)]
struct Held {
    connections: AtomicUsize,
    header_bytes: AtomicUsize,
}

/// The place of one connection. Dropping it frees the place.
#[derive(Debug)]
pub(super) struct Seat {
    callers: Arc<Callers>,
    /// `None` for a trusted proxy, which stands for many clients, and for a peer of a Unix socket.
    client: Option<(IpAddr, Arc<Held>)>,
}

/// The memory of one request's headers. Dropping it returns the memory.
#[derive(Debug)]
pub(super) struct Headers<'a> {
    seat: &'a Seat,
    bytes: usize,
}

impl Callers {
    pub(super) fn new(connections_max: usize) -> Arc<Self> {
        Arc::new(Self { connections_max, header_bytes: AtomicUsize::new(0), by_address: Mutex::default() })
    }

    /// Takes a place for a connection. Returns `None` if the client has reached its limit.
    pub(super) fn seat(self: &Arc<Self>, client: Option<IpAddr>) -> Option<Seat> {
        let callers = Arc::clone(self);
        let Some(address) = client else { return Some(Seat { callers, client: None }) };
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let held = Arc::clone(by_address.entry(address).or_default());
        // The counter changes only under the lock.
        if held.connections.load(Relaxed) >= self.connections_max {
            return None;
        }
        held.connections.fetch_add(1, Relaxed);
        Some(Seat { callers, client: Some((address, held)) })
    }
}

impl Seat {
    /// Takes memory for the headers of a request. Returns `None` if the limit is reached.
    pub(super) fn hold(&self, headers: &HeaderMap, target: &str) -> Option<Headers<'_>> {
        let fields = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD_BYTES);
        self.hold_bytes(target.len() + fields.sum::<usize>())
    }

    fn hold_bytes(&self, bytes: usize) -> Option<Headers<'_>> {
        // Dropped below if the memory does not suffice, which returns it.
        let share = Headers { seat: self, bytes };
        let of_all = self.callers.header_bytes.fetch_add(bytes, Relaxed) + bytes;
        let of_one = self.client.as_ref().map_or(0, |(_, held)| held.header_bytes.fetch_add(bytes, Relaxed) + bytes);
        let [more, more_of_one] = if bytes <= FEW_BYTES { [RESERVE_BYTES, OF_ONE_RESERVE_BYTES] } else { [0, 0] };
        (of_all <= HEADERS_BYTES_MAX + more && of_one <= OF_ONE_BYTES_MAX + more_of_one).then_some(share)
    }
}

impl Drop for Headers<'_> {
    fn drop(&mut self) {
        self.seat.callers.header_bytes.fetch_sub(self.bytes, Relaxed);
        if let Some((_, held)) = &self.seat.client {
            held.header_bytes.fetch_sub(self.bytes, Relaxed);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some((address, held)) = &self.client else { return };
        let mut by_address = self.callers.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if held.connections.fetch_sub(1, Relaxed) == 1 {
            by_address.remove(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn one_client_has_a_bounded_number_of_connections_and_leaves_the_others_theirs() {
        let callers = Callers::new(2);
        let mut own: Vec<Seat> = (0..2).map(|_| callers.seat(client(1)).unwrap()).collect();
        assert!(callers.seat(client(1)).is_none());
        assert!(callers.seat(client(2)).is_some());
        own.pop();
        assert!(callers.seat(client(1)).is_some());
        drop(own);
        assert!(callers.by_address.lock().unwrap().is_empty(), "who has left is forgotten");
        let proxy: Vec<Option<Seat>> = (0..100).map(|_| callers.seat(None)).collect();
        assert!(proxy.iter().all(Option::is_some), "a trusted proxy has no bound of its own");
    }

    #[test]
    fn headers_of_one_client_are_bounded_and_given_back() {
        let callers = Callers::new(2);
        let (one, same, other) =
            (callers.seat(client(1)).unwrap(), callers.seat(client(1)).unwrap(), callers.seat(client(2)).unwrap());
        let held = one.hold_bytes(OF_ONE_BYTES_MAX).unwrap();
        assert!(same.hold_bytes(FEW_BYTES + 1).is_none(), "another connection of the same client");
        let few: Vec<Headers<'_>> = std::iter::from_fn(|| same.hold_bytes(FEW_BYTES)).collect();
        assert_eq!(few.len() * FEW_BYTES, OF_ONE_RESERVE_BYTES);
        drop(few);
        assert!(other.hold_bytes(OF_ONE_BYTES_MAX).is_some());
        drop(held);
        assert!(same.hold_bytes(OF_ONE_BYTES_MAX).is_some());
        assert_eq!(callers.header_bytes.load(Relaxed), 0);
    }

    #[test]
    fn headers_of_all_clients_are_bounded_and_requests_with_few_still_have_room() {
        let callers = Callers::new(1_000);
        let proxy = callers.seat(None).unwrap();
        let many: Vec<Headers<'_>> = std::iter::from_fn(|| proxy.hold_bytes(32 * 1024)).collect();
        assert_eq!(many.len() * 32 * 1024, HEADERS_BYTES_MAX);
        let few: Vec<Headers<'_>> = std::iter::from_fn(|| proxy.hold_bytes(FEW_BYTES)).collect();
        assert_eq!(few.len() * FEW_BYTES, RESERVE_BYTES);
        drop((many, few));
        assert_eq!(callers.header_bytes.load(Relaxed), 0);
    }

    #[test]
    fn the_memory_of_headers_is_more_than_their_text() {
        let callers = Callers::new(1);
        let seat = callers.seat(client(1)).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-a", ::http::HeaderValue::from_static("12345"));
        assert_eq!(seat.hold(&headers, "/path").unwrap().bytes, 5 + 3 + 5 + FIELD_BYTES);
    }
}
