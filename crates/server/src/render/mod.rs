//! Rendering: templates, static files, and the parts that several pages show. It depends on no request, no store and
//! not on [`crate::app::App`].

mod assets;
pub(crate) mod face;
pub(crate) mod page;
pub(crate) mod problem;
pub(crate) mod refused;
mod shades;
pub mod templates;
pub(crate) mod words;
