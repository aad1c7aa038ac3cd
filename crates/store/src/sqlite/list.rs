//! Queries of lists.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::model::{Client, ClientKey, Consent, Grant, Identity, Personal, Session, User, UserKey, WithOwners};
use protocol::time::UnixTime;
use rusqlite::{Connection, Params, Row, params};

use super::document::View;
use super::error::SqliteError;
use super::{jobs, row, schema};
use crate::{Application, Counts, EventFilter, Fault, Noted, Query, Rows, TABLES};

/// Runs every query except that for counts.
pub(super) fn list(view: View<'_>, query: &Query) -> Result<Rows, SqliteError> {
    Ok(match query {
        Query::Clients { owner, after, rows_max } => Rows::Clients(view.clients(*owner, *after, *rows_max)?),
        Query::Users { after, rows_max } => Rows::Users(view.users(*after, *rows_max)?),
        Query::Client(key) => Rows::Clients(view.client_now(*key)?.into_iter().collect()),
        Query::ClientById(client_id) => Rows::Clients(view.client_by_id(client_id)?.into_iter().collect()),
        Query::User(key) => Rows::Users(view.user_now(*key)?.into_iter().collect()),
        Query::UserByName(name) => {
            let found = match view.user_by_sub(name)? {
                Some(user) => Some(user),
                None => view.user_by_login(name)?,
            };
            Rows::Users(found.into_iter().collect())
        }
        Query::Sessions(user) => Rows::Sessions(view.sessions(*user)?),
        Query::Identities(user) => Rows::Identities(view.identities(*user)?),
        Query::Applications { user, now } => Rows::Applications(view.applications(*user, *now)?),
        Query::Grants { user, client, live_at, rows_max } => {
            Rows::Grants(view.grants((*user, *client), *live_at, *rows_max)?)
        }
        Query::Connected { client, now, users_max } => Rows::Connected(view.connected(*client, *now, *users_max)?),
        Query::Personals { user } => Rows::Personals(view.personals(*user)?),
        Query::SecretUses(client) => {
            let sql = "SELECT secret, used_at FROM secret_uses WHERE client = ?1 ORDER BY secret";
            Rows::SecretUses(view.rows(sql, [client.0], row::secret_use)?)
        }
        Query::SealKeys => {
            Rows::SealKeys(view.rows("SELECT number, created_at FROM seal_keys ORDER BY id", [], row::seal_key)?)
        }
        Query::SigningKeys => {
            let sql = "SELECT number, version, algorithm, kid, sealed, created_at, active_at, retired_at FROM signing_keys \
                ORDER BY number";
            Rows::SigningKeys(view.rows(sql, [], row::signing_key)?)
        }
        Query::Events(filter) => Rows::Events(view.events(filter)?),
        Query::Schema => Rows::Schema(Some(schema::found(view.connection)?)),
        Query::GreatestId => {
            let found = view.rows(&crate::greatest_id_sql(), [], |row| row.get::<_, Option<i64>>(0))?;
            Rows::GreatestId(found.into_iter().flatten().next().unwrap_or(0))
        }
        Query::Jobs(filter) => Rows::Jobs(jobs::list(view.connection, filter)?),
        Query::JobCounts => Rows::JobCounts(jobs::counts(view.connection)?),
        Query::Counts => return Err(SqliteError::Unreadable("counts are asked for elsewhere".to_owned())),
    })
}

/// Counts all rows, which takes a while in a large database.
pub(super) fn counts(connection: &Connection) -> Result<Counts, Fault> {
    let number = |sql: &str| -> Result<u64, SqliteError> {
        Ok(u64::try_from(connection.query_row(sql, [], |row| row.get::<_, i64>(0))?).unwrap_or(0))
    };
    let mut rows = Vec::new();
    for table in TABLES {
        rows.push((table, number(&format!("SELECT count(*) FROM {table}"))?));
    }
    let mut ages = Vec::new();
    for table in TABLES {
        let Some(asked) = crate::ages(table, "json_extract(document, '$.created_at')") else { continue };
        let read = |row: &Row<'_>| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?));
        if let (Some(oldest), Some(newest)) = connection.query_row(&asked.sql, [], read).map_err(SqliteError::from)? {
            ages.push((table, UnixTime(oldest), UnixTime(newest)));
        }
    }
    let page_bytes = number("PRAGMA page_size")?;
    Ok(Counts {
        backend: "sqlite",
        schema: Some(schema::found(connection).map_err(SqliteError::from)?),
        file_bytes: Some(number("PRAGMA page_count")? * page_bytes),
        free_bytes: Some(number("PRAGMA freelist_count")? * page_bytes),
        rows,
        estimated: Vec::new(),
        ages,
    })
}

fn limit(rows_max: usize) -> i64 {
    i64::try_from(rows_max).unwrap_or(i64::MAX)
}

