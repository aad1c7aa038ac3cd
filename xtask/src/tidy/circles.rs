//! No circles of files within a crate: whoever reads a file must not have to read all the files that need it.
//!
//! A file needs another one if it imports from it or names it in a path. A re-export counts as the file that defines the
//! item. `mod` lines and tests do not count, and a `pub use` counts only if the file uses the name itself.

mod allowed;

use std::collections::{BTreeMap, BTreeSet};

use self::allowed::{ALLOWED, Allowed};
use super::source::{Import, Source};
use crate::tree::File;

/// A path leads through so many re-exports at most.
const STEPS_MAX: usize = 32;

/// Crates without circles.
const CRATES: &[&str] = &["protocol", "dialect", "store", "server"];

pub(super) fn check(files: &[File]) -> Vec<String> {
    let all: Vec<Circle> = CRATES.iter().flat_map(|name| Crate::read(name, files).circles()).collect();
    judge(&all, ALLOWED)
}

fn judge(circles: &[Circle], allowed: &[Allowed]) -> Vec<String> {
    let is_within =
        |circle: &Circle, allowed: &Allowed| circle.files.iter().all(|file| allowed.files.contains(&&**file));
    let refused = circles.iter().filter(|circle| !allowed.iter().any(|own| is_within(circle, own))).map(Circle::told);
    let outdated = allowed.iter().filter(|own| !circles.iter().any(|circle| is_within(circle, own))).map(|own| {
        format!(
            "{}: these files form no circle any more; take them from the list ({})",
            own.files.join(", "),
            own.reason
        )
    });
    refused.chain(outdated).collect()
}

/// Files that all need each other, directly or by way of others.
#[derive(Debug)]
struct Circle {
    /// Paths below `crates/`, in alphabetical order.
    files: Vec<String>,
    /// What makes it: file and line, file, and the path by which the first one needs the second one.
    edges: Vec<String>,
}

impl Circle {
    fn told(&self) -> String {
        format!("a circle of {} files: {}\n  {}", self.files.len(), self.files.join(", "), self.edges.join("\n  "))
    }
}

/// The modules of a crate that lie in files of their own.
struct Crate {
    modules: BTreeMap<Vec<String>, Module>,
}

struct Module {
    /// Path below `crates/`.
    file: String,
    source: Source,
}

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// To a module, by its path.
    Module(Vec<String>),
    /// To an item of a module.
    Item(Vec<String>),
}

impl Crate {
    fn read(name: &str, files: &[File]) -> Self {
        let start = format!("crates/{name}/src/");
        let mut modules = BTreeMap::new();
        for file in files.iter().filter(|file| file.is_rust()) {
            let Some(own) = file.path.strip_prefix(&start).filter(|own| *own != "main.rs") else { continue };
            let mut path: Vec<String> = own.trim_end_matches(".rs").split('/').map(ToOwned::to_owned).collect();
            if path.last().is_some_and(|last| last == "mod" || path == ["lib"]) {
                path.pop();
            }
            let module = Module { file: format!("{name}/src/{own}"), source: Source::read(&file.text) };
            modules.insert(path, module);
        }
        let tests: Vec<Vec<String>> = modules
            .iter()
            .flat_map(|(path, module)| module.source.tests.iter().map(|test| child(path, test)))
            .collect();
        modules.retain(|path, _| !tests.iter().any(|test| path.starts_with(test)));
        Self { modules }
    }

    /// The files that each file needs, and by which path.
    fn edges(&self) -> BTreeMap<&str, BTreeMap<&str, String>> {
        let mut edges: BTreeMap<&str, BTreeMap<&str, String>> = BTreeMap::new();
        for (path, module) in &self.modules {
            let mut add = |target: Option<Target>, written: &[String], line: usize| {
                let Some(Target::Item(to) | Target::Module(to)) = target else { return };
                let to = self.modules[&to].file.as_str();
                if to != module.file {
                    let written = format!("{}:{line} needs {to}: {}", module.file, written.join("::"));
                    edges.entry(&module.file).or_default().entry(to).or_insert(written);
                }
            };
            for import in &module.source.imports {
                let is_needed = !import.is_public || module.source.names.contains(&import.name);
                let target = self.follow(path, &import.path, &mut BTreeSet::new());
                // An imported module is needed for what the code names in it.
                if is_needed && (import.name == "*" || matches!(target, Some(Target::Item(_)))) {
                    add(target, &import.path, import.line);
                }
            }
            for (written, line) in &module.source.paths {
                let target = self.follow(path, written, &mut BTreeSet::new());
                add(target, written, *line);
            }
        }
        edges
    }

