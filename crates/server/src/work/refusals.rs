//! The task that logs repeated refusals.

use super::task::{Failure, Next, Node};

/// Logs the number of refused requests of each kind since its last line.
#[expect(clippy::unused_async, reason = "a run of a task is a future")]
pub(super) async fn tell(node: &Node) -> Result<Next, Failure> {
    node.app.refusals.tell();
    Ok(Next::Usual)
}
