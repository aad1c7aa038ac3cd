//! The paths in a Rust file: what it imports, what it re-exports, and what it names in its code. It reads tokens, not
//! syntax trees: enough for files that rustfmt formatted.

/// The module paths and names that a file mentions, without its tests.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Names that `use` brings into scope, with the paths they stand for.
    pub(super) imports: Vec<Import>,
    /// Paths of two names or more in the code, with their lines.
    pub(super) paths: Vec<(Vec<String>, usize)>,
    /// Single names in the code outside of `use`.
    pub(super) names: Vec<String>,
    /// Child modules that exist for tests only.
    pub(super) tests: Vec<String>,
}

/// A name that `use` brings into scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Import {
    /// The name, or `*`.
    pub(super) name: String,
    /// The path that it stands for, as it is written.
    pub(super) path: Vec<String>,
    /// True for `pub use` and its restricted forms.
    pub(super) is_public: bool,
    pub(super) line: usize,
}

type Token = (String, usize);

impl Source {
    pub(super) fn read(text: &str) -> Self {
        let tokens = tokens(text);
        let mut source = Self::default();
        let mut at = 0;
        while at < tokens.len() {
            at = source.take(&tokens, at);
        }
        source
    }

    /// Takes in what begins at a token, and gives the place after it.
    fn take(&mut self, tokens: &[Token], at: usize) -> usize {
        let text = |at: usize| tokens.get(at).map_or("", |(text, _)| text.as_str());
        if is_test_attribute(tokens, at) {
            return self.skip_item(tokens, after_attribute(tokens, at));
        }
        match text(at) {
            "#" => after_attribute(tokens, at),
            "use" => {
                let is_public = at > 0 && (text(at - 1) == "pub" || text(at - 1) == ")");
                let line = tokens[at].1;
                let end = (at..tokens.len()).find(|at| text(*at) == ";").unwrap_or(tokens.len());
                tree(&tokens[at + 1..end], &[], &mut |name, path| {
                    self.imports.push(Import { name, path, is_public, line });
                });
                end + 1
            }
            word if is_name(word) => {
                let mut path = vec![word.to_owned()];
                let mut next = at + 1;
                while text(next) == "::" && is_name(text(next + 1)) {
                    path.push(text(next + 1).to_owned());
                    next += 2;
                }
                if path.len() > 1 {
                    self.paths.push((path.clone(), tokens[at].1));
                }
                self.names.push(path.swap_remove(0));
                next
            }
            _ => at + 1,
        }
    }

    /// Skips an item that exists for tests only.
    fn skip_item(&mut self, tokens: &[Token], mut at: usize) -> usize {
        let text = |at: usize| tokens.get(at).map_or("", |(text, _)| text.as_str());
        while text(at) == "#" {
            at = after_attribute(tokens, at);
        }
        if text(at) == "pub" {
            at = if text(at + 1) == "(" { closing(tokens, at + 1) + 1 } else { at + 1 };
        }
        if text(at) == "mod" && text(at + 2) == ";" {
            self.tests.push(text(at + 1).to_owned());
            return at + 3;
        }
        let has_body = !matches!(text(at), "use" | "const" | "static" | "type") || text(at + 1) == "fn";
        while at < tokens.len() {
            match text(at) {
                ";" => return at + 1,
                "{" if has_body => return closing(tokens, at) + 1,
                "(" | "[" | "{" => at = closing(tokens, at) + 1,
                _ => at += 1,
            }
        }
        at
    }
}

fn is_test_attribute(tokens: &[Token], at: usize) -> bool {
    let words = ["#", "[", "cfg", "(", "test", ")", "]"];
    tokens[at..].iter().map(|(text, _)| text.as_str()).take(words.len()).eq(words)
}

fn after_attribute(tokens: &[Token], at: usize) -> usize {
    let open = (at..tokens.len()).find(|at| tokens[*at].0 == "[").unwrap_or(tokens.len() - 1);
    closing(tokens, open) + 1
}

/// The place of the bracket that closes the one at `open`.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, (text, _)) in tokens.iter().enumerate().skip(open) {
        match text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len() - 1
}

