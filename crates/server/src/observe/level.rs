//! The option `log.level`: a level, and levels of single modules. `tracing-subscriber` takes an unknown level for the
//! name of a module and then logs nothing else, so the words are checked first.

use crate::config::problem::suggestion;

/// The levels, from the least to the most verbose.
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
/// Names of levels in other programs, and the level here.
const OTHERS: [(&str, &str); 10] = [
    ("all", "trace"),
    ("crit", "error"),
    ("critical", "error"),
    ("err", "error"),
    ("fatal", "error"),
    ("information", "info"),
    ("notice", "info"),
    ("silly", "trace"),
    ("verbose", "debug"),
    ("warning", "warn"),
];

/// Checks a filter. Returns a note for the operator, if there is one.
///
/// # Errors
/// Names the wrong word and the likely correction.
pub(crate) fn check(text: &str) -> Result<Option<String>, String> {
    let mut has_level = false;
    for word in text.split(',').map(str::trim) {
        match word.split_once('=') {
            Some((module, level)) => {
                let is_name =
                    |part: &str| !part.is_empty() && part.chars().all(|own| own.is_alphanumeric() || own == '_');
                if !module.trim().split("::").all(is_name) {
                    return Err(format!("has {word:?}, whose module is no name: write module=level"));
                }
                if !level.trim().eq_ignore_ascii_case("off") {
                    is_level(level.trim())
                        .map_err(|meant| format!("has {word:?}, and {level:?} is no level{meant}"))?;
                }
            }
            None => {
                is_level(word).map_err(|meant| format!("is {text:?}, and {word:?} is no level{meant}"))?;
                has_level = true;
            }
        }
    }
    let silent =
        "says nothing of the other modules, which then log nothing: begin with a level, as in \"info,store=debug\"";
    Ok((!has_level).then(|| silent.to_owned()))
}

/// Returns true if the word is a level. The error is a message with the likely correction.
fn is_level(word: &str) -> Result<(), String> {
    let word = word.to_ascii_lowercase();
    if LEVELS.contains(&word.as_str()) {
        return Ok(());
    }
    match OTHERS.iter().find(|(other, _)| *other == word) {
        Some((_, level)) => Err(format!(", did you mean `{level}`?")),
        None => Err(suggestion(&word, LEVELS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_and_levels_of_modules_are_taken() {
        for good in ["error", "warn", "info", "debug", "trace", "INFO", "info,store=debug", "warn, waivers=off"] {
            assert_eq!(check(good), Ok(None), "{good}");
        }
        assert!(check("store::postgres=trace").unwrap().unwrap().contains("begin with a level"));
    }

    #[test]
    fn a_word_that_is_no_level_is_refused_with_what_was_meant() {
        for (bad, meant) in [
            ("warning", "`warn`"),
            ("verbose", "`debug`"),
            ("inof", "`info`"),
            ("store", "there are `error`"),
            ("off", "there are `error`"),
            ("3", "there are `error`"),
            ("", "there are `error`"),
            ("info,", "there are `error`"),
            ("info,verbose", "`debug`"),
            ("info;store=debug", "no name"),
            ("info store=debug", "no name"),
            ("info,store=loud", "there are `error`"),
            ("info,store=warning", "`warn`"),
            ("=debug", "no name"),
            ("store[span]=debug", "no name"),
        ] {
            let refused = check(bad).unwrap_err();
            assert!(refused.contains(meant), "{bad}: {refused}");
        }
    }
}
