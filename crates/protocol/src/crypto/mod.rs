//! Keys, tokens and randomness.

mod base62;
pub mod entropy;
pub mod keys;
mod seal;
mod token_text;
