//! Odd wire ⇄ canonical names. A dialect says how a surface *spells* OAuth; it moves and renames, it never decides.
//!
//! - A file ([`tree`], `file`) becomes rules ([`rules`]) by [`Dialect::load`], which finds everything that is wrong at once.
//! - [`Dialects::route`] finds the dialect and the address of a request, [`Dialect::decode`] reads it into canonical
//!   parameters, and [`Dialect::encode`], [`Dialect::refuse`] and [`Dialect::redirect`] write the answer.
//! - [`hazard`] is the table of what a surface can do that an RFC forbids, and each such thing has a name.
//!
//! The format is explained in `dialects/README.md`. Nothing here knows a row, a client, a clock or a socket.

mod authorization;
pub mod decode;
mod describe;
pub mod encode;
mod escape;
mod file;
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
