//! The configuration. `file` holds what the operator wrote, `resolve` finds out what it means, and [`Configuration`] is the
//! result. All problems are reported at once, each with its place.
//!
//! Modules below [`crate::app`] import the module that they need, such as [`settings`], and not this one: `resolve` tries the
//! operator's templates with the pages, which know [`crate::app::App`].

pub mod accent;
mod brand;
pub mod configuration;
mod env;
mod file;
pub(crate) mod files;
pub mod issuer;
mod operation;
pub mod options;
pub(crate) mod problem;
mod proxy;
mod resolve;
mod resolver;
pub mod settings;
mod surfaces;
mod upstream;
pub(crate) mod value;

use std::path::Path;

pub use accent::Accent;
pub use configuration::{Configuration, Log, Master};
pub use issuer::Issuer;
pub use problem::{Position, Problem, suggestion};
pub use settings::{Fetch, Support};
pub use surfaces::ALSO_READ_MEANING;
pub use value::duration;

use file::File;
pub(crate) use files::{BYTE_ORDER_MARK, loose, loose_database_files, plain, read, read_master};

/// A valid configuration, with warnings for the operator.
#[derive(Debug)]
pub struct Loaded {
    /// The resolved configuration.
    pub configuration: Configuration,
    /// The warnings.
    pub warnings: Vec<Problem>,
}

/// Loads the configuration file and the environment, and resolves them.
///
/// # Errors
/// All problems in the order of the file, including warnings.
pub fn load(path: &Path, variables: &[(String, String)]) -> Result<Loaded, Vec<Problem>> {
    let name = path.display().to_string();
    let text =
        read(path).map_err(|cause| vec![Problem::fault(Position::Whole(name.clone()), missing(&name, &cause))])?;
    let mut problems = Vec::new();
    if let Some(text) = loose(path) {
        problems.push(Problem::warning(Position::Whole(name.clone()), text));
    }
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    finish(&name, text, &folder, variables, problems)
}

/// As [`load`], from a text instead of a file.
///
/// # Errors
/// All problems.
pub fn of_text(
    name: &str,
    text: String,
    folder: &Path,
    variables: &[(String, String)],
) -> Result<Loaded, Vec<Problem>> {
    finish(name, text, folder, variables, Vec::new())
}

fn finish(
    name: &str,
    text: String,
    folder: &Path,
    variables: &[(String, String)],
    mut problems: Vec<Problem>,
) -> Result<Loaded, Vec<Problem>> {
    let mut file = File::read(name, text, &mut problems);
    env::overlay(&mut file, variables, &|path| read(Path::new(path)), &mut problems);
    let configuration = if file.is_broken { None } else { resolve::configuration(&file, folder, &mut problems) };
    problems.sort();
    problems.dedup();
    match configuration {
        Some(configuration) if problems.iter().all(|problem| problem.is_warning) => {
            Ok(Loaded { configuration, warnings: problems })
        }
        _ => Err(problems),
    }
}

/// Returns the environment variables that are valid Unicode.
#[must_use]
pub fn variables() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn missing(name: &str, cause: &str) -> String {
    if Path::new(name).exists() {
        cause.split_once(": ").map_or(cause, |(_, text)| text).to_owned()
    } else {
        "there is no such file; `grantry init` writes one, `--config FILE` names another, `grantry demo` needs none"
            .to_owned()
    }
}

#[cfg(test)]
mod tests;
