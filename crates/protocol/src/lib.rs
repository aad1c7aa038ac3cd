//! The rules of the RFCs, as pure functions.
//!
//! Every request is judged from *the request, a handful of rows, the time, and some random bytes*:
//!
//! ```text
//! bytes ─decode→ Params ─parse→ Call ─wants→ Wants ─load→ Facts ─decide→ Verdict + Changes ─commit→ ✓ ─encode→ bytes
//!       dialect        here         here         store        here                     store        dialect
//! ```
//!
//! - [`wire`]: canonical parameter and answer names, the narrow waist between this crate and a dialect.
//! - [`endpoint`], [`refusal`], [`policy`], [`client_setting`]: tables that say what exists, how we say no, what can be tuned,
//!   and what can be said about an application.
//! - [`model`]: the rows. [`mod@line`]: what a judge asks for, is given, and decides.
//! - [`crypto`]: tokens, seals and randomness. [`jose`]: signed tokens of other issuers.
//! - [`client`], [`person`]: who is there, and how the server knows.
//! - [`authorize`], [`token`], [`resource`], [`account`], [`developer`]: the judges, by the address that they answer at.
//!   [`operate`]: the judges of the operator's commands.
//!
//! Nothing in this crate does I/O, reads a clock, draws randomness, or is async.

pub mod account;
pub mod authorize;
pub mod carried_form;
pub mod client;
pub mod client_setting;
pub mod crypto;
pub mod developer;
pub mod endpoint;
pub mod exact;
pub mod identifiers;
pub mod jose;
pub mod line;
pub mod liveness;
pub mod model;
pub mod names;
pub mod openid;
pub mod operate;
pub mod passphrase;
pub mod person;
pub mod pkce;
pub mod policy;
pub mod quoted;
pub mod redirect;
pub mod refusal;
pub mod reserved_names;
pub mod resource;
pub mod resource_indicator;
#[cfg(test)]
mod sample;
pub mod scope;
pub mod secret;
pub mod show_once;
pub mod time;
pub mod token;
pub mod wire;
