//! Reads request bodies. Limits the length and the time of each body, and the memory of all bodies together.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::config::settings::Limits;

/// Number of bytes of a too large body that are read and discarded.
const DISCARDED_BYTES_MAX: usize = 1024 * 1024;
/// Bodies up to this length do not count towards the memory limit. All honest requests to the token endpoint are
/// shorter, so slow senders of large bodies cannot hold them up.
const SMALL_BYTES: usize = 4 * 1024;
/// Memory for all longer bodies of a listener that have begun to arrive: enough for a thousand bodies of the usual
/// maximum length.
const ROOM_BYTES: usize = 64 * 1024 * 1024;

/// The reason why a body could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    TooLarge,
    Late,
    Broken,
    NoRoom,
}

/// The memory that all bodies currently use.
#[derive(Debug, Default)]
pub(super) struct Room(AtomicUsize);

/// The share of one body. Dropping it returns the memory.
struct Share<'a> {
    room: &'a Room,
    bytes: usize,
}

impl Share<'_> {
    /// Extends the share to a body of `length` bytes.
    fn grow(&mut self, length: usize) -> Result<(), Unread> {
        if length <= SMALL_BYTES {
            return Ok(());
        }
        let more = length - self.bytes;
        self.bytes = length;
        if self.room.0.fetch_add(more, Relaxed) + more > ROOM_BYTES { Err(Unread::NoRoom) } else { Ok(()) }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.room.0.fetch_sub(self.bytes, Relaxed);
        }
    }
}

/// Reads a body within the limits.
pub(super) async fn read(body: Incoming, limits: &Limits, room: &Room) -> Result<Bytes, Unread> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    timeout(limits.body_time, gather(body, limits.body_bytes_max, room)).await.unwrap_or(Err(Unread::Late))
}

/// Collects a body. A too large body is read on for a while, because a client that is still writing when the connection
/// closes would not see the response. This is skipped if the announced length exceeds that amount, too.
async fn gather(mut body: Incoming, bytes_max: usize, room: &Room) -> Result<Bytes, Unread> {
    let told = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if told > bytes_max && told > DISCARDED_BYTES_MAX {
        return Err(Unread::TooLarge);
    }
    let mut share = Share { room, bytes: 0 };
    let mut first = Bytes::new();
    let mut whole = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        let before = length;
        length += piece.len();
        if length > bytes_max {
            (first, whole) = (Bytes::new(), Vec::new());
            if length > DISCARDED_BYTES_MAX {
                break;
            }
            continue;
        }
        share.grow(length)?;
        if before == 0 {
            // Almost every body arrives in one piece, which is used without copying.
            first = piece;
            continue;
        }
        if whole.is_empty() {
            whole.extend_from_slice(&std::mem::take(&mut first));
        }
        whole.extend_from_slice(&piece);
    }
    match length {
        length if length > bytes_max => Err(Unread::TooLarge),
        _ if whole.is_empty() => Ok(first),
        _ => Ok(Bytes::from(whole)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(room: &Room) -> Share<'_> {
        Share { room, bytes: 0 }
    }

    #[test]
    fn long_bodies_share_a_room_and_give_it_back() {
        let room = Room::default();
        let mut one = share(&room);
        assert_eq!(one.grow(ROOM_BYTES / 2), Ok(()));
        assert_eq!(one.grow(ROOM_BYTES - SMALL_BYTES), Ok(()), "it is the same body, grown");
        let mut other = share(&room);
        assert_eq!(other.grow(SMALL_BYTES), Ok(()), "a small one is not counted");
        assert_eq!(other.grow(SMALL_BYTES + 1), Err(Unread::NoRoom));
        drop((one, other));
        assert_eq!(room.0.load(Relaxed), 0);
        assert_eq!(share(&room).grow(ROOM_BYTES), Ok(()));
    }
}