    /// Follows a path as it is written in the module `from`. `None` leads out of the crate, or nowhere.
    fn follow(
        &self,
        from: &[String],
        written: &[String],
        seen: &mut BTreeSet<(Vec<String>, Vec<String>)>,
    ) -> Option<Target> {
        let mut at = from.to_vec();
        let mut rest = written;
        match written.first()?.as_str() {
            "crate" => {
                at = Vec::new();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|word| word == "super") {
                    at.pop()?;
                    rest = &rest[1..];
                }
            }
            first => {
                // A child, or a name that is in scope. Everything else is of another crate, of the language, or local.
                let is_known = self.modules.contains_key(&child(from, first))
                    || self.modules[from].source.imports.iter().any(|own| own.name == first && own.path != written);
                if !is_known {
                    return None;
                }
            }
        }
        self.walk(at, rest, seen)
    }

    /// Follows the rest of a path from a module on.
    fn walk(
        &self,
        mut at: Vec<String>,
        mut rest: &[String],
        seen: &mut BTreeSet<(Vec<String>, Vec<String>)>,
    ) -> Option<Target> {
        if !self.modules.contains_key(&at) || seen.len() > STEPS_MAX || !seen.insert((at.clone(), rest.to_vec())) {
            return None;
        }
        while let Some(first) = rest.first().filter(|first| self.modules.contains_key(&child(&at, first))) {
            at = child(&at, first);
            rest = &rest[1..];
        }
        let Some(first) = rest.first().filter(|first| *first != "*") else { return Some(Target::Module(at)) };
        let imports = &self.modules[&at].source.imports;
        let again = |import: &Import, rest: &[String], seen: &mut _| {
            let path = [&import.path[..], rest].concat();
            self.follow(&at, &path, seen)
        };
        if let Some(import) = imports.iter().find(|import| import.name == *first) {
            // A name that stands for itself is an item of this file, such as a macro, or another crate.
            let is_own = import.path.len() == 1 && import.path[0] == *first;
            let is_outside = import.path[0] == *first;
            return match (is_own, is_outside) {
                (true, _) => Some(Target::Item(at)),
                (false, true) => None,
                (false, false) => again(import, &rest[1..], seen),
            };
        }
        for glob in imports.iter().filter(|import| import.name == "*" && import.is_public) {
            let into = Import { path: glob.path[..glob.path.len() - 1].to_vec(), ..glob.clone() };
            if let Some(Target::Module(module)) = again(&into, &[], seen)
                && self.modules[&module].source.names.contains(first)
            {
                return Some(Target::Item(module));
            }
        }
        Some(Target::Item(at))
    }

    fn circles(&self) -> Vec<Circle> {
        let edges = self.edges();
        let mut circles = Vec::new();
        let mut done: BTreeSet<&str> = BTreeSet::new();
        for file in self.modules.values().map(|module| module.file.as_str()) {
            if done.contains(file) {
                continue;
            }
            let needed = reached(file, &edges);
            let circle: BTreeSet<&str> = needed.into_iter().filter(|own| reached(own, &edges).contains(file)).collect();
            done.extend(&circle);
            if circle.len() > 1 {
                let within = |from: &&str| {
                    let to = edges.get(from).into_iter().flatten();
                    to.filter(|(to, _)| circle.contains(*to)).map(|(_, told)| told.clone()).collect::<Vec<_>>()
                };
                let edges = circle.iter().flat_map(within).collect();
                circles.push(Circle { files: circle.iter().map(|own| (*own).to_owned()).collect(), edges });
            }
        }
        circles
    }
}

/// The files that a file needs, directly or by way of others.
fn reached<'a>(from: &str, edges: &BTreeMap<&'a str, BTreeMap<&'a str, String>>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut next: Vec<&str> = vec![from];
    while let Some(at) = next.pop() {
        for to in edges.get(at).into_iter().flat_map(BTreeMap::keys) {
            if found.insert(*to) {
                next.push(to);
            }
        }
    }
    found
}

