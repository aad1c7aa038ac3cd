//! Rendering: templates, the files that pages load, and the parts that several pages show. Nothing here knows a request, a
//! row's store or [`crate::app::App`].

mod assets;
pub(crate) mod face;
pub(crate) mod page;
pub(crate) mod problem;
pub(crate) mod refused;
mod shades;
pub mod templates;
pub(crate) mod words;