/// Walks the tree of a `use`, and gives each of its names with its path.
fn tree(tokens: &[Token], before: &[String], found: &mut impl FnMut(String, Vec<String>)) {
    let mut path = before.to_vec();
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].0.as_str() {
            "{" => {
                let end = closing(tokens, at);
                for part in parts(&tokens[at + 1..end]) {
                    tree(part, &path, found);
                }
                return;
            }
            "as" => {
                let name = tokens.get(at + 1).map_or_else(String::new, |(name, _)| name.clone());
                found(name, path);
                return;
            }
            // `{self}` names the module before it.
            "self" if !path.is_empty() => {}
            // `use ::name` names another crate, whatever modules are called here.
            "::" if path.is_empty() => path.push(String::new()),
            "::" => {}
            word => path.push(word.to_owned()),
        }
        at += 1;
    }
    if let Some(name) = path.last().cloned() {
        found(name, path);
    }
}

/// The parts of a list, at its commas.
fn parts(tokens: &[Token]) -> Vec<&[Token]> {
    let mut parts = Vec::new();
    let (mut depth, mut begin) = (0, 0);
    for (at, (text, _)) in tokens.iter().enumerate() {
        match text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 0 => {
                parts.push(&tokens[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[begin..]);
    parts.retain(|part| !part.is_empty());
    parts
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::` and single characters. Comments and literals are left out.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => quoted(rest),
            'b' if rest.starts_with("b\"") => 1 + quoted(&rest[1..]),
            'r' | 'b' if raw(rest) > 0 => raw(rest),
            '\'' => character(rest),
            _ if first.is_alphabetic() || first == '_' => {
                let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                tokens.push((rest[..length].to_owned(), line));
                length
            }
            // A number, so that `1_u32` is no name.
            _ if first.is_numeric() => rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => {
                tokens.push(("::".to_owned(), line));
                2
            }
            _ if first.is_whitespace() => first.len_utf8(),
            _ => {
                tokens.push((first.to_string(), line));
                first.len_utf8()
            }
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// The length of a string literal.
fn quoted(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a raw string literal, or 0 for something else.
fn raw(text: &str) -> usize {
    let after = text.strip_prefix('b').unwrap_or(text);
    let Some(after) = after.strip_prefix('r') else { return 0 };
    let hashes = after.len() - after.trim_start_matches('#').len();
    if !after[hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let begin = text.len() - after.len() + hashes + 1;
    text[begin..].find(&end).map_or(text.len(), |at| begin + at + end.len())
}

/// The length of a character literal or a lifetime.
fn character(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), Some((after, _))) => text[after + 1..].find('\'').map_or(text.len(), |at| after + 1 + at + 1),
        (Some(_), Some((end, '\''))) => end + 1,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(text: &str) -> Vec<String> {
        let told =
            |own: &Import| format!("{}{} = {}", if own.is_public { "pub " } else { "" }, own.name, own.path.join("::"));
        Source::read(text).imports.iter().map(told).collect()
    }

    #[test]
    fn a_use_brings_each_of_its_names() {
        assert_eq!(imports("use crate::a::B;"), ["B = crate::a::B"]);
        assert_eq!(
            imports("pub use a::{self, b::{C, D as E}, f};"),
            ["pub a = a", "pub C = a::b::C", "pub E = a::b::D", "pub f = a::f"]
        );
        assert_eq!(imports("pub(crate) use super::*;"), ["pub * = super::*"]);
        assert_eq!(imports("use self::x;"), ["x = self::x"]);
        assert_eq!(imports("use ::http::Method;"), ["Method = ::http::Method"]);
    }

    #[test]
    fn comments_and_literals_name_nothing() {
        let text = "// crate::a\nfn x<'a>() { let _ = (\"crate::b\", r#\"crate::\"c\"#, '\\'', 'c', b\"crate::d\"); crate::e::f(); }";
        let paths: Vec<_> = Source::read(text).paths.into_iter().map(|(path, line)| (path.join("::"), line)).collect();
        assert_eq!(paths, [("crate::e::f".to_owned(), 2)]);
    }

    #[test]
    fn tests_are_left_out() {
        let text = "#[cfg(test)]\nmod t {\n use super::*; fn x() { crate::a::b() }\n}\n#[cfg(test)]\npub(crate) mod s;\n\
                    #[cfg(test)]\nuse a::{b};\n#[cfg(test)]\n#[must_use]\nfn y() -> [u8; 2] { crate::c::d() }\nuse e::f;";
        let source = Source::read(text);
        assert_eq!(source.tests, ["s"]);
        assert_eq!(source.imports.len(), 1);
        assert!(source.paths.is_empty(), "{source:?}");
    }
}
