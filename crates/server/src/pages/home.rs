//! The page at the root path, for visitors whom no application has sent.

use serde::Serialize;

use crate::render::page::Page;

/// The values for the template of the page.
#[derive(Serialize)]
pub(super) struct Home {}

impl Page for Home {
    const FILE: &'static str = "home.html";

    fn samples() -> Vec<(&'static str, Self)> {
        vec![("home", Self {})]
    }
}
