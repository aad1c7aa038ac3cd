//! A row together with the rows that it depends on.

use std::sync::Arc;

use super::{Client, User};

/// A row together with the rows that it hangs on, as they are now.
#[derive(Clone, Debug)]
pub struct Held<T> {
    /// The row itself.
    pub row: T,
    /// The client that it was issued to; absent when deleted, or when no client is involved.
    pub client: Option<Arc<Client>>,
    /// The user that it is about; absent when deleted, or when no user is involved.
    pub user: Option<Arc<User>>,
    /// Was the grant that it came of revoked, or is it gone?
    pub is_grant_revoked: bool,
}
