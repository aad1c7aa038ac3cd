//! The layout of a row ID: its time, the number of the node that drew it, and a sequence. [`crate::ids`] draws them.

/// 2025-01-01T00:00:00Z in milliseconds since 1970.
pub(crate) const EPOCH_MS: i64 = 1_735_689_600_000;
pub(crate) const NODE_BITS: u32 = 10;
pub(crate) const SEQUENCE_BITS: u32 = 12;
pub(crate) const TIME_BITS: u32 = 63 - NODE_BITS - SEQUENCE_BITS;
/// The time at which ids end, in milliseconds since 1970: in September 2094.
pub(crate) const END_MS: i64 = EPOCH_MS + (1 << TIME_BITS);

/// Returns the time of an id, in milliseconds since 1970. A negative id has overflowed: it was drawn after the last
/// possible id.
pub(crate) fn time_ms(id: i64) -> i64 {
    if id < 0 { END_MS } else { EPOCH_MS + (id >> (NODE_BITS + SEQUENCE_BITS)) }
}

/// Returns the first id of a time, given in milliseconds since 1970.
pub(crate) fn first_at(time_ms: i64) -> i64 {
    (time_ms.clamp(EPOCH_MS, END_MS - 1) - EPOCH_MS) << (NODE_BITS + SEQUENCE_BITS)
}
