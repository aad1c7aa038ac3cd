//! How long rows are kept.

/// A spent code is kept for so many seconds after its end, so that a late replay still ends its grant. RFC 6749 §4.1.2
/// leaves the time open; an hour outlives every queue and log shipper that a code may leak from in passing.
pub const SPENT_CODE_KEPT_S: u64 = 3_600;

/// A token that was good once is remembered for so many seconds after its end: another node's clock may be behind, and
/// would take it once more.
pub const BURNED_KEPT_S: u64 = 3_600;

/// Audit events are kept for so many seconds unless [`crate::Store::keep_events`] says otherwise: a year, and a month in which to
/// look back at it.
pub const EVENT_KEPT_S: u64 = 396 * 86_400;

/// A token that is dead for another reason than its age is left to its age when that comes within so many seconds.
/// Looking for the others costs several look-ups a row, which is worth it only where rows would stay for long.
pub const DEAD_TOKEN_KEPT_S: u64 = 86_400;
