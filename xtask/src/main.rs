//! Chores of the repository: tidy, generate, bench.
#![allow(clippy::disallowed_methods, reason = "a chore runs on a developer's machine and works on its files")]

fn main() {}
