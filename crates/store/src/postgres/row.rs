//! Columns to rows. Every function names the columns that it expects, in their order.

use protocol::model::{
    Access, AccessId, Amr, Attempts, Authorization, Circumstances, ClientKey, Code, CodeId, Consent, Event, EventKind,
    Grant, GrantId, Identity, IdentityName, Permission, Personal, PersonalId, Refresh, SealKey, Session, SessionId,
    UserKey,
};
use protocol::scope::Scope;
use protocol::secret::Digest;
use protocol::time::UnixTime;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::stop::Stop;
use crate::documents::{read_circumstances, read_list};

type Read<T> = Result<T, Stop>;

/// Where the columns of a join begin, behind those of the row.
pub(super) const SESSION_WIDTH: usize = 11;
pub(super) const IDENTITY_WIDTH: usize = 4;
pub(super) const CODE_WIDTH: usize = 15;
pub(super) const GRANT_WIDTH: usize = 15;
pub(super) const ACCESS_WIDTH: usize = 9;
pub(super) const PERSONAL_WIDTH: usize = 10;

/// The columns of each table, under the letter that its rows have in every statement.
macro_rules! columns {
    (session) => { "s.id, s.digest, s.user_key, s.amr, s.auth_time, s.created_at, s.seen_at, s.idle_until, s.expires_at, s.address, s.agent" };
    (identity) => { "i.issuer, i.subject, i.user_key, i.linked_at" };
    (consent) => { "o.id, o.user_key, o.client_key, o.scope, o.audience, o.given_at, o.renewed_at" };
    (code) => { "k.id, k.digest, k.grant_id, k.client_key, k.user_key, k.is_spent, k.issued_at, k.expires_at, k.auth_time, k.is_redirect_uri_named, k.redirect_uri, k.challenge, k.scope, k.audience, k.circumstances" };
    (grant) => { "g.id, g.user_key, g.client_key, g.is_revoked, g.auth_time, g.created_at, g.expires_at, g.refresh_current, g.refresh_previous, g.refresh_idle_until, g.scope, g.audience, g.refresh_answer, g.refresh_generation, g.circumstances" };
    (access) => { "a.id, a.digest, a.client_key, a.user_key, a.grant_id, a.issued_at, a.expires_at, a.scope, a.audience" };
    (personal) => { "p.id, p.digest, p.user_key, p.created_at, p.expires_at, p.used_at, p.dialect, p.name, p.scope, p.by_operator" };
}
pub(super) use columns;

/// One column.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, at: usize) -> Read<T> {
    Ok(row.try_get(at)?)
}

/// A version, or another number of 32 bits.
pub(super) fn number(row: &Row, at: usize) -> Read<u32> {
    let number: i64 = get(row, at)?;
    u32::try_from(number).map_err(|_| unreadable("a number", at))
}

/// The version of a row that may be absent.
pub(super) fn version(row: &Row, at: usize) -> Read<Option<u32>> {
    let version: Option<i64> = get(row, at)?;
    version.map(|version| u32::try_from(version).map_err(|_| unreadable("a version", at))).transpose()
}

fn unreadable(what: &str, at: usize) -> Stop {
    Stop::Unreadable(format!("column {at} is not {what}"))
}

pub(super) fn digest(row: &Row, at: usize) -> Read<Digest> {
    digest_or_none(row, at)?.ok_or_else(|| unreadable("a digest", at))
}

fn digest_or_none(row: &Row, at: usize) -> Read<Option<Digest>> {
    let bytes: Option<&[u8]> = get(row, at)?;
    bytes.map(|bytes| bytes.try_into().map(Digest).map_err(|_| unreadable("a digest", at))).transpose()
}

fn time(row: &Row, at: usize) -> Read<UnixTime> {
    get(row, at).map(UnixTime)
}

