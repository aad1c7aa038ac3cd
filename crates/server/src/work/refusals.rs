//! The task that logs repeated refusals, and audit events without a line.

use super::task::{Failure, Next, Node};

/// Logs the number of refused requests of each kind, and of audit events, that had no line of their own.
#[expect(clippy::unused_async, reason = "a run of a task is a future")]
pub(super) async fn tell(node: &Node) -> Result<Next, Failure> {
    node.app.refusals.tell();
    node.app.trail.end_minute();
    Ok(Next::Usual)
}
