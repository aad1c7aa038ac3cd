//! Queries of lists for people, and their results.

use std::sync::Arc;

use protocol::model::{
    Client, ClientKey, Consent, Event, EventKind, Grant, Identity, Job, Personal, SealKey, Session, SigningKey, User,
    UserKey, WithOwners,
};
use protocol::secret::Digest;
use protocol::time::UnixTime;

use crate::{Fault, JobCount, JobFilter, Store};

/// A query. Lists are in the order of their ids, unless stated otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// Clients after `after`.
    Clients {
        /// Only clients that this user registered.
        owner: Option<UserKey>,
        /// The last row of the previous page.
        after: Option<ClientKey>,
        /// Maximum number of rows.
        rows_max: usize,
    },
    /// Users after `after`.
    Users {
        /// The last row of the previous page.
        after: Option<UserKey>,
        /// Maximum number of rows.
        rows_max: usize,
    },
    /// The client with this key: one or none.
    Client(ClientKey),
    /// The client with this `client_id`: one or none.
    ClientById(String),
    /// The user with this key: one or none.
    User(UserKey),
    /// The user with this `sub`, e-mail address or user name: one or none. Only `sub` is case-sensitive.
    UserByName(String),
    /// The sessions of a user, the newest first.
    Sessions(UserKey),
    /// The upstream identities of a user, in the order of their names.
    Identities(UserKey),
    /// The applications with access to a user's account: those with a remembered consent, and those with a live grant.
    Applications {
        /// The user.
        user: UserKey,
        /// The current time. Expired grants do not count.
        now: UnixTime,
    },
    /// Grants, the newest first.
    Grants {
        /// Only rows of this user.
        user: Option<UserKey>,
        /// Only rows of this client.
        client: Option<ClientKey>,
        /// Only grants that are live at this time.
        live_at: Option<UnixTime>,
        /// Maximum number of rows.
        rows_max: usize,
    },
    /// The number of users connected with a client: users with a remembered consent or a live grant. 0 for an unknown
    /// client.
    Connected {
        /// The client.
        client: ClientKey,
        /// The current time. Expired grants do not count.
        now: UnixTime,
        /// The count stops at this number.
        users_max: u32,
    },
    /// Personal tokens, the newest first.
    Personals {
        /// Only rows of this user.
        user: Option<UserKey>,
    },
    /// The last use of each secret of a client, in the order of their digests
    /// ([`protocol::client::registration::secret_digest`]). Secrets that were never used are left out.
    SecretUses(ClientKey),
    /// The sealing keys that can still open something. The last one is used for sealing.
    SealKeys,
    /// The keys with which the server signs tokens, in the order of their numbers.
    SigningKeys,
    /// Audit events: the latest first, or those after [`EventFilter::after`] in ascending order.
    Events(EventFilter),
    /// The number of rows in each table, and other figures.
    Counts,
    /// Jobs, in the order of their ids.
    Jobs(JobFilter),
    /// The number of jobs of each kind in each state.
    JobCounts,
    /// The schema version.
    Schema,
    /// The greatest id of any row. New ids begin above it, even if the clock was set back. [`i64::MAX`] if any id is
    /// negative, because ids then overflowed under a wrong clock.
    GreatestId,
}

/// A filter for audit events. An event must meet every condition that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Events about this user's account.
    pub user: Option<UserKey>,
    /// Events about this client.
    pub client: Option<ClientKey>,
    /// Events of one of these kinds; of every kind if there are none.
    pub kinds: Vec<EventKind>,
    /// Events from this network address, in the spelling of the event.
    pub address: Option<String>,
    /// Events at this time or later.
    pub since: Option<UnixTime>,
    /// Events before this time.
    pub until: Option<UnixTime>,
    /// True for events with an actor alone: those of commands, and those of the server's own tasks.
    pub has_actor: bool,
    /// Events with a smaller number, for the next page of a list.
    pub before: Option<i64>,
    /// Events with a greater number, the earliest first, to follow new events.
    pub after: Option<i64>,
    /// Maximum number of rows.
    pub rows_max: usize,
}

/// An audit event in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The event's number. Numbers grow, but on PostgreSQL an event may become visible shortly after one with a greater
    /// number.
    pub id: i64,
    /// The event.
    pub event: Event,
}

