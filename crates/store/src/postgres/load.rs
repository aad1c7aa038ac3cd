//! Loading the rows that a batch of calls is judged by, in one snapshot. Each statement takes the keys of the whole
//! batch.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::hash::Hash;
use std::sync::Arc;

use protocol::line::{self, Facts, Key, OwnedCounts};
use protocol::model::{
    Access, Attempts, ClientKey, Code, Consent, Grant, Identity, IdentityName, Personal, Session, Ticket, User,
    UserKey, WithOwners,
};
use protocol::names::login_forms;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::error::PostgresError;
use super::link::{Link, Sql};
use super::pins::{Missing, Pins, pin};
use super::row::{self, columns};
use crate::documents::Documents;

const IDS: &[Type] = &[Type::INT8_ARRAY];
const TEXTS: &[Type] = &[Type::TEXT_ARRAY];

macro_rules! sql {
    ($($(#[$doc:meta])* $name:ident = ($($part:expr),*), $types:expr;)*) => {
        $($(#[$doc])* static $name: Sql = Sql { text: concat!($($part),*), types: $types };)*
        /// Every statement of this file.
        pub(super) static STATEMENTS: &[&Sql] = &[$(&$name),*];
    };
}

sql! {
    CODES = ("SELECT ", columns!(code), ", c.version, u.version, g.is_revoked FROM codes AS k \
        LEFT JOIN clients AS c ON c.key = k.client_key LEFT JOIN users AS u ON u.key = k.user_key \
        LEFT JOIN grants AS g ON g.id = k.grant_id WHERE k.id = ANY($1)"), IDS;
    GRANTS = ("SELECT ", columns!(grant), ", c.version, u.version FROM grants AS g \
        LEFT JOIN clients AS c ON c.key = g.client_key LEFT JOIN users AS u ON u.key = g.user_key \
        WHERE g.id = ANY($1)"), IDS;
    GRANTS_OF = ("SELECT ", columns!(grant), ", c.version, u.version, a.id FROM access_tokens AS a \
        JOIN grants AS g ON g.id = a.grant_id LEFT JOIN clients AS c ON c.key = g.client_key \
        LEFT JOIN users AS u ON u.key = g.user_key WHERE a.id = ANY($1)"), IDS;
    ACCESSES = ("SELECT ", columns!(access), ", c.version, u.version, g.is_revoked FROM access_tokens AS a \
        LEFT JOIN clients AS c ON c.key = a.client_key LEFT JOIN users AS u ON u.key = a.user_key \
        LEFT JOIN grants AS g ON g.id = a.grant_id WHERE a.id = ANY($1)"), IDS;
    PERSONALS = ("SELECT ", columns!(personal), ", u.version FROM personal_tokens AS p \
        LEFT JOIN users AS u ON u.key = p.user_key WHERE p.id = ANY($1)"), IDS;
    SESSIONS = ("SELECT ", columns!(session), ", u.version FROM sessions AS s \
        LEFT JOIN users AS u ON u.key = s.user_key WHERE s.id = ANY($1)"), IDS;
    TICKETS = ("SELECT ", columns!(ticket), ", c.version, u.version FROM tickets AS tk \
        LEFT JOIN clients AS c ON c.key = tk.client_key LEFT JOIN users AS u ON u.key = tk.user_key \
        WHERE tk.id = ANY($1)"), IDS;
    IDENTITIES = ("SELECT ", columns!(identity), ", u.version FROM unnest($1::text[], $2::text[]) AS t (issuer, subject) \
        JOIN identities AS i ON i.issuer = t.issuer AND i.subject = t.subject \
        LEFT JOIN users AS u ON u.key = i.user_key"), &[Type::TEXT_ARRAY, Type::TEXT_ARRAY];
    CLIENTS_BY_ID = ("SELECT client_id, key, version FROM clients WHERE client_id = ANY($1)"), TEXTS;
    USERS_BY_LOGIN = ("SELECT username_lower, key, version FROM users WHERE username_lower = ANY($1) \
        UNION ALL SELECT email_lower, key, version FROM users WHERE email_lower = ANY($1)"), TEXTS;
    USERS_BY_SUB = ("SELECT sub, key, version FROM users WHERE sub = ANY($1)"), TEXTS;
    ATTEMPTS = ("SELECT key, failures, resets_at FROM attempts WHERE key = ANY($1)"), &[Type::BYTEA_ARRAY];
    USED_JTIS = ("SELECT jti FROM burned WHERE jti = ANY($1)"), &[Type::BYTEA_ARRAY];
    CONSENTS = ("SELECT ", columns!(consent), " FROM unnest($1::bigint[], $2::bigint[]) AS t (user_key, client_key) \
        JOIN consents AS o ON o.user_key = t.user_key AND o.client_key = t.client_key"),
        &[Type::INT8_ARRAY, Type::INT8_ARRAY];
    CLIENTS_OWNED = ("SELECT owner, count(*) FROM clients WHERE owner = ANY($1) GROUP BY owner"), IDS;
    PERSONALS_OWNED = ("SELECT user_key, count(*) FROM personal_tokens WHERE user_key = ANY($1) GROUP BY user_key"), IDS;
    IDENTITIES_OWNED = ("SELECT user_key, count(*) FROM identities WHERE user_key = ANY($1) GROUP BY user_key"), IDS;
}

/// Begins the snapshot. Each turn sees everything that was committed before its load began.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
pub(super) const END: &str = "COMMIT";

type Version = Option<u32>;

/// Distinct keys in order.
type Keys<T> = BTreeSet<T>;

/// The keys of a batch that are looked up first.
#[derive(Default)]
struct First<'w> {
    clients: Keys<&'w str>,
    codes: Keys<i64>,
    grants: Keys<i64>,
    /// Access tokens whose grants are wanted.
    grants_of: Keys<i64>,
    accesses: Keys<i64>,
    personals: Keys<i64>,
    sessions: Keys<i64>,
    tickets: Keys<i64>,
    identities: Keys<(&'w str, &'w str)>,
    logins: Keys<String>,
    subs: Keys<&'w str>,
    failures: Keys<[u8; 32]>,
    used_jtis: Keys<[u8; 32]>,
    /// True if a second look-up is needed, for rows that depend on an account.
    needs_account: bool,
}

/// The rows that were found, by key.
#[derive(Default)]
struct Found {
    clients: HashMap<String, (ClientKey, u32)>,
    codes: HashMap<i64, (Code, Version, Version, Option<bool>)>,
    grants: HashMap<i64, (Grant, Version, Version)>,
    /// Grants by the ids of access tokens.
    grants_of: HashMap<i64, (Grant, Version, Version)>,
    accesses: HashMap<i64, (Access, Version, Version, Option<bool>)>,
    personals: HashMap<i64, (Personal, Version)>,
    sessions: HashMap<i64, (Session, Version)>,
    tickets: HashMap<i64, (Ticket, Version, Version)>,
    identities: HashMap<IdentityName, (Identity, Version)>,
    logins: HashMap<String, (UserKey, u32)>,
    subs: HashMap<String, (UserKey, u32)>,
    failures: HashMap<[u8; 32], Attempts>,
    used_jtis: Keys<[u8; 32]>,
    consents: HashMap<(i64, i64), Consent>,
    owned_counts: HashMap<i64, OwnedCounts>,
}

/// Loads the wanted rows of a batch of calls.
pub(super) async fn load(link: &Link, documents: &Documents, batch: &mut [Facts]) -> Result<(), PostgresError> {
    let first = First::of(batch);
    if !first.needs_account {
        let found = first.look(link, true).await?;
        let mut pins = Pins::default();
        if found.pin(documents, &mut pins).is_empty() {
            drop(first);
            found.fill(batch, &pins);
            return Ok(());
        }
        // A document is not cached. The rest must be in the same snapshot, so start again inside a transaction.
    }
    link.begin(BEGIN).await?;
    let mut found = first.look(link, false).await?;
    if first.needs_account {
        found.look_again(link, batch).await?;
    }
    let mut pins = Pins::default();
    let missing = found.pin(documents, &mut pins);
    pins.read(link, documents, missing).await?;
    link.simple(END).await?;
    drop(first);
    found.fill(batch, &pins);
    Ok(())
}

/// Returns true if PostgreSQL can store the text. A text with a NUL character is never found.
fn is_text(name: &&str) -> bool {
    !name.contains('\0')
}

impl<'w> First<'w> {
    fn of(batch: &'w [Facts]) -> Self {
        let mut first = Self::default();
        for facts in batch {
            facts.keys().for_each(|key| first.add(key));
            first.needs_account |= facts.needs_account();
        }
        first
    }

    fn add(&mut self, key: &'w Key) {
        match key {
            Key::Client(client_id) => self.clients.extend(Some(client_id.as_str()).filter(is_text)),
            Key::Code(id) => self.codes.extend([id.0]),
            Key::Grant(id) => self.grants.extend([id.0]),
            Key::GrantOf(id) => self.grants_of.extend([id.0]),
            Key::Access(id) => self.accesses.extend([id.0]),
            Key::Personal(id) => self.personals.extend([id.0]),
            Key::Session(id) => self.sessions.extend([id.0]),
            Key::Ticket(id) => self.tickets.extend([id.0]),
            Key::Login(typed) => {
                self.logins.extend(Some(typed.as_str()).filter(is_text).into_iter().flat_map(login_forms));
            }
            Key::Sub(sub) => self.subs.extend(Some(sub.as_str()).filter(is_text)),
            Key::Identity(name) => {
                let pair = (name.issuer.as_str(), name.subject.as_str());
                self.identities.extend(Some(pair).filter(|(issuer, subject)| is_text(issuer) && is_text(subject)));
            }
            Key::UsedJti(jti) => self.used_jtis.extend([jti.0]),
            Key::Failures(counter) => self.failures.extend([counter.0]),
            // These are looked up when the account is known.
            Key::Consent(_) | Key::OwnedCounts => {}
        }
    }

    /// Returns the number of statements that the look-up takes.
    fn statements(&self) -> usize {
        [
            self.clients.is_empty(),
            self.codes.is_empty(),
            self.grants.is_empty(),
            self.grants_of.is_empty(),
            self.accesses.is_empty(),
            self.personals.is_empty(),
            self.sessions.is_empty(),
            self.tickets.is_empty(),
            self.identities.is_empty(),
            self.logins.is_empty(),
            self.subs.is_empty(),
            self.failures.is_empty(),
            self.used_jtis.is_empty(),
        ]
        .into_iter()
        .filter(|is_empty| !is_empty)
        .count()
    }

    /// Looks up all keys in one round trip to the server. `is_all` is true if no second look-up follows. Then several
    /// statements get their own transaction here, and a single statement needs none.
    async fn look(&self, link: &Link, is_all: bool) -> Result<Found, PostgresError> {
        let is_bound = is_all && self.statements() > 1;
        let (issuers, subjects): (Vec<&str>, Vec<&str>) = self.identities.iter().copied().unzip();
        let rows = tokio::try_join!(
            biased;
            when(is_bound, link.begin(BEGIN)),
            some(link, &CLIENTS_BY_ID, &self.clients),
            some(link, &CODES, &self.codes),
            some(link, &GRANTS, &self.grants),
            some(link, &ACCESSES, &self.accesses),
            some(link, &PERSONALS, &self.personals),
            some(link, &SESSIONS, &self.sessions),
            seldom(link, &TICKETS, &self.tickets),
            async {
                if issuers.is_empty() {
                    return Ok(Vec::new());
                }
                link.query(&IDENTITIES, &[&issuers, &subjects]).await
            },
            some(link, &USERS_BY_LOGIN, &self.logins),
            seldom(link, &USERS_BY_SUB, &self.subs),
            seldom(link, &GRANTS_OF, &self.grants_of),
            digests(link, &ATTEMPTS, &self.failures),
            digests(link, &USED_JTIS, &self.used_jtis),
            when(is_bound, link.simple(END)),
        )?;
        let (_, clients, codes, grants, accesses, personals, sessions, tickets, identities, logins, subs, ..) = rows;
        let (.., grants_of, failures, jtis, _) = rows;
        Ok(Found {
            clients: by(&clients, named)?
                .into_iter()
                .map(|(id, (key, version))| (id, (ClientKey(key), version)))
                .collect(),
            codes: by(&codes, |row| {
                let at = row::CODE_WIDTH;
                let read = row::code(row)?;
                Ok((read.id.0, (read, row::version(row, at)?, row::version(row, at + 1)?, row::get(row, at + 2)?)))
            })?,
            grants: by(&grants, |row| versioned_grant(row).map(|read| (read.0.id.0, read)))?,
            grants_of: by(&grants_of, |row| Ok((row::get(row, row::GRANT_WIDTH + 2)?, versioned_grant(row)?)))?,
            accesses: by(&accesses, |row| {
                let at = row::ACCESS_WIDTH;
                let read = row::access(row)?;
                Ok((read.id.0, (read, row::version(row, at)?, row::version(row, at + 1)?, row::get(row, at + 2)?)))
            })?,
            personals: by(&personals, |row| {
                let read = row::personal(row)?;
                Ok((read.id.0, (read, row::version(row, row::PERSONAL_WIDTH)?)))
            })?,
            sessions: by(&sessions, |row| {
                let read = row::session(row)?;
                Ok((read.id.0, (read, row::version(row, row::SESSION_WIDTH)?)))
            })?,
            tickets: by(&tickets, |row| {
                let (read, at) = (row::ticket(row)?, row::TICKET_WIDTH);
                Ok((read.id.0, (read, row::version(row, at)?, row::version(row, at + 1)?)))
            })?,
            identities: by(&identities, |row| {
                let read = row::identity(row)?;
                Ok((read.name.clone(), (read, row::version(row, row::IDENTITY_WIDTH)?)))
            })?,
            logins: users(&logins)?,
            subs: users(&subs)?,
            failures: counters(&failures)?,
            used_jtis: jtis.iter().map(|row| row::digest(row, 0).map(|jti| jti.0)).collect::<Result<_, _>>()?,
            ..Found::default()
        })
    }
}

impl Found {
    /// Looks up the rows that depend on the found accounts.
    async fn look_again(&mut self, link: &Link, batch: &[Facts]) -> Result<(), PostgresError> {
        let (mut attempts, mut consents, mut owners) = (Keys::new(), Keys::new(), Keys::new());
        for facts in batch {
            let account = facts.account_by(|key| self.user(key));
            attempts.extend(facts.counters(account).iter().map(|key| key.0));
            for key in facts.keys() {
                match key {
                    Key::Consent(client_id) => consents.extend(self.consent_key(account, client_id)),
                    Key::OwnedCounts => owners.extend(account.map(|user| user.0)),
                    _ => {}
                }
            }
        }
        let (users, clients): (Vec<i64>, Vec<i64>) = consents.iter().copied().unzip();
        let (attempts, consents, clients_owned, personals_owned, identities_owned) = tokio::try_join!(
            biased;
            digests(link, &ATTEMPTS, &attempts),
            async {
                if users.is_empty() {
                    return Ok(Vec::new());
                }
                link.query(&CONSENTS, &[&users, &clients]).await
            },
            some(link, &CLIENTS_OWNED, &owners),
            some(link, &PERSONALS_OWNED, &owners),
            some(link, &IDENTITIES_OWNED, &owners),
        )?;
        self.failures.extend(counters(&attempts)?);
        self.consents = by(&consents, |row| {
            let read = row::consent(row)?;
            Ok(((read.user.0, read.client.0), read))
        })?;
        self.owned_counts = owners.into_iter().map(|owner| (owner, OwnedCounts::default())).collect();
        for row in &clients_owned {
            self.owned_counts.entry(row::get(row, 0)?).or_default().clients = row::number(row, 1)?;
        }
        for row in &personals_owned {
            self.owned_counts.entry(row::get(row, 0)?).or_default().personals = row::number(row, 1)?;
        }
        for row in &identities_owned {
            self.owned_counts.entry(row::get(row, 0)?).or_default().identities = row::number(row, 1)?;
        }
        Ok(())
    }

    /// Pins the cached documents that are needed. Returns the keys of the others.
    fn pin(&self, documents: &Documents, pins: &mut Pins) -> Missing {
        let mut missing = Missing::default();
        let mut client = |key: ClientKey, version: Version| {
            pin(&documents.clients, &mut pins.clients, &mut missing.clients, key.0, version);
        };
        let mut user = |key: UserKey, version: Version| {
            pin(&documents.users, &mut pins.users, &mut missing.users, key.0, version);
        };
        self.clients.values().for_each(|(key, version)| client(*key, Some(*version)));
        self.logins.values().chain(self.subs.values()).for_each(|(key, version)| user(*key, Some(*version)));
        for (row, client_version, user_version, _) in self.codes.values() {
            client(row.authorization.client, *client_version);
            user(row.authorization.user, *user_version);
        }
        for (row, client_version, user_version) in self.grants.values().chain(self.grants_of.values()) {
            client(row.authorization.client, *client_version);
            user(row.authorization.user, *user_version);
        }
        for (row, client_version, user_version, _) in self.accesses.values() {
            client(row.client, *client_version);
            row.user.into_iter().for_each(|key| user(key, *user_version));
        }
        self.personals.values().for_each(|(row, version)| user(row.user, *version));
        self.sessions.values().for_each(|(row, version)| user(row.user, *version));
        self.identities.values().for_each(|(row, version)| user(row.user, *version));
        for (row, client_version, user_version) in self.tickets.values() {
            row.client.into_iter().for_each(|key| client(key, *client_version));
            row.user.into_iter().for_each(|key| user(key, *user_version));
        }
        missing
    }

    /// Fills the found rows into the facts of each call.
    fn fill(&self, batch: &mut [Facts], pins: &Pins) {
        for facts in batch {
            let Ok(()) = facts.look(|key, so_far| Ok::<_, Infallible>(self.row(key, so_far, pins)));
        }
    }

    /// Returns the row that was found for a key.
    fn row(&self, key: &Key, so_far: &Facts, pins: &Pins) -> line::Row {
        match key {
            Key::Client(client_id) => self.clients.get(client_id).and_then(|(key, _)| pins.client(*key)).into(),
            Key::Code(id) => self.codes.get(&id.0).map(|(row, _, _, revoked)| pins.held_code(row, *revoked)).into(),
            Key::Grant(id) => self.grants.get(&id.0).map(|(row, _, _)| pins.held_grant(row.clone())).into(),
            Key::GrantOf(id) => self.grants_of.get(&id.0).map(|(row, _, _)| pins.held_grant(row.clone())).into(),
            Key::Access(id) => {
                self.accesses.get(&id.0).map(|(row, _, _, revoked)| pins.held_access(row, *revoked)).into()
            }
            Key::Personal(id) => {
                self.personals.get(&id.0).map(|(row, _)| held(pins.user(row.user), row.clone())).into()
            }
            Key::Session(id) => self.sessions.get(&id.0).map(|(row, _)| held(pins.user(row.user), row.clone())).into(),
            Key::Ticket(id) => self.tickets.get(&id.0).map(|(row, _, _)| pins.held_ticket(row)).into(),
            Key::Login(typed) => self.login(typed).and_then(|key| pins.user(key)).into(),
            Key::Sub(sub) => self.subs.get(sub).and_then(|(key, _)| pins.user(*key)).into(),
            Key::Identity(name) => {
                self.identities.get(name).map(|(row, _)| held(pins.user(row.user), row.clone())).into()
            }
            Key::UsedJti(jti) => line::Row::used_jti(self.used_jtis.contains(&jti.0)),
            Key::Failures(counter) => self.failures.get(&counter.0).copied().into(),
            Key::Consent(client_id) => {
                let pair = self.consent_key(so_far.account_by(|key| self.user(key)), client_id);
                pair.and_then(|pair| self.consents.get(&pair)).cloned().into()
            }
            Key::OwnedCounts => {
                let user = so_far.account_by(|key| self.user(key));
                user.and_then(|user| self.owned_counts.get(&user.0)).copied().into()
            }
        }
    }

    /// Returns the user that a key leads to.
    fn user(&self, key: &Key) -> Option<UserKey> {
        match key {
            Key::Session(id) => self.sessions.get(&id.0).map(|(row, _)| row.user),
            Key::Login(typed) => self.login(typed),
            Key::Identity(name) => self.identities.get(name).map(|(row, _)| row.user),
            _ => None,
        }
    }

    fn login(&self, typed: &str) -> Option<UserKey> {
        login_forms(typed).iter().find_map(|form| self.logins.get(form)).map(|(key, _)| *key)
    }

    fn consent_key(&self, account: Option<UserKey>, client_id: &str) -> Option<(i64, i64)> {
        Some((account?.0, self.clients.get(client_id)?.0.0))
    }
}

/// Joins a row with its user, if it depends on no other row.
pub(super) fn held<T>(user: Option<Arc<User>>, row: T) -> WithOwners<T> {
    WithOwners { row, client: None, user, is_grant_revoked: false }
}

async fn when(is_wanted: bool, doing: impl Future<Output = Result<(), PostgresError>>) -> Result<(), PostgresError> {
    if is_wanted { doing.await } else { Ok(()) }
}

async fn some<T: tokio_postgres::types::ToSql + Sync + Clone>(
    link: &Link,
    sql: &'static Sql,
    keys: &Keys<T>,
) -> Result<Vec<Row>, PostgresError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<T> = keys.iter().cloned().collect();
    link.query(sql, &[&keys]).await
}

/// As [`some`], for keys that few calls have. Boxed, so that the others do not carry room for it.
async fn seldom<T: tokio_postgres::types::ToSql + Sync + Clone>(
    link: &Link,
    sql: &'static Sql,
    keys: &Keys<T>,
) -> Result<Vec<Row>, PostgresError> {
    if keys.is_empty() { Ok(Vec::new()) } else { Box::pin(some(link, sql, keys)).await }
}

async fn digests(link: &Link, sql: &'static Sql, keys: &Keys<[u8; 32]>) -> Result<Vec<Row>, PostgresError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<&[u8]> = keys.iter().map(<[u8; 32]>::as_slice).collect();
    link.query(sql, &[&keys]).await
}

fn by<K: Hash + Eq, T>(
    rows: &[Row],
    read: impl Fn(&Row) -> Result<(K, T), PostgresError>,
) -> Result<HashMap<K, T>, PostgresError> {
    rows.iter().map(read).collect()
}

/// A grant, and the versions of its client and its user.
fn versioned_grant(row: &Row) -> Result<(Grant, Version, Version), PostgresError> {
    let at = row::GRANT_WIDTH;
    Ok((row::grant(row)?, row::version(row, at)?, row::version(row, at + 1)?))
}

/// `name, key, version`
fn named(row: &Row) -> Result<(String, (i64, u32)), PostgresError> {
    Ok((row::get(row, 0)?, (row::get(row, 1)?, row::number(row, 2)?)))
}

fn users(rows: &[Row]) -> Result<HashMap<String, (UserKey, u32)>, PostgresError> {
    Ok(by(rows, named)?.into_iter().map(|(name, (key, version))| (name, (UserKey(key), version))).collect())
}

fn counters(rows: &[Row]) -> Result<HashMap<[u8; 32], Attempts>, PostgresError> {
    by(rows, |row| row::attempts(row).map(|(key, attempts)| (key.0, attempts)))
}
