//! The dialect files that come with the binary.

use include_dir::{Dir, include_dir};

use crate::tree::Source;

/// The file name under which problems in the standard dialect are reported.
pub const STANDARD_FILE: &str = "dialects/standard/dialect.toml";
/// The text of the standard dialect. Every other dialect is a set of differences from it.
pub const STANDARD: &str = include_str!("../../../dialects/standard/dialect.toml");

/// The folder of dialects, embedded in the binary. Each of its folders is a dialect.
static FOLDERS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../dialects");

/// Returns the names of all shipped dialects: the standard one first, then the others in alphabetical order.
pub fn names() -> impl Iterator<Item = &'static str> {
    let folders = FOLDERS.dirs().filter_map(|folder| folder.path().to_str());
    let mut others: Vec<&str> = folders.filter(|name| *name != "standard" && source(name).is_some()).collect();
    others.sort_unstable();
    ["standard"].into_iter().chain(others)
}

/// Returns the text of a shipped dialect other than the standard one.
#[must_use]
pub fn source(name: &str) -> Option<Source<'static>> {
    let file = FOLDERS.get_file(format!("{name}/dialect.toml")).filter(|_| name != "standard")?;
    Some(Source::file(file.path().to_str()?, file.contents_utf8()?))
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
    fn a_name_is_a_folder_and_no_way_out_of_it() {
        assert_eq!(names().next(), Some("standard"));
        for name in ["../dialects/standard", "standard/..", "", "."] {
            assert!(source(name).is_none(), "{name}");
        }
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
