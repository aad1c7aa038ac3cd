//! Clients and users are stored as documents. Parsed documents are cached by the key of their row, and used only if the
//! row still has the same version. A change by another process is therefore seen at once, without any notification.

use std::sync::Arc;

use protocol::model::{Circumstances, Client, User};
use quick_cache::sync::Cache;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Maximum number of cached clients. Each takes one or two KiB.
const CLIENTS_KEPT: usize = 2_048;
/// Maximum number of cached users. Each takes about one KiB.
const USERS_KEPT: usize = 8_192;

/// The cached documents.
pub(crate) struct Documents {
    pub(crate) clients: Kept<Client>,
    pub(crate) users: Kept<User>,
}

impl Documents {
    /// Empties the caches.
    pub(crate) fn forget(&self) {
        self.clients.0.clear();
        self.users.0.clear();
    }

    pub(crate) fn new() -> Self {
        Self { clients: Kept(Cache::new(CLIENTS_KEPT)), users: Kept(Cache::new(USERS_KEPT)) }
    }
}

/// A cache of documents by row key, each with the version of its row.
pub(crate) struct Kept<T>(Cache<i64, (u32, Arc<T>)>);

impl<T: DeserializeOwned> Kept<T> {
    /// Returns the cached document of row `key`, if it has this version.
    pub(crate) fn of(&self, key: i64, version: u32) -> Option<Arc<T>> {
        let (known, document) = self.0.get(&key)?;
        (known == version).then_some(document)
    }

    /// Parses a document and caches it.
    ///
    /// # Errors
    /// Names the row that cannot be read. Contains nothing of its content, which the parser's own message may quote.
    pub(crate) fn read(&self, key: i64, version: u32, text: &str) -> Result<Arc<T>, String> {
        let parsed: T = serde_json::from_str(text).map_err(|error| {
            format!("row {key} cannot be read: {:?} error at column {}", error.classify(), error.column())
        })?;
        let document = Arc::new(parsed);
        self.0.insert(key, (version, Arc::clone(&document)));
        Ok(document)
    }
}

/// Serializes a row as a document.
///
/// # Errors
/// Names the row that cannot be written.
pub(crate) fn written(row: &impl Serialize, key: i64) -> Result<String, String> {
    serde_json::to_string(row).map_err(|_| format!("row {key} cannot be written as a document"))
}

/// Serializes a list as JSON. Returns `None` for an empty list.
pub(crate) fn list<T: Serialize>(items: &[T]) -> Option<String> {
    // Lists of strings and of simple enums can always be serialized.
    (!items.is_empty()).then(|| serde_json::to_string(items).unwrap_or_default())
}

/// Parses a list that [`list`] wrote. Returns `None` if the text is no list. The parser's error is dropped, because it
/// may quote the text.
pub(crate) fn read_list<T: DeserializeOwned>(text: Option<&str>) -> Option<Vec<T>> {
    text.map_or(Some(Vec::new()), |text| serde_json::from_str(text).ok())
}

/// Reads the circumstances of an authorization; rows without a document have none. Returns `None` if the document cannot be
/// read.
pub(crate) fn read_circumstances(document: Option<&str>) -> Option<Circumstances> {
    document.map_or_else(|| Some(Circumstances::default()), Circumstances::read)
}

/// Returns the `revoked_below` of a user's or client's document, or 0 if it has none.
pub(crate) fn revoked_below(document: &str) -> i64 {
    #[derive(Deserialize)]
    struct Part {
        #[serde(default)]
        revoked_below: i64,
    }
    serde_json::from_str(document).map_or(0, |part: Part| part.revoked_below)
}
