//! Scopes (RFC 6749 §3.3): an ordered set of case-sensitive words.

use serde::{Deserialize, Serialize};

/// Maximum length of a scope in a request, in bytes. Parsing compares every word with every other, so their number must
/// be bounded.
const SCOPE_BYTES_MAX: usize = 2048;
/// Maximum number of words of a scope in a request.
const SCOPE_WORDS_MAX: usize = 100;

/// A set of scope words, kept in the order in which they were first named. Space-separated in rows and canonical text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope(String);

impl Scope {
    /// Reads words separated by spaces. Repeated words count once.
    ///
    /// # Errors
    /// Returns the first word with a character that RFC 6749 §3.3 does not allow, or the first word beyond the maximum
    /// number.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut scope = Self::default();
        for (at, word) in text.split(' ').filter(|word| !word.is_empty()).enumerate() {
            if at == SCOPE_WORDS_MAX || text.len() > SCOPE_BYTES_MAX {
                return Err(word.to_owned());
            }
            // RFC 6749 §3.3: "scope-token = 1*( %x21 / %x23-5B / %x5D-7E )"
            if !word.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
                return Err(word.to_owned());
            }
            scope.insert(word);
        }
        Ok(scope)
    }

    /// Makes a set of words that are known to be well-formed, such as those of a checked configuration.
    pub fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut scope = Self::default();
        for word in words {
            scope.insert(word);
        }
        scope
    }

    /// Makes a set from the text in a stored row.
    #[must_use]
    pub fn from_row(text: String) -> Self {
        Self(text)
    }

    /// Returns the words that are in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self::of(self.iter().filter(|word| other.contains(word)))
    }

    /// Adds a word, unless the set contains it.
    pub fn insert(&mut self, word: &str) {
        if self.contains(word) {
            return;
        }
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(word);
    }

    /// Returns true if the set contains `word`.
    #[must_use]
    pub fn contains(&self, word: &str) -> bool {
        self.iter().any(|own| own == word)
    }

    /// Returns true if every word of `self` is in `other`.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.iter().all(|word| other.contains(word))
    }

    /// Returns the words that are in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::of(self.iter().chain(other.iter()))
    }

    /// Returns the words of `self` that are not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self::of(self.iter().filter(|word| !other.contains(word)))
    }

    /// Returns the words in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|word| !word.is_empty())
    }

    /// Returns true if the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the words, separated by single spaces.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_order_and_count_once() {
        assert_eq!(Scope::parse("b a  b").unwrap().as_str(), "b a");
    }

    #[test]
    fn a_word_with_a_quote_is_refused() {
        assert_eq!(Scope::parse("a \"b"), Err("\"b".to_owned()));
    }

    #[test]
    fn an_endless_scope_is_refused_before_its_words_are_compared() {
        let words: Vec<String> = (0..2000).map(|at| format!("w{at}")).collect();
        assert!(Scope::parse(&words.join(" ")).is_err());
        assert!(Scope::parse(&words[..101].join(" ")).is_err());
        assert!(Scope::parse(&words[..100].join(" ")).is_ok());
    }

    #[test]
    fn a_word_is_not_found_inside_another() {
        assert!(!Scope::of(["links:read"]).contains("links"));
    }
}
