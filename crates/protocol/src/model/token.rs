//! Access tokens and personal access tokens.

use super::{AccessId, ClientKey, GrantId, Permission, PersonalId, UserKey};
use crate::scope::Scope;
use crate::secret::Digest;
use crate::time::UnixTime;

/// An access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The row.
    pub id: AccessId,
    /// Digest of the token.
    pub digest: Digest,
    /// The client that the token was issued to.
    pub client: ClientKey,
    /// The user on whose behalf the client acts; `None` for client_credentials.
    pub user: Option<UserKey>,
    /// The grant of the authorization that the token was issued from; `None` for client_credentials.
    pub grant: Option<GrantId>,
    /// What the token allows: all that was authorized, or less.
    pub permission: Permission,
    /// When the token was issued.
    pub issued_at: UnixTime,
    /// When the token expires.
    pub expires_at: UnixTime,
}

/// A token that a user made by hand for a script of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Personal {
    /// The row.
    pub id: PersonalId,
    /// Digest of the token.
    pub digest: Digest,
    /// Whose.
    pub user: UserKey,
    /// The dialect whose surface takes it.
    pub dialect: String,
    /// What its owner calls it.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// True for a token that the operator made on the command line: only such a token has scopes that only the operator
    /// gives.
    pub is_by_operator: bool,
    /// When it was made.
    pub created_at: UnixTime,
    /// When it dies; [`UnixTime::NEVER`] for one that does not.
    pub expires_at: UnixTime,
    /// When it was last used, give or take a minute.
    pub used_at: Option<UnixTime>,
}
