//! The names that a template may use, and their values in a given answer.

use std::borrow::Cow;

use protocol::wire::{Field, Fields};
use serde_json::Value;

/// A name in a reply template, such as `$access_token`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// A member of the answer, unchanged.
    Field(Field),
    /// `scopes`: the scope as a list.
    Scopes,
    /// `token_type`: `Bearer`, unless the answer is about a refresh token. RFC 7662 §2.2 has it for those of RFC 6749 §5.1.
    TokenType,
    /// `expires_in_text`: the lifetime in seconds, as a string.
    ExpiresInText,
    /// `expires_in_ms`: the lifetime in milliseconds.
    ExpiresInMs,
    /// `expires_at_iso`: the time of expiry by RFC 3339, in UTC.
    ExpiresAtIso,
    /// `user.a.b`: an attribute of the account. A name that ends in `_iso` gives the attribute without that ending as
    /// an RFC 3339 time, unless the account has an attribute with the whole name.
    User(Vec<String>),
}

const DERIVED: &[(&str, Name)] = &[
    ("scopes", Name::Scopes),
    ("token_type", Name::TokenType),
    ("expires_in_text", Name::ExpiresInText),
    ("expires_in_ms", Name::ExpiresInMs),
    ("expires_at_iso", Name::ExpiresAtIso),
];

impl Name {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("user.") {
            let path: Vec<String> = path.split('.').map(ToOwned::to_owned).collect();
            // Punctuation and spaces are text around a name.
            let is_step =
                |step: &String| !step.is_empty() && step.chars().all(|c| c.is_alphanumeric() || "_-:@+".contains(c));
            return path.iter().all(is_step).then_some(Self::User(path));
        }
        let derived = DERIVED.iter().find(|(name, _)| *name == text).map(|(_, name)| name.clone());
        derived.or_else(|| Field::from_name(text).map(Self::Field))
    }

    /// The name as a template spells it, without the dollar sign.
    fn word(&self) -> String {
        match self {
            Self::Field(field) => field.as_str().to_owned(),
            Self::User(path) => format!("user.{}", path.join(".")),
            derived => DERIVED.iter().find(|(_, own)| own == derived).map_or("", |(word, _)| *word).to_owned(),
        }
    }

    /// Every name except those of account attributes. Used to suggest a correction.
    pub(crate) fn words() -> impl Iterator<Item = &'static str> {
        let fields = Field::ALL.iter().map(|field| field.as_str());
        fields.chain(DERIVED.iter().map(|(name, _)| *name)).chain(["user.…"])
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.word())
    }
}

/// The value of a name in one answer.
#[derive(Debug, PartialEq)]
pub(crate) enum Got<'a> {
    Json(&'a Value),
    Text(Cow<'a, str>),
    Number(i64),
    List(Vec<&'a str>),
}

impl Got<'_> {
    /// The value as plain text, for a form, a header or a redirect. Items of a list are joined by `sep`.
    pub(crate) fn text(&self, sep: &str) -> Cow<'_, str> {
        match self {
            Self::Json(Value::String(text)) => Cow::Borrowed(text),
            Self::Json(value) => Cow::Owned(value.to_string()),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::List(items) => Cow::Owned(items.join(sep)),
        }
    }

    /// Appends the value to `out` as JSON.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Json(value) => write_json(out, value),
            Self::Text(text) => write_json(out, text.as_ref()),
            Self::Number(number) => write_json(out, number),
            Self::List(items) => write_json(out, items),
        }
    }
}

pub(crate) fn write_json(out: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("text, numbers and JSON values become JSON, and memory takes them");
}

/// The data that names are looked up in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values<'a> {
    pub(crate) fields: &'a Fields,
    /// HTTP status of the answer.
    pub(crate) status: u16,
    /// ID of the request; empty if there is none.
    pub(crate) request_id: &'a str,
    /// Separator between scopes on this surface.
    pub(crate) sep: &'a str,
}

