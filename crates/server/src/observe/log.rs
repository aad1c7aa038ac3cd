//! The lines that a request leaves in the log. Never in them: query strings, bodies, cookies, `Location`, tokens.

use std::time::Duration;

use ::http::StatusCode;
use protocol::refusal::{ErrorKind, No};

use tracing_subscriber::EnvFilter;

use crate::fault::Fault;
use crate::http::{Request, RequestId};

/// Writes the line of a request. Most are for whoever debugs; refusals that an operator should know of are louder.
pub fn request(request: &Request, place: (&str, &str), status: StatusCode, no: Option<No>, took: Duration) {
    let (dialect, endpoint) = place;
    let (id, method, status) = (request.id.as_str(), request.method.as_str(), status.as_u16());
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let Some(no) = no else {
        tracing::debug!(id, method, dialect, endpoint, status, took_us, "answered");
        return;
    };
    let refusal = no.row().name;
    match loudness(no) {
        Loudness::Alarm => tracing::warn!(id, method, dialect, endpoint, status, refusal, took_us, "refused"),
        Loudness::Notice => tracing::info!(id, method, dialect, endpoint, status, refusal, took_us, "refused"),
        Loudness::Usual => tracing::debug!(id, method, dialect, endpoint, status, refusal, took_us, "refused"),
    }
}

/// Writes down what broke while a request was answered.
pub fn fault(id: RequestId, fault: &Fault) {
    tracing::error!(id = id.as_str(), cause = %fault, "a fault");
}

enum Loudness {
    Alarm,
    Notice,
    Usual,
}

fn loudness(no: No) -> Loudness {
    match no {
        // Somebody holds what they should not, or the server cannot keep up.
        No::CodeReplayed | No::RefreshReplayed | No::Busy => Loudness::Alarm,
        No::LockedOut | No::ClientLockedOut | No::RedirectUriUnregistered | No::UserDisabled | No::HostUnknown => {
            Loudness::Notice
        }
        _ if no.row().kind == ErrorKind::InvalidClient => Loudness::Notice,
        _ => Loudness::Usual,
    }
}

/// Begins to log to standard error. `level` is a filter such as `info` or `info,store=debug`.
///
/// # Errors
/// When the filter cannot be read, or when logging began before.
pub fn start(level: &str, is_json: bool) -> Result<(), String> {
    let filter = EnvFilter::try_new(level).map_err(|error| error.to_string())?;
    // At debug this library writes the values of every statement.
    let quiet = "tokio_postgres=info".parse().expect("the directive is right");
    let filter = filter.add_directive(quiet);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if is_json {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    } else {
        lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init()
    };
    started.map_err(|error| error.to_string())?;
    // A panic is told by whoever catches it, or by this line; never by a text of many lines between those of others.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a panic");
    }));
    Ok(())
}
