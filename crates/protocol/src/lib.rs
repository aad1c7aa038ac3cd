//! What the RFCs say, as pure functions.
//!
//! Every request is judged from *the request, a handful of rows, the time, and some random bytes*:
//!
//! ```text
//! bytes ─decode→ Params ─parse→ Call ─wants→ Wants ─load→ Facts ─decide→ Verdict + Changes ─commit→ ✓ ─encode→ bytes
//!       dialect        here         here         store        here                     store        dialect
//! ```
//!
//! - [`wire`]: canonical parameter and answer names, the narrow waist between this crate and a dialect.
//! - [`endpoint`], [`refusal`], [`policy`]: three tables that say what exists, how we say no, and what can be tuned.
//! - [`model`]: the rows. [`turn`]: what a judge asks for, is given, and decides.
//! - [`jose`], [`upstream`]: what issuers elsewhere say about people, and whose account that is.
//! - [`call`]: everything that this server can be asked.
//! - `authorize`, `token`, `grant`, `introspect`, `revoke`, `userinfo`, `account`, `developer`: the judges.
//!
//! Nothing here does I/O, reads a clock, or draws randomness; nothing here is async.

pub mod account;
pub mod attributes;
pub mod authorize;
pub mod browser;
pub mod call;
pub mod client_auth;
pub mod client_doors;
pub mod developer;
pub mod endpoint;
pub mod exact;
mod grant;
pub mod introspect;
pub mod issue;
pub mod jose;
pub mod keys;
pub mod live;
pub mod login;
pub mod model;
pub mod names;
pub mod once;
pub mod passphrase;
pub mod pkce;
pub mod policy;
pub mod quoted;
pub mod redirect;
pub mod refusal;
pub mod registration;
pub mod resource;
pub mod revoke;
pub mod rights;
#[cfg(test)]
mod sample;
pub mod scope;
pub mod secret;
pub mod time;
pub mod token;
pub mod turn;
pub mod typed;
pub mod upstream;
pub mod userinfo;
pub mod wire;