impl<'a> Values<'a> {
    /// Returns the value of `name`, or `None` if the answer has no such member. A template drops members without a
    /// value.
    pub(crate) fn value(&self, name: &Name) -> Option<Got<'a>> {
        match name {
            Name::Field(Field::Scope | Field::ScopeIfChanged) if self.sep != " " => {
                let Name::Field(field) = name else { return None };
                let text = self.fields.value(*field)?.as_str().filter(|text| !text.is_empty())?;
                Some(Got::Text(Cow::Owned(text.replace(' ', self.sep))))
            }
            Name::Field(Field::Status) => Some(Got::Number(self.status.into())),
            Name::Field(Field::RequestId) if !self.request_id.is_empty() => {
                Some(Got::Text(Cow::Borrowed(self.request_id)))
            }
            Name::Field(field) => self.fields.value(*field).filter(|value| is_present(value)).map(Got::Json),
            Name::Scopes => {
                let scope = self.fields.value(Field::Scope)?.as_str()?;
                Some(Got::List(scope.split(' ').filter(|word| !word.is_empty()).collect()))
            }
            Name::TokenType => {
                let kind = self.fields.value(Field::TokenKind).and_then(Value::as_str);
                (kind != Some("refresh_token")).then_some(Got::Text(Cow::Borrowed("Bearer")))
            }
            Name::ExpiresInText => self.number(Field::ExpiresIn).map(|s| Got::Text(Cow::Owned(s.to_string()))),
            Name::ExpiresInMs => self.number(Field::ExpiresIn).map(|s| Got::Number(s.saturating_mul(1000))),
            Name::ExpiresAtIso => self.number(Field::ExpiresAt).and_then(iso).map(|text| Got::Text(Cow::Owned(text))),
            Name::User(path) => self.attribute(path),
        }
    }

    fn number(&self, field: Field) -> Option<i64> {
        self.fields.value(field)?.as_i64()
    }

    fn attribute(&self, path: &[String]) -> Option<Got<'a>> {
        let (last, steps) = path.split_last()?;
        let start = self.fields.value(Field::User)?;
        let holder = steps.iter().try_fold(start, |value, step| value.get(step.as_str()))?;
        match holder.get(last.as_str()) {
            Some(value) => Some(value).filter(|value| !value.is_null()).map(Got::Json),
            None => iso(holder.get(last.strip_suffix("_iso")?)?.as_i64()?).map(|text| Got::Text(Cow::Owned(text))),
        }
    }
}

/// Returns false for an empty scope: the answer leaves the member out rather than sending it empty.
fn is_present(value: &Value) -> bool {
    !value.is_null() && value.as_str() != Some("")
}

/// Formats a Unix time by RFC 3339 in UTC. Returns `None` for years that RFC 3339 cannot express.
fn iso(unix_s: i64) -> Option<String> {
    Some(jiff::Timestamp::from_second(unix_s).ok()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(fields: &Fields, name: &str) -> Option<String> {
        let values = Values { fields, status: 200, request_id: "r-1", sep: " " };
        let mut out = Vec::new();
        values.value(&Name::parse(name).unwrap())?.write_json(&mut out);
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn derived_names_are_made_of_the_members_they_are_named_after() {
        let fields = Fields::new()
            .with(Field::ExpiresIn, 3600)
            .with(Field::ExpiresAt, 1_764_036_000)
            .with(Field::Scope, "a b")
            .with(Field::User, json!({"limits": {"used": 2}, "created_at": 0}));
        for (name, json) in [
            ("expires_in_text", "\"3600\""),
            ("expires_in_ms", "3600000"),
            ("expires_at_iso", "\"2025-11-25T02:00:00Z\""),
            ("scopes", "[\"a\",\"b\"]"),
            ("token_type", "\"Bearer\""),
            ("user.limits.used", "2"),
            ("user.created_at_iso", "\"1970-01-01T00:00:00Z\""),
            ("status", "200"),
            ("request_id", "\"r-1\""),
        ] {
            assert_eq!(text(&fields, name).as_deref(), Some(json), "{name}");
        }
    }

    #[test]
    fn what_is_absent_null_or_an_empty_scope_has_no_value() {
        let fields = Fields::new()
            .with(Field::Scope, "")
            .with(Field::Exp, Value::Null)
            .with(Field::TokenKind, "refresh_token")
            .with(Field::User, json!({"name": null}));
        for name in ["scope", "exp", "state", "user.name", "user.other.deep", "expires_in_ms", "token_type"] {
            assert_eq!(text(&fields, name), None, "{name}");
        }
    }

    #[test]
    fn a_name_that_does_not_exist_is_not_parsed() {
        for name in ["acess_token", "user.", "user..a", ""] {
            assert_eq!(Name::parse(name), None, "{name}");
        }
    }
}
