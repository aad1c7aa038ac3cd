//! Writes changes by SQL statements. Everything runs inside the writer's transaction, during which no other process can
//! write.

use protocol::client::registration::secret_digest;
use protocol::line::{Changes, Rely, Write};
use protocol::model::{Client, GrantId, IdentityName, Refresh, SealKey, SigningKey, Ticket, User, UserKey};
use protocol::names::login_forms;
use protocol::secret::Digest;
use protocol::time::UnixTime;
use rusqlite::{Connection, OptionalExtension, Params, params};

use super::error::{SqliteError, is_conflict};
use super::insert;
use crate::documents::{revoked_below, written};
use crate::names::{CLIENT_ID_OF_USER, SUB_OF_CLIENT, stored_form};

/// Writes one turn completely, or not at all.
pub(super) fn turn(connection: &Connection, changes: &Changes) -> Result<(), SqliteError> {
    changes.relied.iter().try_for_each(|rely| compare(connection, *rely))?;
    // A single statement undoes itself when it fails. Only several of them need a savepoint.
    if changes.writes.len() < 2 {
        return changes.writes.iter().try_for_each(|row| write(connection, row));
    }
    alone(connection, || changes.writes.iter().try_for_each(|row| write(connection, row)))
}

/// Runs several writes completely, or not at all.
pub(super) fn alone(
    connection: &Connection,
    write: impl FnOnce() -> Result<(), SqliteError>,
) -> Result<(), SqliteError> {
    run(connection, "SAVEPOINT turn", [])?;
    let written = write();
    // Some errors of SQLite end the whole transaction, and the savepoint with it.
    if written.is_err() && !connection.is_autocommit() {
        run(connection, "ROLLBACK TO turn", [])?;
    }
    if !connection.is_autocommit() {
        run(connection, "RELEASE turn", [])?;
    }
    written
}

/// Runs a prepared statement. Returns the number of changed rows.
pub(super) fn run(connection: &Connection, sql: &str, params: impl Params) -> Result<usize, SqliteError> {
    Ok(connection.prepare_cached(sql)?.execute(params)?)
}

fn run_one(connection: &Connection, sql: &str, params: impl Params) -> Result<(), SqliteError> {
    must(run(connection, sql, params)? == 1)
}

/// Adds a row. If its id is taken, the turn is lost.
pub(super) fn add(connection: &Connection, sql: &str, params: impl Params) -> Result<(), SqliteError> {
    match run(connection, sql, params) {
        Err(SqliteError::Engine(error)) if is_conflict(&error) => Err(SqliteError::Lost),
        done => done.map(drop),
    }
}

fn must(holds: bool) -> Result<(), SqliteError> {
    if holds { Ok(()) } else { Err(SqliteError::Lost) }
}

/// Checks a precondition against the rows before the turn.
fn compare(connection: &Connection, rely: Rely) -> Result<(), SqliteError> {
    let found = match rely {
        Rely::Client(key, version) => connection
            .prepare_cached("SELECT 1 FROM clients WHERE key = ?1 AND version = ?2")?
            .exists(params![key.0, version])?,
        Rely::User(key, version) => connection
            .prepare_cached("SELECT 1 FROM users WHERE key = ?1 AND version = ?2")?
            .exists(params![key.0, version])?,
        Rely::Session(id) => connection.prepare_cached("SELECT 1 FROM sessions WHERE id = ?1")?.exists([id.0])?,
        Rely::Grant(id) => {
            connection.prepare_cached("SELECT 1 FROM grants WHERE id = ?1 AND is_revoked = 0")?.exists([id.0])?
        }
        Rely::Consent { user, client, id } => {
            let sql = "SELECT id FROM consents WHERE user = ?1 AND client = ?2";
            let found = connection.prepare_cached(sql)?.query_row([user.0, client.0], |row| row.get(0)).optional()?;
            found == id
        }
        Rely::ClientsFewer { owner, than } => count(connection, super::CLIENTS_OWNED, owner)? < than,
        Rely::PersonalsFewer { user, than } => count(connection, super::PERSONALS_OWNED, user)? < than,
        Rely::CounterBelow { key, limit, now } => {
            const SQL: &str = "SELECT 1 WHERE ?2 > 0 AND NOT EXISTS (\
                SELECT 1 FROM attempts WHERE key = ?1 AND failures >= ?2 AND resets_at > ?3)";
            connection.prepare_cached(SQL)?.exists(params![key.0, limit, now.0])?
        }
    };
    must(found)
}

