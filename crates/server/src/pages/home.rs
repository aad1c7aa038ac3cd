//! What somebody finds who comes here without being sent.

use serde::Serialize;

use crate::render::page::Page;

/// The page.
#[derive(Serialize)]
pub(super) struct Home {}

impl Page for Home {
    const FILE: &'static str = "home.html";

    fn samples() -> Vec<(&'static str, Self)> {
        vec![("home", Self {})]
    }
}
