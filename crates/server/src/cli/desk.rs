//! The operator at work: the configuration, the store, and what every command needs of them.

use std::path::Path;
use std::sync::Arc;

use protocol::crypto::entropy::Entropy;
use protocol::crypto::keys::Keys;
use protocol::line::{Call, Facts, Turn};
use protocol::model::{Client, User, UserKey};
use protocol::person::memo::Memo;
use protocol::policy::Policy;
use protocol::refusal::Refusal;
use protocol::time::UnixTime;
use store::{CommitError, Fault, Mode, Pen, Store};

use super::answer::Stop;
use crate::clock::Clock;
use crate::config::{Configuration, suggestion};
use crate::entropy::Source;
use crate::ids::Ids;
use crate::keys;
use crate::plausible::{self, Implausible};

/// Maximum number of attempts at a change. From the second attempt on nobody else writes meanwhile, so more than a few
/// fail only when the store does.
const ATTEMPTS_MAX: u32 = 5;
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

/// By what a judge judges a command.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    policy: &'a Policy,
    keys: Option<&'a Keys>,
    is_clock_checked: bool,
}

impl<'a> Rules<'a> {
    /// The rules of a surface or of the house, for an act that needs no keys.
    #[must_use]
    pub fn of(policy: &'a Policy) -> Self {
        Self { policy, keys: None, is_clock_checked: true }
    }

    /// The same rules, for an act that needs the installation's keys.
    #[must_use]
    pub fn with_keys(self, keys: &'a Keys) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// The same rules, by any clock: for the repair of what a wrong clock left behind.
    #[must_use]
    pub(super) fn by_any_clock(self) -> Self {
        Self { is_clock_checked: false, ..self }
    }
}

/// What is told when a name belongs to somebody else already.
fn taken(name: &str) -> Stop {
    match name {
        store::CLIENT_ID_OF_USER => Stop::no(
            "this client_id is the id of a user: choose another, or else a resource server could take the application for \
             that user (RFC 9068 section 5). See `grantry user list`",
        ),
        store::SUB_OF_CLIENT => Stop::no(
            "this id is the client_id of an application: choose another, or else a resource server could take that \
             application for this user (RFC 9068 section 5). See `grantry client list`",
        ),
        name => {
            let list = if name == "client_id" { "grantry client list" } else { "grantry user list" };
            Stop::no(format!("this {name} is already taken: see `{list}`"))
        }
    }
}

fn wrong_clock(why: Implausible) -> Stop {
    Stop::no(why.to_string())
}

/// The account of the operating system that runs this command: its name, where it has one, and its number.
pub(crate) fn actor() -> String {
    let uid = rustix::process::getuid().as_raw();
    // A system may keep its accounts elsewhere; the number is enough then.
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    });
    name.map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"))
}

impl Desk {
    /// Reads the configuration and opens the store; makes the store where there is none yet.
    ///
    /// # Errors
    /// Everything that is wrong with either.
    pub async fn open(config: &Path) -> Result<Self, Stop> {
        let configuration = super::configuration::configuration(config)?;
        plausible::check_before_making(&Clock::System, &configuration.store_url).map_err(wrong_clock)?;
        let store =
            store::open(&configuration.store_url, Mode::Create).await.map_err(|error| Stop::no(error.to_string()))?;
        keys::verify(&configuration.master, &*store).await.map_err(Stop::no)?;
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
        self.check_clock().await?;
        keys::open(&self.configuration.master, &*self.store).await.map_err(Stop::no)
    }

    /// Asks a judge, by the rules of a surface or of the house, and writes what it decides. When somebody else was faster, the
    /// judge is asked again on the rows as they are now. The second time nobody else writes until the change is made, so the
    /// operator wins against any traffic.
    ///
    /// # Errors
    /// The inner error is the judge's no. The outer one says what is wrong with the clock or with the store.
    pub async fn ask<C: Call>(&self, call: &C, rules: Rules<'_>) -> Result<Result<C::Yes, Refusal>, Stop> {
        if rules.is_clock_checked {
            self.check_clock().await?;
        }
        let (actor, memo) = (actor(), Memo::default());
        // Keys that open nothing and that nobody has: a judge that needs keys is given them.
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
                // Perhaps it took too long: the next attempt has a pen of its own.
                Err(CommitError::Fault(Fault::Unavailable { .. })) if pen.is_some() && attempt < ATTEMPTS_MAX => {
                    pen = None;
                }
                Err(CommitError::Fault(fault)) => return Err(fault.into()),
            }
        }
        Err(Stop::no("others keep changing the same rows; try again"))
    }

    /// The exclusive right to write, where the store has such a thing.
    async fn pen(&self) -> Result<Option<Box<dyn Pen>>, Stop> {
        match self.store.pen().await {
            Ok(pen) => Ok(Some(pen)),
            Err(Fault::Unsupported(_)) => Ok(None),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Randomness, for what is not written to the store. Its ids belong to nobody.
    #[must_use]
    pub fn entropy(&self) -> Entropy {
        Entropy::seeded(Source::System.draw(), 0)
    }

    /// Checks that the clock can be right, before something is written.
    ///
    /// # Errors
    /// Why it cannot be right, or what the store says.
    pub async fn check_clock(&self) -> Result<(), Stop> {
        plausible::check_start(&self.clock, self.store.greatest_id().await?).map_err(wrong_clock)
    }

    /// Checks that the clock can be right, whatever is in the store.
    ///
    /// # Errors
    /// Why it cannot be right.
    pub(super) fn check_clock_alone(&self) -> Result<(), Stop> {
        plausible::check_start(&self.clock, 0).map_err(wrong_clock)
    }

    /// Randomness and ids for one turn. The ids are above all that were handed out until now: what is revoked below one of
    /// them is everything. So they are of the next millisecond, because other processes hand out ids in this one as well.
    fn draw_ids(&self) -> Result<Entropy, Stop> {
        let first = self.ids.reserve(self.clock.now_ms() + 1).map_err(wrong_clock)?;
        Ok(Entropy::seeded(Source::System.draw(), first))
    }

    /// The rules of what belongs to no surface, such as people and their second factors.
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
