//! A page as its template sees it.

use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;

use super::problem::Problem;

/// What fills a template.
pub(crate) trait Page: Serialize + Sized {
    /// The template's file.
    const FILE: &'static str;

    /// What was wrong with the last answer, if it was one.
    fn problem(&self) -> Option<&Problem> {
        None
    }

    /// The page in every case that people meet, each under its name.
    fn samples() -> Vec<(&'static str, Self)>;
}

/// A page in the table of pages: its template, and the samples that the template is tried with.
pub(crate) struct Row {
    pub(crate) file: &'static str,
    pub(super) source: &'static str,
    pub(crate) samples: fn() -> Vec<(&'static str, Filled)>,
}

/// The values that a template is given.
pub(crate) struct Filled {
    pub(super) page: Value,
    pub(super) problem: Option<Problem>,
}

impl Filled {
    pub(super) fn new<P: Page>(page: &P) -> Self {
        Self { page: Value::from(Serde(page)), problem: page.problem().cloned() }
    }
}

/// The row of a page whose template has this source.
pub(crate) const fn row<P: Page>(source: &'static str) -> Row {
    Row {
        file: P::FILE,
        source,
        samples: || P::samples().iter().map(|(name, page)| (*name, Filled::new(page))).collect(),
    }
}
