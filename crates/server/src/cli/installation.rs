//! The state that commands share: configuration, store, clock and ids.

use std::path::Path;
use std::sync::Arc;

use protocol::crypto::entropy::Entropy;
use protocol::crypto::keys::Keys;
use protocol::line::{Call, Facts, Turn, Write};
use protocol::model::{Client, Event, EventKind, User, UserKey};
use protocol::person::memo::Memo;
use protocol::policy::Policy;
use protocol::refusal::Refusal;
use protocol::time::UnixTime;
use store::{CommitError, Fault, Mode, Pen, Store};

use super::answer::CommandError;
use crate::clock::Clock;
use crate::config::{Configuration, suggestion};
use crate::entropy::Source;
use crate::ids::Ids;
use crate::keys;
use crate::plausible::{self, Implausible};

/// Maximum number of attempts at a change. From the second attempt on, the command has the exclusive right to write, so
/// more than a few attempts fail only if the store fails.
const ATTEMPTS_MAX: u32 = 5;
/// Number of rows that are read at once when everything is listed.
const PAGE_ROWS: usize = 500;

/// An open store with the configuration, for commands.
pub struct Installation {
    /// The resolved configuration.
    pub configuration: Configuration,
    /// The database that holds all persistent state.
    pub store: Arc<dyn Store>,
    clock: Clock,
    ids: Ids,
}

impl std::fmt::Debug for Installation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Installation").field("configuration", &self.configuration).finish_non_exhaustive()
    }
}

/// What a judge needs for a command, apart from rows: the policy, and the keys if it uses them.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    policy: &'a Policy,
    keys: Option<&'a Keys>,
    is_clock_checked: bool,
}

impl<'a> Rules<'a> {
    /// Judges by this policy, without keys.
    #[must_use]
    pub fn of(policy: &'a Policy) -> Self {
        Self { policy, keys: None, is_clock_checked: true }
    }

    /// The same rules with the keys of the installation.
    #[must_use]
    pub fn with_keys(self, keys: &'a Keys) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// The same rules without a check of the clock, for the repair of rows that a wrong clock wrote.
    #[must_use]
    pub(super) fn by_any_clock(self) -> Self {
        Self { is_clock_checked: false, ..self }
    }
}

/// Returns the error for a name that another user or client has.
fn taken(name: &str) -> CommandError {
    match name {
        store::CLIENT_ID_OF_USER => CommandError::no(
            "this client_id is the id of a user: choose another, or else a resource server could take the application for \
             that user (RFC 9068 section 5). See `grantry user list`",
        ),
        store::SUB_OF_CLIENT => CommandError::no(
            "this id is the client_id of an application: choose another, or else a resource server could take that \
             application for this user (RFC 9068 section 5). See `grantry client list`",
        ),
        name => {
            let list = if name == "client_id" { "grantry client list" } else { "grantry user list" };
            CommandError::no(format!("this {name} is already taken: see `{list}`"))
        }
    }
}

fn wrong_clock(why: Implausible) -> CommandError {
    CommandError::no(why.to_string())
}

/// Returns the operating system's account that runs this command: its name, if known, and its number.
pub(crate) fn actor() -> String {
    let uid = rustix::process::getuid().as_raw();
    // Some systems keep accounts outside of this file. The number is enough then.
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    });
    name.map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"))
}

/// Notes in `store` what the operator did, and who it was.
///
/// # Errors
/// What the store says.
pub(super) async fn note(
    store: &dyn Store,
    kind: EventKind,
    detail: impl Into<String>,
    now: UnixTime,
) -> Result<(), CommandError> {
    let (address, detail, actor) = (String::new(), detail.into(), Some(actor()));
    let event = Event { at: now, kind, user: None, client: None, address, detail, actor };
    store.commit(Write::Note(event).into()).await.map_err(|error| CommandError::no(error.to_string()))
}

