//! Chores of the repository: tidy, generate, bench.

fn main() {}
