//! The page that posts an authorization response to the application; OAuth 2.0 Form Post Response Mode.

use protocol::redirect::VerifiedRedirect;
use serde::Serialize;

use crate::render::page::Page;

/// The values for the template of the page.
#[derive(Serialize)]
pub(crate) struct FormPost {
    action: String,
    host: String,
    fields: Vec<Field>,
}

#[derive(Serialize)]
struct Field {
    name: String,
    value: Vec<Part>,
}

/// Text, followed by the code of a control character. The template writes the character as a character reference,
/// because HTML changes some control characters that are written literally, such as line breaks. Control characters
/// from U+0080 on are written literally, because HTML reads references to them as characters of windows-1252.
#[derive(Serialize)]
struct Part {
    text: String,
    code: Option<u32>,
}

impl Field {
    fn new(name: String, value: &str) -> Self {
        let parts = value.split_inclusive(is_referenced).map(|part| match part.chars().next_back() {
            Some(last) if is_referenced(last) => {
                Part { text: part[..part.len() - last.len_utf8()].to_owned(), code: Some(u32::from(last)) }
            }
            _ => Part { text: part.to_owned(), code: None },
        });
        Self { name, value: parts.collect() }
    }
}

/// Returns true for the control characters of ASCII.
fn is_referenced(c: char) -> bool {
    c.is_ascii_control()
}

impl FormPost {
    /// The page that posts `fields` to `to`.
    pub(super) fn new(to: &VerifiedRedirect, fields: Vec<(String, String)>) -> Self {
        let fields = fields.into_iter().map(|(name, value)| Field::new(name, &value));
        Self { action: to.as_str().to_owned(), host: to.host(), fields: fields.collect() }
    }
}

impl Page for FormPost {
    const FILE: &'static str = "form_post.html";

    fn samples() -> Vec<(&'static str, Self)> {
        let field = |name: &str, value: &str| Field::new(name.to_owned(), value);
        let page = Self {
            action: "https://app.importer.example/callback?a=1&b=2".to_owned(),
            host: "app.importer.example".to_owned(),
            fields: vec![field("code", "c0de"), field("state", "\"><script>alert(1)</script>")],
        };
        vec![("form_post", page)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_ascii_are_referenced_and_those_that_html_reads_as_windows_1252_are_not() {
        for c in ('\u{1}'..='\u{9f}').filter(|c| c.is_control()) {
            let field = Field::new("state".to_owned(), &format!("a{c}"));
            let [part] = &field.value[..] else { panic!("one part") };
            let expected = if c.is_ascii() { ("a".to_owned(), Some(u32::from(c))) } else { (format!("a{c}"), None) };
            assert_eq!((part.text.clone(), part.code), expected, "{c:?}");
        }
    }
}