impl Installation {
    /// Loads the configuration and opens the store. Creates the store if there is none.
    ///
    /// # Errors
    /// All problems of the configuration, or the problem of the store.
    pub async fn open(config: &Path) -> Result<Self, CommandError> {
        let configuration = super::configuration::configuration(config)?;
        plausible::check_before_making(&Clock::System, &configuration.store_url).map_err(wrong_clock)?;
        let store = store::open(&configuration.store_url, Mode::Create)
            .await
            .map_err(|error| CommandError::no(error.to_string()))?;
        keys::verify(&configuration.master, &*store).await.map_err(CommandError::no)?;
        Ok(Self::new(configuration, store))
    }

    /// An installation with a store that is already open.
    #[must_use]
    pub fn new(configuration: Configuration, store: Arc<dyn Store>) -> Self {
        let node = Source::System.draw();
        Self { configuration, store, clock: Clock::System, ids: Ids::new(u16::from_be_bytes([node[0], node[1]]), 0) }
    }

    /// Returns the current time.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// Returns the keys of the installation. Makes them if there are none.
    ///
    /// # Errors
    /// If the keys cannot be read or made.
    pub async fn keys(&self) -> Result<Keys, CommandError> {
        self.check_clock().await?;
        keys::open(&self.configuration.master, &*self.store).await.map_err(CommandError::no)
    }

    /// Judges a command and commits what is decided. If a concurrent write invalidates a precondition, the command is
    /// judged again on fresh rows. From then on it has the exclusive right to write, so it cannot lose again.
    ///
    /// # Errors
    /// The inner error is the judge's refusal. The outer error is a problem of the clock or the store.
    pub async fn ask<C: Call>(&self, call: &C, rules: Rules<'_>) -> Result<Result<C::Yes, Refusal>, CommandError> {
        if rules.is_clock_checked {
            self.check_clock().await?;
        }
        let (actor, memo) = (actor(), Memo::default());
        // Random keys for judges that use none.
        let strangers = Keys::derive(&Source::System.draw(), &[]);
        let keys = rules.keys.unwrap_or(&strangers);
        let mut pen: Option<Box<dyn Pen>> = None;
        for attempt in 1..=ATTEMPTS_MAX {
            if attempt > 1 && pen.is_none() {
                pen = self.pen().await?;
            }
            let wants = call.wants();
            let facts = if wants.is_empty() { Facts::default() } else { self.store.load(wants).await? };
            let turn = Turn::new(self.clock.now(), rules.policy, keys, self.draw_ids()?, "");
            let mut turn = turn.by(&actor).with_memo(&memo);
            let verdict = call.decide(&facts, &mut turn);
            let changes = turn.into_changes();
            if changes.is_empty() {
                return Ok(verdict);
            }
            let written = match &mut pen {
                Some(pen) => pen.commit(changes).await,
                None => self.store.commit(changes).await,
            };
            match written {
                Ok(()) => return Ok(verdict),
                Err(CommitError::Lost) => {}
                Err(CommitError::Behind(id)) => self.ids.lift(id, self.clock.now_ms()).map_err(wrong_clock)?,
                Err(CommitError::Taken(name)) => return Err(taken(name)),
                // The right to write may have timed out. The next attempt asks for it again.
                Err(CommitError::Fault(Fault::Unavailable { .. })) if pen.is_some() && attempt < ATTEMPTS_MAX => {
                    pen = None;
                }
                Err(CommitError::Fault(fault)) => return Err(fault.into()),
            }
        }
        Err(CommandError::no("others keep changing the same rows; try again"))
    }

    /// Notes what the operator did beside the judges, and who it was.
    ///
    /// # Errors
    /// What the store says. What was done is done all the same.
    pub async fn note(&self, kind: EventKind, detail: impl Into<String>) -> Result<(), CommandError> {
        note(&*self.store, kind, detail, self.now()).await
    }

