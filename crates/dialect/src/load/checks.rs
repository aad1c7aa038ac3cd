//! Checks that several parts of a dialect's file share.

use crate::problem::suggestion;
use crate::reader::{Reader, Text};

/// Returns the position of a word in the list. Reports a word that is not in it, with the likely correction.
pub(super) fn one_of(what: &str, text: &Text, words: &[&str], reader: &mut Reader<'_>) -> Option<usize> {
    let found = words.iter().position(|word| *word == text.value);
    if found.is_none() {
        let near = suggestion(&text.value, words.iter().copied());
        reader.note(text.spot, format!("unknown {what} `{}`{near}", text.value));
    }
    found
}

/// Returns true for a byte that may occur in a header name or an authentication scheme, RFC 9110 §5.6.2.
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Headers that only the server may write. A second one from a dialect would contradict it or break the connection.
const OWNED: &[&str] = &[
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "date",
    "keep-alive",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Reports a header that only the server may write.
pub(super) fn check_owned(header: &Text, reader: &mut Reader<'_>) {
    if OWNED.iter().any(|own| header.value.eq_ignore_ascii_case(own)) {
        reader.note(header.spot, format!("the server writes the header `{}` itself: remove it", header.value));
    }
}

/// Reports a path with dot segments. Clients remove these from a URL before they send it (RFC 3986 §5.2.4).
pub(super) fn check_segments(path: &Text, reader: &mut Reader<'_>) {
    if let Some(segment) = path.value.split('/').find(|segment| matches!(*segment, "." | "..")) {
        let text =
            format!("`{}` has the segment `{segment}`, which clients take out of a URL: leave it out", path.value);
        reader.note(path.spot, text);
    }
}

/// Returns true for the path of a URL that needs no escapes.
pub(super) fn is_path(path: &str) -> bool {
    path.starts_with('/')
        && path.bytes().all(|b| b.is_ascii_graphic() && !b"?#%\\\"<>^`{|}".contains(&b))
        && !path.contains("//")
}
