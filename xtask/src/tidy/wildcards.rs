//! A match over what a turn relies on or writes names every variant. A wildcard would let a new precondition compile without
//! being enforced, or a new write without being made.

use crate::tree::File;

/// The types whose variants must all be named.
const TYPES: &[&str] = &["Rely::", "Write::"];

pub(super) fn check(files: &[File]) -> Vec<String> {
    let is_checked = |file: &&File| file.is_rust() && file.path.starts_with("crates/") && !is_test(&file.path);
    files
        .iter()
        .filter(is_checked)
        .flat_map(|file| {
            let found = catch_alls(file.code());
            found.into_iter().map(move |line| {
                format!(
                    "{}:{line}: a match over preconditions or writes has an arm for all others; name them",
                    file.path
                )
            })
        })
        .collect()
}

/// Tests may pick out the variant that they are about. The judges' sample world belongs to the tests.
fn is_test(path: &str) -> bool {
    path.contains("/tests/")
        || path.contains("/conformance")
        || path.contains("/examples/")
        || path.ends_with("tests.rs")
        || path == "crates/protocol/src/sample.rs"
}

/// The lines of arms that catch every variant, in matches with an arm for a variant of [`TYPES`]. Matches are found by their
/// indentation, which rustfmt guarantees.
fn catch_alls(code: &str) -> Vec<usize> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if !line.trim_end().ends_with('{') || !line.contains("match ") || line.trim_start().starts_with("//") {
            continue;
        }
        let indent = indent(line);
        let arms: Vec<usize> = (at + 1..lines.len())
            .take_while(|&below| lines[below].trim().is_empty() || self::indent(lines[below]) > indent)
            .filter(|&below| self::indent(lines[below]) == indent + 4)
            .collect();
        let is_ours = arms.iter().any(|&arm| {
            let pattern = lines[arm].trim_start().trim_start_matches("| ").trim_start_matches('&');
            TYPES.iter().any(|name| pattern.starts_with(name))
        });
        if is_ours {
            found.extend(arms.into_iter().filter(|&arm| catches_all(lines[arm])).map(|arm| arm + 1));
        }
    }
    found
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Returns true for an arm whose pattern is `_` or a name alone.
fn catches_all(line: &str) -> bool {
    let Some((pattern, _)) = line.split_once("=>") else { return false };
    let pattern = pattern.split(" if ").next().unwrap_or_default().trim();
    let name = pattern.trim_start_matches("ref ").trim_start_matches("mut ");
    let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    !name.is_empty() && is_name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, arm: &str) -> File {
        let text = format!(
            "fn holds(rely: Rely) -> bool {{\n    let found = match rely {{\n        Rely::User(key, version) => {{\n            \
             looked(key)\n        }}\n        {arm}\n    }};\n    found\n}}\n"
        );
        File { path: path.into(), text }
    }

    #[test]
    fn a_wildcard_in_a_match_over_preconditions_is_found() {
        for arm in ["_ => true,", "other => ask(other),", "ref other => ask(other),", "_ if is_late => false,"] {
            let complaints = check(&[file("crates/store/src/new/apply.rs", arm)]);
            assert_eq!(complaints.len(), 1, "{arm}");
            assert!(complaints[0].starts_with("crates/store/src/new/apply.rs:6: "), "{complaints:?}");
        }
    }

    #[test]
    fn named_variants_and_tests_are_left_alone() {
        for arm in ["Rely::Session(_) | Rely::Grant(_) => true,", "Rely::Session(_) if is_late => false,"] {
            assert_eq!(check(&[file("crates/store/src/new/apply.rs", arm)]), Vec::<String>::new(), "{arm}");
        }
        assert_eq!(check(&[file("crates/store/src/conformance/rows.rs", "_ => true,")]), Vec::<String>::new());
    }

    #[test]
    fn a_match_over_something_else_inside_an_arm_may_have_a_wildcard() {
        let inner = "Rely::Session(id) => match look(id) {\n            Some(row) => row.is_live,\n            _ => false,\n        },";
        assert_eq!(check(&[file("crates/store/src/new/apply.rs", inner)]), Vec::<String>::new());
        let outer = "let found = match look() {\n    Some(own) => match own {\n        Write::Note(_) => 1,\n        _ => 2,\n    },\n    _ => 3,\n};\n";
        assert_eq!(catch_alls(outer), [4]);
    }
}
