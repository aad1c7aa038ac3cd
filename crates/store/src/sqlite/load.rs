//! Loading the rows that one call is judged by, in one snapshot.

use std::sync::{Arc, LazyLock};

use protocol::line::{Facts, Key, OwnedCounts, Row as Found, Wants};
use protocol::model::{
    Access, AccessId, Attempts, Client, ClientKey, Code, CodeId, Consent, Grant, Identity, IdentityName, Personal,
    PersonalId, Session, SessionId, Ticket, TicketId, User, UserKey, WithOwners,
};
use protocol::names::login_forms;
use protocol::secret::Digest;
use rusqlite::{Connection, OptionalExtension, Row};

use super::document::View;
use super::error::SqliteError;
use super::row;
use crate::documents::Documents;
use crate::rows::table::described;

macro_rules! held {
    ($name:ident = $columns:ident, $rest:literal) => {
        static $name: LazyLock<String> = LazyLock::new(|| format!(concat!("SELECT {}, ", $rest), row::$columns));
    };
}

held!(
    CODE = CODE,
    "c.version, u.version, g.is_revoked FROM codes AS k \
    LEFT JOIN clients AS c ON c.key = k.client LEFT JOIN users AS u ON u.key = k.user \
    LEFT JOIN grants AS g ON g.id = k.grant_id WHERE k.id = ?1"
);
held!(
    GRANT = GRANT,
    "c.version, u.version FROM grants AS g \
    LEFT JOIN clients AS c ON c.key = g.client LEFT JOIN users AS u ON u.key = g.user WHERE g.id = ?1"
);
held!(
    GRANT_OF = GRANT,
    "c.version, u.version FROM access_tokens AS a JOIN grants AS g ON g.id = a.grant_id \
    LEFT JOIN clients AS c ON c.key = g.client LEFT JOIN users AS u ON u.key = g.user WHERE a.id = ?1"
);
held!(
    ACCESS = ACCESS,
    "c.version, u.version, g.is_revoked FROM access_tokens AS a \
    LEFT JOIN clients AS c ON c.key = a.client LEFT JOIN users AS u ON u.key = a.user \
    LEFT JOIN grants AS g ON g.id = a.grant_id WHERE a.id = ?1"
);
// A client that introspects an access token is the most frequent call. One statement finds both rows, so it needs no
// transaction.
held!(
    ACCESS_AND_CALLER = ACCESS,
    "c.version, u.version, g.is_revoked, w.key, w.version FROM clients AS w \
    LEFT JOIN access_tokens AS a ON a.id = ?1 \
    LEFT JOIN clients AS c ON c.key = a.client LEFT JOIN users AS u ON u.key = a.user \
    LEFT JOIN grants AS g ON g.id = a.grant_id WHERE w.client_id = ?2"
);
held!(
    PERSONAL = PERSONAL,
    "u.version FROM personal_tokens AS p \
    LEFT JOIN users AS u ON u.key = p.user WHERE p.id = ?1"
);
held!(SESSION = SESSION, "u.version FROM sessions AS s LEFT JOIN users AS u ON u.key = s.user WHERE s.id = ?1");
held!(
    TICKET = TICKET,
    "c.version, u.version FROM tickets AS tk \
    LEFT JOIN clients AS c ON c.key = tk.client LEFT JOIN users AS u ON u.key = tk.user WHERE tk.id = ?1"
);

held!(
    IDENTITY = IDENTITY,
    "u.version FROM identities AS i \
    LEFT JOIN users AS u ON u.key = i.user WHERE i.issuer = ?1 AND i.subject = ?2"
);

const CLIENT_BY_ID: &str = "SELECT key, version FROM clients WHERE client_id = ?1";
const USER_BY_LOGIN: &str = "SELECT key, version FROM users WHERE username_lower = ?1 \
    UNION ALL SELECT key, version FROM users WHERE email_lower = ?1 LIMIT 1";
const USER_BY_SUB: &str = "SELECT key, version FROM users WHERE sub = ?1";
const USED_JTI: &str = "SELECT 1 FROM burned WHERE jti = ?1";
const ATTEMPTS: &str = "SELECT failures, resets_at FROM attempts WHERE key = ?1";
const CONSENT: &str =
    concat!("SELECT ", described!(sqlite_list!(consent)), " FROM consents AS o WHERE o.user = ?1 AND o.client = ?2");

/// A client, and the access token that it introspects.
type AccessAndCaller = (Option<Arc<Client>>, Option<WithOwners<Access>>);

