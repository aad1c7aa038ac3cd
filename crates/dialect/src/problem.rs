//! A problem in a dialect file: what is wrong, where, and what was probably meant.

use std::fmt;

/// One problem in a file. The loader reports all problems at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file name, as the caller gave it.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// The description, one sentence.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, text } = self;
        write!(f, "{file}:{line}:{column}: {text}")
    }
}

/// Returns the line and column, counted from 1, of a byte offset in `text`.
pub(crate) fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    // Continuation bytes of UTF-8 do not begin a character.
    let column = 1 + before[line_start..].iter().filter(|byte| **byte & 0xc0 != 0x80).count();
    (line, column)
}

/// Returns ", did you mean `x`?" if one of `known` is similar to `word`. Otherwise lists the known words.
pub(crate) fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let nearest = known.iter().map(|candidate| (distance(word, candidate), *candidate)).min();
    match nearest {
        Some((steps, candidate)) if steps <= 1 + word.chars().count() / 4 => format!(", did you mean `{candidate}`?"),
        Some(_) => format!("; there are {}", listed(&known)),
        None => String::new(),
    }
}

pub(crate) fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Returns the edit distance: how many characters must be changed, added, removed or swapped with their neighbour to
/// turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
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
        assert_eq!(line_and_column("ab\ncä=1", 3), (2, 1));
        assert_eq!(line_and_column("ab\ncä=1", 6), (2, 3));
        assert_eq!(line_and_column("", 9), (1, 1));
    }

    #[test]
    fn a_misspelt_word_is_recognised() {
        assert_eq!(suggestion("frm", ["form", "ttl"]), ", did you mean `form`?");
        assert_eq!(suggestion("fomr", ["form", "ttl"]), ", did you mean `form`?");
        assert_eq!(suggestion("bananas", ["form", "ttl"]), "; there are `form`, `ttl`");
    }
}
