//! The binary.
#![allow(clippy::disallowed_methods, reason = "only here are the clock, the files and the entropy of the system")]

fn main() {}
