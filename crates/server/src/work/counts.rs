//! Shares the counts of rate limits among nodes.

use super::task::{Failure, Next, Node};

/// Tells the store what this node counted, and hears what other nodes did. Each node goes on with what it knows when that
/// fails.
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
