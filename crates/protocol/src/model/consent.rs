//! Consents that users gave to applications.

use super::{ClientKey, Permission, UserKey};
use crate::time::UnixTime;

/// What a user allowed a client on the consent page, remembered for the next authorization request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// A new number each time the consent is given, widened or confirmed. Decisions that used the consent depend on it.
    pub id: i64,
    /// The user who gave the consent.
    pub user: UserKey,
    /// The client that it was given to.
    pub client: ClientKey,
    /// All that the user allowed so far.
    pub permission: Permission,
    /// When the consent was first given.
    pub given_at: UnixTime,
    /// When it was last widened or confirmed.
    pub renewed_at: UnixTime,
}
