//! Authorization codes and grants.

use super::{Authorization, CodeId, GrantId};
use crate::secret::Digest;
use crate::time::UnixTime;

/// An authorization code, RFC 6749 §4.1.2. Its grant begins when the code is redeemed.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    /// The row.
    pub id: CodeId,
    /// Digest of the code.
    pub digest: Digest,
    /// The grant that begins, or has begun, with the redemption of the code.
    pub grant: GrantId,
    /// What the user authorized the client to do. Redemption copies it to the grant.
    pub authorization: Authorization,
    /// The redirect URI of the request.
    pub redirect_uri: String,
    /// True if the request named the redirect URI. Only then must the redemption name it too.
    pub is_redirect_uri_named: bool,
    /// The S256 challenge of RFC 7636.
    pub challenge: Option<Digest>,
    /// When the code was issued.
    pub issued_at: UnixTime,
    /// When the code expires.
    pub expires_at: UnixTime,
    /// True once the code was redeemed.
    pub is_spent: bool,
}

/// The grant of one authorization: the parent of all its access tokens, and its refresh-token family.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// The row.
    pub id: GrantId,
    /// What the user authorized the client to do. It never changes.
    pub authorization: Authorization,
    /// When the grant began.
    pub created_at: UnixTime,
    /// When the last token of the grant expires. After that the row can be removed.
    pub expires_at: UnixTime,
    /// The refresh token, if there is one.
    pub refresh: Option<Refresh>,
    /// True once the grant was revoked. All its tokens are revoked with it.
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
    /// The generation of `current`: its number among the grant's refresh tokens. Every rotation adds one.
    pub generation: u32,
    /// When the refresh token expires, unless it is used before.
    pub idle_until: UnixTime,
}
