//! Signed tokens of other parties and of this server: JWS (RFC 7515), JWK (RFC 7517) and JWT (RFC 7519). This module knows no
//! account, no issuer and no policy: the caller states what it expects or claims. Only this module uses the library that
//! verifies signatures. [`sign`] makes them.
//!
//! Absent on purpose (RFC 8725 §3.1, §3.10): the algorithm `none` is not supported. A key has one algorithm, and a token's
//! header cannot choose another: no key of a key set verifies HMAC, and only [`Jws::check_mac`] does, with a secret. Keys and
//! URLs of keys in a header (`jwk`, `jku`, `x5u`, `x5c`) are ignored.

mod algorithm;
mod jwk;
mod jws;
mod jwt;
pub mod sign;
#[cfg(test)]
pub(crate) mod signed;
#[cfg(test)]
mod tests;

pub use algorithm::Algorithm;
pub use jwk::{KeySet, thumbprint};
#[cfg(test)]
pub(crate) use jws::JWS_BYTES_MAX;
pub use jws::{Flaw, Jws, MAC_ALGORITHM};
pub(crate) use jwt::seconds;
pub use jwt::{Audience, Expected, Jwt, Registered};
