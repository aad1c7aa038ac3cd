//! Loading the configuration for commands.

use std::path::Path;

use super::answer::CommandError;
use crate::config;

/// Loads the configuration, without warnings. Only `check` and `serve` show these.
pub(super) fn configuration(path: &Path) -> Result<config::Configuration, CommandError> {
    let loaded = config::load(path, &config::variables());
    loaded.map(|loaded| loaded.configuration).map_err(|problems| told(&problems))
}

/// Returns the problems of a configuration as an error, without the warnings.
pub(super) fn told(problems: &[config::Problem]) -> CommandError {
    let lines: Vec<String> = problems.iter().filter(|problem| !problem.is_warning).map(ToString::to_string).collect();
    CommandError::no(lines.join("\n"))
}
