//! Integration tests live beside this file, in `tests/`.
