//! Tells a transcript of a dialect to a server in this process. dialects/README.md has the grammar.

mod rows;
mod story;
mod world;

pub use story::Story;
pub use world::World;

use std::collections::BTreeMap;

/// Names and their values.
pub type Known = BTreeMap<String, String>;

/// Puts values in place of names.
fn filled(text: &str, known: &Known) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or("a name does not end")?;
        out.push_str(before);
        out.push_str(known.get(name).ok_or_else(|| format!("{{{{{name}}}}} is not known"))?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// A place where anything may stand, any number of times.
const ANYTHING: &str = "_";

/// Compares a text with what was written; names that are not known take what stands there.
fn matches(written: &str, text: &str, known: &mut Known) -> bool {
    let Some((before, after)) = written.split_once("{{") else { return written == text };
    let Some((name, after)) = after.split_once("}}") else { return false };
    let Some(rest) = text.strip_prefix(before) else { return false };
    if let Some(value) = known.get(name).cloned() {
        return rest.strip_prefix(value.as_str()).is_some_and(|rest| matches(after, rest, known));
    }
    // What follows the name says where its value ends.
    let literal = after.split("{{").next().unwrap_or_default();
    let end = if literal.is_empty() { Some(rest.len()) } else { rest.find(literal) };
    let Some(end) = end else { return false };
    if name != ANYTHING {
        known.insert(name.to_owned(), rest[..end].to_owned());
    }
    matches(after, &rest[end..], known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_takes_what_stands_there_once() {
        let mut known = Known::new();
        assert!(matches("a={{x}}&b={{x}}", "a=1&b=1", &mut known));
        assert!(!matches("a={{x}}", "a=2", &mut known));
        assert_eq!(filled("[{{x}}]", &known), Ok("[1]".to_owned()));
        assert!(filled("{{y}}", &known).is_err());
    }

    #[test]
    fn anything_may_stand_where_nothing_is_named() {
        let mut known = Known::new();
        assert!(matches("{{_}}<p>no</p>{{_}}", "<html><p>no</p></html>", &mut known));
        assert!(!matches("{{_}}<p>no</p>{{_}}", "<html><p>yes</p></html>", &mut known));
        assert!(known.is_empty());
    }
}