fn count(connection: &Connection, sql: &str, user: UserKey) -> Result<u32, SqliteError> {
    Ok(connection.prepare_cached(sql)?.query_row([user.0], |row| row.get(0))?)
}

fn write(connection: &Connection, write: &Write) -> Result<(), SqliteError> {
    let run = |sql: &str, params: &[i64]| run(connection, sql, rusqlite::params_from_iter(params)).map(drop);
    match write {
        Write::SpendCode(id) => {
            run_one(connection, "UPDATE codes SET is_spent = 1 WHERE id = ?1 AND is_spent = 0", [id.0])
        }
        Write::RotateRefresh { grant, from, to, expires_at } => rotate(connection, *grant, from, to, *expires_at),
        // Everything that can be read from the file is on disk already.
        Write::AwaitDurability => Ok(()),
        Write::CountFailure { key, limit, now, resets_at, user } => {
            run_one(connection, COUNT_FAILURE, params![key.0, limit, now.0, resets_at.0, user.map(|user| user.0)])
        }
        Write::ForgetFailures(user) => run("DELETE FROM attempts WHERE user = ?1", &[user.0]),
        Write::ClearCounter { key, limit, now } => {
            const SQL: &str = "DELETE FROM attempts WHERE key = ?1 AND NOT (failures >= ?2 AND resets_at > ?3)";
            connection.prepare_cached(SQL)?.execute(params![key.0, limit, now.0])?;
            Ok(())
        }
        Write::PutClient(row) => put_client(connection, row),
        Write::PutUser(row) => put_user(connection, row),
        Write::PutCode(row) => insert::code(connection, row),
        Write::PutGrant(row) => insert::grant(connection, row),
        Write::PutAccess(row) => insert::access(connection, row),
        Write::PutPersonal(row) => insert::personal(connection, row),
        Write::PutSession(row) => insert::session(connection, row),
        Write::PutTicket(row) => insert::ticket(connection, row),
        Write::ChangeTicket(row) => change_ticket(connection, row),
        Write::SpendTicket { id, version } => {
            let sql = "UPDATE tickets SET is_spent = 1 WHERE id = ?1 AND version = ?2 AND is_spent = 0";
            run_one(connection, sql, params![id.0, version])
        }
        Write::PutIdentity(row) => insert::identity(connection, row),
        Write::BurnJti { jti, until } => {
            add(connection, "INSERT INTO burned (jti, until) VALUES (?1, ?2)", params![jti.0, until.0])
        }
        Write::PutConsent(row) => insert::consent(connection, row),
        Write::PutSealKey(SealKey { number, created_at }) => {
            let sql = "INSERT INTO seal_keys (number, created_at) VALUES (?1, ?2)";
            add(connection, sql, params![number, created_at.0])
        }
        Write::DropSealKey(number) => run("DELETE FROM seal_keys WHERE number = ?1", &[i64::from(*number)]),
        Write::PutSigningKey(row) => put_signing_key(connection, row),
        Write::DropSigningKey(number) => run("DELETE FROM signing_keys WHERE number = ?1", &[i64::from(*number)]),
        Write::TouchSession { id, seen_at, idle_until } => {
            run("UPDATE sessions SET seen_at = ?2, idle_until = ?3 WHERE id = ?1", &[id.0, seen_at.0, idle_until.0])
        }
        Write::TouchPersonal { id, used_at } => {
            run("UPDATE personal_tokens SET used_at = ?2 WHERE id = ?1", &[id.0, used_at.0])
        }
        Write::TouchSecret { client, secret, used_at } => {
            connection.prepare_cached(TOUCH_SECRET)?.execute(params![secret.0, client.0, used_at.0])?;
            Ok(())
        }
        Write::RevokeGrant(id) => run("UPDATE grants SET is_revoked = 1 WHERE id = ?1", &[id.0]),
        Write::RevokeAccess(id) => run("DELETE FROM access_tokens WHERE id = ?1", &[id.0]),
        Write::RevokePersonal(id) => run("DELETE FROM personal_tokens WHERE id = ?1", &[id.0]),
        Write::WithdrawConsent { user, client } => {
            WITHDRAW_CONSENT.iter().try_for_each(|sql| run(sql, &[user.0, client.0]))
        }
        Write::EndSession(id) => run("DELETE FROM sessions WHERE id = ?1", &[id.0]),
        Write::EndSessions { user, but: Some(but) } => {
            run("DELETE FROM sessions WHERE user = ?1 AND id <> ?2", &[user.0, but.0])
        }
        Write::EndSessions { user, but: None } => run("DELETE FROM sessions WHERE user = ?1", &[user.0]),
        Write::DropIdentity(name) => drop_identity(connection, name),
        Write::DeleteUser(key) => DELETE_USER.iter().try_for_each(|sql| run(sql, &[key.0])),
        Write::DeleteClient(key) => DELETE_CLIENT.iter().try_for_each(|sql| run(sql, &[key.0])),
        Write::Enqueue(job) => insert::job(connection, job),
        Write::Note(event) => insert::event(connection, event),
    }
}

