//! A short piece of a request that can safely be quoted in an error message.

use std::fmt;

/// Maximum length in bytes. The piece is stored within a refusal, which is copied often.
const BYTES_MAX: usize = 80;

/// Up to 80 characters that RFC 6749 §5.2 allows in an `error_description`, printable ASCII without `"` and `\`, and neither
/// `<` nor `>`: anybody can send a browser here whose redirect takes the piece to an application, which may show it on a page
/// as it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Quoted {
    bytes: [u8; BYTES_MAX],
    length: u8,
}

impl Quoted {
    /// Quotes `text`. Characters that are not allowed become `?`, and a long text is cut and ends in three dots.
    #[must_use]
    pub fn new(text: &str) -> Self {
        const DOTS: &str = "...";
        let is_long = text.chars().count() > BYTES_MAX;
        let kept = if is_long { BYTES_MAX - DOTS.len() } else { BYTES_MAX };
        let dots = if is_long { DOTS } else { "" };
        let mut quoted = Self { bytes: [0; BYTES_MAX], length: 0 };
        for character in text.chars().take(kept).chain(dots.chars()) {
            // RFC 6749 §5.2: "%x20-21 / %x23-5B / %x5D-7E".
            let is_plain = matches!(character, ' '..='!' | '#'..='[' | ']'..='~') && !matches!(character, '<' | '>');
            quoted.bytes[usize::from(quoted.length)] =
                if is_plain { u8::try_from(character).unwrap_or(b'?') } else { b'?' };
            quoted.length += 1;
        }
        quoted
    }

    /// Quotes a list of words with commas between them. A list that is too long is cut after a word and ends in three dots.
    /// Returns `None` for an empty list.
    #[must_use]
    pub fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        const MORE: &str = ", ...";
        let mut list = String::new();
        for word in words {
            let comma = if list.is_empty() { "" } else { ", " };
            if list.chars().count() + comma.len() + word.chars().count() + MORE.len() > BYTES_MAX && !list.is_empty() {
                list.push_str(MORE);
                break;
            }
            list.push_str(comma);
            list.push_str(word);
        }
        (!list.is_empty()).then(|| Self::new(&list))
    }

    /// Returns the quoted text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl fmt::Debug for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotation_has_only_characters_of_an_error_description_rfc_6749_5_2() {
        assert_eq!(Quoted::new("https://a.example/é\"\\\n").as_str(), "https://a.example/????");
        assert_eq!(Quoted::new("<script>").as_str(), "?script?");
        let long = Quoted::new(&"x".repeat(200));
        assert_eq!((long.as_str().len(), &long.as_str()[76..]), (80, "x..."));
        assert_eq!(Quoted::new(&"x".repeat(80)).as_str(), "x".repeat(80));
    }

    #[test]
    fn a_list_is_cut_after_a_word() {
        let list = |words: &[&str]| Quoted::list(words.iter().copied()).map(|own| own.as_str().to_owned());
        assert_eq!(list(&[]), None);
        assert_eq!(list(&["a", "b"]).as_deref(), Some("a, b"));
        let long = list(&["links:read"; 20]).unwrap();
        assert!(long.len() <= BYTES_MAX && long.ends_with("links:read, ..."), "{long}");
    }
}