/// Every statement of this file, for the test that checks SQLite's query plans.
#[cfg(test)]
pub(super) fn statements_all() -> [&'static str; 18] {
    [
        &CODE,
        &GRANT,
        &GRANT_OF,
        &ACCESS,
        &ACCESS_AND_CALLER,
        &PERSONAL,
        &SESSION,
        &TICKET,
        &IDENTITY,
        CLIENT_BY_ID,
        USER_BY_LOGIN,
        USER_BY_SUB,
        USED_JTI,
        ATTEMPTS,
        CONSENT,
        super::CLIENTS_OWNED,
        super::PERSONALS_OWNED,
        super::IDENTITIES_OWNED,
    ]
}

/// Loads the wanted rows. If one statement is enough, it needs no transaction, because a statement sees a single
/// snapshot. Otherwise a transaction covers all statements.
pub(super) fn load(connection: &Connection, documents: &Documents, wants: Wants) -> Result<Facts, SqliteError> {
    let mut facts = Facts::of(wants);
    let view = View { connection, documents, is_snapshot: !connection.is_autocommit() };
    match load_at_once(view, &mut facts) {
        Ok(true) => return Ok(facts),
        Ok(false) | Err(SqliteError::Missed) => {}
        Err(stop) => return Err(stop),
    }
    let view = View { is_snapshot: true, ..view };
    in_snapshot(connection, || facts.look(|key, so_far| view.row(key, so_far)))?;
    Ok(facts)
}

/// Loads rows that one statement can find; inside of a snapshot, all wanted rows. Returns false if a snapshot is
/// needed.
fn load_at_once(view: View<'_>, facts: &mut Facts) -> Result<bool, SqliteError> {
    let mut keys = facts.keys();
    match (keys.next(), keys.next(), keys.next()) {
        (Some(Key::Client(client_id)), Some(Key::Access(id)), None)
        | (Some(Key::Access(id)), Some(Key::Client(client_id)), None)
            if !facts.needs_account() =>
        {
            let (mut caller, mut access) = view.access_and_caller(*id, client_id)?;
            drop(keys);
            facts.look(|key, _| {
                Ok::<_, SqliteError>(if matches!(key, Key::Client(_)) {
                    caller.take().into()
                } else {
                    access.take().into()
                })
            })?;
        }
        // The forms of a name are searched one after the other, which takes several statements.
        (Some(Key::Login(_)), None, _) | (_, Some(_), _) if !view.is_snapshot => return Ok(false),
        _ if facts.needs_account() && !view.is_snapshot => return Ok(false),
        _ => {
            drop(keys);
            facts.look(|key, so_far| view.row(key, so_far))?;
        }
    }
    Ok(true)
}

/// Runs `read` in one snapshot, so that all its statements see the same rows. Uses the snapshot that the connection
/// keeps, if there is one.
pub(super) fn in_snapshot<T>(
    connection: &Connection,
    read: impl FnOnce() -> Result<T, SqliteError>,
) -> Result<T, SqliteError> {
    if !connection.is_autocommit() {
        return read();
    }
    connection.prepare_cached("BEGIN DEFERRED")?.execute([])?;
    let found = read();
    // Nothing was written, so an error at the end loses nothing. But a transaction that stays open would keep this
    // connection at an old snapshot.
    let ended = connection.prepare_cached("COMMIT")?.execute([]);
    let found = found?;
    ended?;
    Ok(found)
}

