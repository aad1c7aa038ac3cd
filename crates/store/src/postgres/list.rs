//! Queries of lists, each in one snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::model::{Client, ClientKey, Consent, Grant, Identity, Personal, Session, User, UserKey, WithOwners};
use protocol::names::login_forms;
use protocol::time::UnixTime;
use tokio_postgres::Row;

use super::error::PostgresError;
use super::jobs;
use super::link::{Link, Typed, typed};
use super::pins::{Missing, Pins, pin};
use super::row::{self, columns};
use crate::documents::Documents;
use crate::{Application, Counts, EventFilter, Noted, Query, Rows, TABLES};

/// Maximum size of a table whose rows are counted, in bytes. All tables up to this size can be counted within the time
/// limit of a list, even from a slow disk. A hundred million tokens cannot.
const COUNTED_BYTES_MAX: i64 = 64 << 20;

/// A connection inside a snapshot, and the documents.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) link: &'a Link,
    pub(super) documents: &'a Documents,
}

const CLIENTS: &str = "SELECT key, version FROM clients";
const USERS: &str = "SELECT key, version FROM users";

/// Runs a query.
pub(super) async fn list(view: View<'_>, query: &Query) -> Result<Rows, PostgresError> {
    Ok(match query {
        Query::Clients { owner, after, rows_max } => Rows::Clients(view.page(*owner, *after, *rows_max).await?),
        Query::Users { after, rows_max } => {
            let after = after.map_or(i64::MIN, |key| key.0);
            let values = typed![INT8 after, INT8 limit(*rows_max)];
            Rows::Users(view.users(&format!("{USERS} WHERE key > $1 ORDER BY key LIMIT $2"), values).await?)
        }
        Query::Client(key) => {
            Rows::Clients(view.clients(&format!("{CLIENTS} WHERE key = $1"), typed![INT8 key.0]).await?)
        }
        Query::ClientById(id) if !id.contains('\0') => {
            Rows::Clients(view.clients(&format!("{CLIENTS} WHERE client_id = $1"), typed![TEXT id]).await?)
        }
        Query::ClientById(_) => Rows::Clients(Vec::new()),
        Query::User(key) => Rows::Users(view.users(&format!("{USERS} WHERE key = $1"), typed![INT8 key.0]).await?),
        Query::UserByName(name) if !name.contains('\0') => Rows::Users(view.user_by_name(name).await?),
        Query::UserByName(_) => Rows::Users(Vec::new()),
        Query::Sessions(user) => Rows::Sessions(view.sessions(*user).await?),
        Query::Identities(user) => Rows::Identities(view.identities(*user).await?),
        Query::Applications { user, now } => Rows::Applications(view.applications(*user, *now).await?),
        Query::Grants { user, client, live_at, rows_max } => {
            Rows::Grants(view.grants((*user, *client), *live_at, *rows_max).await?)
        }
        Query::Connected { client, now, users_max } => {
            Rows::Connected(view.connected(*client, *now, *users_max).await?)
        }
        Query::Personals { user } => Rows::Personals(view.personals(*user).await?),
        Query::SecretUses(client) => {
            let sql = "SELECT secret, used_at FROM secret_uses WHERE client_key = $1 ORDER BY secret";
            Rows::SecretUses(view.rows(sql, typed![INT8 client.0], row::secret_use).await?)
        }
        Query::SealKeys => {
            Rows::SealKeys(view.rows("SELECT number, created_at FROM seal_keys ORDER BY id", &[], row::seal_key).await?)
        }
        Query::SigningKeys => {
            let sql = "SELECT number, version, algorithm, kid, sealed, created_at, active_at, retired_at FROM signing_keys \
                ORDER BY number";
            Rows::SigningKeys(view.rows(sql, &[], row::signing_key).await?)
        }
        Query::Events(filter) => Rows::Events(view.events(filter).await?),
        Query::Schema => Rows::Schema(Some(super::schema::found(view.link).await?)),
        Query::GreatestId => {
            let found = view.rows(&crate::greatest_id_sql(), &[], |row| row::get::<Option<i64>>(row, 0)).await?;
            Rows::GreatestId(found.into_iter().flatten().next().unwrap_or(0))
        }
        Query::Jobs(filter) => Rows::Jobs(jobs::list(view.link, filter).await?),
        Query::JobCounts => Rows::JobCounts(jobs::counts(view.link).await?),
        Query::Counts => Rows::Counts(view.counts(COUNTED_BYTES_MAX).await?),
    })
}

