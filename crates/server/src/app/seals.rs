//! Opening what this server sealed and a browser brings back.

use std::sync::Arc;
use std::time::Duration;

use protocol::crypto::keys::Keys;
use protocol::person::browser::{Errand, FormSeal};
use protocol::person::upstream::Departure;
use protocol::refusal::No;
use protocol::secret::Digest;

use super::App;
use crate::fault::Fault;

/// Requests with a seal of an unknown key make this process read the sealing keys at most once in this time.
const RELOAD_EVERY: Duration = Duration::from_secs(1);

impl App {
    /// Opens the seal of a page. A seal under a key that this process has not heard of makes it look for new keys.
    ///
    /// # Errors
    /// [`No::PageStale`].
    pub async fn open_errand(&self, seal: &str, browser: &Digest) -> Result<(Errand, String), No> {
        self.opened(seal, |keys| Errand::open(seal, browser, self.clock.now(), keys)).await
    }

    /// Opens the seal of a form that belongs to no errand, as [`App::open_errand`] does.
    ///
    /// # Errors
    /// [`No::PageStale`].
    pub async fn open_form(&self, seal: &str) -> Result<FormSeal, No> {
        self.opened(seal, |keys| FormSeal::open(seal, self.clock.now(), keys)).await
    }

    /// Opens the `state` of a browser that comes back from the upstream identity provider, as [`App::open_errand`] does.
    ///
    /// # Errors
    /// [`No::UpstreamStale`].
    pub async fn open_departure(&self, state: &str, browser: &Digest) -> Result<Departure, No> {
        self.opened(state, |keys| Departure::open(state, browser, self.clock.now(), keys)).await
    }

    /// Opens a seal, if not with the keys of now then with those that the store has, if they are others. Only a seal that
    /// names a key which is not in the ring asks the store.
    async fn opened<T>(&self, seal: &str, open: impl Fn(&Keys) -> Result<T, No>) -> Result<T, No> {
        let keys = self.keys();
        let opened = open(&keys);
        if opened.is_ok() || !keys.lacks_key_of(seal) {
            return opened;
        }
        if let Err(fault) = self.reload_keys_soon().await {
            tracing::error!(%fault, "the sealing keys cannot be read");
        }
        // Another request may have reloaded the keys in the meantime; that is as good.
        let latest = self.keys();
        if Arc::ptr_eq(&keys, &latest) { opened } else { open(&latest) }
    }

    /// As [`App::reload_keys`], but at most once in [`RELOAD_EVERY`] for all requests together: whoever writes nonsense into
    /// a form must not make work for the store. A request whose turn has not come waits for it, so that a real seal opens.
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
