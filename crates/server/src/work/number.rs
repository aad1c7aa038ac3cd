//! The number with which a node draws row IDs. Two processes with the same number would draw the same IDs in the same
//! millisecond, so each claims one by a lease, and keeps it for as long as it runs.

use store::{Fault, Store};

use super::task::{Failure, Next, Node};
use crate::app::App;
use crate::ids::NODES;

/// How long a number stays claimed after its process has ended, in seconds. A process that cannot reach the store for
/// longer cannot write rows with its IDs either.
const LEASE_S: u32 = 3_600;

/// Returns the name of the lease. Nodes of other versions use it as well.
fn work(number: u16) -> String {
    format!("node-{number}")
}

/// Claims a number for the process `holder`: `wanted`, or else the next free one.
///
/// # Errors
/// If the store fails.
pub(crate) async fn claim(store: &dyn Store, holder: i64, wanted: u16) -> Result<u16, Fault> {
    for step in 0..NODES {
        let number = wanted.wrapping_add(step) % NODES;
        if store.lease(&work(number), holder, LEASE_S).await? {
            return Ok(number);
        }
    }
    // All numbers are taken only after a thousand starts within an hour. Share a number rather than refuse to start.
    tracing::warn!(numbers = NODES, "all numbers for drawing ids are claimed; this process shares one");
    Ok(wanted % NODES)
}

/// Renews the claim of this process.
pub(super) async fn keep(node: &Node) -> Result<Next, Failure> {
    let app = &node.app;
    let claimed = claim(&*app.store, app.node, app.ids.node()).await;
    let number = claimed.map_err(|fault| Failure::new("the number for drawing ids could not be kept", &fault))?;
    app.ids.renumber(number);
    Ok(Next::Usual)
}

/// Releases the number when the process ends.
pub(super) async fn give_back(app: &App) {
    let given_back = app.store.lease(&work(app.ids.node()), app.node, 0).await;
    tracing::debug!(?given_back, "gave the number for drawing ids back");
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::Mode;

    #[tokio::test]
    async fn no_two_processes_have_the_same_number() {
        let store = store::open(&lab::database(), Mode::Create).await.unwrap();
        assert_eq!(claim(&*store, 1, 1023).await, Ok(1023));
        assert_eq!(claim(&*store, 2, 1023).await, Ok(0), "it is taken");
        assert_eq!(claim(&*store, 3, 1023).await, Ok(1), "both are");
        assert_eq!(claim(&*store, 2, 0).await, Ok(0), "whoever has it keeps it");
        assert_eq!(store.lease(&work(0), 2, 0).await, Ok(true));
        assert_eq!(claim(&*store, 4, 0).await, Ok(0), "it was given back");
    }
}
