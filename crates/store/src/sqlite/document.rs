//! Clients and users are documents. Parsed ones are kept in memory under their row's key, and used only when the row
//! still has their version: so a change by another process is seen at once, and nobody has to be told.

use std::sync::Arc;

use protocol::model::{Client, ClientKey, User, UserKey};
use quick_cache::sync::Cache;
use rusqlite::{Connection, OptionalExtension};
use serde::de::DeserializeOwned;

use super::stop::Stop;

/// Parsed clients kept; each takes one or two KiB.
const CLIENTS_KEPT: usize = 2_048;
/// Parsed users kept; each takes about one KiB.
const USERS_KEPT: usize = 8_192;

/// What was parsed, with the version of the row that it was parsed from.
pub(super) struct Documents {
    clients: Cache<i64, (u32, Arc<Client>)>,
    users: Cache<i64, (u32, Arc<User>)>,
}

impl Documents {
    pub(super) fn new() -> Self {
        Self { clients: Cache::new(CLIENTS_KEPT), users: Cache::new(USERS_KEPT) }
    }
}

/// A connection at one moment, and the documents.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) connection: &'a Connection,
    pub(super) documents: &'a Documents,
    /// Are several statements sure to see the same moment? If not, a document that is not in memory stops the work.
    pub(super) is_snapshot: bool,
}

impl View<'_> {
    /// The client in row `key`, which has `version` now; none when the row is gone.
    pub(super) fn client(&self, key: ClientKey, version: Option<u32>) -> Result<Option<Arc<Client>>, Stop> {
        const SQL: &str = "SELECT version, document FROM clients WHERE key = ?1";
        self.document(&self.documents.clients, SQL, key.0, version)
    }

    /// The user in row `key`, which has `version` now; none when the row is gone.
    pub(super) fn user(&self, key: UserKey, version: Option<u32>) -> Result<Option<Arc<User>>, Stop> {
        const SQL: &str = "SELECT version, document FROM users WHERE key = ?1";
        self.document(&self.documents.users, SQL, key.0, version)
    }

    fn document<T: DeserializeOwned>(
        &self,
        kept: &Cache<i64, (u32, Arc<T>)>,
        sql: &'static str,
        key: i64,
        version: Option<u32>,
    ) -> Result<Option<Arc<T>>, Stop> {
        let Some(version) = version else { return Ok(None) };
        if let Some((known, document)) = kept.get(&key)
            && known == version
        {
            return Ok(Some(document));
        }
        if !self.is_snapshot {
            return Err(Stop::Missed);
        }
        let row = self
            .connection
            .prepare_cached(sql)?
            .query_row([key], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?)))
            .optional()?;
        let Some((version, text)) = row else { return Ok(None) };
        let document = Arc::new(parse(&text, key)?);
        kept.insert(key, (version, Arc::clone(&document)));
        Ok(Some(document))
    }
}

/// Reads a document. Errors of the parser may quote what they read, so only the place is passed on.
pub(super) fn parse<T: DeserializeOwned>(text: &str, key: i64) -> Result<T, Stop> {
    serde_json::from_str(text).map_err(|error| {
        Stop::Unreadable(format!("row {key} cannot be read: {:?} error at column {}", error.classify(), error.column()))
    })
}
