//! `grantry serve`: runs the server.

use std::path::Path;

use serde_json::json;

use super::answer::{Answer, CommandError};
use crate::config::{self, Loaded};
use crate::notify;
use crate::observe::log;
use crate::serve::{self, ServeError};
use crate::signals::Signals;

/// Runs the server until a signal ends it. The signal may come before the server is ready.
pub(super) async fn run(config: &Path) -> Result<Answer, CommandError> {
    let mut signals = Signals::listen().map_err(ServeError::Signals)?;
    let loaded = config::load(config, &config::variables());
    let Loaded { configuration, warnings } = loaded.map_err(|problems| super::configuration::told(&problems))?;
    log::start(&configuration.log).map_err(CommandError::no)?;
    for warning in &warnings {
        tracing::warn!(place = %warning.place, "{}", warning.text);
    }
    // Run it as a task, because opening a file may block.
    let opening = tokio::spawn(serve::open(configuration));
    let app = tokio::select! {
        opened = opening => opened.map_err(|error| CommandError::no(error.to_string()))??,
        () = signals.told_to_end() => {
            tracing::info!("ended before it was ready");
            return Ok(Answer::new(json!({"ended": true}), ""));
        }
    };
    serve::run(app, signals, |_| notify::tell(notify::State::Ready)).await?;
    Ok(Answer::new(json!({"ended": true}), ""))
}
