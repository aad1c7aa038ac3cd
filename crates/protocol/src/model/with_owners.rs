//! A row together with the rows that it depends on.

use std::sync::Arc;

use super::{Client, User};

/// A row together with the rows that it depends on, in their current state.
#[derive(Clone, Debug)]
pub struct WithOwners<T> {
    /// The row itself.
    pub row: T,
    /// The client that the row was issued to; `None` if it was deleted, or if no client is involved.
    pub client: Option<Arc<Client>>,
    /// The user that the row is about; `None` if it was deleted, or if no user is involved.
    pub user: Option<Arc<User>>,
    /// True if the grant that the row belongs to was revoked or removed.
    pub is_grant_revoked: bool,
}
