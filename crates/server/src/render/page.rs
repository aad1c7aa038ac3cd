//! Pages as their templates see them.

use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;

use super::problem::Problem;

/// A page: the values for one template.
pub(crate) trait Page: Serialize + Sized {
    /// The file name of the template.
    const FILE: &'static str;

    /// The fields of a page whose forms have one or two. A problem with one of them is shown only at the field. Empty for
    /// pages with longer forms, which show every problem on top as well.
    const FEW_FIELDS: &'static [&'static str] = &[];

    /// Returns the problem with the submitted form, if there was one.
    fn problem(&self) -> Option<&Problem> {
        None
    }

    /// Returns a sample of each case of the page, with its name.
    fn samples() -> Vec<(&'static str, Self)>;
}

/// A row of the table of pages: the template, and the samples that replacements of it are tested with.
pub(crate) struct Row {
    pub(crate) file: &'static str,
    pub(super) source: &'static str,
    pub(crate) samples: fn() -> Vec<(&'static str, Filled)>,
}

/// The values for a template.
pub(crate) struct Filled {
    pub(super) page: Value,
    pub(super) problem: Option<Problem>,
}

impl Filled {
    pub(super) fn new<P: Page>(page: &P) -> Self {
        let problem = page.problem().cloned().map(|problem| problem.beside_field(P::FEW_FIELDS));
        Self { page: Value::from(Serde(page)), problem }
    }
}

/// Returns the row of a page whose template has this source.
pub(crate) const fn row<P: Page>(source: &'static str) -> Row {
    Row {
        file: P::FILE,
        source,
        samples: || P::samples().iter().map(|(name, page)| (*name, Filled::new(page))).collect(),
    }
}
