//! Questions of people who look at many rows, and what they are answered.

use std::sync::Arc;

use protocol::model::{
    Client, ClientKey, Consent, Event, EventKind, Grant, Held, Identity, Personal, SealKey, Session, User, UserKey,
};
use protocol::secret::Digest;
use protocol::time::UnixTime;

use crate::{Fault, Store};

/// A question. Lists are in the order of their ids unless they say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// Clients behind `after`.
    Clients {
        /// Only those that this user registered.
        owner: Option<UserKey>,
        /// The last one seen.
        after: Option<ClientKey>,
        /// At most so many.
        rows_max: usize,
    },
    /// Users behind `after`.
    Users {
        /// The last one seen.
        after: Option<UserKey>,
        /// At most so many.
        rows_max: usize,
    },
    /// The client of this row: one or none.
    Client(ClientKey),
    /// The client with this public identifier: one or none.
    ClientById(String),
    /// The user of this row: one or none.
    User(UserKey),
    /// The user with this `sub`, e-mail address or user name: one or none. Case counts for `sub` alone.
    UserByName(String),
    /// The sessions of a user, the newest first.
    Sessions(UserKey),
    /// The accounts elsewhere that open a user's account, in the order of their names.
    Identities(UserKey),
    /// What a user allowed, by client: remembered consents, and clients that hold a live grant without one.
    Applications {
        /// Whose.
        user: UserKey,
        /// Grants that are dead at this time are not counted.
        now: UnixTime,
    },
    /// Grants, the newest first.
    Grants {
        /// Only this user's.
        user: Option<UserKey>,
        /// Only this client's.
        client: Option<ClientKey>,
        /// Only those that are alive at this time.
        live_at: Option<UnixTime>,
        /// At most so many.
        rows_max: usize,
    },
    /// How many users a client is connected with: those who allowed it something that is remembered, or who have a live
    /// grant with it. 0 for a client that is not there.
    Connected {
        /// Which client.
        client: ClientKey,
        /// Grants that are dead at this time are not counted.
        now: UnixTime,
        /// Counts no further than this.
        users_max: u32,
    },
    /// Personal tokens, the newest first.
    Personals {
        /// Only this user's.
        user: Option<UserKey>,
    },
    /// When the secrets of a client were last used, in the order of their digests
    /// ([`protocol::client::registration::secret_digest`]). A secret that was never used is left out.
    SecretUses(ClientKey),
    /// The sealing keys that may still open something; the last one seals.
    SealKeys,
    /// Audit events: the latest first, or those behind [`EventFilter::after`] in their order.
    Events(EventFilter),
    /// How much there is of everything.
    Counts,
    /// The version of the schema.
    Schema,
    /// The greatest id of any row: new ids begin above it, also when the clock was set back. [`i64::MAX`] if any id is below
    /// zero: ids ran over when they were drawn by a clock that was wrong.
    GreatestId,
}

/// Which audit events are wanted. An event must meet every condition that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Events about this user's account.
    pub user: Option<UserKey>,
    /// Events about this client.
    pub client: Option<ClientKey>,
    /// Events of one of these kinds; of every kind if there are none.
    pub kinds: Vec<EventKind>,
    /// Events from this network address, as the event has it.
    pub address: Option<String>,
    /// Events that happened at this time or later.
    pub since: Option<UnixTime>,
    /// Events with a smaller number: the next page of a list.
    pub before: Option<i64>,
    /// Events with a greater number, the earliest first: what happened since.
    pub after: Option<i64>,
    /// At most so many.
    pub rows_max: usize,
}

/// An audit event in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Its number. Numbers grow; on PostgreSQL an event may become visible shortly after one with a greater number.
    pub id: i64,
    /// The event.
    pub event: Event,
}

/// An answer.
#[derive(Clone, Debug)]
pub enum Rows {
    /// To [`Query::Clients`], [`Query::Client`] and [`Query::ClientById`].
    Clients(Vec<Arc<Client>>),
    /// To [`Query::Users`], [`Query::User`] and [`Query::UserByName`].
    Users(Vec<Arc<User>>),
    /// To [`Query::Sessions`].
    Sessions(Vec<Session>),
    /// To [`Query::Identities`].
    Identities(Vec<Identity>),
    /// To [`Query::Applications`].
    Applications(Vec<Application>),
    /// To [`Query::Grants`].
    Grants(Vec<Held<Grant>>),
    /// To [`Query::Connected`].
    Connected(u32),
    /// To [`Query::Personals`].
    Personals(Vec<Held<Personal>>),
    /// To [`Query::SecretUses`].
    SecretUses(Vec<(Digest, UnixTime)>),
    /// To [`Query::SealKeys`].
    SealKeys(Vec<SealKey>),
    /// To [`Query::Events`].
    Events(Vec<Noted>),
    /// To [`Query::Counts`].
    Counts(Counts),
    /// To [`Query::Schema`]; absent where there is none.
    Schema(Option<u32>),
    /// To [`Query::GreatestId`]; 0 where there are no rows.
    GreatestId(i64),
}

/// A client that may act for a user.
#[derive(Clone, Debug, PartialEq)]
pub struct Application {
    /// The client.
    pub client: Arc<Client>,
    /// What was allowed and is remembered. The operator's own applications are not asked for.
    pub consent: Option<Consent>,
    /// How many grants are alive: neither revoked nor over.
    pub grants_live: u64,
}

/// How much there is of everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// `memory` or `sqlite`.
    pub backend: &'static str,
    /// The version of the schema; absent where there is none.
    pub schema: Option<u32>,
    /// Bytes on disk; absent where there is no file.
    pub file_bytes: Option<u64>,
    /// Of these, bytes that are free for new rows.
    pub free_bytes: Option<u64>,
    /// Rows by table.
    pub rows: Vec<(&'static str, u64)>,
    /// Tables that are too large to be counted: their rows are estimated.
    pub estimated: Vec<&'static str>,
    /// When the oldest and the newest row of a table were made. Tables without rows, those whose rows have no time, and those
    /// that would have to be read as a whole and are too large for that, are left out.
    pub ages: Vec<(&'static str, UnixTime, UnixTime)>,
}

/// [`Store::list`] with the answer's type known.
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
    ) -> Result<Vec<Held<Grant>>, Fault> {
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
    pub async fn personals(&self, user: Option<UserKey>) -> Result<Vec<Held<Personal>>, Fault> {
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
