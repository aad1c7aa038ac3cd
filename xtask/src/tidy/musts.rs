//! A MUST of an RFC is quoted above the line that enforces it, and a test cites the same section: either in its name, as in
//! `a_code_of_another_client_is_refused_rfc_6749_4_1_3`, or in a comment that says `RFC 6749 §4.1.3`.

use std::collections::BTreeSet;

use crate::tree::File;

pub(super) fn check(files: &[File]) -> Vec<String> {
    let rust: Vec<&File> = files.iter().filter(|file| file.is_rust()).collect();
    let tested: BTreeSet<String> = rust.iter().flat_map(|file| tested_sections(file)).collect();
    let mut complaints = Vec::new();
    for file in rust.iter().filter(|file| file.path.starts_with("crates/")) {
        for (line, section) in quoted_musts(file.code()) {
            if !tested.contains(&section) {
                complaints.push(format!("{}:{line}: a MUST of {section} is quoted, and no test cites it", file.path));
            }
        }
    }
    complaints
}

/// Sections whose MUST stands in a comment, with the line where the comment begins.
fn quoted_musts(code: &str) -> Vec<(usize, String)> {
    let mut musts = Vec::new();
    let mut comment = String::new();
    let mut begun = 0;
    for (at, line) in code.lines().enumerate() {
        let line = line.trim_start();
        if let Some(text) = line.strip_prefix("//").filter(|text| !text.starts_with('!')) {
            if comment.is_empty() {
                begun = at + 1;
            }
            comment.push_str(text.trim_start_matches('/'));
            continue;
        }
        if comment.contains("MUST") && comment.contains('"') {
            musts.extend(sections(&comment).into_iter().take(1).map(|section| (begun, section)));
        }
        comment.clear();
    }
    musts
}

/// Sections that the tests of a file cite.
fn tested_sections(file: &File) -> Vec<String> {
    let tests = if file.path.contains("/tests/") || file.path.ends_with("/tests.rs") {
        file.text.as_str()
    } else {
        &file.text[file.code().len()..]
    };
    let mut cited = sections(tests);
    for (_, rest) in tests.match_indices("rfc_").map(|(at, word)| tests.split_at(at + word.len())) {
        let numbers: Vec<&str> = rest
            .split(|c: char| !c.is_ascii_alphanumeric())
            .take_while(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
            .collect();
        // A name may end in a word of its own; every beginning of the numbers is a section that it cites.
        for length in 2..=numbers.len() {
            cited.push(format!("RFC {} §{}", numbers[0], numbers[1..length].join(".")));
        }
    }
    cited
}

/// All "RFC 1234 §5.6" of a text.
fn sections(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("RFC ") {
        let rest = &text[at + 4..];
        let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
        if let Some(section) = rest[number.len()..].strip_prefix(" §") {
            let section: String = section.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
            found.push(format!("RFC {number} §{}", section.trim_end_matches('.')));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_must_is_found_with_its_section() {
        let code = "// RFC 6749 §4.1.3: the server MUST \"check\nthat\".\nfn x() {}\n";
        let code = code.replace("\nthat", "\n// that");
        assert_eq!(quoted_musts(&code), vec![(1, "RFC 6749 §4.1.3".to_owned())]);
    }

    #[test]
    fn a_test_cites_a_section_by_its_name() {
        let text = "fn x() {}\n#[cfg(test)]\nmod tests {\n fn y_rfc_6749_4_1_3() {}\n}\n".to_owned();
        let file = File { path: "crates/a/src/b.rs".into(), text };
        assert!(tested_sections(&file).contains(&"RFC 6749 §4.1.3".to_owned()));
    }
}
