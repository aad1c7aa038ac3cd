//! Preconditions: what the decision of a turn relies on.

use crate::model::{ClientKey, GrantId, SessionId, UserKey};
use crate::secret::Digest;
use crate::time::UnixTime;

/// A precondition of a turn. The store compares every precondition with the rows as they are before the turn's own writes.
/// If one does not hold, nothing is written and the turn is lost: the caller loads the rows and judges again.
///
/// A turn that issues something relies on the rows that allow it. Stores match this type without a wildcard, so that a new
/// precondition does not compile until every store enforces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rely {
    /// The client still has this version.
    Client(ClientKey, u32),
    /// The user still has this version.
    User(UserKey, u32),
    /// The session has not ended.
    Session(SessionId),
    /// The grant exists and is not revoked.
    Grant(GrantId),
    /// The consent is the one that was loaded, or is still absent.
    Consent {
        /// The user who gave the consent.
        user: UserKey,
        /// The client that has the consent.
        client: ClientKey,
        /// The number of the consent, if one was loaded.
        id: Option<i64>,
    },
    /// The user owns fewer applications than this.
    ClientsFewer {
        /// The owner of the applications.
        owner: UserKey,
        /// The first number that is too many.
        than: u32,
    },
    /// The user has fewer personal tokens than this.
    PersonalsFewer {
        /// The owner of the tokens.
        user: UserKey,
        /// The first number that is too many.
        than: u32,
    },
    /// The counter of failed attempts is below its limit, or its window is over.
    CounterBelow {
        /// The key of the counter.
        key: Digest,
        /// The number of failures at which attempts are refused.
        limit: u32,
        /// The time of the attempt.
        now: UnixTime,
    },
}