/// The result of a query.
#[derive(Clone, Debug)]
pub enum Rows {
    /// The result of [`Query::Clients`], [`Query::Client`] and [`Query::ClientById`].
    Clients(Vec<Arc<Client>>),
    /// The result of [`Query::Users`], [`Query::User`] and [`Query::UserByName`].
    Users(Vec<Arc<User>>),
    /// The result of [`Query::Sessions`].
    Sessions(Vec<Session>),
    /// The result of [`Query::Identities`].
    Identities(Vec<Identity>),
    /// The result of [`Query::Applications`].
    Applications(Vec<Application>),
    /// The result of [`Query::Grants`].
    Grants(Vec<WithOwners<Grant>>),
    /// The result of [`Query::Connected`].
    Connected(u32),
    /// The result of [`Query::Personals`].
    Personals(Vec<WithOwners<Personal>>),
    /// The result of [`Query::SecretUses`].
    SecretUses(Vec<(Digest, UnixTime)>),
    /// The result of [`Query::SealKeys`].
    SealKeys(Vec<SealKey>),
    /// The result of [`Query::SigningKeys`].
    SigningKeys(Vec<SigningKey>),
    /// The result of [`Query::Events`].
    Events(Vec<Noted>),
    /// The result of [`Query::Counts`].
    Counts(Counts),
    /// The result of [`Query::Jobs`].
    Jobs(Vec<Job>),
    /// The result of [`Query::JobCounts`], in the order of kinds and states.
    JobCounts(Vec<JobCount>),
    /// The result of [`Query::Schema`]; `None` for a store without a schema.
    Schema(Option<u32>),
    /// The result of [`Query::GreatestId`]; 0 if there are no rows.
    GreatestId(i64),
}

/// An application with access to a user's account.
#[derive(Clone, Debug, PartialEq)]
pub struct Application {
    /// The client.
    pub client: Arc<Client>,
    /// The remembered consent. First-party applications have none.
    pub consent: Option<Consent>,
    /// Number of live grants: neither revoked nor expired.
    pub grants_live: u64,
}

