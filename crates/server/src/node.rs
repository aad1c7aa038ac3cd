//! Which of the numbers for drawing ids is this process's own. Two processes with the same number would draw the same ids
//! in the same millisecond, so each claims one by a lease, and keeps it for as long as it runs.

use std::sync::Arc;
use std::time::Duration;

use store::{Fault, Store};
use tokio::sync::watch;

use crate::app::App;
use crate::ids::NODES;
use crate::sweep::is_told_within;

/// How long a number stays claimed after its process is gone. A process that cannot reach the store for longer draws no ids
/// meanwhile that it could put there.
const LEASE_S: u32 = 3_600;
const RENEW_EVERY: Duration = Duration::from_secs(600);

fn work(number: u16) -> String {
    format!("node-{number}")
}

/// Claims a number for `holder`, `wanted` if it is free.
///
/// # Errors
/// When the store cannot be asked.
pub(crate) async fn claim(store: &dyn Store, holder: i64, wanted: u16) -> Result<u16, Fault> {
    for step in 0..NODES {
        let number = wanted.wrapping_add(step) % NODES;
        if store.lease(&work(number), holder, LEASE_S).await? {
            return Ok(number);
        }
    }
    // A thousand starts in an hour: better to share a number than not to serve.
    tracing::warn!(numbers = NODES, "all numbers for drawing ids are claimed; this process shares one");
    Ok(wanted % NODES)
}

/// Keeps the number of this process until `ending` says so, and then gives it back.
pub(crate) async fn keep(app: Arc<App>, mut ending: watch::Receiver<bool>) {
    while !is_told_within(&mut ending, RENEW_EVERY).await {
        match claim(&*app.store, app.node, app.ids.node()).await {
            Ok(number) => app.ids.renumber(number),
            Err(fault) => tracing::error!(cause = %fault, "the number for drawing ids could not be kept"),
        }
    }
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
