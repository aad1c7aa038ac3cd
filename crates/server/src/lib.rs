//! The world.
#![allow(clippy::disallowed_methods, reason = "only here are the clock, the files and the entropy of the system")]

pub mod config;
pub mod keys;
pub mod world;
