//! Names say what a thing is. Some words say nothing.

use crate::tree::File;

/// Words that a type is not called by.
const EMPTY_WORDS: &[&str] = &[
    "Manager", "Service", "Handler", "Helper", "Util", "Utils", "Strategy", "Provider", "Factory", "Base", "Data",
    "Info",
];

pub(super) fn check(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        for (at, line) in file.text.lines().enumerate() {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            while let Some(word) = words.next() {
                match word {
                    "struct" | "enum" | "trait" | "type" => {
                        let name = words.next().unwrap_or_default();
                        if EMPTY_WORDS.iter().any(|empty| name.ends_with(empty)) && !line.trim_start().starts_with("//")
                        {
                            complaints.push(format!(
                                "{}:{}: {name} ends in a word that says nothing",
                                file.path,
                                at + 1
                            ));
                        }
                    }
                    "fn" => {
                        let name = words.next().unwrap_or_default();
                        if name.starts_with("get_") {
                            complaints.push(format!("{}:{}: {name}: leave the get_ away", file.path, at + 1));
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    complaints
}