    /// Returns the exclusive right to write; `None` if the store has no such right.
    async fn pen(&self) -> Result<Option<Box<dyn Pen>>, CommandError> {
        match self.store.pen().await {
            Ok(pen) => Ok(Some(pen)),
            Err(Fault::Unsupported(_)) => Ok(None),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Returns a source of random bytes for use outside of a turn. Its row ids are not reserved and must not be
    /// written.
    #[must_use]
    pub fn entropy(&self) -> Entropy {
        Entropy::seeded(Source::System.draw(), 0)
    }

    /// Checks that the clock is plausible, also compared with the ids in the store.
    ///
    /// # Errors
    /// The reason why the clock is not plausible, or the problem of the store.
    pub async fn check_clock(&self) -> Result<(), CommandError> {
        plausible::check_start(&self.clock, self.store.greatest_id().await?).map_err(wrong_clock)
    }

    /// Checks that the clock is plausible, without looking at the store.
    ///
    /// # Errors
    /// The reason why the clock is not plausible.
    pub(super) fn check_clock_alone(&self) -> Result<(), CommandError> {
        plausible::check_start(&self.clock, 0).map_err(wrong_clock)
    }

    /// Returns a source of random bytes and row ids for one turn. The ids must be greater than all ids so far, because
    /// a revocation covers everything below an id. Other processes draw ids in the current millisecond, so these belong
    /// to the next one.
    fn draw_ids(&self) -> Result<Entropy, CommandError> {
        let first = self.ids.reserve(self.clock.now_ms() + 1).map_err(wrong_clock)?;
        Ok(Entropy::seeded(Source::System.draw(), first))
    }

    /// Returns the policy for what belongs to no surface, such as users and their second factors.
    #[must_use]
    pub fn house_policy(&self) -> Policy {
        let Configuration { settings, policies, .. } = &self.configuration;
        Policy {
            issuer_name: settings.brand.name.clone(),
            reserved_names: Arc::clone(&settings.reserved_names),
            otp_digits: self.configuration.otp_digits(),
            is_password_taken: Policy::is_password_taken_by(policies),
            ..Policy::standard(&settings.issuer)
        }
    }

    /// Returns the user with this id, e-mail address or user name.
    ///
    /// # Errors
    /// If there is none.
    pub async fn user(&self, name: &str) -> Result<Arc<User>, CommandError> {
        let found = self.store.user_by_name(name.trim()).await?;
        found.ok_or_else(|| CommandError::no(format!("no user `{name}`: see `grantry user list`")))
    }

    /// Returns the client with this `client_id`.
    ///
    /// # Errors
    /// If there is none.
    pub async fn client(&self, client_id: &str) -> Result<Arc<Client>, CommandError> {
        let found = self.store.client_by_id(client_id.trim()).await?;
        found.ok_or_else(|| CommandError::no(format!("no client `{client_id}`: see `grantry client list`")))
    }

    /// Returns all users, in the order in which they were added.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn users(&self) -> Result<Vec<Arc<User>>, CommandError> {
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

    /// Returns all clients, or those of one owner, in the order in which they were added.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn clients(&self, owner: Option<UserKey>) -> Result<Vec<Arc<Client>>, CommandError> {
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

    /// Returns the dialect with this name; without a name the standard one, or the only one.
    ///
    /// # Errors
    /// If the dialect is not enabled, or if one must be named.
    pub fn dialect(&self, name: Option<&str>) -> Result<&::dialect::Dialect, CommandError> {
        let dialects = &self.configuration.dialects;
        let names = || dialects.iter().map(|own| own.name.as_str());
        let name = match name {
            Some(name) => name,
            None if names().any(|own| own == "standard") => "standard",
            None if names().count() == 1 => names().next().unwrap_or_default(),
            None => {
                let names: Vec<&str> = names().collect();
                return Err(CommandError::usage(format!("say which dialect: --dialect {}", names.join("|"))));
            }
        };
        dialects.named(name).ok_or_else(|| {
            let near = suggestion(name, names());
            CommandError::no(format!(
                "the dialect `{name}` is not switched on{near}. `dialects.enable` lists those that are"
            ))
        })
    }
}