impl View<'_> {
    fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, SqliteError> {
        Ok(self.connection.prepare_cached(sql)?.query_map(params, read)?.collect::<rusqlite::Result<_>>()?)
    }

    fn clients(
        &self,
        owner: Option<UserKey>,
        after: Option<ClientKey>,
        rows_max: usize,
    ) -> Result<Vec<Arc<Client>>, SqliteError> {
        const ALL: &str = "SELECT key, version FROM clients WHERE key > ?1 ORDER BY key LIMIT ?2";
        const OWNED: &str = "SELECT key, version FROM clients WHERE key > ?1 AND owner = ?3 ORDER BY key LIMIT ?2";
        let after = after.map_or(i64::MIN, |key| key.0);
        let read = |row: &Row<'_>| Ok((ClientKey(row.get(0)?), row.get(1)?));
        let keys = match owner {
            None => self.rows(ALL, params![after, limit(rows_max)], read)?,
            Some(owner) => self.rows(OWNED, params![after, limit(rows_max), owner.0], read)?,
        };
        keys.into_iter().filter_map(|(key, version)| self.client(key, Some(version)).transpose()).collect()
    }

    fn users(&self, after: Option<UserKey>, rows_max: usize) -> Result<Vec<Arc<User>>, SqliteError> {
        const SQL: &str = "SELECT key, version FROM users WHERE key > ?1 ORDER BY key LIMIT ?2";
        let after = after.map_or(i64::MIN, |key| key.0);
        let keys = self.rows(SQL, [after, limit(rows_max)], |row| Ok((UserKey(row.get(0)?), row.get(1)?)))?;
        keys.into_iter().filter_map(|(key, version)| self.user(key, Some(version)).transpose()).collect()
    }

    fn client_now(&self, key: ClientKey) -> Result<Option<Arc<Client>>, SqliteError> {
        let version = self.rows("SELECT version FROM clients WHERE key = ?1", [key.0], |row| row.get(0))?;
        self.client(key, version.first().copied())
    }

    fn user_now(&self, key: UserKey) -> Result<Option<Arc<User>>, SqliteError> {
        let version = self.rows("SELECT version FROM users WHERE key = ?1", [key.0], |row| row.get(0))?;
        self.user(key, version.first().copied())
    }

    fn events(&self, filter: &EventFilter) -> Result<Vec<Noted>, SqliteError> {
        let sql = events_statement(filter);
        let kinds: Vec<&str> = filter.kinds.iter().map(|kind| kind.as_str()).collect();
        let kinds = (!kinds.is_empty()).then(|| serde_json::Value::from(kinds).to_string());
        let values = params![
            filter.before.unwrap_or(i64::MAX),
            filter.after.unwrap_or(i64::MIN),
            filter.user.map(|user| user.0),
            filter.client.map(|client| client.0),
            filter.address,
            filter.since.map(|time| time.0),
            kinds,
            limit(filter.rows_max),
            filter.until.map(|time| time.0),
        ];
        let read = |row: &Row<'_>| Ok((row.get(row::EVENT_WIDTH)?, row::event(row)?));
        let found = self.rows(&sql, values, read)?;
        Ok(found.into_iter().filter_map(|(id, event)| Some(Noted { id, event: event? })).collect())
    }

    fn sessions(&self, user: UserKey) -> Result<Vec<Session>, SqliteError> {
        let sql = format!("SELECT {} FROM sessions AS s WHERE s.user = ?1 ORDER BY s.id DESC", row::SESSION);
        self.rows(&sql, [user.0], row::session)
    }

    fn identities(&self, user: UserKey) -> Result<Vec<Identity>, SqliteError> {
        let sql =
            format!("SELECT {} FROM identities AS i WHERE i.user = ?1 ORDER BY i.issuer, i.subject", row::IDENTITY);
        self.rows(&sql, [user.0], row::identity)
    }

    fn applications(&self, user: UserKey, now: UnixTime) -> Result<Vec<Application>, SqliteError> {
        let sql = format!("SELECT {} FROM consents AS o WHERE o.user = ?1", row::CONSENT);
        let mut found: BTreeMap<ClientKey, (Option<Consent>, u64)> = BTreeMap::new();
        for consent in self.rows(&sql, [user.0], row::consent)? {
            let client = consent.client;
            found.entry(client).or_default().0 = Some(consent);
        }
        for grant in self.grants((Some(user), None), Some(now), usize::MAX)? {
            found.entry(grant.row.authorization.client).or_default().1 += 1;
        }
        let mut applications = Vec::new();
        for (key, (consent, grants_live)) in found {
            if let Some(client) = self.client_now(key)? {
                applications.push(Application { client, consent, grants_live });
            }
        }
        Ok(applications)
    }

    fn grants(
        &self,
        (user, client): (Option<UserKey>, Option<ClientKey>),
        live_at: Option<UnixTime>,
        rows_max: usize,
    ) -> Result<Vec<WithOwners<Grant>>, SqliteError> {
        // Each combination of conditions has its own statement, so that SQLite can choose the best index for it.
        let of_user = if user.is_some() { "g.user = ?1" } else { "?1 IS NULL" };
        let of_client = if client.is_some() { "g.client = ?2" } else { "?2 IS NULL" };
        let of_time = if live_at.is_some() { "g.is_revoked = 0 AND g.expires_at > ?3" } else { "?3 IS NULL" };
        let sql = format!(
            "SELECT {}, c.version, u.version FROM grants AS g LEFT JOIN clients AS c ON c.key = g.client \
             LEFT JOIN users AS u ON u.key = g.user WHERE {of_user} AND {of_client} AND {of_time} ORDER BY g.id DESC",
            row::GRANT
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![
            user.map(|user| user.0),
            client.map(|client| client.0),
            live_at.map(|time| time.0)
        ])?;
        let mut grants = Vec::new();
        while grants.len() < rows_max
            && let Some(row) = rows.next()?
        {
            let versions = (row.get(row::GRANT_WIDTH)?, row.get(row::GRANT_WIDTH + 1)?);
            let held = self.held_grant(row::grant(row)?, versions.0, versions.1)?;
            if live_at.is_none() || is_above(&held) {
                grants.push(held);
            }
        }
        Ok(grants)
    }

    fn connected(&self, client: ClientKey, now: UnixTime, users_max: u32) -> Result<u32, SqliteError> {
        const SQL: &str = "SELECT count(*) FROM (\
            SELECT user FROM (SELECT user FROM consents WHERE client = ?1 LIMIT ?4) UNION \
            SELECT user FROM (SELECT DISTINCT g.user FROM grants AS g JOIN users AS u ON u.key = g.user \
            WHERE g.client = ?1 AND g.is_revoked = 0 AND g.expires_at > ?2 AND g.id >= ?3 \
            AND g.id >= coalesce(json_extract(u.document, '$.revoked_below'), 0) LIMIT ?4))";
        let Some(found) = self.client_now(client)? else { return Ok(0) };
        let counted = params![client.0, now.0, found.revoked_below, users_max];
        let count: Vec<u32> = self.rows(SQL, counted, |row| row.get(0))?;
        Ok(count.first().map_or(0, |count| (*count).min(users_max)))
    }

    fn personals(&self, user: Option<UserKey>) -> Result<Vec<WithOwners<Personal>>, SqliteError> {
        let of_user = if user.is_some() { "p.user = ?1" } else { "?1 IS NULL" };
        let sql = format!(
            "SELECT {}, u.version FROM personal_tokens AS p LEFT JOIN users AS u ON u.key = p.user \
             WHERE {of_user} ORDER BY p.id DESC",
            row::PERSONAL
        );
        let read = |row: &Row<'_>| Ok((row::personal(row)?, row.get(row::PERSONAL_WIDTH)?));
        let rows = self.rows(&sql, [user.map(|user| user.0)], read)?;
        rows.into_iter().map(|(row, version)| self.held_personal(row, version)).collect()
    }
}

