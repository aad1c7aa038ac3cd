//! Columns to rows. Every function names the columns that it expects, in their order.

use protocol::model::{
    Access, AccessId, Amr, Attempts, Authorization, Circumstances, ClientKey, Code, CodeId, Consent, Event, EventKind,
    Grant, GrantId, Identity, IdentityName, Permission, Personal, PersonalId, Refresh, SealKey, Session, SessionId,
    UserKey,
};
use protocol::scope::Scope;
use protocol::secret::Digest;
use protocol::time::UnixTime;
use rusqlite::Row;
use rusqlite::types::Type;

use crate::documents::{read_circumstances, read_list};

type Read<T> = rusqlite::Result<T>;

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {$($(#[$doc])* pub(super) const $name: &str = $text;)*};
}

columns! {
    /// Of `sessions AS s`.
    SESSION = "s.id, s.digest, s.user, s.amr, s.auth_time, s.created_at, s.seen_at, s.idle_until, s.expires_at, s.address, s.agent";
    /// Of `identities AS i`.
    IDENTITY = "i.issuer, i.subject, i.user, i.linked_at";
    /// Of `consents AS o`.
    CONSENT = "o.id, o.user, o.client, o.scope, o.audience, o.given_at, o.renewed_at";
    /// Of `codes AS k`.
    CODE = "k.id, k.digest, k.grant_id, k.client, k.user, k.is_spent, k.issued_at, k.expires_at, k.auth_time, k.is_redirect_uri_named, k.redirect_uri, k.challenge, k.scope, k.audience, k.circumstances";
    /// Of `grants AS g`.
    GRANT = "g.id, g.user, g.client, g.is_revoked, g.auth_time, g.created_at, g.expires_at, g.refresh_current, g.refresh_previous, g.refresh_idle_until, g.scope, g.audience, g.refresh_answer, g.refresh_generation, g.circumstances";
    /// Of `access_tokens AS a`.
    ACCESS = "a.id, a.digest, a.client, a.user, a.grant_id, a.issued_at, a.expires_at, a.scope, a.audience";
    /// Of `personal_tokens AS p`.
    PERSONAL = "p.id, p.digest, p.user, p.created_at, p.expires_at, p.used_at, p.dialect, p.name, p.scope, p.by_operator";
}

/// Where the columns of a join begin, behind those of the row.
pub(super) const SESSION_WIDTH: usize = 11;
pub(super) const IDENTITY_WIDTH: usize = 4;
pub(super) const CODE_WIDTH: usize = 15;
pub(super) const GRANT_WIDTH: usize = 15;
pub(super) const ACCESS_WIDTH: usize = 9;
pub(super) const PERSONAL_WIDTH: usize = 10;

fn digest(row: &Row<'_>, at: usize) -> Read<Digest> {
    row.get(at).map(Digest)
}

fn time(row: &Row<'_>, at: usize) -> Read<UnixTime> {
    row.get(at).map(UnixTime)
}

/// The number of a grant's current refresh token. Rows from before tokens were counted have none, which is 0.
fn generation(column: Option<i64>) -> u32 {
    column.and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

fn scope(row: &Row<'_>, at: usize) -> Read<Scope> {
    row.get(at).map(Scope::from_row)
}

/// A list that was written as a JSON array; absent when it is empty.
fn list<T: serde::de::DeserializeOwned>(row: &Row<'_>, at: usize) -> Read<Vec<T>> {
    let text = row.get_ref(at)?.as_str_or_null()?;
    read_list(text)
        .ok_or_else(|| rusqlite::Error::FromSqlConversionFailure(at, Type::Text, "this is not a list".into()))
}

/// Two columns: the scope, then the audience.
fn permission(row: &Row<'_>, at: usize) -> Read<Permission> {
    Ok(Permission { scope: scope(row, at)?, audience: list(row, at + 1)? })
}

/// What is known about an authorization: a JSON object, or NULL in rows of versions that did not keep it.
fn circumstances(row: &Row<'_>, at: usize) -> Read<Circumstances> {
    read_circumstances(row.get_ref(at)?.as_str_or_null()?)
        .ok_or_else(|| rusqlite::Error::FromSqlConversionFailure(at, Type::Text, "this is no JSON object".into()))
}

pub(super) fn session(row: &Row<'_>) -> Read<Session> {
    Ok(Session {
        id: SessionId(row.get(0)?),
        digest: digest(row, 1)?,
        user: UserKey(row.get(2)?),
        amr: list::<Amr>(row, 3)?,
        auth_time: time(row, 4)?,
        created_at: time(row, 5)?,
        seen_at: time(row, 6)?,
        idle_until: time(row, 7)?,
        expires_at: time(row, 8)?,
        address: row.get(9)?,
        agent: row.get(10)?,
    })
}

pub(super) fn identity(row: &Row<'_>) -> Read<Identity> {
    Ok(Identity {
        name: IdentityName { issuer: row.get(0)?, subject: row.get(1)? },
        user: UserKey(row.get(2)?),
        linked_at: time(row, 3)?,
    })
}

pub(super) fn consent(row: &Row<'_>) -> Read<Consent> {
    Ok(Consent {
        id: row.get(0)?,
        user: UserKey(row.get(1)?),
        client: ClientKey(row.get(2)?),
        permission: permission(row, 3)?,
        given_at: time(row, 5)?,
        renewed_at: time(row, 6)?,
    })
}

pub(super) fn code(row: &Row<'_>) -> Read<Code> {
    Ok(Code {
        id: CodeId(row.get(0)?),
        digest: digest(row, 1)?,
        grant: GrantId(row.get(2)?),
        authorization: Authorization {
            client: ClientKey(row.get(3)?),
            user: UserKey(row.get(4)?),
            permission: permission(row, 12)?,
            auth_time: time(row, 8)?,
            circumstances: circumstances(row, 14)?,
        },
        is_spent: row.get(5)?,
        issued_at: time(row, 6)?,
        expires_at: time(row, 7)?,
        is_redirect_uri_named: row.get(9)?,
        redirect_uri: row.get(10)?,
        challenge: row.get::<_, Option<[u8; 32]>>(11)?.map(Digest),
    })
}

pub(super) fn grant(row: &Row<'_>) -> Read<Grant> {
    let refresh = match row.get::<_, Option<[u8; 32]>>(7)? {
        None => None,
        Some(current) => Some(Refresh {
            current: Digest(current),
            previous: row.get::<_, Option<[u8; 32]>>(8)?.map(Digest),
            answer: row.get(12)?,
            idle_until: time(row, 9)?,
            generation: generation(row.get(13)?),
        }),
    };
    Ok(Grant {
        id: GrantId(row.get(0)?),
        authorization: Authorization {
            user: UserKey(row.get(1)?),
            client: ClientKey(row.get(2)?),
            permission: permission(row, 10)?,
            auth_time: time(row, 4)?,
            circumstances: circumstances(row, 14)?,
        },
        is_revoked: row.get(3)?,
        created_at: time(row, 5)?,
        expires_at: time(row, 6)?,
        refresh,
    })
}

pub(super) fn access(row: &Row<'_>) -> Read<Access> {
    Ok(Access {
        id: AccessId(row.get(0)?),
        digest: digest(row, 1)?,
        client: ClientKey(row.get(2)?),
        user: row.get::<_, Option<i64>>(3)?.map(UserKey),
        grant: row.get::<_, Option<i64>>(4)?.map(GrantId),
        issued_at: time(row, 5)?,
        expires_at: time(row, 6)?,
        permission: permission(row, 7)?,
    })
}

pub(super) fn personal(row: &Row<'_>) -> Read<Personal> {
    Ok(Personal {
        id: PersonalId(row.get(0)?),
        digest: digest(row, 1)?,
        user: UserKey(row.get(2)?),
        created_at: time(row, 3)?,
        expires_at: time(row, 4)?,
        used_at: row.get::<_, Option<i64>>(5)?.map(UnixTime),
        dialect: row.get(6)?,
        name: row.get(7)?,
        scope: scope(row, 8)?,
        is_by_operator: row.get::<_, Option<i64>>(9)? == Some(1),
    })
}

/// `failures, resets_at`
pub(super) fn attempts(row: &Row<'_>) -> Read<Attempts> {
    Ok(Attempts { failures: row.get(0)?, resets_at: time(row, 1)? })
}

/// `secret, used_at`
pub(super) fn secret_use(row: &Row<'_>) -> Read<(Digest, UnixTime)> {
    Ok((digest(row, 0)?, time(row, 1)?))
}

/// `number, created_at`
pub(super) fn seal_key(row: &Row<'_>) -> Read<SealKey> {
    Ok(SealKey { number: row.get(0)?, created_at: time(row, 1)? })
}

/// Columns of an event, before its number.
pub(super) const EVENT_WIDTH: usize = 7;

/// `at, kind, user, client, address, detail, actor`. None when a newer program wrote a kind that this one does not know.
pub(super) fn event(row: &Row<'_>) -> Read<Option<Event>> {
    let Some(kind) = EventKind::from_name(row.get_ref(1)?.as_str()?) else { return Ok(None) };
    Ok(Some(Event {
        at: time(row, 0)?,
        kind,
        user: row.get::<_, Option<i64>>(2)?.map(UserKey),
        client: row.get::<_, Option<i64>>(3)?.map(ClientKey),
        address: row.get(4)?,
        detail: row.get(5)?,
        actor: row.get(6)?,
    }))
}
