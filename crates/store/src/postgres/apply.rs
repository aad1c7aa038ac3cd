//! One turn in a transaction of its own: statement by statement, as on SQLite. What SQLite gets from its one writer is had
//! here by locks, which are taken before the first look: nobody else changes what the turn relies on until it is written.

use std::collections::BTreeSet;

use protocol::client::registration::secret_digest;
use protocol::line::{Changes, Rely, Write};
use protocol::model::{Client, ClientKey, Consent, IdentityName, Ticket, User, UserKey};
use protocol::names::login_forms;

use super::batch::{Batch, Counters, give_names, hold_grants, hold_sessions};
use super::error::PostgresError;
use super::gate;
use super::insert;
use super::keys;
use super::link::{Link, Typed, typed};
use super::text::text;
use crate::documents::{revoked_below, written};
use crate::names::{CLIENT_ID_OF_USER, SUB_OF_CLIENT, stored_form};

/// Writes one turn inside a transaction that it begins. The end of the transaction is the caller's. Whoever did not get a row
/// in time tries again alone.
pub(super) async fn turn(link: &Link, changes: &Changes, is_alone: bool) -> Result<(), PostgresError> {
    link.begin(gate::BEGIN).await?;
    if is_alone {
        gate::enter_alone(link).await?;
    } else {
        gate::enter(link).await?;
        // LOCK_TIMEOUT is no bound: who waits for a row that many share waits for each of them in turn, and for those who
        // came meanwhile.
        link.simple("SET LOCAL statement_timeout = '1s'").await?;
    }
    lock(link, changes).await?;
    if !is_alone {
        // Never in force at the end of a transaction: see `WRITING`.
        link.simple("SET LOCAL statement_timeout = 0").await?;
    }
    write_all(link, changes).await
}

/// Writes one turn inside a transaction in which nobody else writes.
pub(super) async fn turn_inside(link: &Link, changes: &Changes) -> Result<(), PostgresError> {
    lock(link, changes).await?;
    write_all(link, changes).await
}

async fn write_all(link: &Link, changes: &Changes) -> Result<(), PostgresError> {
    // In the order in which rows are locked everywhere.
    for rank in 0..=2 {
        if rank == 2 {
            hold_what_ends(link, changes).await?;
        }
        for rely in changes.relied.iter().filter(|rely| order(**rely) == rank) {
            compare(link, *rely).await?;
        }
    }
    hold_counters(link, changes).await?;
    // Uses of secrets come last, as in a batch, so that nobody waits for one of these rows who holds one that is waited for
    // here.
    let is_use = |write: &&Write| matches!(write, Write::TouchSecret { .. });
    for row in changes.writes.iter().filter(|row| !is_use(row)).chain(changes.writes.iter().filter(is_use)) {
        write(link, row).await?;
    }
    Ok(())
}

/// Holds the sessions and grants that the turn ends or changes, as a batch does.
async fn hold_what_ends(link: &Link, changes: &Changes) -> Result<(), PostgresError> {
    let Changes { relied, writes } = changes;
    let sessions = relied.iter().filter_map(|rely| if let Rely::Session(id) = rely { Some(id.0) } else { None });
    let ended = writes.iter().filter_map(|write| if let Write::EndSession(id) = write { Some(id.0) } else { None });
    hold_sessions(link, sessions, &ended.collect()).await?;
    let grants = relied.iter().filter_map(|rely| if let Rely::Grant(id) = rely { Some(id.0) } else { None });
    let rotated = writes
        .iter()
        .filter_map(|write| if let Write::RotateRefresh { grant, .. } = write { Some(grant.0) } else { None });
    let revoked = writes.iter().filter_map(|write| if let Write::RevokeGrant(id) = write { Some(id.0) } else { None });
    hold_grants(link, grants, rotated, &revoked.collect()).await
}

/// Holds the counters that the turn writes, as a batch does.
async fn hold_counters(link: &Link, changes: &Changes) -> Result<(), PostgresError> {
    let mut counters = Counters::default();
    for write in &changes.writes {
        if let Write::CountFailure { key, limit, now, resets_at, user } = write {
            counters.count(key, *limit, (*now, *resets_at), *user);
        }
        if let Write::ClearCounter { key, limit, now } = write {
            counters.clear(key, *limit, *now);
        }
    }
    counters.hold(link).await
}

