//! Something is broken. Logged once, with its cause, where it becomes an answer; opaque to the client.

use thiserror::Error;

/// What broke. The text is for the operator's log and holds no secrets.
#[derive(Debug, Error)]
pub enum Fault {
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Fault),
    /// Others were faster, again and again.
    #[error("others changed the same rows first, {0} times in a row")]
    Contended(u32),
    /// A name belongs to somebody else: `client_id`, `sub`, `username` or `email`.
    #[error("this {0} is already taken")]
    Taken(&'static str),
    /// Slow work died.
    #[error("a slow judgement was lost: {0}")]
    Slow(String),
    /// A request panicked.
    #[error("a request panicked: {0}")]
    Panic(String),
    /// A request took too long.
    #[error("the request was not answered within {0} s")]
    Late(u64),
}
