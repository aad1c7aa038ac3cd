//! Tasks that reload the TLS certificate and reopen the log file while the server runs.

use super::task::{Failure, Next, Node};
use crate::observe::sink;

/// The failure of [`reload`].
const UNUSABLE: &str = "the new certificate cannot be used; the one so far stays";

/// Reloads the certificate if its file changed.
#[expect(clippy::unused_async, reason = "a run of a task is a future")]
pub(super) async fn reload(node: &Node) -> Result<Next, Failure> {
    let Some(tls) = &node.tls else { return Ok(Next::Never) };
    if tls.reload().map_err(|error| Failure::new(UNUSABLE, &error))? {
        tracing::info!("took over the new certificate");
    }
    Ok(Next::Usual)
}

/// Reloads the certificate and reopens the log file after SIGHUP.
#[expect(clippy::unused_async, reason = "a run of a task is a future")]
pub(super) async fn read_again(node: &Node) -> Result<Next, Failure> {
    sink::reopen();
    match node.tls.as_ref().map(|tls| tls.read_again()) {
        None => tracing::info!("SIGHUP: the log file, if there is one, was opened again"),
        Some(Ok(())) => {
            tracing::info!("SIGHUP: the certificate was read again, and the log file, if there is one, opened");
        }
        // Log a line for every signal, because the operator expects it.
        Some(Err(error)) => {
            tracing::error!(%error, "SIGHUP: the new certificate cannot be used; the one so far stays");
        }
    }
    Ok(Next::Usual)
}
