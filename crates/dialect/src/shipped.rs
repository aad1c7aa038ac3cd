//! The dialect files that come with the binary.

use crate::tree::Source;

/// How problems in the standard dialect are reported.
pub const STANDARD_FILE: &str = "dialects/standard/dialect.toml";
/// The standard dialect, which all others are a difference from.
pub const STANDARD: &str = include_str!("../../../dialects/standard/dialect.toml");

/// Name, file and text of every shipped dialect but the standard one.
const OTHERS: &[(&str, &str, &str)] = &[];

/// The names of all shipped dialects, the standard one first.
pub fn names() -> impl Iterator<Item = &'static str> {
    ["standard"].into_iter().chain(OTHERS.iter().map(|(name, _, _)| *name))
}

/// The file of a shipped dialect that is not the standard one.
#[must_use]
pub fn source(name: &str) -> Option<Source<'static>> {
    OTHERS.iter().find(|(own, _, _)| *own == name).map(|(_, file, text)| Source::file(file, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Dialect;

    #[test]
    fn the_standard_dialect_waives_nothing() {
        let standard = Dialect::load("standard", &[]).expect("it loads");
        assert_eq!(standard.waives, Vec::<String>::new());
        assert_eq!(crate::hazard::derived(&standard).iter().map(|hazard| hazard.name).collect::<Vec<_>>(), [""; 0]);
    }

    #[test]
    fn every_shipped_dialect_is_without_problems() {
        for name in names() {
            if let Err(problems) = Dialect::shipped(name, &[]).expect("it is shipped") {
                panic!("{name}: {}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
            }
        }
    }
}
