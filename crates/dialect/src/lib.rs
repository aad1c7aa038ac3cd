//! Translates between the wire format of a provider's existing API and canonical names. A *dialect* describes how such
//! a surface spells OAuth. It moves and renames parameters, and never decides.
//!
//! - [`Dialect::load`] turns a file ([`tree`], `file`) into [`rules`], and reports all problems at once.
//! - [`Dialects::route`] finds the dialect and the endpoint of a request. [`Dialect::decode`] reads the request into
//!   canonical parameters. [`Dialect::encode`], [`Dialect::refuse`] and [`Dialect::redirect`] write the answer.
//! - [`hazard`] is the table of *waivers*: the rules of RFCs that a surface can break, each with a name.
//!
//! The format is described in `dialects/README.md`. This crate has no access to stored rows, clients, clocks or
//! sockets.

mod authorization;
mod bounds;
pub mod decode;
mod describe;
pub mod encode;
mod escape;
mod file;
mod form_text;
pub mod hazard;
mod load;
mod markup;
mod metadata;
mod notes;
mod places;
mod problem;
mod reader;
mod refuse;
pub mod route;
pub mod rules;
#[cfg(test)]
mod sample;
pub mod shipped;
mod template;
pub mod tree;
mod value;

pub use decode::Incoming;
pub use encode::{Context, Outgoing, Redirect};
pub use problem::Problem;
pub use route::{Dialects, Route};
pub use rules::{Address, At, Dialect};
pub use tree::Source;
