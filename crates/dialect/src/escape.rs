//! Escapes values that are inserted into text bodies, by the media type of the body and by the context of the name.

use serde_json::Value;

use crate::markup;
use crate::value::{Got, write_json};

/// The languages of text bodies that values can be inserted into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// `text/plain`, and the values of headers.
    Plain,
    Xml,
    /// HTML and SVG, which hold scripts.
    Html,
    Json,
    Script,
}

/// The escaping of a value in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escape {
    /// No escaping.
    Plain,
    /// The five special characters of XML become entities.
    Markup,
    /// The value is part of a JSON string.
    JsonString,
    /// The value becomes a JSON value of its own type; `null` if it is absent.
    JsonValue,
    /// The value is part of a string in a script.
    ScriptString,
    /// The value becomes a literal in a script; `null` if it is absent.
    ScriptValue,
}

impl Language {
    /// Returns the language of a media type, or `None` if no escaping is known for it.
    pub(crate) fn of(media_type: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "text/plain" => Some(Self::Plain),
            "application/javascript"
            | "text/javascript"
            | "application/x-javascript"
            | "application/ecmascript"
            | "text/ecmascript" => Some(Self::Script),
            "application/xml" | "text/xml" => Some(Self::Xml),
            "text/html" | "application/xhtml+xml" | "image/svg+xml" => Some(Self::Html),
            "application/json" | "text/json" => Some(Self::Json),
            other if other.ends_with("+json") => Some(Self::Json),
            other if other.ends_with("+xml") => Some(Self::Xml),
            _ => None,
        }
    }

    /// Returns the escaping of a value that follows the text `before`.
    ///
    /// # Errors
    /// A description of the context, if a value cannot be inserted there safely.
    pub(crate) fn escape_after(self, before: &str) -> Result<Escape, String> {
        match self {
            Self::Plain => Ok(Escape::Plain),
            Self::Xml => markup::check(before, false).map(|()| Escape::Markup),
            Self::Html => markup::check(before, true).map(|()| Escape::Markup),
            Self::Json if is_in_string(before, false)? => Ok(Escape::JsonString),
            Self::Json => Ok(Escape::JsonValue),
            Self::Script if is_in_string(before, true)? => Ok(Escape::ScriptString),
            Self::Script => Ok(Escape::ScriptValue),
        }
    }
}

impl Escape {
    /// Appends an escaped value. `sep` joins the items of a list.
    pub(crate) fn write(self, got: Option<&Got<'_>>, sep: &str, out: &mut String) {
        let text = || got.map(|got| got.text(sep)).unwrap_or_default();
        match self {
            Self::Plain => out.push_str(&text()),
            Self::Markup => write_markup(&text(), out),
            Self::JsonString => {
                let quoted = json(&Got::Text(text()));
                out.push_str(&quoted[1..quoted.len() - 1]);
            }
            Self::ScriptString => text().chars().for_each(|c| write_script(c, is_plain_in_script, out)),
            Self::JsonValue => out.push_str(&got.map_or_else(|| "null".to_owned(), json)),
            Self::ScriptValue => {
                // JSON uses none of the escaped characters outside of strings.
                let is_plain = |c: char| c.is_ascii() && !"<>&'/`$".contains(c);
                let text = got.map_or_else(|| "null".to_owned(), json);
                text.chars().for_each(|c| write_script(c, is_plain, out));
            }
        }
    }
}

fn json(got: &Got<'_>) -> String {
    let mut out = Vec::new();
    match got {
        // A string attribute is escaped like any other text.
        Got::Json(Value::String(text)) => write_json(&mut out, text),
        other => other.write_json(&mut out),
    }
    String::from_utf8(out).expect("JSON is UTF-8")
}

fn is_plain_in_script(c: char) -> bool {
    c.is_ascii_alphanumeric() || " _-.,:@+".contains(c)
}

fn write_script(c: char, is_plain: impl Fn(char) -> bool, out: &mut String) {
    if is_plain(c) {
        out.push(c);
        return;
    }
    for unit in c.encode_utf16(&mut [0; 2]) {
        out.push_str(&format!("\\u{unit:04x}"));
    }
}

