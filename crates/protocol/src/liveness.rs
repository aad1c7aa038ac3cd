//! Whether the client, the user and the grant that a credential depends on still allow it. One check serves every kind of
//! credential.

use crate::model::{Access, Code, Grant, Personal, Session, Ticket, WithOwners};
use crate::policy::{Policy, ScopePolicy};

/// The row a credential depends on that no longer allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dead {
    /// The client is deleted, disabled, of another dialect, or had all its tokens revoked.
    Client,
    /// The user is deleted, disabled, or signed out everywhere.
    User,
    /// The grant is revoked.
    Grant,
}

/// A row that is good only as long as the rows that it depends on: its client, its user, its grant.
pub trait DependsOn {
    /// Returns the id of the row.
    fn id(&self) -> i64;
    /// True if the row was issued to a client, which must still be there.
    fn has_client(&self) -> bool {
        true
    }
    /// True if the row is about a user, who must still be there.
    fn has_user(&self) -> bool {
        true
    }
    /// Returns the id that is compared with `revoked_below` of user and client. It is the id of the grant, if there is
    /// one, so that a token of a revoked grant is revoked whenever it was issued.
    fn root_id(&self) -> i64 {
        self.id()
    }
}

impl DependsOn for Code {
    fn id(&self) -> i64 {
        self.id.0
    }
}

impl DependsOn for Grant {
    fn id(&self) -> i64 {
        self.id.0
    }
}

impl DependsOn for Access {
    fn id(&self) -> i64 {
        self.id.0
    }
    fn has_user(&self) -> bool {
        self.user.is_some()
    }
    fn root_id(&self) -> i64 {
        self.grant.map_or(self.id.0, |grant| grant.0)
    }
}

impl DependsOn for Personal {
    fn id(&self) -> i64 {
        self.id.0
    }
    fn has_client(&self) -> bool {
        false
    }
}

impl DependsOn for Session {
    fn id(&self) -> i64 {
        self.id.0
    }
    fn has_client(&self) -> bool {
        false
    }
}

impl DependsOn for Ticket {
    fn id(&self) -> i64 {
        self.id.0
    }
    fn has_client(&self) -> bool {
        self.client.is_some()
    }
    fn has_user(&self) -> bool {
        self.user.is_some()
    }
}

impl<T: DependsOn> WithOwners<T> {
    /// Checks every row that this row depends on. It does not check the expiry of the row itself.
    ///
    /// # Errors
    /// The row that no longer allows it.
    pub fn check(&self, dialect: &str) -> Result<(), Dead> {
        let root = self.row.root_id();
        if self.row.has_client()
            && !self
                .client
                .as_ref()
                .is_some_and(|client| client.dialect == dialect && !client.is_disabled && root >= client.revoked_below)
        {
            return Err(Dead::Client);
        }
        if self.row.has_user()
            && !self.user.as_ref().is_some_and(|user| !user.is_disabled && root >= user.revoked_below)
        {
            return Err(Dead::User);
        }
        if self.is_grant_revoked { Err(Dead::Grant) } else { Ok(()) }
    }
}

impl WithOwners<Access> {
    /// As [`WithOwners::check`], for endpoints that only describe tokens: the token may belong to another surface that this
    /// one may read. Its client determines the surface, because the spelling proves nothing. Returns the scope rules of
    /// that surface.
    ///
    /// # Errors
    /// Those of [`WithOwners::check`].
    pub fn check_to_read<'p>(&self, policy: &'p Policy) -> Result<&'p ScopePolicy, Dead> {
        let home = self.client.as_ref().map(|client| client.dialect.as_str()).ok_or(Dead::Client)?;
        let scopes = policy.scopes_of(home).ok_or(Dead::Client)?;
        self.check(home).map(|()| scopes)
    }
}