const COUNT_FAILURE: &str = "INSERT INTO attempts (key, failures, resets_at, user) SELECT ?1, 1, ?4, ?5 WHERE ?2 > 0 \
    ON CONFLICT (key) DO UPDATE SET user = coalesce(excluded.user, user), \
    failures = CASE WHEN resets_at > ?3 THEN failures + 1 ELSE 1 END, \
    resets_at = CASE WHEN resets_at > ?3 THEN resets_at ELSE excluded.resets_at END \
    WHERE failures < ?2 OR resets_at <= ?3";

const TOUCH_SECRET: &str = "INSERT INTO secret_uses (secret, client, used_at) SELECT ?1, ?2, ?3 \
    WHERE EXISTS (SELECT 1 FROM clients WHERE key = ?2) \
    ON CONFLICT (secret) DO UPDATE SET client = excluded.client, used_at = max(used_at, excluded.used_at)";

/// Unredeemed codes are removed too, because they would begin a grant that the user no longer wants.
const WITHDRAW_CONSENT: [&str; 3] = [
    "DELETE FROM consents WHERE user = ?1 AND client = ?2",
    "DELETE FROM codes WHERE user = ?1 AND client = ?2 AND is_spent = 0",
    "UPDATE grants SET is_revoked = 1 WHERE user = ?1 AND client = ?2",
];

/// The user and every row that depends on it.
const DELETE_USER: [&str; 8] = [
    "DELETE FROM users WHERE key = ?1",
    "DELETE FROM sessions WHERE user = ?1",
    "DELETE FROM identities WHERE user = ?1",
    "DELETE FROM consents WHERE user = ?1",
    "DELETE FROM personal_tokens WHERE user = ?1",
    "DELETE FROM grants WHERE user = ?1",
    "DELETE FROM tickets WHERE user = ?1",
    "DELETE FROM attempts WHERE user = ?1",
];

/// The client and every row that depends on it.
const DELETE_CLIENT: [&str; 5] = [
    "DELETE FROM clients WHERE key = ?1",
    "DELETE FROM secret_uses WHERE client = ?1",
    "DELETE FROM consents WHERE client = ?1",
    "DELETE FROM grants WHERE client = ?1",
    "DELETE FROM tickets WHERE client = ?1",
];

fn rotate(
    connection: &Connection,
    grant: GrantId,
    from: &Digest,
    to: &Refresh,
    expires_at: UnixTime,
) -> Result<(), SqliteError> {
    const SQL: &str = "UPDATE grants SET refresh_current = ?3, refresh_previous = ?4, refresh_answer = ?5, \
        refresh_idle_until = ?6, expires_at = ?7, refresh_generation = ?8 \
        WHERE id = ?1 AND is_revoked = 0 AND refresh_current = ?2";
    let previous = to.previous.map(|digest| digest.0);
    let (current, idle_until) = (to.current.0, to.idle_until.0);
    let values = params![grant.0, from.0, current, previous, to.answer, idle_until, expires_at.0, to.generation];
    run_one(connection, SQL, values)
}

fn change_ticket(connection: &Connection, row: &Ticket) -> Result<(), SqliteError> {
    const SQL: &str = "UPDATE tickets SET user = ?2, client = ?3, expires_at = ?4, version = ?5, document = ?6 \
        WHERE id = ?1 AND version = ?5 - 1 AND is_spent = 0";
    let Ticket { id, user, client, expires_at, version, document, .. } = row;
    let (user, client) = (user.map(|user| user.0), client.map(|client| client.0));
    let document = written(document, id.0).map_err(SqliteError::Unreadable)?;
    run_one(connection, SQL, params![id.0, user, client, expires_at.0, version, document])
}

