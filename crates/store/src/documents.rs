//! Clients and users are documents. Parsed ones are kept in memory under their row's key, and used only when the row
//! still has their version: so a change by another process is seen at once, and nobody has to be told.

use std::sync::Arc;

use protocol::model::{Circumstances, Client, User};
use quick_cache::sync::Cache;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Parsed clients kept; each takes one or two KiB.
const CLIENTS_KEPT: usize = 2_048;
/// Parsed users kept; each takes about one KiB.
const USERS_KEPT: usize = 8_192;

/// What was parsed.
pub(crate) struct Documents {
    pub(crate) clients: Kept<Client>,
    pub(crate) users: Kept<User>,
}

impl Documents {
    /// Keeps nothing of what it has.
    pub(crate) fn forget(&self) {
        self.clients.0.clear();
        self.users.0.clear();
    }

    pub(crate) fn new() -> Self {
        Self { clients: Kept(Cache::new(CLIENTS_KEPT)), users: Kept(Cache::new(USERS_KEPT)) }
    }
}

/// Documents by their row's key, with the version of the row that each was parsed from.
pub(crate) struct Kept<T>(Cache<i64, (u32, Arc<T>)>);

impl<T: DeserializeOwned> Kept<T> {
    /// The document of row `key`, if it is the one of this version.
    pub(crate) fn of(&self, key: i64, version: u32) -> Option<Arc<T>> {
        let (known, document) = self.0.get(&key)?;
        (known == version).then_some(document)
    }

    /// Reads a document and keeps it.
    ///
    /// # Errors
    /// Says which row cannot be read, and nothing of what is in it: the parser's own words may quote that.
    pub(crate) fn read(&self, key: i64, version: u32, text: &str) -> Result<Arc<T>, String> {
        let parsed: T = serde_json::from_str(text).map_err(|error| {
            format!("row {key} cannot be read: {:?} error at column {}", error.classify(), error.column())
        })?;
        let document = Arc::new(parsed);
        self.0.insert(key, (version, Arc::clone(&document)));
        Ok(document)
    }
}

/// A row as a document.
///
/// # Errors
/// Says which row cannot be written.
pub(crate) fn written(row: &impl Serialize, key: i64) -> Result<String, String> {
    serde_json::to_string(row).map_err(|_| format!("row {key} cannot be written as a document"))
}

/// A list as JSON; an empty one is left out.
pub(crate) fn list<T: Serialize>(items: &[T]) -> Option<String> {
    // Lists of strings and of plain words always have a JSON form.
    (!items.is_empty()).then(|| serde_json::to_string(items).unwrap_or_default())
}

/// A list that was written by [`list`]; none when it is none. The parser's error may quote the text, so it is not passed on.
pub(crate) fn read_list<T: DeserializeOwned>(text: Option<&str>) -> Option<Vec<T>> {
    text.map_or(Some(Vec::new()), |text| serde_json::from_str(text).ok())
}

/// Reads the circumstances of an authorization; rows without a document have none. Returns `None` if the document cannot be
/// read.
pub(crate) fn read_circumstances(document: Option<&str>) -> Option<Circumstances> {
    document.map_or_else(|| Some(Circumstances::default()), Circumstances::read)
}

/// Below which id everything of this user's or client's is revoked; 0 where the document does not say.
pub(crate) fn revoked_below(document: &str) -> i64 {
    #[derive(Deserialize)]
    struct Part {
        #[serde(default)]
        revoked_below: i64,
    }
    serde_json::from_str(document).map_or(0, |part: Part| part.revoked_below)
}
