//! The cache of outside documents, which judges ask for by [`DocumentKey`]. It is the only place where documents are fetched.
//!
//! | what | bound |
//! |---|---|
//! | documents | 1,000 entries and 16 MiB; the least recently used ones go first |
//! | age | one hour, so that a key which its owner withdraws is withdrawn here as well |
//! | failures | nobody asks again for five seconds; an older document is used in the meantime, within its hour |
//! | a key set without the key that a signature names | fetched again, at most once a minute |
//! | requests | one for each URL at a time, whose answer all callers share |
//!
//! A document belongs to its URL and kind, not to the caller: whoever may ask for it gets the same one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use protocol::line::{Document, DocumentKey};
use protocol::time::UnixTime;
use url::Url;

use super::fetch::{Fetched, Fetcher};

/// Maximum age of a document, in seconds.
const KEPT_S: u64 = 60 * 60;
/// Minimum time between two requests for a key set that lacks a key, in seconds.
const UNKNOWN_KEY_EVERY_S: u64 = 60;
/// Minimum time between a failed request and the next one for the same URL, in seconds.
const RETRY_AFTER_S: u64 = 5;
/// Maximum number of URLs that are remembered.
const ENTRIES_MAX: usize = 1_000;
/// Maximum size of all documents, in bytes as they were sent.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// The cache.
#[derive(Debug)]
pub struct DocumentCache {
    fetcher: Arc<Fetcher>,
    shelf: Mutex<Shelf>,
    limits: Limits,
}

/// What the cache may hold.
#[derive(Clone, Copy, Debug)]
struct Limits {
    entries: usize,
    bytes: usize,
}

/// The entries, by kind and URL.
#[derive(Debug, Default)]
struct Shelf {
    entries: HashMap<Name, Entry>,
    /// The size of all entries.
    bytes: usize,
    /// The number of uses so far. Each use of an entry gets the next number.
    uses: u64,
}

