//! Texts as PostgreSQL takes them.

use std::borrow::Cow;

/// A text without NUL, which no text of PostgreSQL can hold. What people and programs are shown never has one; where
/// somebody forced one into a name for the log, it is replaced.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}
