//! The page that `/logout` shows if nobody is signed in.

use serde::Serialize;

use crate::render::page::Page;

/// The values for the template of the page.
#[derive(Serialize)]
pub(crate) struct SignedOut {}

impl Page for SignedOut {
    const FILE: &'static str = "signed_out.html";

    fn samples() -> Vec<(&'static str, Self)> {
        vec![("signed_out", Self {})]
    }
}
