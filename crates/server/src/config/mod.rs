//! The configuration: `file` is what is written, `resolve` what it means, [`Configuration`] what the rest of the server sees.
//! All problems are found at once, each with its place.

pub mod accent;
mod env;
mod file;
pub mod issuer;
pub mod options;
mod problem;
mod proxy;
mod resolve;
mod settings;
mod surfaces;
mod upstream;
mod value;

use std::path::{Path, PathBuf};

pub use accent::Accent;
pub use issuer::Issuer;
pub use problem::{Place, Problem, suggestion};
pub use settings::{Configuration, Fetch, Log, Master, Support, otp_digits};
pub use surfaces::ALSO_READ_MEANING;
pub use value::duration;
pub(crate) use value::written_master;

use file::File;

/// A configuration that can be used, and what its operator should know about it.
#[derive(Debug)]
pub struct Loaded {
    /// What it means.
    pub configuration: Configuration,
    /// What the operator should know.
    pub warnings: Vec<Problem>,
}

/// Reads the configuration file, lays the environment over it, and finds out what it means.
///
/// # Errors
/// Everything that is wrong, in the order of the file, warnings included.
pub fn load(path: &Path, variables: &[(String, String)]) -> Result<Loaded, Vec<Problem>> {
    let name = path.display().to_string();
    let text = read(path).map_err(|cause| vec![Problem::fault(Place::Whole(name.clone()), missing(&name, &cause))])?;
    let mut problems = Vec::new();
    if is_open_to_all(path) {
        let text = "everybody on this machine can read the configuration; chmod 640 keeps its secrets";
        problems.push(Problem::warning(Place::Whole(name.clone()), text));
    }
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    finish(&name, text, &folder, variables, problems)
}

/// As [`load`], of a text that is not a file's.
///
/// # Errors
/// Everything that is wrong.
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

/// The environment as the configuration takes it: what is no text is nobody's option.
#[must_use]
pub fn variables() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {}", path.display(), plain(&error)))
}

/// Reads the master key from its file.
pub(crate) fn read_master(path: &Path) -> Result<zeroize::Zeroizing<[u8; 32]>, String> {
    let text = zeroize::Zeroizing::new(read(path)?);
    value::master(&text).map_err(|text| format!("the master key {} cannot be used: {text}", path.display()))
}

fn missing(name: &str, cause: &str) -> String {
    if Path::new(name).exists() {
        cause.split_once(": ").map_or(cause, |(_, text)| text).to_owned()
    } else {
        "there is no such file; `grantry init` writes one, `--config FILE` names another, `grantry demo` needs none"
            .to_owned()
    }
}

/// An I/O error as a person says it.
pub(crate) fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}

/// May others than owner and group read the file?
#[cfg(unix)]
pub(crate) fn is_open_to_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
pub(crate) fn is_open_to_all(_path: &Path) -> bool {
    false
}

/// A path of the configuration: relative ones are beside the file.
pub(crate) fn beside(folder: &Path, path: &str) -> PathBuf {
    folder.join(path)
}

#[cfg(test)]
mod tests;
