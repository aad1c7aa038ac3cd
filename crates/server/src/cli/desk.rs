//! The operator at work: the configuration, the store, and what every command needs of them.

use std::path::Path;
use std::sync::Arc;

use protocol::keys::Keys;
use protocol::model::{Client, ClientKey, Event, EventKind, User, UserKey};
use protocol::time::UnixTime;
use protocol::turn::{Change, Entropy};
use store::{CommitError, Mode, Store};

use super::answer::Stop;
use crate::clock::Clock;
use crate::config::{Configuration, suggestion};
use crate::entropy::Source;
use crate::ids::Ids;
use crate::keys;

/// How often a change is made anew because others changed the same rows first.
const ATTEMPTS_MAX: u32 = 10;
/// Rows of a page when everything is listed.
const PAGE_ROWS: usize = 500;

/// An opened store, and the rules of the installation.
pub struct Desk {
    /// What the operator configured.
    pub configuration: Configuration,
    /// Where the rows are.
    pub store: Arc<dyn Store>,
    clock: Clock,
    ids: Ids,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("configuration", &self.configuration).finish_non_exhaustive()
    }
}

/// A change that is being made.
#[derive(Debug)]
pub struct Draft {
    /// What time it is.
    pub now: UnixTime,
    /// Randomness and ids.
    pub entropy: Entropy,
    /// An id above all that were handed out until now: what is revoked below it is everything.
    pub revoked_below: i64,
    changes: Vec<Change>,
}

impl Draft {
    /// Decides a change.
    pub fn change(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Notes for the auditor what the operator did.
    pub fn note(&mut self, kind: EventKind, user: Option<UserKey>, client: Option<ClientKey>, detail: &str) {
        let event = Event { at: self.now, kind, user, client, address: String::new(), detail: detail.to_owned() };
        self.change(Change::Note(event));
    }
}

impl Desk {
    /// Reads the configuration and opens the store; makes the store where there is none yet.
    ///
    /// # Errors
    /// Everything that is wrong with either.
    pub async fn open(config: &Path) -> Result<Self, Stop> {
        let configuration = super::configuration(config)?;
        let store =
            store::open(&configuration.store_url, Mode::Create).await.map_err(|error| Stop::no(error.to_string()))?;
        Ok(Self::new(configuration, store))
    }

    /// A desk at a store that is open already.
    #[must_use]
    pub fn new(configuration: Configuration, store: Arc<dyn Store>) -> Self {
        let node = Source::System.draw();
        Self { configuration, store, clock: Clock::System, ids: Ids::new(u16::from_be_bytes([node[0], node[1]]), 0) }
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// The installation's keys; made where there are none yet.
    ///
    /// # Errors
    /// When they cannot be read or made.
    pub async fn keys(&self) -> Result<Keys, Stop> {
        keys::open(&self.configuration.master, &*self.store).await.map_err(Stop::no)
    }

    /// Makes a change: `draft` looks at the rows and decides, and is asked again when somebody else was faster.
    ///
    /// # Errors
    /// What `draft` says, or what the store says.
    pub async fn change<T>(&self, mut draft: impl AsyncFnMut(&mut Draft) -> Result<T, Stop>) -> Result<T, Stop> {
        for _ in 0..ATTEMPTS_MAX {
            let mut own = self.draft();
            let outcome = draft(&mut own).await?;
            if own.changes.is_empty() {
                return Ok(outcome);
            }
            match self.store.commit(own.changes).await {
                Ok(()) => return Ok(outcome),
                Err(CommitError::Lost) => {}
                Err(CommitError::Behind(id)) => self.ids.lift(id),
                Err(CommitError::Taken(store::CLIENT_ID_OF_USER)) => {
                    return Err(Stop::no(
                        "this client_id is the id of a user: choose another, or else a resource server could take the \
                         application for that user (RFC 9068 section 5). See `grantry user list`",
                    ));
                }
                Err(CommitError::Taken(store::SUB_OF_CLIENT)) => {
                    return Err(Stop::no(
                        "this id is the client_id of an application: choose another, or else a resource server could take \
                         that application for this user (RFC 9068 section 5). See `grantry client list`",
                    ));
                }
                Err(CommitError::Taken(name)) => {
                    let list = if name == "client_id" { "grantry client list" } else { "grantry user list" };
                    return Err(Stop::no(format!("this {name} is already taken: see `{list}`")));
                }
                Err(CommitError::Fault(fault)) => return Err(fault.into()),
            }
        }
        Err(Stop::no("others keep changing the same rows; try again"))
    }

    /// Randomness, and ids that nobody else has.
    #[must_use]
    pub fn entropy(&self) -> Entropy {
        Entropy::seeded(Source::System.draw(), self.ids.reserve(self.clock.now_ms()))
    }

    fn draft(&self) -> Draft {
        // In the next millisecond: other processes hand out ids in this one as well.
        let revoked_below = self.ids.reserve(self.clock.now_ms() + 1);
        let entropy = self.entropy();
        Draft { now: self.clock.now(), entropy, revoked_below, changes: Vec::new() }
    }

    /// The user that the operator means: an id, an e-mail address or a user name.
    ///
    /// # Errors
    /// When there is none.
    pub async fn user(&self, name: &str) -> Result<Arc<User>, Stop> {
        let found = self.store.user_by_name(name.trim()).await?;
        found.ok_or_else(|| Stop::no(format!("no user `{name}`: see `grantry user list`")))
    }

    /// The client with this `client_id`.
    ///
    /// # Errors
    /// When there is none.
    pub async fn client(&self, client_id: &str) -> Result<Arc<Client>, Stop> {
        let found = self.store.client_by_id(client_id.trim()).await?;
        found.ok_or_else(|| Stop::no(format!("no client `{client_id}`: see `grantry client list`")))
    }

    /// All users, in the order in which they were added.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn users(&self) -> Result<Vec<Arc<User>>, Stop> {
        let mut all: Vec<Arc<User>> = Vec::new();
        loop {
            let page = self.store.users(all.last().map(|user| user.key), PAGE_ROWS).await?;
            let is_last = page.len() < PAGE_ROWS;
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// All clients, in the order in which they were added.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn clients(&self, owner: Option<UserKey>) -> Result<Vec<Arc<Client>>, Stop> {
        let mut all: Vec<Arc<Client>> = Vec::new();
        loop {
            let page = self.store.clients(owner, all.last().map(|client| client.key), PAGE_ROWS).await?;
            let is_last = page.len() < PAGE_ROWS;
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// The dialect that the operator means; without a name the standard one, or the only one.
    ///
    /// # Errors
    /// When it is not switched on, or when one must be named.
    pub fn dialect(&self, name: Option<&str>) -> Result<&::dialect::Dialect, Stop> {
        let dialects = &self.configuration.dialects;
        let names = || dialects.iter().map(|own| own.name.as_str());
        let name = match name {
            Some(name) => name,
            None if names().any(|own| own == "standard") => "standard",
            None if names().count() == 1 => names().next().unwrap_or_default(),
            None => {
                let names: Vec<&str> = names().collect();
                return Err(Stop::usage(format!("say which dialect: --dialect {}", names.join("|"))));
            }
        };
        dialects.named(name).ok_or_else(|| {
            let near = suggestion(name, names());
            Stop::no(format!("the dialect `{name}` is not switched on{near}. `dialects.enable` lists those that are"))
        })
    }
}
