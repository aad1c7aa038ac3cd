//! The shipped dialects are built in, so that a change to one of them builds this crate anew.

fn main() {
    println!("cargo::rerun-if-changed=../../dialects");
}
