//! Reply templates: literal text with names that stand for values. A template is compiled once. Filling it writes
//! straight into a buffer, so a request builds no tree of values.

use serde_json::Value;

use crate::escape::{Escape, Language};
use crate::markup::is_run;
use crate::problem::suggestion;
use crate::value::{Name, Values, write_json};

/// A JSON template. A string that is exactly `"$name"` becomes that value in its own type; a member whose value is
/// absent is dropped; `"$name|0"` has a value, as JSON, for when the name has none, and `"$name|$other|0"` another name
/// before it; `$$` is a dollar sign.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    /// Literal JSON text.
    Literal(Vec<u8>),
    Name(Name),
    /// A name, and what replaces it if it has no value.
    NameOr(Name, Box<Json>),
    /// An object. Each key includes its quotes and its colon.
    Object(Vec<(Vec<u8>, Json)>),
    List(Vec<Json>),
}

impl Json {
    pub(crate) fn compile(body: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(body).map_err(|error| format!("the body is not JSON: {error}"))?;
        Self::of(&value)
    }

    fn of(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Self::of_text(text),
            Value::Array(items) => {
                let items = items.iter().map(Self::of).collect::<Result<Vec<_>, _>>()?;
                Ok(Self::List(items).folded())
            }
            Value::Object(members) => {
                let mut compiled = Vec::new();
                for (key, value) in members {
                    let word = key.strip_prefix('$').filter(|word| word_end(word) == word.len());
                    if let Some(name) = word.filter(|name| Name::parse(name).is_some()) {
                        return Err(format!("`${name}` is a key: only values can be names"));
                    }
                    // Only values are names: a key such as `$schema` is literal.
                    let is_word = word.is_some_and(|word| !word.is_empty());
                    let mut key_text = Vec::new();
                    write_json(&mut key_text, &if is_word { key.clone() } else { constant(key)? });
                    key_text.push(b':');
                    compiled.push((key_text, Self::of(value)?));
                }
                Ok(Self::Object(compiled).folded())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(Self::literal(value)),
        }
    }

    fn of_text(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix('$').filter(|name| !name.starts_with('$'));
        let Some(name) = name else { return Ok(Self::literal(&constant(text)?)) };
        match name.split_once('|') {
            None => Ok(Self::Name(parse_name(name)?)),
            Some((name, otherwise)) => {
                let otherwise = if otherwise.starts_with('$') {
                    Self::of_text(otherwise)?
                } else {
                    let value: Value = serde_json::from_str(otherwise)
                        .map_err(|_| format!("`{otherwise}`, which stands in for `${name}`, is not JSON"))?;
                    Self::literal(&value)
                };
                Ok(Self::NameOr(parse_name(name)?, Box::new(otherwise)))
            }
        }
    }

    fn literal(value: &(impl serde::Serialize + ?Sized)) -> Self {
        let mut out = Vec::new();
        write_json(&mut out, value);
        Self::Literal(out)
    }

    /// Turns a tree without names into one literal.
    fn folded(self) -> Self {
        let is_constant = match &self {
            Self::Object(members) => members.iter().all(|(_, value)| matches!(value, Self::Literal(_))),
            Self::List(items) => items.iter().all(|value| matches!(value, Self::Literal(_))),
            _ => false,
        };
        if !is_constant {
            return self;
        }
        let mut out = Vec::new();
        let empty = protocol::wire::Fields::new();
        self.fill(&Values { fields: &empty, status: 0, request_id: "", sep: " " }, &mut out);
        Self::Literal(out)
    }

