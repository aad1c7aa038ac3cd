//! OpenID Connect Core 1.0: what a surface with the scope `openid` tells applications about its users, beyond OAuth. The
//! authorization endpoint is in [`crate::authorize`], the userinfo endpoint in [`crate::resource::userinfo`].

mod claim;
mod claims_parameter;
pub mod hint;
pub mod id_token;
mod level;

pub use claim::{Claim, scope_of};
pub use claims_parameter::{ClaimsParameter, RequestedClaims, narrow};
pub use level::{LEVELS, level};

/// The scope that makes an authorization request an authentication request, OpenID Connect Core §3.1.2.1.
pub const OPENID: &str = "openid";

/// The sentence of the scope [`OPENID`] on surfaces whose own list of scopes does not have it.
pub const OPENID_SENTENCE: &str = "Know that it is you";

/// The scope by which an application asks for a refresh token, OpenID Connect Core §11.
pub const OFFLINE_ACCESS: &str = "offline_access";

/// The scopes that have a meaning only in OpenID Connect. A dialect that does not name the discovery endpoint does not
/// inherit them.
pub const SCOPES: &[&str] = &[OPENID, "address", "phone", OFFLINE_ACCESS];
