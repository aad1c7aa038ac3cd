//! The documents that a batch needs. They are pinned, because the cache may evict any document at any time.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use protocol::model::{Access, Client, ClientKey, Code, Grant, Ticket, User, UserKey, WithOwners};
use serde::de::DeserializeOwned;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::error::PostgresError;
use super::link::{Link, Sql};
use super::row;
use crate::documents::{Documents, Kept};

static CLIENT_DOCUMENTS: Sql =
    Sql { text: "SELECT key, version, document FROM clients WHERE key = ANY($1)", types: &[Type::INT8_ARRAY] };
static USER_DOCUMENTS: Sql =
    Sql { text: "SELECT key, version, document FROM users WHERE key = ANY($1)", types: &[Type::INT8_ARRAY] };

/// Every statement of this file.
pub(super) static STATEMENTS: &[&Sql] = &[&CLIENT_DOCUMENTS, &USER_DOCUMENTS];

/// Pinned documents by the keys of their rows.
#[derive(Default)]
pub(super) struct Pins {
    pub(super) clients: HashMap<i64, Arc<Client>>,
    pub(super) users: HashMap<i64, Arc<User>>,
}

/// The keys of rows whose documents are not cached.
#[derive(Default)]
pub(super) struct Missing {
    pub(super) clients: BTreeSet<i64>,
    pub(super) users: BTreeSet<i64>,
}

impl Missing {
    pub(super) fn is_empty(&self) -> bool {
        self.clients.is_empty() && self.users.is_empty()
    }
}

/// Pins the document of row `key` if the cache has it in this version. Otherwise notes it as missing. A deleted row has
/// no version.
pub(super) fn pin<T: DeserializeOwned>(
    kept: &Kept<T>,
    pins: &mut HashMap<i64, Arc<T>>,
    missing: &mut BTreeSet<i64>,
    key: i64,
    version: Option<u32>,
) {
    let Some(version) = version else { return };
    match kept.of(key, version) {
        Some(document) => {
            pins.insert(key, document);
        }
        None => {
            missing.insert(key);
        }
    }
}

impl Pins {
    /// Reads the missing documents. Within the snapshot no row can change meanwhile.
    pub(super) async fn read(
        &mut self,
        link: &Link,
        documents: &Documents,
        missing: Missing,
    ) -> Result<(), PostgresError> {
        let (clients, users) = tokio::try_join!(
            biased;
            read(link, &CLIENT_DOCUMENTS, missing.clients),
            read(link, &USER_DOCUMENTS, missing.users),
        )?;
        keep(&clients, &documents.clients, &mut self.clients)?;
        keep(&users, &documents.users, &mut self.users)
    }

    pub(super) fn client(&self, key: ClientKey) -> Option<Arc<Client>> {
        self.clients.get(&key.0).cloned()
    }

    pub(super) fn user(&self, key: UserKey) -> Option<Arc<User>> {
        self.users.get(&key.0).cloned()
    }

    /// Joins a code with its client and user.
    pub(super) fn held_code(&self, row: &Code, is_revoked: Option<bool>) -> WithOwners<Code> {
        WithOwners {
            client: self.client(row.authorization.client),
            user: self.user(row.authorization.user),
            // The grant begins with the redemption, so its absence says nothing.
            is_grant_revoked: is_revoked == Some(true),
            row: row.clone(),
        }
    }

    /// Joins an access token with its client and user.
    pub(super) fn held_access(&self, row: &Access, is_revoked: Option<bool>) -> WithOwners<Access> {
        WithOwners {
            client: self.client(row.client),
            user: row.user.and_then(|key| self.user(key)),
            is_grant_revoked: row.grant.is_some() && is_revoked != Some(false),
            row: row.clone(),
        }
    }

    /// Joins a ticket with its client and user.
    pub(super) fn held_ticket(&self, row: &Ticket) -> WithOwners<Ticket> {
        WithOwners {
            client: row.client.and_then(|key| self.client(key)),
            user: row.user.and_then(|key| self.user(key)),
            is_grant_revoked: false,
            row: row.clone(),
        }
    }

    /// Joins a grant with its client and user.
    pub(super) fn held_grant(&self, row: Grant) -> WithOwners<Grant> {
        let is_grant_revoked = row.is_revoked;
        WithOwners {
            client: self.client(row.authorization.client),
            user: self.user(row.authorization.user),
            row,
            is_grant_revoked,
        }
    }
}

async fn read(link: &Link, sql: &'static Sql, keys: BTreeSet<i64>) -> Result<Vec<Row>, PostgresError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<i64> = keys.into_iter().collect();
    link.query(sql, &[&keys]).await
}

fn keep<T: DeserializeOwned>(
    rows: &[Row],
    kept: &Kept<T>,
    pins: &mut HashMap<i64, Arc<T>>,
) -> Result<(), PostgresError> {
    for row in rows {
        let key = row::get(row, 0)?;
        let document = kept.read(key, row::number(row, 1)?, row::get(row, 2)?).map_err(PostgresError::Unreadable)?;
        pins.insert(key, document);
    }
    Ok(())
}