fn put_signing_key(connection: &Connection, row: &SigningKey) -> Result<(), SqliteError> {
    const ADD: &str = "INSERT INTO signing_keys (number, version, algorithm, kid, sealed, created_at, active_at, retired_at) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    const CHANGE: &str = "UPDATE signing_keys SET version = ?2, active_at = ?3, retired_at = ?4 \
        WHERE number = ?1 AND version = ?2 - 1";
    let SigningKey { number, version, algorithm, kid, sealed, created_at, active_at, retired_at } = row;
    let (active_at, retired_at) = (active_at.map(|at| at.0), retired_at.map(|at| at.0));
    if *version == 1 {
        let values = params![number, version, algorithm, kid, sealed, created_at.0, active_at, retired_at];
        return add(connection, ADD, values);
    }
    run_one(connection, CHANGE, params![number, version, active_at, retired_at])
}

fn drop_identity(connection: &Connection, name: &IdentityName) -> Result<(), SqliteError> {
    let sql = "DELETE FROM identities WHERE issuer = ?1 AND subject = ?2";
    run(connection, sql, params![name.issuer, name.subject]).map(drop)
}

/// Checks the version of a row: 1 for a new row, or one more than the stored version.
fn must_be_next(connection: &Connection, sql: &'static str, key: i64, version: u32) -> Result<(), SqliteError> {
    let stored: Option<u32> = connection.prepare_cached(sql)?.query_row([key], |row| row.get(0)).optional()?;
    must(match stored {
        None => version == 1,
        Some(stored) => stored.checked_add(1) == Some(version),
    })
}

/// Returns the stored `revoked_below`.
fn revoked_before(connection: &Connection, sql: &str, key: i64) -> Result<i64, SqliteError> {
    let document: Option<String> = connection.prepare_cached(sql)?.query_row([key], |row| row.get(0)).optional()?;
    Ok(document.map_or(0, |text| revoked_below(&text)))
}

/// Checks that everything to be revoked has a smaller id than `revoked_below`. Only new rows can have greater ids, so
/// the query searches by id and not by owner. The `+` keeps SQLite from using the index of the owner.
fn must_be_above(connection: &Connection, sql: &str, key: i64, revoked_below: i64) -> Result<(), SqliteError> {
    let values = params![key, revoked_below];
    let greatest: Option<i64> = connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
    greatest.map_or(Ok(()), |id| Err(SqliteError::Behind(id)))
}

/// Finds the greatest id of a client's rows that is not below an id.
const CLIENTS_ABOVE: &str = "SELECT max(id) FROM (\
    SELECT id FROM access_tokens WHERE id >= ?2 AND +client = ?1 \
    UNION ALL SELECT id FROM codes WHERE id >= ?2 AND +client = ?1 \
    UNION ALL SELECT id FROM grants WHERE id >= ?2 AND +client = ?1 \
    UNION ALL SELECT id FROM tickets WHERE id >= ?2 AND +client = ?1)";
/// Finds the greatest id of a user's rows that is not below an id.
const USERS_ABOVE: &str = "SELECT max(id) FROM (\
    SELECT id FROM access_tokens WHERE id >= ?2 AND +user = ?1 \
    UNION ALL SELECT id FROM codes WHERE id >= ?2 AND +user = ?1 \
    UNION ALL SELECT id FROM grants WHERE id >= ?2 AND +user = ?1 \
    UNION ALL SELECT id FROM personal_tokens WHERE id >= ?2 AND +user = ?1 \
    UNION ALL SELECT id FROM sessions WHERE id >= ?2 AND +user = ?1 \
    UNION ALL SELECT id FROM tickets WHERE id >= ?2 AND +user = ?1)";

