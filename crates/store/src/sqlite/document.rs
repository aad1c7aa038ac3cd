//! Documents, as seen by one connection.

use std::sync::Arc;

use protocol::model::{Client, ClientKey, User, UserKey};
use rusqlite::{Connection, OptionalExtension};
use serde::de::DeserializeOwned;

use super::error::SqliteError;
use crate::documents::{Documents, Kept};

/// A connection and the document caches.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) connection: &'a Connection,
    pub(super) documents: &'a Documents,
    /// True if all statements see the same snapshot. If false, a document that is not cached stops the work.
    pub(super) is_snapshot: bool,
}

impl View<'_> {
    /// Returns the client in row `key`, which currently has `version`; `None` if the row is gone.
    pub(super) fn client(&self, key: ClientKey, version: Option<u32>) -> Result<Option<Arc<Client>>, SqliteError> {
        const SQL: &str = "SELECT version, document FROM clients WHERE key = ?1";
        self.document(&self.documents.clients, SQL, key.0, version)
    }

    /// Returns the user in row `key`, which currently has `version`; `None` if the row is gone.
    pub(super) fn user(&self, key: UserKey, version: Option<u32>) -> Result<Option<Arc<User>>, SqliteError> {
        const SQL: &str = "SELECT version, document FROM users WHERE key = ?1";
        self.document(&self.documents.users, SQL, key.0, version)
    }

    fn document<T: DeserializeOwned>(
        &self,
        kept: &Kept<T>,
        sql: &'static str,
        key: i64,
        version: Option<u32>,
    ) -> Result<Option<Arc<T>>, SqliteError> {
        let Some(version) = version else { return Ok(None) };
        if let Some(document) = kept.of(key, version) {
            return Ok(Some(document));
        }
        if !self.is_snapshot {
            return Err(SqliteError::Missed);
        }
        let row = self
            .connection
            .prepare_cached(sql)?
            .query_row([key], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?)))
            .optional()?;
        let Some((version, text)) = row else { return Ok(None) };
        kept.read(key, version, &text).map(Some).map_err(SqliteError::Unreadable)
    }
}