/// The number of a grant's current refresh token. Rows from before tokens were counted have none, which is 0.
fn generation(column: Option<i64>) -> u32 {
    column.and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

fn scope(row: &Row, at: usize) -> Read<Scope> {
    get(row, at).map(Scope::from_row)
}

/// A list that was written as a JSON array; absent when it is empty.
fn list<T: serde::de::DeserializeOwned>(row: &Row, at: usize) -> Read<Vec<T>> {
    read_list(get(row, at)?).ok_or_else(|| unreadable("a list", at))
}

/// Two columns: the scope, then the audience.
fn permission(row: &Row, at: usize) -> Read<Permission> {
    Ok(Permission { scope: scope(row, at)?, audience: list(row, at + 1)? })
}

/// What is known about an authorization: a JSON object, or NULL in rows of versions that did not keep it.
fn circumstances(row: &Row, at: usize) -> Read<Circumstances> {
    read_circumstances(get(row, at)?).ok_or_else(|| unreadable("a JSON object", at))
}

pub(super) fn session(row: &Row) -> Read<Session> {
    Ok(Session {
        id: SessionId(get(row, 0)?),
        digest: digest(row, 1)?,
        user: UserKey(get(row, 2)?),
        amr: list::<Amr>(row, 3)?,
        auth_time: time(row, 4)?,
        created_at: time(row, 5)?,
        seen_at: time(row, 6)?,
        idle_until: time(row, 7)?,
        expires_at: time(row, 8)?,
        address: get(row, 9)?,
        agent: get(row, 10)?,
    })
}

pub(super) fn identity(row: &Row) -> Read<Identity> {
    Ok(Identity {
        name: IdentityName { issuer: get(row, 0)?, subject: get(row, 1)? },
        user: UserKey(get(row, 2)?),
        linked_at: time(row, 3)?,
    })
}

pub(super) fn consent(row: &Row) -> Read<Consent> {
    Ok(Consent {
        id: get(row, 0)?,
        user: UserKey(get(row, 1)?),
        client: ClientKey(get(row, 2)?),
        permission: permission(row, 3)?,
        given_at: time(row, 5)?,
        renewed_at: time(row, 6)?,
    })
}

pub(super) fn code(row: &Row) -> Read<Code> {
    Ok(Code {
        id: CodeId(get(row, 0)?),
        digest: digest(row, 1)?,
        grant: GrantId(get(row, 2)?),
        authorization: Authorization {
            client: ClientKey(get(row, 3)?),
            user: UserKey(get(row, 4)?),
            permission: permission(row, 12)?,
            auth_time: time(row, 8)?,
            circumstances: circumstances(row, 14)?,
        },
        is_spent: get(row, 5)?,
        issued_at: time(row, 6)?,
        expires_at: time(row, 7)?,
        is_redirect_uri_named: get(row, 9)?,
        redirect_uri: get(row, 10)?,
        challenge: digest_or_none(row, 11)?,
    })
}

pub(super) fn grant(row: &Row) -> Read<Grant> {
    let refresh = match digest_or_none(row, 7)? {
        None => None,
        Some(current) => Some(Refresh {
            current,
            previous: digest_or_none(row, 8)?,
            answer: get(row, 12)?,
            idle_until: time(row, 9)?,
            generation: generation(get(row, 13)?),
        }),
    };
    Ok(Grant {
        id: GrantId(get(row, 0)?),
        authorization: Authorization {
            user: UserKey(get(row, 1)?),
            client: ClientKey(get(row, 2)?),
            permission: permission(row, 10)?,
            auth_time: time(row, 4)?,
            circumstances: circumstances(row, 14)?,
        },
        is_revoked: get(row, 3)?,
        created_at: time(row, 5)?,
        expires_at: time(row, 6)?,
        refresh,
    })
}

pub(super) fn access(row: &Row) -> Read<Access> {
    Ok(Access {
        id: AccessId(get(row, 0)?),
        digest: digest(row, 1)?,
        client: ClientKey(get(row, 2)?),
        user: get::<Option<i64>>(row, 3)?.map(UserKey),
        grant: get::<Option<i64>>(row, 4)?.map(GrantId),
        issued_at: time(row, 5)?,
        expires_at: time(row, 6)?,
        permission: permission(row, 7)?,
    })
}

pub(super) fn personal(row: &Row) -> Read<Personal> {
    Ok(Personal {
        id: PersonalId(get(row, 0)?),
        digest: digest(row, 1)?,
        user: UserKey(get(row, 2)?),
        created_at: time(row, 3)?,
        expires_at: time(row, 4)?,
        used_at: get::<Option<i64>>(row, 5)?.map(UnixTime),
        dialect: get(row, 6)?,
        name: get(row, 7)?,
        scope: scope(row, 8)?,
        is_by_operator: get::<Option<i64>>(row, 9)? == Some(1),
    })
}

/// `key, failures, resets_at`
pub(super) fn attempts(row: &Row) -> Read<(Digest, Attempts)> {
    Ok((digest(row, 0)?, Attempts { failures: number(row, 1)?, resets_at: time(row, 2)? }))
}

/// `secret, used_at`
pub(super) fn secret_use(row: &Row) -> Read<(Digest, UnixTime)> {
    Ok((digest(row, 0)?, time(row, 1)?))
}

/// `number, created_at`
pub(super) fn seal_key(row: &Row) -> Read<SealKey> {
    let number = u32::try_from(get::<i64>(row, 0)?).map_err(|_| unreadable("a number of a key", 0))?;
    Ok(SealKey { number, created_at: time(row, 1)? })
}

/// Columns of an event, before its number.
pub(super) const EVENT_WIDTH: usize = 7;

/// `at, kind, user_key, client_key, address, detail, actor`. None when a newer program wrote a kind that this one does not know.
pub(super) fn event(row: &Row) -> Read<Option<Event>> {
    let Some(kind) = EventKind::from_name(get(row, 1)?) else { return Ok(None) };
    Ok(Some(Event {
        at: time(row, 0)?,
        kind,
        user: get::<Option<i64>>(row, 2)?.map(UserKey),
        client: get::<Option<i64>>(row, 3)?.map(ClientKey),
        address: get(row, 4)?,
        detail: get(row, 5)?,
        actor: get(row, 6)?,
    }))
}
