//! The rules of the house that the compiler cannot check. Each rule is a function from the files to complaints.

mod absences;
mod circles;
mod guides;
mod musts;
mod names;
mod pages;
mod sizes;
mod source;
mod wildcards;
mod words;

use std::process::ExitCode;

use crate::tree::{File, files};

/// A rule: its name, and what it finds.
type Rule = (&'static str, fn(&[File]) -> Vec<String>);

const RULES: &[Rule] = &[
    ("sizes", sizes::check),
    ("names", names::check),
    ("words", words::check),
    ("absences", absences::check),
    ("quoted MUSTs", musts::check),
    ("pages", pages::check),
    ("wildcards", wildcards::check),
    ("circles", circles::check),
    ("documents", guides::check),
];

pub(crate) fn run() -> ExitCode {
    let files = files();
    let mut count = 0;
    for (name, rule) in RULES {
        for complaint in rule(&files) {
            println!("{name}: {complaint}");
            count += 1;
        }
    }
    if count == 0 {
        println!("tidy: {} files, {} rules, nothing to say", files.len(), RULES.len());
        ExitCode::SUCCESS
    } else {
        println!("tidy: {count} complaints");
        ExitCode::FAILURE
    }
}
