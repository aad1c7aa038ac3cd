//! No page knows another page: what pages share lies below them.
//!
//! An area is a folder of `pages/`. A file of one area may not name another area, and a page may not name another page of its
//! own area. Rendering and the skeleton that areas share name no page at all.

use std::collections::BTreeSet;

use super::source::Source;
use crate::tree::File;

const PAGES: &str = "crates/server/src/pages/";
/// The folder of `pages/` that is no area: the skeleton that areas share.
const SKELETON: &str = "signed_in";

pub(super) fn check(files: &[File]) -> Vec<String> {
    let pages: Vec<(&File, Vec<&str>)> = files
        .iter()
        .filter(|file| file.is_rust())
        .filter_map(|file| Some((file, file.path.strip_prefix(PAGES)?.split('/').collect())))
        .collect();
    let areas: BTreeSet<&str> = pages.iter().filter(|(_, path)| path.len() > 1).map(|(_, path)| path[0]).collect();
    let areas: BTreeSet<&str> = areas.into_iter().filter(|area| *area != SKELETON && *area != "snapshots").collect();
    let mut complaints = Vec::new();
    for (file, path) in pages.iter().filter(|(_, path)| path.len() > 1) {
        let named = named(file.code());
        let is_page = |file: &File| file.code().contains("\nimpl Page for ");
        for other in areas.iter().filter(|area| **area != path[0] && named.contains(**area)) {
            complaints.push(format!("{}: names the pages of {other}", file.path));
        }
        let siblings = pages.iter().filter(|(other, place)| place[0] == path[0] && other.path != file.path);
        for (other, place) in siblings.filter(|(other, _)| is_page(file) && is_page(other)) {
            let name = place.last().and_then(|name| name.strip_suffix(".rs")).unwrap_or_default();
            if named.contains(name) {
                complaints.push(format!("{}: names another page, {}", file.path, other.path));
            }
        }
    }
    for file in files.iter().filter(|file| file.path.starts_with("crates/server/src/render/")) {
        for path in paths(file.code()).filter(|path| path.first().is_some_and(|word| word == "crate")) {
            if let Some(above) =
                ["app", "pages", "browser"].into_iter().find(|above| path.get(1).is_some_and(|word| word == above))
            {
                complaints.push(format!("{}: rendering lies below crate::{above}", file.path));
            }
        }
    }
    complaints
}

/// The paths that a file imports or names.
fn paths(code: &str) -> impl Iterator<Item = Vec<String>> {
    let Source { imports, paths, .. } = Source::read(code);
    imports.into_iter().map(|import| import.path).chain(paths.into_iter().map(|(path, _)| path))
}

/// The words of all paths that begin with `super::` or `crate::pages::`.
fn named(code: &str) -> BTreeSet<String> {
    let is_of_pages = |path: &Vec<String>| {
        path.first().is_some_and(|word| word == "super") || path.starts_with(&["crate".into(), "pages".into()])
    };
    paths(code).filter(is_of_pages).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(files: &[(&str, &str)]) -> Vec<String> {
        let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
        check(&files.iter().map(file).collect::<Vec<_>>())
    }

    #[test]
    fn an_area_names_no_other_area_however_it_is_written() {
        let way = ("crates/server/src/pages/way/mod.rs", "mod consent;\n");
        for code in [
            "use crate::pages::way::browse;\n",
            "use super::super::way;\n",
            "use super::{\n    paths,\n    way,\n};\n",
            "fn x() { super::way::browse() }\n",
            "fn x() { crate::pages::way::browse() }\n",
        ] {
            assert_eq!(complaints(&[way, ("crates/server/src/pages/account/mod.rs", code)]).len(), 1, "{code}");
        }
        for code in ["use super::paths;\n", "use protocol::way::x;\n", "// super::way\n"] {
            assert!(complaints(&[way, ("crates/server/src/pages/account/mod.rs", code)]).is_empty(), "{code}");
        }
    }

    #[test]
    fn a_page_names_no_other_page_of_its_area() {
        let page = |name: &str, code: &str| {
            (format!("crates/server/src/pages/account/{name}.rs"), format!("{code}\nimpl Page for X {{}}\n"))
        };
        let (one, other) = (page("profile", "use super::sessions::live;"), page("sessions", ""));
        let found = complaints(&[(&one.0, &one.1), (&other.0, &other.1)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&one.0), "{found:?}");
    }
}
