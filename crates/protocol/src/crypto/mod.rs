//! Keys, tokens and randomness.

pub mod entropy;
pub mod keys;