/// The number of rows in each table, and other figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// The kind of store: `memory`, `sqlite` or `postgres`.
    pub backend: &'static str,
    /// The schema version; `None` for a store without a schema.
    pub schema: Option<u32>,
    /// Size on disk in bytes; `None` if there is no file.
    pub file_bytes: Option<u64>,
    /// The part of it in bytes that is free for new rows.
    pub free_bytes: Option<u64>,
    /// Number of rows by table.
    pub rows: Vec<(&'static str, u64)>,
    /// Tables that are too large to be counted. Their numbers are estimates.
    pub estimated: Vec<&'static str>,
    /// The times of the oldest and the newest row of each table. Left out are tables without rows or without times, and
    /// large tables that would have to be read completely.
    pub ages: Vec<(&'static str, UnixTime, UnixTime)>,
}

/// Typed variants of [`Store::list`].
impl dyn Store + '_ {
    /// [`Query::Clients`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn clients(
        &self,
        owner: Option<UserKey>,
        after: Option<ClientKey>,
        rows_max: usize,
    ) -> Result<Vec<Arc<Client>>, Fault> {
        match self.list(&Query::Clients { owner, after, rows_max }).await? {
            Rows::Clients(rows) => Ok(rows),
            _ => Err(mismatch()),
        }
    }

    /// [`Query::Users`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn users(&self, after: Option<UserKey>, rows_max: usize) -> Result<Vec<Arc<User>>, Fault> {
        match self.list(&Query::Users { after, rows_max }).await? {
            Rows::Users(rows) => Ok(rows),
            _ => Err(mismatch()),
        }
    }

    /// [`Query::Client`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn client(&self, key: ClientKey) -> Result<Option<Arc<Client>>, Fault> {
        match self.list(&Query::Client(key)).await? {
            Rows::Clients(rows) => Ok(rows.into_iter().next()),
            _ => Err(mismatch()),
        }
    }

    /// [`Query::ClientById`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn client_by_id(&self, client_id: &str) -> Result<Option<Arc<Client>>, Fault> {
        match self.list(&Query::ClientById(client_id.to_owned())).await? {
            Rows::Clients(rows) => Ok(rows.into_iter().next()),
            _ => Err(mismatch()),
        }
    }

    /// [`Query::User`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn user(&self, key: UserKey) -> Result<Option<Arc<User>>, Fault> {
        match self.list(&Query::User(key)).await? {
            Rows::Users(rows) => Ok(rows.into_iter().next()),
            _ => Err(mismatch()),
        }
    }

    /// [`Query::UserByName`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn user_by_name(&self, name: &str) -> Result<Option<Arc<User>>, Fault> {
        match self.list(&Query::UserByName(name.to_owned())).await? {
            Rows::Users(rows) => Ok(rows.into_iter().next()),
            _ => Err(mismatch()),
        }
    }

    /// [`Query::Sessions`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn sessions(&self, user: UserKey) -> Result<Vec<Session>, Fault> {
        match self.list(&Query::Sessions(user)).await? {
            Rows::Sessions(rows) => Ok(rows),
            _ => Err(mismatch()),
        }
    }

    /// [`Query::Identities`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn identities(&self, user: UserKey) -> Result<Vec<Identity>, Fault> {
        match self.list(&Query::Identities(user)).await? {
            Rows::Identities(rows) => Ok(rows),
            _ => Err(mismatch()),
        }
    }

    /// [`Query::Applications`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn applications(&self, user: UserKey, now: UnixTime) -> Result<Vec<Application>, Fault> {
        match self.list(&Query::Applications { user, now }).await? {
            Rows::Applications(rows) => Ok(rows),
            _ => Err(mismatch()),
        }
    }

    /// [`Query::Grants`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn grants(
        &self,
        user: Option<UserKey>,
        client: Option<ClientKey>,
        live_at: Option<UnixTime>,
        rows_max: usize,
    ) -> Result<Vec<WithOwners<Grant>>, Fault> {
        match self.list(&Query::Grants { user, client, live_at, rows_max }).await? {
            Rows::Grants(rows) => Ok(rows),
            _ => Err(mismatch()),
        }
    }

    /// [`Query::Connected`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn connected(&self, client: ClientKey, now: UnixTime, users_max: u32) -> Result<u32, Fault> {
        match self.list(&Query::Connected { client, now, users_max }).await? {
            Rows::Connected(count) => Ok(count),
            _ => Err(mismatch()),
        }
    }

    /// [`Query::Personals`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn personals(&self, user: Option<UserKey>) -> Result<Vec<WithOwners<Personal>>, Fault> {
        match self.list(&Query::Personals { user }).await? {
            Rows::Personals(rows) => Ok(rows),
            _ => Err(mismatch()),
        }
    }

    /// [`Query::SecretUses`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn secret_uses(&self, client: ClientKey) -> Result<Vec<(Digest, UnixTime)>, Fault> {
        match self.list(&Query::SecretUses(client)).await? {
            Rows::SecretUses(rows) => Ok(rows),
            _ => Err(mismatch()),
        }
    }

    /// [`Query::SealKeys`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn seal_keys(&self) -> Result<Vec<SealKey>, Fault> {
        match self.list(&Query::SealKeys).await? {
            Rows::SealKeys(rows) => Ok(rows),
            _ => Err(mismatch()),
        }
    }

    /// [`Query::SigningKeys`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn signing_keys(&self) -> Result<Vec<SigningKey>, Fault> {
        match self.list(&Query::SigningKeys).await? {
            Rows::SigningKeys(rows) => Ok(rows),
            _ => Err(mismatch()),
        }
    }

    /// [`Query::Events`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn events(&self, filter: EventFilter) -> Result<Vec<Noted>, Fault> {
        match self.list(&Query::Events(filter)).await? {
            Rows::Events(rows) => Ok(rows),
            _ => Err(mismatch()),
        }
    }

    /// [`Query::Counts`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn counts(&self) -> Result<Counts, Fault> {
        match self.list(&Query::Counts).await? {
            Rows::Counts(counts) => Ok(counts),
            _ => Err(mismatch()),
        }
    }

    /// [`Query::Jobs`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn jobs(&self, filter: JobFilter) -> Result<Vec<Job>, Fault> {
        match self.list(&Query::Jobs(filter)).await? {
            Rows::Jobs(rows) => Ok(rows),
            _ => Err(mismatch()),
        }
    }

    /// [`Query::JobCounts`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn job_counts(&self) -> Result<Vec<JobCount>, Fault> {
        match self.list(&Query::JobCounts).await? {
            Rows::JobCounts(rows) => Ok(rows),
            _ => Err(mismatch()),
        }
    }

    /// [`Query::Schema`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn schema(&self) -> Result<Option<u32>, Fault> {
        match self.list(&Query::Schema).await? {
            Rows::Schema(schema) => Ok(schema),
            _ => Err(mismatch()),
        }
    }

    /// [`Query::GreatestId`]
    ///
    /// # Errors
    /// Those of [`Store::list`].
    pub async fn greatest_id(&self) -> Result<i64, Fault> {
        match self.list(&Query::GreatestId).await? {
            Rows::GreatestId(id) => Ok(id),
            _ => Err(mismatch()),
        }
    }
}

fn mismatch() -> Fault {
    Fault::Broken { cause: "an answer of another kind than the question".to_owned() }
}
