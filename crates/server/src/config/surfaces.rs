//! Which dialects are spoken, and by which rules. A folder of the operator's wins over what is shipped; `[dialect.NAME]`
//! is laid over both.

use std::path::{Path, PathBuf};

use dialect::{Dialect, Dialects, Source, shipped};
use protocol::policy::{LockoutPolicy, Policy, SessionPolicy};

use super::problem::{Place, Problem, suggestion};
use super::read;

/// What the configuration says about dialects.
pub(super) struct Wanted<'a> {
    /// Their names, and where they were named.
    pub(super) enable: &'a [(String, Place)],
    /// The operator's own folder.
    pub(super) folder: Option<&'a Path>,
    /// The waivers that the operator accepts.
    pub(super) accept: &'a [String],
    /// The configuration file, as the operator named it.
    pub(super) file: &'a str,
    /// Its text.
    pub(super) text: &'a str,
}

/// Loads and mounts the dialects; `None` after a problem.
pub(super) fn load(wanted: &Wanted<'_>, issuer: &str, problems: &mut Vec<Problem>) -> Option<Dialects> {
    let before = problems.len();
    let mut dialects = Vec::new();
    for (name, place) in wanted.enable {
        match load_one(name, wanted) {
            Ok(dialect) => dialects.push(dialect),
            Err(Trouble::Absent) => {
                let mut known = own_names(wanted.folder);
                known.extend(shipped::names().map(str::to_owned));
                let near = suggestion(name, known.iter().map(String::as_str));
                problems.push(Problem::fault(place.clone(), format!("there is no dialect `{name}`{near}")));
            }
            Err(Trouble::Unreadable(text)) => problems.push(Problem::fault(place.clone(), text)),
            Err(Trouble::Faulty(own)) => problems.extend(own.into_iter().map(converted)),
        }
    }
    if problems.len() > before {
        return None;
    }
    match Dialects::new(issuer, dialects, wanted.accept) {
        Ok(dialects) => Some(dialects),
        Err(own) => {
            problems.extend(own.into_iter().map(converted));
            None
        }
    }
}

enum Trouble {
    Absent,
    Unreadable(String),
    Faulty(Vec<dialect::Problem>),
}

fn load_one(name: &str, wanted: &Wanted<'_>) -> Result<Dialect, Trouble> {
    let table = ["dialect", name];
    let overrides = [Source::overrides(wanted.file, wanted.text, &table)];
    if let Some(path) = wanted.folder.and_then(|folder| own_file(folder, name)) {
        let text = read(&path).map_err(Trouble::Unreadable)?;
        let file = path.display().to_string();
        return Dialect::load(name, &[Source::file(&file, &text), overrides[0]]).map_err(Trouble::Faulty);
    }
    Dialect::shipped(name, &overrides).ok_or(Trouble::Absent)?.map_err(Trouble::Faulty)
}

/// `NAME.toml`, or `NAME/dialect.toml`.
fn own_file(folder: &Path, name: &str) -> Option<PathBuf> {
    // A name is one part of a path, and never leads out of the folder.
    let is_plain =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let candidates = [folder.join(format!("{name}.toml")), folder.join(name).join("dialect.toml")];
    candidates.into_iter().find(|path| is_plain && path.is_file())
}

/// The names of the operator's own dialects.
fn own_names(folder: Option<&Path>) -> Vec<String> {
    let Some(entries) = folder.and_then(|folder| std::fs::read_dir(folder).ok()) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .filter(|name| folder.is_some_and(|folder| own_file(folder, name).is_some()))
        .collect();
    names.sort();
    names
}

fn converted(problem: dialect::Problem) -> Problem {
    let dialect::Problem { file, line, column, text } = problem;
    Problem::fault(Place::File { file, line, column }, text)
}

/// The rules of each surface: those of its dialect, and what the operator decides for all of them.
pub(super) fn policies(
    dialects: &Dialects,
    issuer: &str,
    issuer_name: &str,
    session: SessionPolicy,
    lockout: LockoutPolicy,
) -> Vec<Policy> {
    let policies = dialects.iter().map(|dialect| Policy {
        issuer_name: issuer_name.to_owned(),
        session,
        lockout,
        ..dialect.policy(issuer)
    });
    policies.collect()
}
