//! Opens seals that a browser brings back. If a seal names an unknown key, the sealing keys are reloaded from the
//! store.

use std::sync::Arc;
use std::time::Duration;

use protocol::crypto::keys::Keys;
use protocol::person::browser::{FormSeal, PendingVisit};
use protocol::person::upstream::UpstreamTrip;
use protocol::refusal::No;
use protocol::secret::Digest;

use super::App;
use crate::fault::Fault;

/// Minimum time between two reloads of the sealing keys that requests cause.
const RELOAD_EVERY: Duration = Duration::from_secs(1);

impl App {
    /// Opens the seal of a page. Returns the pending visit, and the name of the dialect in which it began.
    ///
    /// # Errors
    /// [`No::PageStale`].
    pub async fn open_pending_visit(&self, seal: &str, browser: &Digest) -> Result<(PendingVisit, String), No> {
        self.opened(seal, |keys| PendingVisit::open(seal, browser, self.clock.now(), keys)).await
    }

    /// Opens the seal of a form outside of a pending visit.
    ///
    /// # Errors
    /// [`No::PageStale`].
    pub async fn open_form(&self, seal: &str) -> Result<FormSeal, No> {
        self.opened(seal, |keys| FormSeal::open(seal, self.clock.now(), keys)).await
    }

    /// Opens the `state` of a browser that comes back from the upstream identity provider.
    ///
    /// # Errors
    /// [`No::UpstreamStale`].
    pub async fn open_trip(&self, state: &str, browser: &Digest) -> Result<UpstreamTrip, No> {
        self.opened(state, |keys| UpstreamTrip::open(state, browser, self.clock.now(), keys)).await
    }

    /// Opens a seal with the current keys. If the seal names a key that is not among them, reloads the keys from the
    /// store and tries again.
    async fn opened<T>(&self, seal: &str, open: impl Fn(&Keys) -> Result<T, No>) -> Result<T, No> {
        let keys = self.keys();
        let opened = open(&keys);
        if opened.is_ok() || !keys.lacks_key_of(seal) {
            return opened;
        }
        if let Err(fault) = self.reload_keys_soon().await {
            tracing::error!(%fault, "the sealing keys cannot be read");
        }
        // Another request may have reloaded the keys in the meantime.
        let latest = self.keys();
        if Arc::ptr_eq(&keys, &latest) { opened } else { open(&latest) }
    }

    /// As [`App::reload_keys`], but at most once in [`RELOAD_EVERY`] for all requests together, so that forged seals
    /// cause no load on the store. A request that comes earlier waits, so that a valid seal opens.
    async fn reload_keys_soon(&self) -> Result<(), Fault> {
        let came_at = tokio::time::Instant::now();
        let mut reloaded_at = self.reloaded_at.lock().await;
        match *reloaded_at {
            // Another request reloaded the keys after this request arrived.
            Some(at) if at > came_at => return Ok(()),
            Some(at) => tokio::time::sleep_until(at + RELOAD_EVERY).await,
            None => {}
        }
        *reloaded_at = Some(tokio::time::Instant::now());
        self.reload_keys().await
    }
}
