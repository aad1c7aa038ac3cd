//! Loading the configuration for commands.

use std::path::Path;

use super::answer::Stop;
use crate::config;

/// Loads the configuration, without warnings. Only `check` and `serve` show these.
pub(super) fn configuration(path: &Path) -> Result<config::Configuration, Stop> {
    let loaded = config::load(path, &config::variables());
    loaded.map(|loaded| loaded.configuration).map_err(|problems| told(&problems))
}

/// Returns the problems of a configuration as an error, without the warnings.
pub(super) fn told(problems: &[config::Problem]) -> Stop {
    let lines: Vec<String> = problems.iter().filter(|problem| !problem.is_warning).map(ToString::to_string).collect();
    Stop::no(lines.join("\n"))
}
