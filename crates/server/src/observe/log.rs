//! The log lines of requests. They never contain query strings, bodies, cookies, `Location` or tokens.

use std::time::Duration;

use ::http::StatusCode;
use tracing_subscriber::EnvFilter;

use super::sink::{self, Sink};
use crate::config::configuration::Log;
use crate::fault::Fault;
use crate::http::{Request, RequestId};

/// Logs a successful request. [`super::refusals`] logs the others.
pub fn answered(request: &Request, place: (&str, &str), status: StatusCode, took: Duration) {
    let (dialect, endpoint) = place;
    let (id, method, status) = (request.id.as_str(), request.method.as_str(), status.as_u16());
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    tracing::debug!(id, method, dialect, endpoint, status, took_us, "answered");
}

/// Logs a fault that occurred while a request was handled.
pub fn fault(id: RequestId, fault: &Fault) {
    tracing::error!(id = id.as_str(), cause = %fault, "a fault");
}

/// Starts logging to standard error or to a file. A log that cannot be written is not an error: see `sink`.
///
/// # Errors
/// The filter is invalid, or logging was started before.
pub fn start(log: &Log) -> Result<(), String> {
    let filter = EnvFilter::try_new(&log.level).map_err(|error| error.to_string())?;
    // At level debug this library logs the values of every statement.
    let quiet = "tokio_postgres=info".parse().expect("the directive is right");
    let filter = filter.add_directive(quiet);
    sink::start(log.file.clone())?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Sink).log_internal_errors(false);
    let started = if log.is_json {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    } else {
        let is_watched = log.file.is_none() && std::io::IsTerminal::is_terminal(&std::io::stderr());
        lines.with_ansi(is_watched).try_init()
    };
    started.map_err(|error| error.to_string())?;
    // The code that catches a panic reports it, or this line does. The default hook would write several lines between
    // those of the log.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a panic");
    }));
    Ok(())
}