fn put_client(connection: &Connection, row: &Client) -> Result<(), SqliteError> {
    const SQL: &str = "INSERT INTO clients (key, version, client_id, owner, dialect, name, document) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (key) DO UPDATE SET version = excluded.version, \
        client_id = excluded.client_id, owner = excluded.owner, dialect = excluded.dialect, name = excluded.name, \
        document = excluded.document WHERE version = excluded.version - 1";
    must_be_next(connection, "SELECT version FROM clients WHERE key = ?1", row.key.0, row.version)?;
    let taken = "SELECT 1 FROM clients WHERE client_id = ?1 AND key <> ?2";
    if connection.prepare_cached(taken)?.exists(params![row.client_id, row.key.0])? {
        return Err(SqliteError::Taken("client_id"));
    }
    // Older pairs of equal identifiers stay. Only a new identifier is compared.
    let is_of_user = "SELECT 1 FROM users WHERE sub = ?1 AND NOT EXISTS (\
        SELECT 1 FROM clients WHERE key = ?2 AND client_id = ?1)";
    if connection.prepare_cached(is_of_user)?.exists(params![row.client_id, row.key.0])? {
        return Err(SqliteError::Taken(CLIENT_ID_OF_USER));
    }
    if row.revoked_below > revoked_before(connection, "SELECT document FROM clients WHERE key = ?1", row.key.0)? {
        must_be_above(connection, CLIENTS_ABOVE, row.key.0, row.revoked_below)?;
    }
    forget_uses(connection, row)?;
    let owner = row.owner.map(|owner| owner.0);
    let document = written(row, row.key.0).map_err(SqliteError::Unreadable)?;
    run_one(connection, SQL, params![row.key.0, row.version, row.client_id, owner, row.dialect, row.name, document])
}

/// Removes the last use of secrets that the client no longer has.
fn forget_uses(connection: &Connection, row: &Client) -> Result<(), SqliteError> {
    let kept: Vec<Digest> = row.secrets.iter().map(secret_digest).collect();
    let mut used = connection.prepare_cached("SELECT secret FROM secret_uses WHERE client = ?1")?;
    let used: Vec<[u8; 32]> = used.query_map([row.key.0], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for secret in used.into_iter().filter(|secret| !kept.contains(&Digest(*secret))) {
        run(connection, "DELETE FROM secret_uses WHERE secret = ?1", [secret])?;
    }
    Ok(())
}

fn put_user(connection: &Connection, row: &User) -> Result<(), SqliteError> {
    const SQL: &str = "INSERT INTO users (key, version, sub, username_lower, email_lower, document) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (key) DO UPDATE SET version = excluded.version, \
        sub = excluded.sub, username_lower = excluded.username_lower, email_lower = excluded.email_lower, \
        document = excluded.document WHERE version = excluded.version - 1";
    must_be_next(connection, "SELECT version FROM users WHERE key = ?1", row.key.0, row.version)?;
    let own = "SELECT username_lower, email_lower FROM users WHERE key = ?1";
    let stored: Option<(Option<String>, Option<String>)> =
        connection.prepare_cached(own)?.query_row([row.key.0], |own| Ok((own.get(0)?, own.get(1)?))).optional()?;
    let (old_username, old_email) = stored.unwrap_or_default();
    let username = row.username.as_deref().map(|name| stored_form(name, old_username.as_deref()));
    let email = row.email.as_deref().map(|name| stored_form(name, old_email.as_deref()));
    let is_of_client = "SELECT 1 FROM clients WHERE client_id = ?1 AND NOT EXISTS (\
        SELECT 1 FROM users WHERE key = ?2 AND sub = ?1)";
    if connection.prepare_cached(is_of_client)?.exists(params![row.sub, row.key.0])? {
        return Err(SqliteError::Taken(SUB_OF_CLIENT));
    }
    let sub_taken = "SELECT 1 FROM users WHERE sub = ?1 AND key <> ?2";
    // User names and e-mail addresses are typed into the same field, so a user name must not equal another user's
    // address.
    let login_taken = "SELECT 1 FROM users WHERE username_lower = ?1 AND key <> ?2 \
        UNION ALL SELECT 1 FROM users WHERE email_lower = ?1 AND key <> ?2";
    if connection.prepare_cached(sub_taken)?.exists(params![row.sub, row.key.0])? {
        return Err(SqliteError::Taken("sub"));
    }
    let names = [("username", &row.username, username != old_username), ("email", &row.email, email != old_email)];
    for (name, typed, is_new) in names {
        // A user keeps the own name, even if another one looks the same.
        for form in typed.as_deref().filter(|_| is_new).map(login_forms).unwrap_or_default() {
            if connection.prepare_cached(login_taken)?.exists(params![form, row.key.0])? {
                return Err(SqliteError::Taken(name));
            }
        }
    }
    if row.revoked_below > revoked_before(connection, "SELECT document FROM users WHERE key = ?1", row.key.0)? {
        must_be_above(connection, USERS_ABOVE, row.key.0, row.revoked_below)?;
    }
    let document = written(row, row.key.0).map_err(SqliteError::Unreadable)?;
    run_one(connection, SQL, params![row.key.0, row.version, row.sub, username, email, document])
}
