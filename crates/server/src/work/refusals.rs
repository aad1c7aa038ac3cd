//! The lines about refused requests that repeat.

use super::task::{Failure, Next, Node};

/// Logs how often requests were refused beyond the first of each kind.
#[expect(clippy::unused_async, reason = "a run of a task is a future")]
pub(super) async fn tell(node: &Node) -> Result<Next, Failure> {
    node.app.refusals.tell();
    Ok(Next::Usual)
}
