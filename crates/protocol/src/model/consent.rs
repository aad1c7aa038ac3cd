//! What people allowed applications.

use super::{ClientKey, UserKey};
use crate::scope::Scope;
use crate::time::UnixTime;

/// What a user allowed a client, remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Another number each time it is given: what was decided because of it depends on it.
    pub id: i64,
    /// Who allowed it.
    pub user: UserKey,
    /// Who may.
    pub client: ClientKey,
    /// What.
    pub scope: Scope,
    /// At which resources; empty for every resource.
    pub audience: Vec<String>,
    /// Since when.
    pub given_at: UnixTime,
    /// When it was last widened or confirmed.
    pub renewed_at: UnixTime,
}
