//! Texts that PostgreSQL can store.

use std::borrow::Cow;

/// Replaces NUL characters, which PostgreSQL cannot store. Only a text that an attacker wrote can contain one.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}
