//! Problems of a configuration: the fault, its position, and the likely correction.

use std::fmt;

/// The position of a problem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Position {
    /// A position in a file.
    File {
        /// The file name, as the operator gave it.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// The column in characters, counted from 1.
        column: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A file as a whole, or no particular position.
    Whole(String),
}

impl Position {
    /// Returns the position of a byte offset in a file's text.
    #[must_use]
    pub fn of(file: &str, text: &str, at: usize) -> Self {
        let before = &text.as_bytes()[..at.min(text.len())];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        // Continuation bytes of UTF-8 do not begin a character.
        let column = 1 + before[line_start..].iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        Self::File { file: file.to_owned(), line, column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Variable(name) => write!(f, "environment {name}"),
            Self::Whole(file) => f.write_str(file),
        }
    }
}

/// A problem or warning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The position of the problem.
    pub place: Position,
    /// True for a warning, with which the server still starts.
    pub is_warning: bool,
    /// The message, with the next step if it is not obvious.
    pub text: String,
}

impl Problem {
    /// Makes a problem that prevents the server from starting.
    #[must_use]
    pub fn fault(place: Position, text: impl Into<String>) -> Self {
        Self { place, is_warning: false, text: text.into() }
    }

    /// Makes a warning.
    #[must_use]
    pub fn warning(place: Position, text: impl Into<String>) -> Self {
        Self { place, is_warning: true, text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, is_warning, text } = self;
        write!(f, "{place}: {}{text}", if *is_warning { "warning: " } else { "" })
    }
}

/// Returns `, did you mean "x"?` if one of `known` is similar to `word`. Otherwise lists the known words.
#[must_use]
pub fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let nearest = known.iter().map(|candidate| (distance(word, candidate), *candidate)).min();
    match nearest {
        Some((steps, candidate)) if steps <= steps_allowed(word) => format!(", did you mean `{candidate}`?"),
        Some(_) => {
            let listed: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
            format!("; there are {}", listed.join(", "))
        }
        None => String::new(),
    }
}

/// Returns true if `word` is probably a misspelling of `candidate`.
pub(super) fn is_near(word: &str, candidate: &str) -> bool {
    distance(word, candidate) <= steps_allowed(word)
}

fn steps_allowed(word: &str) -> usize {
    1 + word.chars().count() / 4
}

/// Returns the edit distance: how many characters must be changed, added, removed or swapped with their neighbour to
/// turn `a` into `b`.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = changed.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_in_lines_and_characters() {
        assert_eq!(Position::of("x", "ab\ncä=1", 6).to_string(), "x:2:3");
        assert_eq!(Position::of("x", "", 9).to_string(), "x:1:1");
    }

    #[test]
    fn a_misspelt_word_is_recognised_and_a_strange_one_is_answered_with_the_choice() {
        assert_eq!(suggestion("issuser", ["issuer", "listen"]), ", did you mean `issuer`?");
        assert_eq!(suggestion("banana", ["issuer", "listen"]), "; there are `issuer`, `listen`");
    }
}
