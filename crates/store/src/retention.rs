//! Retention times of rows.

/// Time in seconds for which a spent code is kept after its expiry, so that a late replay still revokes its grant. RFC
/// 6749 §4.1.2 leaves the time open. One hour is longer than codes stay in queues and log shippers, from which they may
/// leak.
pub const SPENT_CODE_KEPT_S: u64 = 3_600;

/// Time in seconds for which the use of a single-use token is remembered after the token's expiry. The clock of another
/// node may be behind, and the node would accept the token again.
pub const USED_JTI_KEPT_S: u64 = 3_600;

/// Default retention of audit events in seconds: a year, and a month in which to look back at it.
/// [`crate::Store::keep_events`] changes it.
pub const EVENT_KEPT_S: u64 = 396 * 86_400;

/// Time in seconds before the expiry of a revoked token within which the sweep leaves the token alone. To find out that
/// a token is revoked costs several look-ups, which is only worth it for rows that would stay longer.
pub const DEAD_TOKEN_KEPT_S: u64 = 86_400;
