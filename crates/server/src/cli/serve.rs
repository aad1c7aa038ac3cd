//! `grantry serve`.

use std::path::Path;

use serde_json::json;

use super::answer::{Answer, Stop};
use crate::observe::log;
use crate::serve;

/// Runs the server until it is told to end.
pub(super) async fn run(config: &Path) -> Result<Answer, Stop> {
    let configuration = super::configuration(config)?;
    log::start(&configuration.log.level, configuration.log.is_json).map_err(Stop::no)?;
    let app = serve::open(configuration).await?;
    serve::run(app, |_| {}).await?;
    Ok(Answer::new(json!({"ended": true}), ""))
}