fn child(path: &[String], name: &str) -> Vec<String> {
    [path, &[name.to_owned()]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The circles of a crate `a` with these files.
    fn circles(sources: &[(&str, &str)]) -> Vec<Circle> {
        let file =
            |(path, text): &(&str, &str)| File { path: format!("crates/a/src/{path}"), text: (*text).to_owned() };
        let files: Vec<File> = sources.iter().map(file).collect();
        Crate::read("a", &files).circles()
    }

    fn told(sources: &[(&str, &str)]) -> Vec<String> {
        circles(sources).iter().map(|circle| circle.files.join(" ").replace("a/src/", "")).collect()
    }

    #[test]
    fn files_that_need_each_other_are_a_circle_with_its_edges() {
        let sources = [
            ("lib.rs", "mod b;\nmod c;"),
            ("b.rs", "\nuse crate::c::C;\npub struct B;"),
            ("c.rs", "pub struct C(super::b::B);"),
        ];
        assert_eq!(told(&sources), ["b.rs c.rs"]);
        let edges = ["a/src/b.rs:2 needs a/src/c.rs: crate::c::C", "a/src/c.rs:1 needs a/src/b.rs: super::b::B"];
        assert_eq!(circles(&sources)[0].edges, edges);
    }

    #[test]
    fn a_circle_may_go_by_several_files() {
        let sources = [
            ("lib.rs", ""),
            ("b.rs", "use crate::c::C;"),
            ("c.rs", "use crate::d::D;"),
            ("d.rs", "use crate::b::B;"),
            ("e.rs", "use crate::b::B;"),
        ];
        assert_eq!(told(&sources), ["b.rs c.rs d.rs"]);
    }

    #[test]
    fn a_folder_that_only_hands_on_is_in_no_circle() {
        let hands_on = [
            ("lib.rs", "pub mod b; pub mod e;"),
            ("b/mod.rs", "mod c; mod d; pub use c::C; pub use d::D;"),
            ("b/c.rs", "use super::D; pub struct C(D);"),
            ("b/d.rs", "pub struct D;"),
            ("e.rs", "use crate::b::{self, D}; fn x(_: b::C, _: D) {}"),
        ];
        assert_eq!(told(&hands_on), [""; 0]);
        let mut uses = hands_on;
        uses[1].1 = "mod c; mod d; pub use c::C; pub use d::D; fn x(_: C) {} pub struct F;";
        assert_eq!(told(&uses), [""; 0], "nobody needs the folder's own file");
        uses[2].1 = "use super::{D, F}; pub struct C(D, F);";
        assert_eq!(told(&uses), ["b/c.rs b/mod.rs"]);
    }

    #[test]
    fn a_re_export_is_the_file_that_defines_the_item_and_not_the_one_on_the_way() {
        let sources = [
            ("lib.rs", ""),
            ("b.rs", "pub use crate::c::C;"),
            ("c.rs", "pub struct C;"),
            ("d.rs", "use crate::b::C; pub struct D;"),
        ];
        assert_eq!(told(&sources), [""; 0]);
        let mut back = sources;
        back[2].1 = "pub struct C(crate::d::D);";
        assert_eq!(told(&back), ["c.rs d.rs"]);
    }

    #[test]
    fn a_module_that_is_imported_is_needed_for_what_is_named_in_it() {
        let sources = [
            ("lib.rs", ""),
            ("b/mod.rs", "mod c; pub use c::C; use crate::d::D; fn x(_: D) {}"),
            ("b/c.rs", "pub struct C;"),
            ("d.rs", "use crate::b; pub struct D(b::C);"),
        ];
        assert_eq!(told(&sources), [""; 0]);
        let mut own = sources;
        own[1].1 = "mod c; pub use c::C; use crate::d::D; pub fn x(_: D) {}";
        own[3].1 = "use crate::b; pub struct D; fn y() { b::x(D) }";
        assert_eq!(told(&own), ["b/mod.rs d.rs"]);
    }

    #[test]
    fn a_parent_that_calls_its_child_by_name_needs_it() {
        let sources = [("lib.rs", ""), ("b.rs", "mod c; fn x() { c::y() } pub struct B;"), ("b/c.rs", "use super::B;")];
        assert_eq!(told(&sources), ["b.rs b/c.rs"]);
    }

    #[test]
    fn tests_and_comments_make_no_circle() {
        let sources = [
            ("lib.rs", ""),
            ("b.rs", "//! See [`crate::c::C`].\npub struct B;\n#[cfg(test)]\nmod tests {\n use crate::c::C;\n}"),
            ("c.rs", "use crate::b::B; pub struct C;\n#[cfg(test)]\nmod sample;"),
            ("c/sample.rs", "use crate::c::C;\nuse crate::b::B;"),
            ("d.rs", "#[cfg(test)]\nmod e; pub struct D;"),
            ("d/e.rs", "use super::D;"),
        ];
        assert_eq!(told(&sources), [""; 0]);
    }

    #[test]
    fn an_allowed_circle_may_shrink_and_must_go_from_the_list_with_the_last_of_it() {
        let sources = [("lib.rs", ""), ("b.rs", "use crate::c::C;"), ("c.rs", "use crate::b::B;")];
        let allowed = |files| [Allowed { files, reason: "why" }];
        assert_eq!(judge(&circles(&sources), &[]).len(), 1);
        assert_eq!(judge(&circles(&sources), &allowed(&["a/src/b.rs", "a/src/c.rs", "a/src/d.rs"])), [""; 0]);
        assert_eq!(judge(&circles(&sources), &allowed(&["a/src/b.rs", "a/src/d.rs"])).len(), 2);
        let told = judge(&[], &allowed(&["a/src/b.rs", "a/src/c.rs"]));
        assert!(told[0].contains("no circle any more") && told[0].contains("why"), "{told:?}");
    }
}
