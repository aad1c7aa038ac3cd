//! The lines about refused requests that repeat, and about audit events that had no line.

use super::task::{Failure, Next, Node};

/// Logs how often requests were refused, and how many audit events there were, without a line of their own.
#[expect(clippy::unused_async, reason = "a run of a task is a future")]
pub(super) async fn tell(node: &Node) -> Result<Next, Failure> {
    node.app.refusals.tell();
    node.app.trail.end_minute();
    Ok(Next::Usual)
}
