//! Signed tokens of others: JWS (RFC 7515), JWK (RFC 7517) and JWT (RFC 7519). This module knows no account, no issuer and no
//! policy: a caller says what it expects. It is the one place that knows the library which checks signatures.
//!
//! What is absent on purpose: `none` and HMAC have no word here; a key has one algorithm, and a token's header cannot choose
//! another; keys and addresses of keys in a header (`jwk`, `jku`, `x5u`, `x5c`) are never looked at (RFC 8725 §3.1, §3.10).

mod algorithm;
mod jwk;
mod jws;
mod jwt;
#[cfg(test)]
pub(crate) mod signed;
#[cfg(test)]
mod tests;

pub use jwk::KeySet;
#[cfg(test)]
pub(crate) use jws::JWS_BYTES_MAX;
pub use jws::{Flaw, Jws};
pub(crate) use jwt::seconds;
pub use jwt::{Audience, Expected, Jwt, Registered};