    /// Appends the filled template.
    pub(crate) fn fill(&self, values: &Values<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Literal(json) => out.extend_from_slice(json),
            // At the top level and in a list, an absent value cannot be dropped.
            Self::Name(name) => match values.value(name) {
                Some(got) => got.write_json(out),
                None => out.extend_from_slice(b"null"),
            },
            Self::NameOr(name, otherwise) => match values.value(name) {
                Some(got) => got.write_json(out),
                None => otherwise.fill(values, out),
            },
            Self::Object(members) => {
                out.push(b'{');
                let mut is_first = true;
                for (key, value) in members {
                    let got = match value {
                        Self::Name(name) => match values.value(name) {
                            Some(got) => Some(got),
                            None => continue,
                        },
                        _ => None,
                    };
                    if !std::mem::take(&mut is_first) {
                        out.push(b',');
                    }
                    out.extend_from_slice(key);
                    match got {
                        Some(got) => got.write_json(out),
                        None => value.fill(values, out),
                    }
                }
                out.push(b'}');
            }
            Self::List(items) => {
                out.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    item.fill(values, out);
                }
                out.push(b']');
            }
        }
    }

    /// Returns every name in the template.
    pub(crate) fn names(&self) -> Vec<&Name> {
        match self {
            Self::Literal(_) => Vec::new(),
            Self::Name(own) => vec![own],
            Self::NameOr(own, otherwise) => std::iter::once(own).chain(otherwise.names()).collect(),
            Self::Object(members) => members.iter().flat_map(|(_, value)| value.names()).collect(),
            Self::List(items) => items.iter().flat_map(Self::names).collect(),
        }
    }
}

/// A text template: `$name` stands for a value, an absent value becomes empty text, and `$$` is a dollar sign.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text(Vec<Piece>);

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Literal(String),
    Name(Name, Escape),
}

impl Text {
    /// Compiles a text in this language. Refuses a name in a place where its value could not be inserted safely.
    pub(crate) fn compile(body: &str, language: Option<Language>) -> Result<Self, String> {
        // A namespace may be declared after a name, so look at the whole text.
        let language = language.map(|own| if own == Language::Xml && is_run(body) { Language::Html } else { own });
        let mut pieces = Vec::new();
        // The text before the current name. Each earlier name is represented by a letter.
        let mut before_name = String::new();
        let mut literal = String::new();
        let mut rest = body;
        while let Some((before, after)) = rest.split_once('$') {
            literal.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                literal.push('$');
                rest = after;
                continue;
            }
            let name = &after[..word_end(after)];
            if let Some(braced) = braced(after) {
                return Err(format!(
                    "`${{{braced}}}` is sent as it is written: write `${braced}`, without braces. Write `$$` for a dollar \
                     sign"
                ));
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            if let Some(Piece::Literal(text)) = pieces.last() {
                before_name.push_str(text);
            }
            let escape =
                language.ok_or_else(|| format!("`${name}` stands in a text for which no escaping is known"))?;
            let escape = escape.escape_after(&before_name).map_err(|place| {
                format!("`${name}` stands {place}, where its value could be taken for something else than a value")
            })?;
            before_name.push('x');
            pieces.push(Piece::Name(parse_name(name)?, escape));
            rest = &after[name.len()..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self(pieces))
    }

    pub(crate) fn fill(&self, values: &Values<'_>, out: &mut String) {
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Name(name, escape) => escape.write(values.value(name).as_ref(), values.sep, out),
            }
        }
    }

    /// Refuses a text that is not valid JSON when its names have values.
    pub(crate) fn check_json(&self) -> Result<(), String> {
        for sample in ["\"x\"", "1", "null"] {
            let pieces = self.0.iter().map(|piece| match piece {
                Piece::Literal(text) => text,
                Piece::Name(_, Escape::JsonString) => "x",
                Piece::Name(..) => sample,
            });
            let filled: String = pieces.collect();
            serde_json::from_str::<Value>(&filled).map_err(|error| {
                format!("the body is not JSON when its names have values such as {sample}: {error}")
            })?;
        }
        Ok(())
    }

    /// Returns every name in the template.
    pub(crate) fn names(&self) -> Vec<&Name> {
        let names = self.0.iter().filter_map(|piece| if let Piece::Name(own, _) = piece { Some(own) } else { None });
        names.collect()
    }
}

