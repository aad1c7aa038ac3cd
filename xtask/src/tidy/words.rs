//! What no file says: unfinished work, tests that are switched off, and addresses of package registries.

use crate::tree::File;

/// Written in two parts, so that this file does not find itself.
const FORBIDDEN: &[(&str, &str)] = &[
    ("todo", "!("),
    ("unimplemented", "!("),
    ("#[ign", "ore"),
    ("FIX", "ME"),
    ("XX", "X:"),
    ("registry.npm", "js.org"),
    ("pypi.", "org"),
    ("files.python", "hosted.org"),
    ("proxy.golang", ".org"),
    ("repo.maven", ".apache.org"),
    ("repo1.maven", ".org"),
    ("deb.debian", ".org"),
    ("static.crates", ".io"),
];

pub(super) fn check(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        for (at, line) in file.text.lines().enumerate() {
            for (start, end) in FORBIDDEN {
                if line.find(start).is_some_and(|found| line[found + start.len()..].starts_with(end)) {
                    complaints.push(format!("{}:{}: {start}{end}", file.path, at + 1));
                }
            }
        }
    }
    complaints
}
