//! Faults: failures of the server itself. A fault is logged once with its cause when it becomes a response. The client
//! learns nothing of the cause.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use thiserror::Error;

use crate::plausible::Implausible;

/// A failure of the server. The message is for the operator's log and contains no secrets.
#[derive(Debug, Error)]
pub enum Fault {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Fault),
    /// A unique name is already taken: `client_id`, `sub`, `username` or `email`.
    #[error("this {0} is already taken")]
    Taken(&'static str),
    /// Templates of the operator that were valid when the configuration was checked.
    #[error("brand.templates: {}", .0.join("; "))]
    Templates(Vec<String>),
    /// Outgoing requests cannot be made with the operator's settings.
    #[error("fetch: {0}")]
    Fetch(String),
    /// The clock is implausible.
    #[error(transparent)]
    Clock(#[from] Implausible),
    /// A judge had this member of an answer signed, and the answer has no place for it.
    #[error("the answer does not take a signature for `{0}`")]
    Unsigned(&'static str),
    /// A computation in the thread pool was lost.
    #[error("a slow judgement was lost: {0}")]
    Slow(String),
    /// Handling a request panicked.
    #[error("a request panicked: {0}")]
    Panic(String),
    /// Handling a request took too long.
    #[error("the request was not answered within {0} s")]
    Late(u64),
}

/// Runs `work` and turns a panic into a fault, so that one request cannot bring down the others. The future is not
/// moved, because moving it would double its memory.
///
/// # Errors
/// [`Fault::Panic`].
pub async fn caught<T>(mut work: Pin<&mut impl Future<Output = T>>) -> Result<T, Fault> {
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Poll::Ready(Err(Fault::Panic(text.unwrap_or_default())))
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;

    #[tokio::test]
    async fn a_panic_becomes_a_fault() {
        let died = caught(pin!(async { panic!("broken invariant {}", 7) })).await;
        assert!(matches!(died, Err::<(), _>(Fault::Panic(text)) if text == "broken invariant 7"));
        assert_eq!(caught(pin!(async { 7 })).await.unwrap(), 7);
    }
}
