//! The configuration, as commands read it.

use std::path::Path;

use super::answer::Stop;
use crate::config;

/// Reads the configuration. Its warnings are for `check` and `serve`.
pub(super) fn configuration(path: &Path) -> Result<config::Configuration, Stop> {
    let loaded = config::load(path, &config::variables());
    loaded.map(|loaded| loaded.configuration).map_err(|problems| told(&problems))
}

/// The problems for which a configuration cannot be used, without the warnings.
pub(super) fn told(problems: &[config::Problem]) -> Stop {
    let lines: Vec<String> = problems.iter().filter(|problem| !problem.is_warning).map(ToString::to_string).collect();
    Stop::no(lines.join("\n"))
}