impl View<'_> {
    /// Finds the row of a key.
    fn row(&self, key: &Key, so_far: &Facts) -> Result<Found, SqliteError> {
        Ok(match key {
            Key::Client(client_id) => self.client_by_id(client_id)?.into(),
            Key::Code(id) => self.code(*id)?.into(),
            Key::Grant(id) => self.grant(&GRANT, id.0)?.into(),
            Key::GrantOf(id) => self.grant(&GRANT_OF, id.0)?.into(),
            Key::Access(id) => self.access(*id)?.into(),
            Key::Personal(id) => self.personal(*id)?.into(),
            Key::Session(id) => self.session(*id)?.into(),
            Key::Ticket(id) => self.ticket(*id)?.into(),
            Key::Login(typed) => self.user_by_login(typed)?.into(),
            Key::Sub(sub) => self.user_by_sub(sub)?.into(),
            Key::Identity(name) => self.identity(name)?.into(),
            Key::UsedJti(jti) => Found::used_jti(self.is_jti_used(*jti)?),
            Key::Failures(counter) => self.failures(*counter)?.into(),
            Key::Consent(client_id) => match (so_far.account(), so_far.client(client_id)) {
                (Some(user), Some(client)) => self.consent(user, client.key)?.into(),
                _ => Found::Absent,
            },
            Key::OwnedCounts => match so_far.account() {
                Some(user) => Some(self.owned_counts(user)?).into(),
                None => Found::Absent,
            },
        })
    }

    /// Returns the client with this public identifier.
    pub(super) fn client_by_id(&self, client_id: &str) -> Result<Option<Arc<Client>>, SqliteError> {
        let found = self
            .connection
            .prepare_cached(CLIENT_BY_ID)?
            .query_row([client_id], |row| Ok((ClientKey(row.get(0)?), row.get(1)?)))
            .optional()?;
        found.map_or(Ok(None), |(key, version)| self.client(key, Some(version)))
    }

    /// Returns the user with this e-mail address or user name.
    pub(super) fn user_by_login(&self, typed: &str) -> Result<Option<Arc<User>>, SqliteError> {
        for form in login_forms(typed) {
            if let Some(user) = self.user_where(USER_BY_LOGIN, &form)? {
                return Ok(Some(user));
            }
        }
        Ok(None)
    }

    /// Returns the user with this public identifier.
    pub(super) fn user_by_sub(&self, sub: &str) -> Result<Option<Arc<User>>, SqliteError> {
        self.user_where(USER_BY_SUB, sub)
    }

    fn user_where(&self, sql: &'static str, name: &str) -> Result<Option<Arc<User>>, SqliteError> {
        let found = self
            .connection
            .prepare_cached(sql)?
            .query_row([name], |row| Ok((UserKey(row.get(0)?), row.get(1)?)))
            .optional()?;
        found.map_or(Ok(None), |(key, version)| self.user(key, Some(version)))
    }

    fn code(&self, id: CodeId) -> Result<Option<WithOwners<Code>>, SqliteError> {
        let found = self.one(&CODE, id.0, |row| {
            let at = row::CODE_WIDTH;
            Ok((row::code(row)?, row.get(at)?, row.get(at + 1)?, row.get::<_, Option<bool>>(at + 2)?))
        })?;
        let Some((row, client, user, is_revoked)) = found else { return Ok(None) };
        let (client, user) = (self.client(row.authorization.client, client)?, self.user(row.authorization.user, user)?);
        // The grant begins when the code is redeemed, so a missing grant does not count as revoked.
        Ok(Some(WithOwners { row, client, user, is_grant_revoked: is_revoked == Some(true) }))
    }

    fn grant(&self, statement: &'static str, id: i64) -> Result<Option<WithOwners<Grant>>, SqliteError> {
        let found = self.one(statement, id, |row| {
            Ok((row::grant(row)?, row.get(row::GRANT_WIDTH)?, row.get(row::GRANT_WIDTH + 1)?))
        })?;
        found.map(|(row, client, user)| self.held_grant(row, client, user)).transpose()
    }

    /// Joins a grant with its client and user, which have these versions.
    pub(super) fn held_grant(
        &self,
        row: Grant,
        client: Option<u32>,
        user: Option<u32>,
    ) -> Result<WithOwners<Grant>, SqliteError> {
        let (client, user) = (self.client(row.authorization.client, client)?, self.user(row.authorization.user, user)?);
        let is_grant_revoked = row.is_revoked;
        Ok(WithOwners { row, client, user, is_grant_revoked })
    }

    fn access(&self, id: AccessId) -> Result<Option<WithOwners<Access>>, SqliteError> {
        let found = self.one(&ACCESS, id.0, |row| {
            let at = row::ACCESS_WIDTH;
            Ok((row::access(row)?, row.get(at)?, row.get(at + 1)?, row.get::<_, Option<bool>>(at + 2)?))
        })?;
        found.map(|(row, client, user, revoked)| self.held_access(row, client, user, revoked)).transpose()
    }

    /// Joins an access token with its client and user, which have these versions.
    fn held_access(
        &self,
        row: Access,
        client: Option<u32>,
        user: Option<u32>,
        is_revoked: Option<bool>,
    ) -> Result<WithOwners<Access>, SqliteError> {
        let client = self.client(row.client, client)?;
        let user = row.user.map_or(Ok(None), |key| self.user(key, user))?;
        let is_grant_revoked = row.grant.is_some() && is_revoked != Some(false);
        Ok(WithOwners { row, client, user, is_grant_revoked })
    }

    fn access_and_caller(&self, id: AccessId, client_id: &str) -> Result<AccessAndCaller, SqliteError> {
        let mut statement = self.connection.prepare_cached(&ACCESS_AND_CALLER)?;
        let found = statement.query_row((id.0, client_id), |row| {
            let at = row::ACCESS_WIDTH;
            let held = match row.get::<_, Option<i64>>(0)? {
                Some(_) => Some((row::access(row)?, row.get(at)?, row.get(at + 1)?, row.get(at + 2)?)),
                None => None,
            };
            Ok((held, ClientKey(row.get(at + 3)?), row.get(at + 4)?))
        });
        // Without the client, the statement finds no row, and the token is searched separately.
        let (held, key, version) = found.optional()?.ok_or(SqliteError::Missed)?;
        let client = self.client(key, Some(version))?;
        let access =
            held.map(|(row, client, user, revoked)| self.held_access(row, client, user, revoked)).transpose()?;
        Ok((client, access))
    }

    fn personal(&self, id: PersonalId) -> Result<Option<WithOwners<Personal>>, SqliteError> {
        let found = self.one(&PERSONAL, id.0, |row| Ok((row::personal(row)?, row.get(row::PERSONAL_WIDTH)?)))?;
        found.map(|(row, user)| self.held_personal(row, user)).transpose()
    }

    /// Joins a personal access token with its user, who has this version.
    pub(super) fn held_personal(&self, row: Personal, user: Option<u32>) -> Result<WithOwners<Personal>, SqliteError> {
        let user = self.user(row.user, user)?;
        Ok(WithOwners { row, client: None, user, is_grant_revoked: false })
    }

    fn session(&self, id: SessionId) -> Result<Option<WithOwners<Session>>, SqliteError> {
        let found = self.one(&SESSION, id.0, |row| Ok((row::session(row)?, row.get(row::SESSION_WIDTH)?)))?;
        let Some((row, user)) = found else { return Ok(None) };
        let user = self.user(row.user, user)?;
        Ok(Some(WithOwners { row, client: None, user, is_grant_revoked: false }))
    }

    fn ticket(&self, id: TicketId) -> Result<Option<WithOwners<Ticket>>, SqliteError> {
        let found = self.one(&TICKET, id.0, |row| {
            Ok((row::ticket(row)?, row.get(row::TICKET_WIDTH)?, row.get(row::TICKET_WIDTH + 1)?))
        })?;
        let Some((row, client, user)) = found else { return Ok(None) };
        let client = row.client.map_or(Ok(None), |key| self.client(key, client))?;
        let user = row.user.map_or(Ok(None), |key| self.user(key, user))?;
        Ok(Some(WithOwners { row, client, user, is_grant_revoked: false }))
    }

    fn identity(&self, name: &IdentityName) -> Result<Option<WithOwners<Identity>>, SqliteError> {
        let mut statement = self.connection.prepare_cached(&IDENTITY)?;
        let found = statement
            .query_row([&name.issuer, &name.subject], |row| Ok((row::identity(row)?, row.get(row::IDENTITY_WIDTH)?)))
            .optional()?;
        let Some((row, user)) = found else { return Ok(None) };
        let user = self.user(row.user, user)?;
        Ok(Some(WithOwners { row, client: None, user, is_grant_revoked: false }))
    }

    fn is_jti_used(&self, jti: Digest) -> Result<bool, SqliteError> {
        Ok(self.connection.prepare_cached(USED_JTI)?.exists([jti.0])?)
    }

    fn failures(&self, key: Digest) -> Result<Option<Attempts>, SqliteError> {
        let mut statement = self.connection.prepare_cached(ATTEMPTS)?;
        Ok(statement.query_row([key.0], row::attempts).optional()?)
    }

    fn consent(&self, user: UserKey, client: ClientKey) -> Result<Option<Consent>, SqliteError> {
        Ok(self.connection.prepare_cached(CONSENT)?.query_row([user.0, client.0], row::consent).optional()?)
    }

    fn owned_counts(&self, user: UserKey) -> Result<OwnedCounts, SqliteError> {
        let count = |sql| self.one(sql, user.0, |row| row.get::<_, u32>(0));
        Ok(OwnedCounts {
            clients: count(super::CLIENTS_OWNED)?.unwrap_or_default(),
            personals: count(super::PERSONALS_OWNED)?.unwrap_or_default(),
            identities: count(super::IDENTITIES_OWNED)?.unwrap_or_default(),
        })
    }

    fn one<T>(
        &self,
        sql: &str,
        id: i64,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, SqliteError> {
        Ok(self.connection.prepare_cached(sql)?.query_row([id], read).optional()?)
    }
}
