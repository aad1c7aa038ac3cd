//! Foreign JWTs, RFC 7519: read, and verified against the keys of their issuer. The one place that knows the library which
//! checks signatures.
//!
//! What is absent on purpose: `none` and HMAC have no word here; a key has one algorithm, and a token's header cannot choose
//! another; keys and addresses of keys in a header (`jwk`, `jku`, `x5u`, `x5c`) are never looked at (RFC 8725 §3.1, §3.10).

mod jwt;
mod key_set;
#[cfg(test)]
pub(crate) mod signed;
#[cfg(test)]
mod tests;

pub(crate) use jwt::LEEWAY_S;
pub use jwt::{Expected, Jwt};
pub use key_set::KeySet;

/// A signature algorithm of RFC 7518 §3.1 or RFC 8037 §3.1. Others do not exist here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            // RFC 9864 §2.2 gives the curve's own name as well.
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }

    fn of_library(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}