/// Runs a statement that must change one row.
async fn run_one(link: &Link, sql: &str, values: &[Typed<'_>]) -> Result<(), PostgresError> {
    must(link.run(sql, values).await? == 1)
}

fn must(holds: bool) -> Result<(), PostgresError> {
    if holds { Ok(()) } else { Err(PostgresError::Lost) }
}

/// Users come before clients, and clients before everything else.
fn order(rely: Rely) -> u8 {
    match rely {
        Rely::User(..) => 0,
        Rely::Client(..) => 1,
        Rely::Session(_)
        | Rely::Grant(_)
        | Rely::Consent { .. }
        | Rely::ClientsFewer { .. }
        | Rely::PersonalsFewer { .. }
        | Rely::CounterBelow { .. } => 2,
    }
}

/// The user or client whose row the turn must hold alone.
enum Owner {
    User(UserKey),
    Client(ClientKey),
}

/// Returns whose row a precondition must hold alone. Rows that are absent cannot be held, but their owner can.
fn held_to_rely(rely: Rely) -> Option<Owner> {
    match rely {
        Rely::ClientsFewer { owner: user, .. }
        | Rely::PersonalsFewer { user, .. }
        | Rely::Consent { user, id: None, .. } => Some(Owner::User(user)),
        Rely::Client(..)
        | Rely::User(..)
        | Rely::Session(_)
        | Rely::Grant(_)
        | Rely::Consent { id: Some(_), .. }
        | Rely::CounterBelow { .. } => None,
    }
}

/// Returns whose row a write must hold alone: the row that it writes, or the owner of rows that another turn may be about to
/// add.
fn held_to_write(write: &Write) -> Option<Owner> {
    match write {
        Write::PutUser(row) => Some(Owner::User(row.key)),
        Write::PutClient(row) => Some(Owner::Client(row.key)),
        Write::DeleteClient(client) => Some(Owner::Client(*client)),
        Write::WithdrawConsent { user, .. }
        | Write::EndSessions { user, .. }
        | Write::DeleteUser(user)
        | Write::PutConsent(Consent { user, .. }) => Some(Owner::User(*user)),
        Write::SpendCode(_)
        | Write::RotateRefresh { .. }
        | Write::AwaitDurability
        | Write::CountFailure { .. }
        | Write::ForgetFailures(_)
        | Write::ClearCounter { .. }
        | Write::PutCode(_)
        | Write::PutGrant(_)
        | Write::PutAccess(_)
        | Write::PutPersonal(_)
        | Write::PutSession(_)
        | Write::PutTicket(_)
        | Write::ChangeTicket(_)
        | Write::SpendTicket { .. }
        | Write::PutIdentity(_)
        | Write::BurnJti { .. }
        | Write::PutSealKey(_)
        | Write::DropSealKey(_)
        | Write::PutSigningKey(_)
        | Write::DropSigningKey(_)
        | Write::TouchSession { .. }
        | Write::TouchPersonal { .. }
        | Write::TouchSecret { .. }
        | Write::RevokeGrant(_)
        | Write::RevokeAccess(_)
        | Write::RevokePersonal(_)
        | Write::EndSession(_)
        | Write::DropIdentity(_)
        | Write::Enqueue(_)
        | Write::Note(_) => None,
    }
}

/// Takes the locks that the turn needs, in an order that is the same for all turns: users, then clients. A user
/// or client is held alone when the turn writes its row, or rows that depend on it and that another turn may be about to add
/// to; every turn that adds such a row relies on the user and the client, and so waits. A turn that holds any row alone also
/// holds the users alone that it relies on: otherwise two turns that each change what the other relies on would deadlock.
async fn lock(link: &Link, changes: &Changes) -> Result<(), PostgresError> {
    let (mut users, mut clients) = (BTreeSet::new(), BTreeSet::new());
    let to_rely = changes.relied.iter().filter_map(|rely| held_to_rely(*rely));
    for owner in to_rely.chain(changes.writes.iter().filter_map(held_to_write)) {
        match owner {
            Owner::User(key) => users.insert(key.0),
            Owner::Client(key) => clients.insert(key.0),
        };
    }
    if users.is_empty() && clients.is_empty() {
        return Ok(());
    }
    users.extend(
        changes.relied.iter().filter_map(|rely| if let Rely::User(key, _) = rely { Some(key.0) } else { None }),
    );
    // Turns that share a row are let in past a turn that waits to hold it alone, so waiting for long is of no use.
    link.simple("SET LOCAL lock_timeout = '250ms'").await?;
    for (sql, keys) in [
        ("SELECT 1 FROM users WHERE key = ANY($1) ORDER BY key FOR UPDATE", users),
        ("SELECT 1 FROM clients WHERE key = ANY($1) ORDER BY key FOR UPDATE", clients),
    ] {
        if !keys.is_empty() {
            let keys: Vec<i64> = keys.into_iter().collect();
            link.rows(sql, typed![INT8_ARRAY keys]).await?;
        }
    }
    link.simple("SET LOCAL lock_timeout = '5s'").await
}

/// Compares what the turn relies on with the rows as they are before it.
async fn compare(link: &Link, rely: Rely) -> Result<(), PostgresError> {
    let exists =
        async |sql: &str, values: &[Typed<'_>]| Ok::<_, PostgresError>(!link.rows(sql, values).await?.is_empty());
    let found = match rely {
        Rely::Client(key, version) => {
            let sql = "SELECT 1 FROM clients WHERE key = $1 AND version = $2 FOR SHARE";
            exists(sql, typed![INT8 key.0, INT8 i64::from(version)]).await?
        }
        Rely::User(key, version) => {
            let sql = "SELECT 1 FROM users WHERE key = $1 AND version = $2 FOR SHARE";
            exists(sql, typed![INT8 key.0, INT8 i64::from(version)]).await?
        }
        Rely::Session(id) => exists("SELECT 1 FROM sessions WHERE id = $1 FOR SHARE", typed![INT8 id.0]).await?,
        Rely::Grant(id) => {
            exists("SELECT 1 FROM grants WHERE id = $1 AND NOT is_revoked FOR SHARE", typed![INT8 id.0]).await?
        }
        Rely::Consent { user, client, id } => {
            let sql = "SELECT id FROM consents WHERE user_key = $1 AND client_key = $2 FOR SHARE";
            let rows = link.rows(sql, typed![INT8 user.0, INT8 client.0]).await?;
            rows.first().map(|row| row.try_get(0)).transpose()? == id
        }
        Rely::ClientsFewer { owner, than } => {
            count(link, "SELECT count(*) FROM clients WHERE owner = $1", owner).await? < i64::from(than)
        }
        Rely::PersonalsFewer { user, than } => {
            count(link, "SELECT count(*) FROM personal_tokens WHERE user_key = $1", user).await? < i64::from(than)
        }
        Rely::CounterBelow { key, limit, now } => {
            const SQL: &str = "SELECT 1 WHERE $2 > 0 AND NOT EXISTS (\
                SELECT 1 FROM attempts WHERE key = $1 AND failures >= $2 AND resets_at > $3)";
            exists(SQL, typed![BYTEA key.0.as_slice(), INT8 i64::from(limit), INT8 now.0]).await?
        }
    };
    must(found)
}

async fn count(link: &Link, sql: &str, user: UserKey) -> Result<i64, PostgresError> {
    let rows = link.rows(sql, typed![INT8 user.0]).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
}

async fn write(link: &Link, write: &Write) -> Result<(), PostgresError> {
    let end = async |sql: &str, keys: &[i64]| end(link, sql, keys).await;
    match write {
        // Kinds that are also written together with those of others have one statement for both.
        Write::AwaitDurability
        | Write::SpendCode(_)
        | Write::RotateRefresh { .. }
        | Write::PutCode(_)
        | Write::PutGrant(_)
        | Write::PutAccess(_)
        | Write::TouchSession { .. }
        | Write::TouchPersonal { .. }
        | Write::TouchSecret { .. }
        | Write::PutSession(_)
        | Write::PutTicket(_)
        | Write::SpendTicket { .. }
        | Write::PutConsent(_)
        | Write::PutIdentity(_)
        | Write::BurnJti { .. }
        | Write::CountFailure { .. }
        | Write::ClearCounter { .. }
        | Write::RevokeGrant(_)
        | Write::RevokeAccess(_)
        | Write::RevokePersonal(_)
        | Write::EndSession(_)
        | Write::Enqueue(_)
        | Write::Note(_) => {
            let mut batch = Batch::default();
            batch.write(write)?;
            // Boxed: it has room for every statement of a batch.
            Box::pin(batch.write_inside(link)).await
        }
        Write::ForgetFailures(user) => end(FORGET_FAILURES, &[user.0]).await,
        Write::PutClient(row) => put_client(link, row).await,
        Write::PutUser(row) => put_user(link, row).await,
        Write::PutPersonal(row) => insert::personal(link, row).await,
        Write::ChangeTicket(row) => change_ticket(link, row).await,
        Write::PutSealKey(row) => keys::put_seal(link, *row).await,
        Write::DropSealKey(number) => keys::drop_seal(link, *number).await,
        Write::PutSigningKey(row) => keys::put_signing(link, row).await,
        Write::DropSigningKey(number) => keys::drop_signing(link, *number).await,
        Write::WithdrawConsent { user, client } => end_all(link, &WITHDRAW_CONSENT, &[user.0, client.0]).await,
        Write::EndSessions { user, but: Some(but) } => {
            end("DELETE FROM sessions WHERE user_key = $1 AND id <> $2", &[user.0, but.0]).await
        }
        Write::EndSessions { user, but: None } => end("DELETE FROM sessions WHERE user_key = $1", &[user.0]).await,
        Write::DropIdentity(name) => drop_identity(link, name).await,
        Write::DeleteUser(key) => end_all(link, &DELETE_USER, &[key.0]).await,
        Write::DeleteClient(key) => end_all(link, &DELETE_CLIENT, &[key.0]).await,
    }
}

/// In the order in which all transactions lock counters.
const FORGET_FAILURES: &str = "DELETE FROM attempts WHERE id IN (\
    SELECT id FROM attempts WHERE user_key = $1 ORDER BY key FOR UPDATE)";

/// The codes go too: one that was not redeemed yet would begin a grant that the user no longer wants.
const WITHDRAW_CONSENT: [&str; 3] = [
    "DELETE FROM consents WHERE user_key = $1 AND client_key = $2",
    "DELETE FROM codes WHERE user_key = $1 AND client_key = $2 AND NOT is_spent",
    "UPDATE grants SET is_revoked = true WHERE user_key = $1 AND client_key = $2 AND NOT is_revoked",
];

/// The user and every row that depends on it.
const DELETE_USER: [&str; 8] = [
    "DELETE FROM users WHERE key = $1",
    "DELETE FROM sessions WHERE user_key = $1",
    "DELETE FROM identities WHERE user_key = $1",
    "DELETE FROM consents WHERE user_key = $1",
    "DELETE FROM personal_tokens WHERE user_key = $1",
    "DELETE FROM grants WHERE user_key = $1",
    "DELETE FROM tickets WHERE user_key = $1",
    "DELETE FROM attempts WHERE user_key = $1",
];

/// The client and every row that depends on it.
const DELETE_CLIENT: [&str; 5] = [
    "DELETE FROM clients WHERE key = $1",
    "DELETE FROM secret_uses WHERE client_key = $1",
    "DELETE FROM consents WHERE client_key = $1",
    "DELETE FROM grants WHERE client_key = $1",
    "DELETE FROM tickets WHERE client_key = $1",
];

/// Runs a statement without a precondition: a row that is not there need not be ended.
async fn end(link: &Link, sql: &str, keys: &[i64]) -> Result<(), PostgresError> {
    let values: Vec<Typed<'_>> = keys.iter().map(|key| typed![INT8 * key][0].clone()).collect();
    link.run(sql, &values).await.map(drop)
}

/// As [`end`], for several statements with the same parameters.
async fn end_all(link: &Link, statements: &[&str], keys: &[i64]) -> Result<(), PostgresError> {
    for sql in statements {
        end(link, sql, keys).await?;
    }
    Ok(())
}

async fn change_ticket(link: &Link, row: &Ticket) -> Result<(), PostgresError> {
    const SQL: &str = "UPDATE tickets SET user_key = $2, client_key = $3, expires_at = $4, version = $5, document = $6 \
        WHERE id = $1 AND version = $5 - 1 AND NOT is_spent";
    let Ticket { id, user, client, expires_at, version, document, .. } = row;
    let (user, client, version) = (user.map(|user| user.0), client.map(|client| client.0), i64::from(*version));
    let document = written(document, id.0).map_err(PostgresError::Unreadable)?;
    run_one(link, SQL, typed![INT8 id.0, INT8 user, INT8 client, INT8 expires_at.0, INT8 version, TEXT document]).await
}

async fn drop_identity(link: &Link, name: &IdentityName) -> Result<(), PostgresError> {
    let sql = "DELETE FROM identities WHERE issuer = $1 AND subject = $2";
    link.run(sql, typed![TEXT text(&name.issuer), TEXT text(&name.subject)]).await.map(drop)
}

/// A new row has version 1; any other takes the place of the version before it. Gives the id below which everything was
/// revoked before.
async fn must_be_next(link: &Link, sql: &str, key: i64, version: u32) -> Result<i64, PostgresError> {
    let rows = link.rows(sql, typed![INT8 key]).await?;
    let Some(row) = rows.first() else { return must(version == 1).map(|()| 0) };
    must(row.try_get::<_, i64>(0)? + 1 == i64::from(version))?;
    Ok(revoked_below(row.try_get(1)?))
}

/// What is to be revoked by its id must have one that is small enough. Only new rows can have a greater one, so these are
/// looked at by their ids and not by whose they are: `+ 0` keeps PostgreSQL from the other index.
async fn must_be_above(link: &Link, sql: &str, key: i64, revoked_below: i64) -> Result<(), PostgresError> {
    let rows = link.rows(sql, typed![INT8 key, INT8 revoked_below]).await?;
    let greatest: Option<i64> = rows.first().and_then(|row| row.try_get(0).transpose()).transpose()?;
    greatest.map_or(Ok(()), |id| Err(PostgresError::Behind(id)))
}

/// Of a client's, what is not below an id.
const CLIENTS_ABOVE: &str = "SELECT max(id) FROM (\
    SELECT id FROM access_tokens WHERE id >= $2 AND client_key + 0 = $1 \
    UNION ALL SELECT id FROM codes WHERE id >= $2 AND client_key + 0 = $1 \
    UNION ALL SELECT id FROM grants WHERE id >= $2 AND client_key + 0 = $1 \
    UNION ALL SELECT id FROM tickets WHERE id >= $2 AND client_key + 0 = $1) AS above";
/// Of a user's, what is not below an id.
const USERS_ABOVE: &str = "SELECT max(id) FROM (\
    SELECT id FROM access_tokens WHERE id >= $2 AND user_key + 0 = $1 \
    UNION ALL SELECT id FROM codes WHERE id >= $2 AND user_key + 0 = $1 \
    UNION ALL SELECT id FROM grants WHERE id >= $2 AND user_key + 0 = $1 \
    UNION ALL SELECT id FROM personal_tokens WHERE id >= $2 AND user_key + 0 = $1 \
    UNION ALL SELECT id FROM sessions WHERE id >= $2 AND user_key + 0 = $1 \
    UNION ALL SELECT id FROM tickets WHERE id >= $2 AND user_key + 0 = $1) AS above";

async fn put_client(link: &Link, row: &Client) -> Result<(), PostgresError> {
    const SQL: &str = "INSERT INTO clients AS c (key, version, client_id, owner, dialect, name, document) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (key) DO UPDATE SET version = excluded.version, \
        client_id = excluded.client_id, owner = excluded.owner, dialect = excluded.dialect, name = excluded.name, \
        document = excluded.document WHERE c.version = excluded.version - 1";
    let sql = "SELECT version, document FROM clients WHERE key = $1";
    let before = must_be_next(link, sql, row.key.0, row.version).await?;
    let taken = "SELECT 1 FROM clients WHERE client_id = $1 AND key <> $2";
    let client_id = text(&row.client_id);
    let own = "SELECT 1 FROM clients WHERE key = $1 AND client_id = $2";
    if link.rows(own, typed![INT8 row.key.0, TEXT client_id]).await?.is_empty() {
        give_names(link).await?;
        // Pairs from before stay as they are: only a new name is compared.
        if !link.rows("SELECT 1 FROM users WHERE sub = $1", typed![TEXT client_id]).await?.is_empty() {
            return Err(PostgresError::Taken(CLIENT_ID_OF_USER));
        }
    }
    if !link.rows(taken, typed![TEXT client_id, INT8 row.key.0]).await?.is_empty() {
        return Err(PostgresError::Taken("client_id"));
    }
    if row.revoked_below > before {
        must_be_above(link, CLIENTS_ABOVE, row.key.0, row.revoked_below).await?;
    }
    // Uses of secrets that the client no longer has.
    let kept: Vec<[u8; 32]> = row.secrets.iter().map(|secret| secret_digest(secret).0).collect();
    let kept: Vec<&[u8]> = kept.iter().map(<[u8; 32]>::as_slice).collect();
    let sql = "DELETE FROM secret_uses WHERE client_key = $1 AND secret <> ALL($2)";
    link.run(sql, typed![INT8 row.key.0, BYTEA_ARRAY kept]).await?;
    let owner = row.owner.map(|owner| owner.0);
    let document = written(row, row.key.0).map_err(PostgresError::Unreadable)?;
    let version = i64::from(row.version);
    let values = typed![
        INT8 row.key.0, INT8 version, TEXT client_id, INT8 owner, TEXT text(&row.dialect), TEXT text(&row.name),
        TEXT document,
    ];
    run_one(link, SQL, values).await
}

async fn put_user(link: &Link, row: &User) -> Result<(), PostgresError> {
    const SQL: &str = "INSERT INTO users AS u (key, version, sub, username_lower, email_lower, document) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (key) DO UPDATE SET version = excluded.version, \
        sub = excluded.sub, username_lower = excluded.username_lower, email_lower = excluded.email_lower, \
        document = excluded.document WHERE u.version = excluded.version - 1";
    let sql = "SELECT version, document FROM users WHERE key = $1";
    let before = must_be_next(link, sql, row.key.0, row.version).await?;
    let sub = text(&row.sub);
    let own = "SELECT sub, username_lower, email_lower FROM users WHERE key = $1";
    let stored = link.rows(own, typed![INT8 row.key.0]).await?;
    let old = |at: usize| Ok::<_, PostgresError>(stored.first().map(|row| row.try_get(at)).transpose()?.flatten());
    let (old_sub, old_username, old_email): (Option<String>, Option<String>, Option<String>) =
        (old(0)?, old(1)?, old(2)?);
    let form = |name: &Option<String>, old: &Option<String>| {
        name.as_deref().map(|name| text(&stored_form(name, old.as_deref())).into_owned())
    };
    let (username, email) = (form(&row.username, &old_username), form(&row.email, &old_email));
    let is_sub_new = old_sub.as_deref() != Some(&*sub);
    if is_sub_new || username != old_username || email != old_email {
        give_names(link).await?;
    }
    if is_sub_new && !link.rows("SELECT 1 FROM clients WHERE client_id = $1", typed![TEXT sub]).await?.is_empty() {
        return Err(PostgresError::Taken(SUB_OF_CLIENT));
    }
    let sub_taken = "SELECT 1 FROM users WHERE sub = $1 AND key <> $2";
    // Both are typed into the same field, so one person's name must not be another's address either.
    let login_taken = "SELECT 1 FROM users WHERE username_lower = $1 AND key <> $2 \
        UNION ALL SELECT 1 FROM users WHERE email_lower = $1 AND key <> $2";
    if !link.rows(sub_taken, typed![TEXT sub, INT8 row.key.0]).await?.is_empty() {
        return Err(PostgresError::Taken("sub"));
    }
    let names = [("username", &row.username, username != old_username), ("email", &row.email, email != old_email)];
    for (name, typed, is_new) in names {
        // Who has a name keeps it, also beside another one that looks the same.
        for form in typed.as_deref().filter(|_| is_new).map(login_forms).unwrap_or_default() {
            if !link.rows(login_taken, typed![TEXT text(&form), INT8 row.key.0]).await?.is_empty() {
                return Err(PostgresError::Taken(name));
            }
        }
    }
    if row.revoked_below > before {
        must_be_above(link, USERS_ABOVE, row.key.0, row.revoked_below).await?;
    }
    let document = written(row, row.key.0).map_err(PostgresError::Unreadable)?;
    let version = i64::from(row.version);
    let values = typed![INT8 row.key.0, INT8 version, TEXT sub, TEXT username, TEXT email, TEXT document];
    run_one(link, SQL, values).await
}
