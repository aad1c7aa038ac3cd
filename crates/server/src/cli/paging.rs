//! Searching and paging of `user list` and `client list`.

use clap::Args;

/// Which part of a list is printed.
#[derive(Debug, Default, Args)]
pub(super) struct Paging {
    /// Only those with this text in an id, a name or an address; case does not count.
    #[arg(long, value_name = "TEXT")]
    pub(super) search: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Only those behind this one: an id, or the `cursor` of the last row of the page before.
    #[arg(long, value_name = "CURSOR")]
    pub(super) after: Option<String>,
}

impl Paging {
    /// Maximum number of rows.
    pub(super) fn rows_max(&self) -> usize {
        self.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
    }

    /// True if the rows of the list say where the next page begins.
    pub(super) fn is_paged(&self) -> bool {
        self.limit.is_some() || self.after.is_some()
    }

    /// What is said below a page that may have another one behind it.
    pub(super) fn more(&self, rows: usize, cursor: Option<i64>) -> String {
        match cursor.filter(|_| rows == self.rows_max()) {
            Some(cursor) => format!("\nThere may be more: --after {cursor}\n"),
            None => String::new(),
        }
    }

    /// What is said instead of an empty list.
    pub(super) fn none<'t>(&self, nobody: &'t str) -> &'t str {
        match self {
            Self { search: Some(_), .. } => "Nothing has this text.",
            Self { after: Some(_), .. } => "There are no more.",
            _ => nobody,
        }
    }
}
