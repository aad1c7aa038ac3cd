//! The enabled dialects and their policies. A dialect in the operator's folder takes precedence over a shipped one, and
//! `[dialect.NAME]` overrides both. Only the operator can let a surface read the tokens of another.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dialect::{Dialect, Dialects, Source, shipped};
use protocol::endpoint::Endpoint;
use protocol::policy::{AlsoRead, LockoutPolicy, Policy, SessionPolicy};

use super::files::read;
use super::problem::{Position, Problem, suggestion};
use super::settings::Settings;

/// The explanation of `dialects.also_read` for the operator.
pub const ALSO_READ_MEANING: &str = "Its introspection and userinfo addresses also tell what the access and personal tokens of the other surface are worth; \
     nothing else of that surface is good here.";

/// The options about dialects.
pub(super) struct Wanted<'a> {
    /// The names of enabled dialects, with their positions.
    pub(super) enable: &'a [(String, Position)],
    /// The operator's folder of dialects.
    pub(super) folder: Option<&'a Path>,
    /// The waivers that the operator accepts.
    pub(super) accept: &'a [String],
    /// The configuration file, as the operator named it.
    pub(super) file: &'a str,
    /// The text of the configuration file.
    pub(super) text: &'a str,
}

/// Loads and mounts the dialects. Returns `None` after a problem.
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

/// Returns the path of a dialect file in the folder: `NAME.toml` or `NAME/dialect.toml`.
fn own_file(folder: &Path, name: &str) -> Option<PathBuf> {
    // The name must be a single path component, so that it cannot leave the folder.
    let is_plain =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let candidates = [folder.join(format!("{name}.toml")), folder.join(name).join("dialect.toml")];
    candidates.into_iter().find(|path| is_plain && path.is_file())
}

/// Returns the names of the dialects in the operator's folder.
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
    Problem::fault(Position::File { file, line, column }, text)
}

/// The rules of each surface: those of its dialect, and what the operator decides for all of them.
pub(super) fn policies(
    dialects: &Dialects,
    settings: &Settings,
    session: SessionPolicy,
    lockout: LockoutPolicy,
) -> Vec<Policy> {
    let policies = dialects.iter().map(|dialect| Policy {
        issuer_name: settings.brand.name.clone(),
        reserved_names: Arc::clone(&settings.reserved_names),
        session,
        lockout,
        ..dialect.policy(&settings.issuer)
    });
    policies.collect()
}

/// A pair of surfaces: the first also reads the tokens of the second.
pub(super) struct Pair {
    reader: String,
    home: String,
    place: Position,
}

/// Reads `dialects.also_read`, such as `"standard reads paced"`. Both surfaces must be enabled.
pub(super) fn pairs(
    written: Vec<(String, Position)>,
    enable: &[(String, Position)],
    problems: &mut Vec<Problem>,
) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    for (text, place) in written {
        match pair(&text, enable) {
            Ok((reader, home)) if pairs.iter().any(|own| own.reader == reader && own.home == home) => {
                problems.push(Problem::fault(place, format!("{text:?} is listed twice")));
            }
            Ok((reader, home)) => pairs.push(Pair { reader: reader.to_owned(), home: home.to_owned(), place }),
            Err(problem) => problems.push(Problem::fault(place, problem)),
        }
    }
    pairs
}

fn pair<'t>(text: &'t str, enable: &[(String, Position)]) -> Result<(&'t str, &'t str), String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let &[reader, "reads", home] = &words[..] else {
        return Err(format!("`dialects.also_read` has {text:?}, it must be such as \"standard reads paced\""));
    };
    for name in [reader, home] {
        if !enable.iter().any(|(own, _)| own == name) {
            let near = suggestion(name, enable.iter().map(|(own, _)| own.as_str()));
            return Err(format!("{text:?}: `dialects.enable` does not list `{name}`{near}"));
        }
    }
    if reader == home {
        return Err(format!("{text:?}: a surface reads its own tokens in any case"));
    }
    Ok((reader, home))
}

/// Applies the pairs to the policies.
pub(super) fn let_read(policies: &mut [Policy], dialects: &Dialects, pairs: Vec<Pair>, problems: &mut Vec<Problem>) {
    for Pair { reader, home, place } in pairs {
        let of = |name: &str| policies.iter().position(|policy| policy.dialect == name);
        let (Some(at), Some(home_at)) = (of(&reader), of(&home)) else { continue };
        if policies[at].is_introspection_open {
            // RFC 7662 §2.1: "the endpoint MUST also require some form of authorization"; only the reader waives that.
            let text = format!(
                "`{reader}` lets anybody introspect, and must not tell them about tokens of `{home}`; let a surface read both \
                 that asks who is asking, as `standard` does"
            );
            problems.push(Problem::fault(place, text));
            continue;
        }
        let has = |endpoint| dialects.named(&reader).is_some_and(|own| own.at(endpoint).is_some());
        if !has(Endpoint::Introspect) && !has(Endpoint::Userinfo) {
            let text = format!(
                "`{reader}` has no address for introspection or userinfo: that it reads `{home}` has no effect"
            );
            problems.push(Problem::warning(place, text));
        }
        let other = AlsoRead::of(&policies[home_at]);
        policies[at].also_reads.push(other);
    }
}
