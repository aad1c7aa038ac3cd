//! Reading bodies: each within its length and its time, and all of them together within the memory that there is for them.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::config::settings::Limits;

/// How much of a body that is too large is read and thrown away.
const DISCARDED_BYTES_MAX: usize = 1024 * 1024;
/// Bodies that are not longer than this are not counted: every honest request to the token endpoint is one of them, and is
/// not held up by those who send large ones slowly.
const SMALL_BYTES: usize = 4 * 1024;
/// Memory for all longer bodies of a listener that have begun to arrive: a thousand of the longest that are usual.
const ROOM_BYTES: usize = 64 * 1024 * 1024;

/// Why a body could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    TooLarge,
    Late,
    Broken,
    NoRoom,
}

/// How much of all bodies is held at this moment.
#[derive(Debug, Default)]
pub(super) struct Room(AtomicUsize);

/// What one body takes of it; given back when dropped.
struct Share<'a> {
    room: &'a Room,
    bytes: usize,
}

impl Share<'_> {
    /// Takes what a body of so many bytes needs beyond what it has.
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

/// Reads a body.
pub(super) async fn read(body: Incoming, limits: &Limits, room: &Room) -> Result<Bytes, Unread> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    timeout(limits.body_time, gather(body, limits.body_bytes_max, room)).await.unwrap_or(Err(Unread::Late))
}

/// Gathers a body. One that is too large is read on for a while, because a peer that is still writing when the connection
/// closes would not see why; but not when it says beforehand that there is more of it than that.
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
            // Almost every body is one piece, and then nothing is copied.
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
