//! Files and functions are small. Tables are exempt: a table is read by searching, not by scrolling.

use crate::tree::File;

const FILE_LINES_MAX: usize = 500;
const MEDIAN_LINES_MAX: usize = 140;
const FUNCTION_LINES_MAX: usize = 70;

/// Files that are one table each.
const TABLES: &[&str] = &[
    "crates/protocol/src/client_setting.rs",
    "crates/protocol/src/endpoint.rs",
    "crates/protocol/src/refusal.rs",
    "crates/protocol/src/policy.rs",
    "crates/protocol/src/wire.rs",
];

pub(super) fn check(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut lengths = Vec::new();
    for file in files.iter().filter(|file| file.is_rust() && !TABLES.contains(&file.path.as_str())) {
        let length = file.text.lines().count();
        if file.path.starts_with("crates/") && !file.path.contains("/tests/") {
            lengths.push(file.code().lines().count());
        }
        if length > FILE_LINES_MAX {
            complaints.push(format!("{}: {length} lines, at most {FILE_LINES_MAX}", file.path));
        }
        complaints.extend(long_functions(file));
    }
    lengths.sort_unstable();
    if let Some(&median) = lengths.get(lengths.len() / 2)
        && median > MEDIAN_LINES_MAX
    {
        complaints.push(format!("the median file has {median} lines of code, at most {MEDIAN_LINES_MAX}"));
    }
    complaints
}

/// Finds functions by their indentation, which rustfmt guarantees.
fn long_functions(file: &File) -> Vec<String> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut complaints = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = &line[..line.len() - code.len()];
        let Some(name) = function_name(code) else { continue };
        let end = format!("{indent}}}");
        let Some(length) = lines[at..].iter().position(|line| *line == end) else { continue };
        if length > FUNCTION_LINES_MAX {
            complaints.push(format!(
                "{}:{}: fn {name} has {length} lines, at most {FUNCTION_LINES_MAX}",
                file.path,
                at + 1
            ));
        }
    }
    complaints
}

fn function_name(code: &str) -> Option<&str> {
    let mut rest = code;
    for word in ["pub ", "pub(crate) ", "pub(super) ", "const ", "async "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    rest.strip_prefix("fn ")?.split(['(', '<']).next()
}
