//! Nobody is signed in any more.

use serde::Serialize;

use super::Page;

/// The page.
#[derive(Serialize)]
pub(super) struct SignedOut {}

impl Page for SignedOut {
    const FILE: &'static str = "signed_out.html";

    fn samples() -> Vec<(&'static str, Self)> {
        vec![("signed_out", Self {})]
    }
}
