//! Form encoding, the `application/x-www-form-urlencoded` of the URL standard.

use std::borrow::Cow;

/// Decodes form encoding: `+` is a space, `%41` is an `A`. Returns `None` for a broken escape or invalid UTF-8.
pub(crate) fn unescape(text: &[u8]) -> Option<Cow<'_, str>> {
    if !text.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return std::str::from_utf8(text).ok().map(Cow::Borrowed);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(*rest.next()?).to_digit(16)?;
                let low = char::from(*rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            other => *other,
        });
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}
