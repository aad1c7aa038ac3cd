//! Authorization codes, and the grants that begin with them.

use super::{ClientKey, CodeId, GrantId, UserKey};
use crate::scope::Scope;
use crate::secret::Digest;
use crate::time::UnixTime;

/// An authorization code, RFC 6749 §4.1.2. The grant that it stands for begins when it is redeemed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The row.
    pub id: CodeId,
    /// Digest of the code.
    pub digest: Digest,
    /// The grant that begins, or has begun, with its redemption.
    pub grant: GrantId,
    /// To whom it was issued.
    pub client: ClientKey,
    /// On whose behalf.
    pub user: UserKey,
    /// The redirect URI of the request.
    pub redirect_uri: String,
    /// Did the request name the redirect URI? Only then must the redemption name it too.
    pub is_redirect_uri_named: bool,
    /// The S256 challenge of RFC 7636.
    pub challenge: Option<Digest>,
    /// What was allowed.
    pub scope: Scope,
    /// For which resources, RFC 8707.
    pub audience: Vec<String>,
    /// When the user was authenticated, as [`super::Session::auth_time`] says it: zero or less for unknown.
    pub auth_time: UnixTime,
    /// When it was issued.
    pub issued_at: UnixTime,
    /// When it dies.
    pub expires_at: UnixTime,
    /// Was it redeemed?
    pub is_spent: bool,
}

/// One authorization of a client by a user, from its code to its last token; a refresh-token family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The row.
    pub id: GrantId,
    /// Whose.
    pub user: UserKey,
    /// To whom.
    pub client: ClientKey,
    /// What was allowed at most.
    pub scope: Scope,
    /// For which resources, RFC 8707.
    pub audience: Vec<String>,
    /// When the user was authenticated, as [`super::Session::auth_time`] says it: zero or less for unknown.
    pub auth_time: UnixTime,
    /// When it began.
    pub created_at: UnixTime,
    /// The row is of no use after this: its last token is dead.
    pub expires_at: UnixTime,
    /// The refresh token, if there is one.
    pub refresh: Option<Refresh>,
    /// A revoked grant takes all its tokens with it.
    pub is_revoked: bool,
}

/// The refresh token of a grant, and the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// Digest of the token that works.
    pub current: Digest,
    /// Digest of the token before it. For a bounded time, and until `current` is first used, a client that lost the answer
    /// may present the previous token again.
    pub previous: Option<Digest>,
    /// The answer that was given for `previous`, sealed under that token.
    pub answer: Option<Vec<u8>>,
    /// Counts the grant's refresh tokens; the number of `current`. Every rotation adds one.
    pub generation: u32,
    /// It dies when it is not used until then.
    pub idle_until: UnixTime,
}
