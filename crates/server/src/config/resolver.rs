//! Reads single options: their values, their defaults, and the problems of each.

use std::path::{Path, PathBuf};

use super::file::{File, Value};
use super::files::{beside, plain};
use super::options::{self, Kind, Otherwise};
use super::problem::{Position, Problem, suggestion};
use super::value;

/// Reads single options.
pub(super) struct Resolver<'a> {
    pub(super) file: &'a File,
    pub(super) folder: &'a Path,
    pub(super) problems: &'a mut Vec<Problem>,
}

impl Resolver<'_> {
    pub(super) fn fault(&mut self, path: &str, text: impl Into<String>) {
        self.problems.push(Problem::fault(self.file.place(path), text));
    }

    pub(super) fn warn(&mut self, path: &str, text: impl Into<String>) {
        self.problems.push(Problem::warning(self.file.place(path), text));
    }

    /// Returns the text of an option, or its default.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        match (self.file.written(path).map(|written| &written.value), row(path).default) {
            (Some(Value::Text(text)), _) => Some(text.clone()),
            (_, Otherwise::Text(text)) => Some(text.to_owned()),
            _ => None,
        }
    }

    pub(super) fn texts(&self, path: &str) -> Vec<(String, Position)> {
        match (self.file.written(path).map(|written| &written.value), row(path).default) {
            (Some(Value::Texts(texts)), _) => texts.clone(),
            (_, Otherwise::Texts(texts)) => {
                texts.iter().map(|text| ((*text).to_owned(), self.file.place(path))).collect()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn count(&mut self, path: &str) -> Option<u64> {
        let Kind::Count(min, max) = row(path).kind else { unreachable!("{path} is a number in the table") };
        let count = match (self.file.written(path).map(|written| &written.value), row(path).default) {
            (Some(Value::Count(count)), _) => *count,
            (_, Otherwise::Count(count)) => count,
            _ => return None,
        };
        if !(min..=max).contains(&count) {
            self.fault(path, format!("`{path}` is {count}, it must be between {min} and {max}"));
        }
        u64::try_from(count).ok()
    }

    pub(super) fn flag(&self, path: &str) -> bool {
        match (self.file.written(path).map(|written| &written.value), row(path).default) {
            (Some(Value::Flag(flag)), _) => *flag,
            (_, Otherwise::Flag(flag)) => flag,
            _ => false,
        }
    }

    pub(super) fn size(&mut self, path: &str) -> Option<usize> {
        self.count(path).and_then(|count| usize::try_from(count).ok())
    }

    pub(super) fn seconds(&mut self, path: &str) -> u64 {
        let Kind::Duration(min_s, max_s) = row(path).kind else { unreachable!("{path} is a duration in the table") };
        let text = self.text(path).unwrap_or_default();
        let Some(seconds) = value::duration(&text) else {
            self.fault(
                path,
                format!("`{path}` is {text:?}, it must be a duration such as \"90s\", \"10m\", \"2h\" or \"30d\""),
            );
            return min_s;
        };
        if !(min_s..=max_s).contains(&seconds) {
            let (min, max) = (value::written_duration(min_s), value::written_duration(max_s));
            self.fault(path, format!("`{path}` is {text:?}, it must be between {min:?} and {max:?}"));
        }
        seconds
    }

    pub(super) fn path(&self, path: &str) -> Option<PathBuf> {
        self.text(path).map(|text| beside(self.folder, &text))
    }

    /// Returns the path of a file that must exist and be readable.
    pub(super) fn readable(&mut self, path: &str) -> Option<PathBuf> {
        let file = self.path(path)?;
        if let Err(error) = std::fs::File::open(&file).and_then(|file| file.metadata()) {
            self.fault(path, format!("{} cannot be read: {}", file.display(), plain(&error)));
        }
        Some(file)
    }

    pub(super) fn word(&mut self, path: &str) -> String {
        let Kind::Word(words) = row(path).kind else { unreachable!("{path} is a word in the table") };
        let text = self.text(path).unwrap_or_default();
        if !words.contains(&text.as_str()) {
            let near = suggestion(&text, words.iter().copied());
            self.fault(path, format!("`{path}` cannot be {text:?}{near}"));
        }
        text
    }
}

fn row(path: &str) -> &'static options::Row {
    options::find(path).expect("the resolver asks only for options of the table; a test reads them all")
}