fn limit(rows_max: usize) -> i64 {
    i64::try_from(rows_max).unwrap_or(i64::MAX)
}

impl View<'_> {
    async fn rows<T>(
        &self,
        sql: &str,
        values: &[Typed<'_>],
        read: impl Fn(&Row) -> Result<T, PostgresError>,
    ) -> Result<Vec<T>, PostgresError> {
        self.link.rows(sql, values).await?.iter().map(read).collect()
    }

    /// Returns the documents of these rows, from the cache or from the database.
    async fn pins(
        &self,
        clients: impl Iterator<Item = (ClientKey, Option<u32>)>,
        users: impl Iterator<Item = (UserKey, Option<u32>)>,
    ) -> Result<Pins, PostgresError> {
        let (mut pins, mut missing) = (Pins::default(), Missing::default());
        for (key, version) in clients {
            pin(&self.documents.clients, &mut pins.clients, &mut missing.clients, key.0, version);
        }
        for (key, version) in users {
            pin(&self.documents.users, &mut pins.users, &mut missing.users, key.0, version);
        }
        pins.read(self.link, self.documents, missing).await?;
        Ok(pins)
    }

    /// Returns the clients that a statement finds, whose columns are `key, version`.
    async fn clients(&self, sql: &str, values: &[Typed<'_>]) -> Result<Vec<Arc<Client>>, PostgresError> {
        let read = |row: &Row| Ok((ClientKey(row::get(row, 0)?), row::version(row, 1)?));
        let keys = self.rows(sql, values, read).await?;
        let pins = self.pins(keys.iter().copied(), std::iter::empty()).await?;
        Ok(keys.iter().filter_map(|(key, _)| pins.client(*key)).collect())
    }

    /// Returns the users that a statement finds, whose columns are `key, version`.
    async fn users(&self, sql: &str, values: &[Typed<'_>]) -> Result<Vec<Arc<User>>, PostgresError> {
        let read = |row: &Row| Ok((UserKey(row::get(row, 0)?), row::version(row, 1)?));
        let keys = self.rows(sql, values, read).await?;
        let pins = self.pins(std::iter::empty(), keys.iter().copied()).await?;
        Ok(keys.iter().filter_map(|(key, _)| pins.user(*key)).collect())
    }

    async fn page(
        &self,
        owner: Option<UserKey>,
        after: Option<ClientKey>,
        rows_max: usize,
    ) -> Result<Vec<Arc<Client>>, PostgresError> {
        let of_owner = if owner.is_some() { "owner = $3" } else { "$3::bigint IS NULL" };
        let sql = format!("{CLIENTS} WHERE key > $1 AND {of_owner} ORDER BY key LIMIT $2");
        let (after, owner) = (after.map_or(i64::MIN, |key| key.0), owner.map(|owner| owner.0));
        self.clients(&sql, typed![INT8 after, INT8 limit(rows_max), INT8 owner]).await
    }

    async fn user_by_name(&self, name: &str) -> Result<Vec<Arc<User>>, PostgresError> {
        let by_sub = self.users(&format!("{USERS} WHERE sub = $1"), typed![TEXT name]).await?;
        if !by_sub.is_empty() {
            return Ok(by_sub);
        }
        let sql = format!("{USERS} WHERE username_lower = $1 UNION ALL {USERS} WHERE email_lower = $1 LIMIT 1");
        for form in login_forms(name) {
            let found = self.users(&sql, typed![TEXT form]).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    async fn events(&self, filter: &EventFilter) -> Result<Vec<Noted>, PostgresError> {
        // No event has an address with a NUL character, which PostgreSQL would refuse.
        if filter.address.as_deref().is_some_and(|address| address.contains('\0')) {
            return Ok(Vec::new());
        }
        // Each combination of conditions has its own statement, so that PostgreSQL can choose the best index for it.
        let when =
            |is_set: bool, condition: &'static str, absent: &'static str| if is_set { condition } else { absent };
        let sql = format!(
            "SELECT {}, e.id FROM events AS e WHERE id < $1 AND id > $2 \
             AND {} AND {} AND {} AND {} AND {} AND {} AND {} ORDER BY id {} LIMIT $8",
            columns!(event),
            when(filter.user.is_some(), "user_key = $3", "$3::bigint IS NULL"),
            when(filter.client.is_some(), "client_key = $4", "$4::bigint IS NULL"),
            when(filter.address.is_some(), "address = $5", "$5::text IS NULL"),
            when(filter.since.is_some(), "at >= $6", "$6::bigint IS NULL"),
            when(!filter.kinds.is_empty(), "kind = ANY($7)", "$7::text[] IS NOT NULL"),
            when(filter.until.is_some(), "at < $9", "$9::bigint IS NULL"),
            when(filter.has_actor, "actor IS NOT NULL", "TRUE"),
            if filter.after.is_some() { "ASC" } else { "DESC" },
        );
        let kinds: Vec<&str> = filter.kinds.iter().map(|kind| kind.as_str()).collect();
        let (before, after) = (filter.before.unwrap_or(i64::MAX), filter.after.unwrap_or(i64::MIN));
        let (user, client) = (filter.user.map(|user| user.0), filter.client.map(|client| client.0));
        let address = filter.address.as_deref();
        let (since, until) = (filter.since.map(|time| time.0), filter.until.map(|time| time.0));
        let values = typed![
            INT8 before, INT8 after, INT8 user, INT8 client, TEXT address, INT8 since, TEXT_ARRAY kinds,
            INT8 limit(filter.rows_max), INT8 until,
        ];
        let found = self.rows(&sql, values, |row| Ok((row::get(row, row::EVENT_WIDTH)?, row::event(row)?))).await?;
        Ok(found.into_iter().filter_map(|(id, event)| Some(Noted { id, event: event? })).collect())
    }

    async fn sessions(&self, user: UserKey) -> Result<Vec<Session>, PostgresError> {
        let sql = concat!("SELECT ", columns!(session), " FROM sessions AS s WHERE s.user_key = $1 ORDER BY s.id DESC");
        self.rows(sql, typed![INT8 user.0], row::session).await
    }

    async fn identities(&self, user: UserKey) -> Result<Vec<Identity>, PostgresError> {
        // Sort by bytes, as the other stores do, and not by a collation.
        let sql = concat!(
            "SELECT ",
            columns!(identity),
            " FROM identities AS i WHERE i.user_key = $1 ORDER BY i.issuer COLLATE \"C\", i.subject COLLATE \"C\""
        );
        self.rows(sql, typed![INT8 user.0], row::identity).await
    }

    async fn applications(&self, user: UserKey, now: UnixTime) -> Result<Vec<Application>, PostgresError> {
        let sql = concat!("SELECT ", columns!(consent), " FROM consents AS o WHERE o.user_key = $1");
        let mut found: BTreeMap<ClientKey, (Option<Consent>, u64)> = BTreeMap::new();
        for consent in self.rows(sql, typed![INT8 user.0], row::consent).await? {
            let client = consent.client;
            found.entry(client).or_default().0 = Some(consent);
        }
        for grant in self.grants((Some(user), None), Some(now), usize::MAX).await? {
            found.entry(grant.row.authorization.client).or_default().1 += 1;
        }
        let keys: Vec<i64> = found.keys().map(|key| key.0).collect();
        let clients =
            self.clients(&format!("{CLIENTS} WHERE key = ANY($1) ORDER BY key"), typed![INT8_ARRAY keys]).await?;
        let of = |client: Arc<Client>| {
            let (consent, grants_live) = found.remove(&client.key)?;
            Some(Application { client, consent, grants_live })
        };
        Ok(clients.into_iter().filter_map(of).collect())
    }

    async fn grants(
        &self,
        (user, client): (Option<UserKey>, Option<ClientKey>),
        live_at: Option<UnixTime>,
        rows_max: usize,
    ) -> Result<Vec<WithOwners<Grant>>, PostgresError> {
        // Each combination of conditions has its own statement, so that PostgreSQL can choose the best index for it.
        let of_user = if user.is_some() { "g.user_key = $1" } else { "$1::bigint IS NULL" };
        let of_client = if client.is_some() { "g.client_key = $2" } else { "$2::bigint IS NULL" };
        // Grants that a revocation of everything of a client or user covers are recognised by their ids.
        let of_time = if live_at.is_some() {
            "NOT g.is_revoked AND g.expires_at > $3 \
             AND c.key IS NOT NULL AND g.id >= coalesce((c.document::json ->> 'revoked_below')::bigint, 0) \
             AND u.key IS NOT NULL AND g.id >= coalesce((u.document::json ->> 'revoked_below')::bigint, 0)"
        } else {
            "$3::bigint IS NULL"
        };
        let sql = format!(
            "SELECT {}, c.version, u.version FROM grants AS g LEFT JOIN clients AS c ON c.key = g.client_key \
             LEFT JOIN users AS u ON u.key = g.user_key WHERE {of_user} AND {of_client} AND {of_time} \
             ORDER BY g.id DESC LIMIT $4",
            columns!(grant)
        );
        let (user, client, live_at) =
            (user.map(|user| user.0), client.map(|client| client.0), live_at.map(|time| time.0));
        let values = typed![INT8 user, INT8 client, INT8 live_at, INT8 limit(rows_max)];
        let at = row::GRANT_WIDTH;
        let read = |row: &Row| Ok((row::grant(row)?, row::version(row, at)?, row::version(row, at + 1)?));
        let found = self.rows(&sql, values, read).await?;
        let clients = found.iter().map(|(grant, client, _)| (grant.authorization.client, *client));
        let pins = self.pins(clients, found.iter().map(|(grant, _, user)| (grant.authorization.user, *user))).await?;
        Ok(found.into_iter().map(|(grant, ..)| pins.held_grant(grant)).collect())
    }

    async fn connected(&self, client: ClientKey, now: UnixTime, users_max: u32) -> Result<u32, PostgresError> {
        const SQL: &str = "SELECT count(*) FROM (\
            (SELECT user_key FROM consents WHERE client_key = $1 LIMIT $3) UNION \
            (SELECT DISTINCT g.user_key FROM grants AS g JOIN users AS u ON u.key = g.user_key \
            JOIN clients AS c ON c.key = g.client_key \
            WHERE g.client_key = $1 AND NOT g.is_revoked AND g.expires_at > $2 \
            AND g.id >= coalesce((c.document::json ->> 'revoked_below')::bigint, 0) \
            AND g.id >= coalesce((u.document::json ->> 'revoked_below')::bigint, 0) LIMIT $3)) AS connected \
            WHERE EXISTS (SELECT 1 FROM clients WHERE key = $1)";
        let values = typed![INT8 client.0, INT8 now.0, INT8 i64::from(users_max)];
        let count = self.rows(SQL, values, |row| row::number(row, 0)).await?;
        Ok(count.first().map_or(0, |count| (*count).min(users_max)))
    }

    async fn personals(&self, user: Option<UserKey>) -> Result<Vec<WithOwners<Personal>>, PostgresError> {
        let of_user = if user.is_some() { "p.user_key = $1" } else { "$1::bigint IS NULL" };
        let sql = format!(
            "SELECT {}, u.version FROM personal_tokens AS p LEFT JOIN users AS u ON u.key = p.user_key \
             WHERE {of_user} ORDER BY p.id DESC",
            columns!(personal)
        );
        let read = |row: &Row| Ok((row::personal(row)?, row::version(row, row::PERSONAL_WIDTH)?));
        let user = user.map(|user| user.0);
        let found = self.rows(&sql, typed![INT8 user], read).await?;
        let pins = self.pins(std::iter::empty(), found.iter().map(|(row, user)| (row.user, *user))).await?;
        Ok(found.into_iter().map(|(row, _)| super::load::held(pins.user(row.user), row)).collect())
    }

    /// Counts the rows of tables up to a size, and uses the planner's estimate for larger ones.
    pub(super) async fn counts(&self, counted_bytes_max: i64) -> Result<Counts, PostgresError> {
        let (mut rows, mut estimated) = (Vec::new(), Vec::new());
        for table in TABLES {
            let is_small = self.bytes_of(table).await? <= counted_bytes_max;
            rows.push((table, if is_small { self.count(table).await? } else { self.estimate(table).await? }));
            if !is_small {
                estimated.push(table);
            }
        }
        let mut ages = Vec::new();
        for table in TABLES {
            let Some(asked) = crate::ages(table, "(document::json->>'created_at')::bigint") else { continue };
            if estimated.contains(&table) && !asked.is_by_key {
                continue;
            }
            let read = |row: &Row| Ok((row::get::<Option<i64>>(row, 0)?, row::get::<Option<i64>>(row, 1)?));
            if let Some((Some(oldest), Some(newest))) = self.rows(&asked.sql, &[], read).await?.first() {
                ages.push((table, UnixTime(*oldest), UnixTime(*newest)));
            }
        }
        let sql = "SELECT pg_database_size(current_database())";
        let bytes = self.rows(sql, &[], |row| row::get::<i64>(row, 0)).await?;
        // The free space by the statistics: the size of the tables without their live rows. Each row has 28 bytes of
        // header and pointer, and about 4 bytes of padding. Dead rows count as free, before and after a vacuum.
        let sql = "SELECT coalesce(sum(greatest(pg_relation_size(t.relid) \
            - greatest(c.reltuples::float8, t.n_live_tup) * (32 + w.width), 0)), 0)::bigint \
            FROM pg_stat_user_tables AS t JOIN pg_class AS c ON c.oid = t.relid \
            CROSS JOIN LATERAL (SELECT sum(avg_width * (1 - null_frac)) AS width FROM pg_stats \
                WHERE schemaname = t.schemaname AND tablename = t.relname) AS w \
            WHERE c.reltuples >= 0 AND w.width IS NOT NULL";
        let free = self.rows(sql, &[], |row| row::get::<i64>(row, 0)).await?;
        Ok(Counts {
            backend: "postgres",
            schema: Some(super::schema::found(self.link).await?),
            file_bytes: bytes.first().and_then(|bytes| u64::try_from(*bytes).ok()),
            free_bytes: free.first().and_then(|bytes| u64::try_from(*bytes).ok()),
            rows,
            estimated,
            ages,
        })
    }

    async fn bytes_of(&self, table: &str) -> Result<i64, PostgresError> {
        let sql = format!("SELECT pg_relation_size('{table}')");
        let bytes = self.rows(&sql, &[], |row| row::get::<i64>(row, 0)).await?;
        Ok(bytes.first().copied().unwrap_or_default())
    }

    async fn count(&self, table: &str) -> Result<u64, PostgresError> {
        let count = self.rows(&format!("SELECT count(*) FROM {table}"), &[], |row| row::get::<i64>(row, 0)).await?;
        Ok(count.first().and_then(|count| u64::try_from(*count).ok()).unwrap_or_default())
    }

    /// Returns the planner's estimate of the number of rows. It is based on the current size of the table, and on the
    /// rows per page when the table was last analyzed.
    async fn estimate(&self, table: &str) -> Result<u64, PostgresError> {
        let plan = self.rows(&format!("EXPLAIN SELECT FROM {table}"), &[], |row| row::get::<String>(row, 0)).await?;
        let expected = plan.first().and_then(|line| line.split_once(" rows=")?.1.split(' ').next()?.parse().ok());
        expected.ok_or_else(|| PostgresError::Unreadable(format!("the plan for {table} has no rows")))
    }
}