/// The kind and URL of a document.
type Name = (&'static str, String);

#[derive(Debug)]
struct Entry {
    slot: Arc<Slot>,
    bytes: usize,
    used: u64,
}

/// The place of one document.
#[derive(Debug, Default)]
struct Slot {
    /// Held by the one task that fetches the document.
    flight: tokio::sync::Mutex<()>,
    kept: Mutex<Kept>,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    /// The document, and when it was fetched.
    found: Option<(UnixTime, Document)>,
    /// When the last request failed, if no later one succeeded.
    failed_at: Option<UnixTime>,
}

impl DocumentCache {
    /// An empty cache.
    #[must_use]
    pub fn new(fetcher: Arc<Fetcher>) -> Arc<Self> {
        Self::with(fetcher, Limits { entries: ENTRIES_MAX, bytes: BYTES_MAX })
    }

    fn with(fetcher: Arc<Fetcher>, limits: Limits) -> Arc<Self> {
        Arc::new(Self { fetcher, shelf: Mutex::default(), limits })
    }

    /// Returns the document, from the cache or from its server. `None` if it cannot be had. A key set may lack the key that
    /// the signature names.
    pub async fn find(self: &Arc<Self>, key: &DocumentKey, now: UnixTime) -> Option<Document> {
        let slot = self.slot(key)?;
        if let Some(answer) = slot.answer(key, now) {
            return answer;
        }
        // A task of its own, so that a caller who goes away does not make the next one ask again.
        let (cache, key) = (Arc::clone(self), key.clone());
        let flight = tokio::spawn(async move { cache.fetch_once(&key, &slot, now).await });
        flight.await.unwrap_or_else(|died| {
            tracing::error!(cause = %died, "fetching an outside document ended early");
            None
        })
    }

    /// Puts a document into the cache as if it had been fetched at `now`: for a server without a network.
    pub fn learn(&self, key: &DocumentKey, document: Document, now: UnixTime) {
        if let Some(slot) = self.slot(key) {
            slot.keep(document, now);
        }
    }

    /// Fetches the document, unless another task did so while this one waited.
    async fn fetch_once(&self, key: &DocumentKey, slot: &Arc<Slot>, now: UnixTime) -> Option<Document> {
        let _flight = slot.flight.lock().await;
        if let Some(answer) = slot.answer(key, now) {
            return answer;
        }
        let began = Instant::now();
        match self.fetch(key).await {
            Ok((document, bytes)) => {
                tracing::info!(kind = key.kind(), url = printable(&key.url()), bytes, "fetched an outside document");
                slot.keep(document, now);
                self.weigh(key, slot, bytes);
            }
            Err(cause) => {
                let (kind, url) = (key.kind(), printable(&key.url()));
                tracing::warn!(kind, url, cause, "the server of an outside document does not answer as it should");
                slot.lock().failed_at = Some(now.plus(began.elapsed().as_secs()));
            }
        }
        slot.answer(key, now).flatten()
    }

    /// Asks the document's server, and gives the document with its size, or what is wrong with it.
    async fn fetch(&self, key: &DocumentKey) -> Result<(Document, usize), String> {
        let fetched = self.fetcher.get(&key.url(), None).await;
        let Fetched { status, body } = fetched.map_err(|error| error.to_string())?;
        match status {
            200 => {}
            300..400 => return Err(format!("it answered {status}, and redirects are not followed")),
            _ => return Err(format!("it answered {status}")),
        }
        let document = key.read(&body)?;
        for address in document.addresses() {
            self.fetcher.check(address).map_err(|error| format!("the document names an address: {error}"))?;
        }
        Ok((document, body.len()))
    }

    /// The slot of a document. `None` if there is no room, because every entry is in use.
    fn slot(&self, key: &DocumentKey) -> Option<Arc<Slot>> {
        let name = (key.kind(), key.url());
        let mut shelf = self.lock();
        shelf.uses += 1;
        let used = shelf.uses;
        if let Some(entry) = shelf.entries.get_mut(&name) {
            entry.used = used;
            return Some(Arc::clone(&entry.slot));
        }
        let bytes = name.1.len();
        let limits =
            Limits { entries: self.limits.entries.saturating_sub(1), bytes: self.limits.bytes.saturating_sub(bytes) };
        if !shelf.shrink(limits) {
            tracing::warn!(kind = key.kind(), "an outside document is not fetched: too many others are being fetched");
            return None;
        }
        let slot = Arc::<Slot>::default();
        shelf.bytes += bytes;
        shelf.entries.insert(name, Entry { slot: Arc::clone(&slot), bytes, used });
        Some(slot)
    }

    /// Notes the size of a document that was fetched.
    fn weigh(&self, key: &DocumentKey, slot: &Arc<Slot>, bytes: usize) {
        let name = (key.kind(), key.url());
        let bytes = bytes + name.1.len();
        let mut shelf = self.lock();
        let Some(entry) = shelf.entries.get_mut(&name).filter(|entry| Arc::ptr_eq(&entry.slot, slot)) else { return };
        let before = std::mem::replace(&mut entry.bytes, bytes);
        shelf.bytes = shelf.bytes - before + bytes;
        shelf.shrink(self.limits);
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    /// Drops the least recently used entries until no more is held than this. Entries that a task uses stay; false if they
    /// alone are too many.
    fn shrink(&mut self, limits: Limits) -> bool {
        while self.entries.len() > limits.entries || self.bytes > limits.bytes {
            let idle = self.entries.iter().filter(|(_, entry)| Arc::strong_count(&entry.slot) == 1);
            let Some(name) = idle.min_by_key(|(_, entry)| entry.used).map(|(name, _)| name.clone()) else {
                return false;
            };
            if let Some(entry) = self.entries.remove(&name) {
                self.bytes -= entry.bytes;
            }
        }
        true
    }
}

impl Slot {
    /// What a caller is told without a request: a document that answers the key, or nothing after a failure. `None` if the
    /// document's server must be asked.
    fn answer(&self, key: &DocumentKey, now: UnixTime) -> Option<Option<Document>> {
        let Kept { found, failed_at } = self.lock().clone();
        let has_just_failed = failed_at.is_some_and(|at| !now.is_past(at.plus(RETRY_AFTER_S)));
        match found.filter(|(at, _)| !now.is_past(at.plus(KEPT_S))) {
            Some((at, document)) => {
                let is_new = !now.is_past(at.plus(UNKNOWN_KEY_EVERY_S));
                (key.is_answered_by(&document) || is_new || has_just_failed).then_some(Some(document))
            }
            None => has_just_failed.then_some(None),
        }
    }

    fn keep(&self, document: Document, now: UnixTime) {
        *self.lock() = Kept { found: Some((now, document)), failed_at: None };
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A URL for the log: without credentials and query, which may be secret.
fn printable(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else { return String::new() };
    // They fail for URLs that cannot have credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.into()
}

#[cfg(test)]
mod tests;
