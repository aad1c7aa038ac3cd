//! The task that shares the counts of rate limits among nodes.

use super::task::{Failure, Next, Node};

/// Adds the counts of this node to the store, and reads those of other nodes. If that fails, each node continues with
/// the counts that it knows.
pub(super) async fn share(node: &Node) -> Result<Next, Failure> {
    let app = &node.app;
    let counted = app.limiter.uncounted();
    if counted.is_empty() {
        return Ok(Next::Usual);
    }
    match app.store.tally(app.clock.now(), &counted).await {
        Ok(None) => {
            app.limiter.be_alone();
            Ok(Next::Never)
        }
        Ok(Some(known)) => {
            app.limiter.hear(&counted, &known);
            Ok(Next::Usual)
        }
        Err(fault) => {
            app.limiter.tell_again(&counted);
            Err(Failure::new("rate limits could not be shared with other nodes", &fault))
        }
    }
}