fn write_markup(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

/// Returns true if a value that follows `before` is within a string.
fn is_in_string(before: &str, is_script: bool) -> Result<bool, String> {
    let told = |place: &str| Err(format!("behind {place}"));
    let mut quote = None;
    let mut rest = before;
    while let Some(c) = rest.chars().next() {
        let here = rest;
        rest = &rest[c.len_utf8()..];
        match (quote, c) {
            (Some(_), '\\') => rest = behind_escape(rest, is_script)?,
            (Some(own), c) if own == c => quote = None,
            (Some(_), '\n' | '\r') => return told("a string that does not end on its line"),
            // Older browsers treat these characters as line ends, newer ones do not.
            (Some(_), '\u{2028}' | '\u{2029}') if is_script => return told("a string with a line separator"),
            (None, '"') => quote = Some(c),
            (None, '\'') if is_script => quote = Some(c),
            (None, '`') if is_script => return told("a backtick"),
            (None, '/') if is_script && rest.starts_with(['/', '*']) => return told("a comment"),
            (None, '/') if is_script => return told("a `/`, which can begin a regular expression"),
            // ECMA-262 §B.1.1: these also begin comments.
            (None, '<' | '-') if is_script && (here.starts_with("<!--") || here.starts_with("-->")) => {
                return told("a comment");
            }
            _ => {}
        }
    }
    Ok(quote.is_some())
}

/// Returns the text after an escape sequence. `text` begins after the backslash.
fn behind_escape(text: &str, is_script: bool) -> Result<&str, String> {
    const UNFINISHED: &str = "behind a backslash escape that is not finished";
    let kind = text.chars().next().ok_or(UNFINISHED)?;
    let rest = &text[kind.len_utf8()..];
    let (rest, is_braced) = match rest.strip_prefix('{') {
        Some(inner) if is_script && kind == 'u' => (inner, true),
        _ => (rest, false),
    };
    let digits_max = match kind {
        'u' if is_braced => rest.len(),
        'u' => 4,
        'x' if is_script => 2,
        '\r' if is_script => return Ok(rest.strip_prefix('\n').unwrap_or(rest)),
        _ => return Ok(rest),
    };
    let digits = rest.bytes().take(digits_max).take_while(u8::is_ascii_hexdigit).count();
    if digits == rest.len() && (digits < digits_max || is_braced) {
        return Err(UNFINISHED.to_owned());
    }
    Ok(&rest[digits..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(media_type: &str, before: &str, value: &str) -> String {
        let mut out = String::new();
        let escape = Language::of(media_type).unwrap().escape_after(before).unwrap();
        escape.write(Some(&Got::Text(value.into())), " ", &mut out);
        out
    }

    #[test]
    fn a_value_cannot_end_the_string_that_it_stands_in() {
        let value = "\"});alert('1')//</script>\\\u{2028}";
        assert_eq!(
            written("application/javascript", "cb({\"name\":\"", value),
            r"\u0022\u007d\u0029\u003balert\u0028\u00271\u0027\u0029\u002f\u002f\u003c\u002fscript\u003e\u005c\u2028"
        );
        assert_eq!(written("application/vnd.api+json", "{\"name\":\"", "a\"\\\n/ä"), r#"a\"\\\n/ä"#);
        assert_eq!(written("Text/XML; charset=utf-8", "<a b='", "\"'<>&"), "&quot;&#39;&lt;&gt;&amp;");
        assert_eq!(written("text/plain", "name=", "\"'<>&"), "\"'<>&");
    }

    #[test]
    fn a_value_outside_of_strings_is_a_value_of_its_own_type() {
        assert_eq!(written("text/javascript", "cb(", "1);alert(1"), r#""1);alert(1""#);
        assert_eq!(written("text/javascript", "cb(", "</script>`$"), r#""\u003c\u002fscript\u003e\u0060\u0024""#);
        assert_eq!(written("application/json", "{\"a\":", "x\",\"b\":1"), r#""x\",\"b\":1""#);
        let mut out = String::new();
        Escape::JsonValue.write(Some(&Got::Number(3600)), " ", &mut out);
        Escape::ScriptValue.write(None, " ", &mut out);
        assert_eq!(out, "3600null");
    }

    #[test]
    fn where_no_escaping_is_known_nothing_is_written() {
        for media_type in ["text/css", "text/csv", "application/x-www-form-urlencoded", "application/yaml", "a/b"] {
            assert_eq!(Language::of(media_type), None, "{media_type}");
        }
        for (language, before) in [
            (Language::Html, "<script>var a = \""),
            (Language::Html, "<STYLE>a{b:"),
            (Language::Html, "<a href=\""),
            (Language::Html, "<a onclick='f(\""),
            (Language::Html, "<a title="),
            (Language::Xml, "<"),
            (Language::Xml, "<!-- "),
            (Language::Xml, "<a><![CDATA["),
            (Language::Script, "var a = `"),
            (Language::Script, "f(1) // "),
            (Language::Script, "var a = /\"/; f("),
            (Language::Script, "f(1 / 2, \""),
            (Language::Script, "f(1) <!-- \""),
            (Language::Script, "f(1)\n--> \""),
            (Language::Script, "f(\"a\r"),
            (Language::Script, "f(\"a\n\", \""),
            (Language::Script, "f('a\u{2028}"),
            (Language::Script, "f('a\u{2029}', '"),
            (Language::Script, "f('\\"),
            (Language::Script, "f('\\x4"),
            (Language::Script, "f('\\u{41"),
            (Language::Json, "{\"a\":\"\\"),
            (Language::Json, "{\"a\":\"\\u00e"),
        ] {
            assert!(language.escape_after(before).is_err(), "{language:?} {before}");
        }
        for (language, before) in [
            (Language::Html, "<script>var a;</script><p title='x'>"),
            (Language::Html, "<a href=\"https://x.example/?u="),
            (Language::Html, "<!-- x --><p title=\""),
            (Language::Xml, "<?xml version=\"1.0\"?><a href=\""),
            (Language::Script, "f('//', \"a\\\""),
            (Language::Script, "f('<!--', '-->/', \""),
            (Language::Script, "f('\\x41\\u{42}\\u0043"),
            (Language::Script, "f('a\\\r\nb"),
            (Language::Json, "{\"/\":\"\\\\\\u00e4"),
        ] {
            assert!(language.escape_after(before).is_ok(), "{language:?} {before}");
        }
    }
}