/// Returns true if no revocation of everything of its user or client covers the grant.
fn is_above(held: &WithOwners<Grant>) -> bool {
    held.user.as_ref().is_some_and(|user| held.row.id.0 >= user.revoked_below)
        && held.client.as_ref().is_some_and(|client| held.row.id.0 >= client.revoked_below)
}

/// The statement for a question about events. There is one text for each question, so that SQLite can choose the index that
/// fits it.
pub(super) fn events_statement(filter: &EventFilter) -> String {
    let when = |is_set: bool, condition: &str, number: u8| {
        if is_set { condition.to_owned() } else { format!("?{number} IS NULL") }
    };
    // After the least number there are all events.
    let is_late = filter.after.is_some_and(|after| after != i64::MIN);
    let is_selective = filter.user.is_some() || filter.client.is_some() || filter.address.is_some() || is_late;
    // SQLite would walk through all events from the last one on, and find too late that none is new enough.
    let is_by_time = filter.since.is_some() && !is_selective;
    format!(
        "SELECT {}, e.id FROM events AS e {} WHERE id < ?1 AND id > ?2 \
         AND {} AND {} AND {} AND {} AND {} AND {} AND {} ORDER BY id {} LIMIT ?8",
        row::EVENT,
        if is_by_time { "INDEXED BY events_by_time" } else { "" },
        when(filter.user.is_some(), "user = ?3", 3),
        when(filter.client.is_some(), "client = ?4", 4),
        when(filter.address.is_some(), "address = ?5", 5),
        when(filter.since.is_some(), "at >= ?6", 6),
        when(!filter.kinds.is_empty(), "kind IN (SELECT value FROM json_each(?7))", 7),
        when(filter.until.is_some(), "at < ?9", 9),
        if filter.has_actor { "actor IS NOT NULL" } else { "TRUE" },
        if filter.after.is_some() { "ASC" } else { "DESC" },
    )
}