/// A list of pairs such as `k=$v&k2=text`. A pair whose value is absent is dropped. Values are escaped for their
/// destination.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pairs(Vec<(String, PairValue)>);

#[derive(Clone, Debug, PartialEq)]
enum PairValue {
    Literal(String),
    Name(Name),
}

impl Pairs {
    pub(crate) fn compile(body: &str) -> Result<Self, String> {
        let mut pairs = Vec::new();
        for pair in body.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) =
                pair.split_once('=').ok_or_else(|| format!("`{pair}` is not of the form `name=$value`"))?;
            let value = match value.strip_prefix('$') {
                Some(name) if !name.starts_with('$') => PairValue::Name(parse_name(name)?),
                _ => PairValue::Literal(constant(value)?),
            };
            pairs.push((constant(key)?, value));
        }
        Ok(Self(pairs))
    }

    /// Returns the pairs that have a value, not escaped.
    pub(crate) fn filled(&self, values: &Values<'_>) -> Vec<(String, String)> {
        let filled = self.0.iter().filter_map(|(key, value)| match value {
            PairValue::Literal(text) => Some((key.clone(), text.clone())),
            PairValue::Name(name) => Some((key.clone(), values.value(name)?.text(values.sep).into_owned())),
        });
        filled.collect()
    }

    /// Appends the pairs that have a value, encoded as `application/x-www-form-urlencoded`.
    pub(crate) fn fill(&self, values: &Values<'_>, out: &mut String) {
        let mut is_first = true;
        for (key, value) in self.filled(values) {
            if !std::mem::take(&mut is_first) {
                out.push('&');
            }
            write_percent(&key, out);
            out.push('=');
            write_percent(&value, out);
        }
    }

    /// Returns every name in the template.
    pub(crate) fn names(&self) -> Vec<&Name> {
        let values = self.0.iter();
        values.filter_map(|(_, value)| if let PairValue::Name(own) = value { Some(own) } else { None }).collect()
    }
}

fn parse_name(name: &str) -> Result<Name, String> {
    Name::parse(name).ok_or_else(|| {
        if let Some(braced) = braced(name) {
            return around(braced, &format!("${name}"));
        }
        let head = &name[..word_end(name)];
        match Name::parse(head) {
            Some(_) if head != name => around(head, &format!("${name}")),
            _ => format!("unknown name `${name}`{}", suggestion(name, Name::words())),
        }
    })
}

/// Reads a text that may not contain names; `$$` is a dollar sign. A name is refused, because it would be sent
/// literally.
pub(crate) fn constant(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        out.push('$');
        rest = after.strip_prefix('$').unwrap_or(after);
        if rest.len() == after.len() {
            let begins = after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if let Some(name) = braced(after).or_else(|| begins.then(|| &after[..word_end(after)])) {
                return Err(around(name, text));
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Returns the end of a word that could be a name. A full stop after a name ends a sentence and is not part of the
/// name.
fn word_end(text: &str) -> usize {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(text.len());
    text[..end].trim_end_matches('.').len()
}

/// Returns the name in `{name}`, the form that shells and JavaScript use after a dollar sign.
fn braced(after: &str) -> Option<&str> {
    let inner = after.strip_prefix('{')?.trim_start();
    let name = &inner[..word_end(inner)];
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_').then_some(name)
}

fn around(name: &str, text: &str) -> String {
    format!(
        "`${name}` stands inside of the text `{text}`, where it would be sent as it is written: a name must be the whole \
         value, such as \"${name}\". Write `$$` for a dollar sign"
    )
}

/// Percent-encodes all characters except the unreserved ones of RFC 3986 §2.3. A space becomes `%20` and not `+`: this
/// is valid in forms and in URIs, and works for clients that do not form-decode a fragment.
pub(crate) fn write_percent(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests;
