//! A form of an account page: the act that it asks the judge for, and the notice once that was done. Each page says its own
//! forms.

use protocol::account::Act;
use protocol::secret::Secret;

use crate::browser::PageRequest;

/// A form.
pub(super) struct Form {
    /// The value of its button, by which the server knows the form.
    pub(super) word: &'static str,
    /// Reads what the form asks for.
    pub(super) act: fn(&PageRequest<'_>) -> Act,
    /// The notice on the page to which the browser is sent afterwards. Absent for an act that is answered by a page of its own.
    pub(super) notice: Option<&'static str>,
}

/// The forms of several pages.
pub(super) type Forms = [&'static [Form]];

/// The form with this word.
pub(super) fn find(forms: &Forms, word: &str) -> Option<&'static Form> {
    forms.iter().copied().flatten().find(|form| form.word == word)
}

/// The text of a field; empty if the form has no such field.
pub(super) fn text(page: &PageRequest<'_>, field: &str) -> String {
    page.field(field).unwrap_or_default().to_owned()
}

/// The text of a field that holds a secret.
pub(super) fn secret(page: &PageRequest<'_>, field: &str) -> Secret {
    Secret::new(page.field(field).unwrap_or_default())
}
