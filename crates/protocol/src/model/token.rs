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

/// A personal access token, which a user makes for a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Personal {
    /// The row.
    pub id: PersonalId,
    /// Digest of the token.
    pub digest: Digest,
    /// The owner of the token.
    pub user: UserKey,
    /// The dialect whose surface accepts the token.
    pub dialect: String,
    /// The name that the owner gave the token.
    pub name: String,
    /// The scopes of the token.
    pub scope: Scope,
    /// True for a token that the operator made on the command line. Only such a token can have operator-only scopes.
    pub is_by_operator: bool,
    /// When the token was made.
    pub created_at: UnixTime,
    /// When the token expires; [`UnixTime::NEVER`] if it does not.
    pub expires_at: UnixTime,
    /// When the token was last used, to within a minute.
    pub used_at: Option<UnixTime>,
}
