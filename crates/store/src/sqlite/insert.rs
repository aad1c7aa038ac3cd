//! New rows.

use protocol::model::{Access, Code, Consent, Event, Grant, Identity, Personal, Session};
use rusqlite::{Connection, params};

use super::apply::{add, run};
use super::stop::Stop;
use crate::documents::list;

pub(super) fn code(connection: &Connection, row: &Code) -> Result<(), Stop> {
    const SQL: &str = "INSERT INTO codes (id, digest, grant_id, client, user, is_spent, issued_at, expires_at, \
        auth_time, is_redirect_uri_named, redirect_uri, challenge, scope, audience, circumstances) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
    let authorization = &row.authorization;
    let values = params![
        row.id.0,
        row.digest.0,
        row.grant.0,
        authorization.client.0,
        authorization.user.0,
        row.is_spent,
        row.issued_at.0,
        row.expires_at.0,
        authorization.auth_time.0,
        row.is_redirect_uri_named,
        row.redirect_uri,
        row.challenge.map(|digest| digest.0),
        authorization.permission.scope.as_str(),
        list(&authorization.permission.audience),
        authorization.circumstances.document(),
    ];
    add(connection, SQL, values)
}

pub(super) fn grant(connection: &Connection, row: &Grant) -> Result<(), Stop> {
    const SQL: &str = "INSERT INTO grants (id, user, client, is_revoked, auth_time, created_at, expires_at, \
        refresh_current, refresh_previous, refresh_idle_until, scope, audience, refresh_answer, \
        refresh_generation, circumstances) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
    let authorization = &row.authorization;
    let refresh = row.refresh.as_ref();
    let values = params![
        row.id.0,
        authorization.user.0,
        authorization.client.0,
        row.is_revoked,
        authorization.auth_time.0,
        row.created_at.0,
        row.expires_at.0,
        refresh.map(|refresh| refresh.current.0),
        refresh.and_then(|refresh| refresh.previous).map(|digest| digest.0),
        refresh.map(|refresh| refresh.idle_until.0),
        authorization.permission.scope.as_str(),
        list(&authorization.permission.audience),
        refresh.and_then(|refresh| refresh.answer.as_ref()),
        refresh.map(|refresh| refresh.generation),
        authorization.circumstances.document(),
    ];
    add(connection, SQL, values)
}

pub(super) fn access(connection: &Connection, row: &Access) -> Result<(), Stop> {
    const SQL: &str = "INSERT INTO access_tokens (id, digest, client, user, grant_id, issued_at, expires_at, scope, \
        audience) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let values = params![
        row.id.0,
        row.digest.0,
        row.client.0,
        row.user.map(|user| user.0),
        row.grant.map(|grant| grant.0),
        row.issued_at.0,
        row.expires_at.0,
        row.permission.scope.as_str(),
        list(&row.permission.audience),
    ];
    add(connection, SQL, values)
}

pub(super) fn personal(connection: &Connection, row: &Personal) -> Result<(), Stop> {
    const SQL: &str = "INSERT INTO personal_tokens (id, digest, user, created_at, expires_at, used_at, dialect, name, \
        scope, by_operator) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let values = params![
        row.id.0,
        row.digest.0,
        row.user.0,
        row.created_at.0,
        row.expires_at.0,
        row.used_at.map(|time| time.0),
        row.dialect,
        row.name,
        row.scope.as_str(),
        row.is_by_operator.then_some(1),
    ];
    add(connection, SQL, values)
}

pub(super) fn session(connection: &Connection, row: &Session) -> Result<(), Stop> {
    const SQL: &str = "INSERT INTO sessions (id, digest, user, amr, auth_time, created_at, seen_at, idle_until, \
        expires_at, address, agent) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let values = params![
        row.id.0,
        row.digest.0,
        row.user.0,
        list(&row.amr).unwrap_or_else(|| "[]".to_owned()),
        row.auth_time.0,
        row.created_at.0,
        row.seen_at.0,
        row.idle_until.0,
        row.expires_at.0,
        row.address,
        row.agent,
    ];
    add(connection, SQL, values)
}

pub(super) fn identity(connection: &Connection, row: &Identity) -> Result<(), Stop> {
    const SQL: &str = "INSERT INTO identities (issuer, subject, user, linked_at) VALUES (?1, ?2, ?3, ?4)";
    add(connection, SQL, params![row.name.issuer, row.name.subject, row.user.0, row.linked_at.0])
}

/// A new consent, or another in its place.
pub(super) fn consent(connection: &Connection, row: &Consent) -> Result<(), Stop> {
    const SQL: &str = "INSERT INTO consents (id, user, client, scope, audience, given_at, renewed_at) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (user, client) DO UPDATE SET id = excluded.id, \
        scope = excluded.scope, audience = excluded.audience, given_at = excluded.given_at, \
        renewed_at = excluded.renewed_at";
    let values = params![
        row.id,
        row.user.0,
        row.client.0,
        row.permission.scope.as_str(),
        list(&row.permission.audience),
        row.given_at.0,
        row.renewed_at.0
    ];
    run(connection, SQL, values).map(drop)
}

pub(super) fn event(connection: &Connection, row: &Event) -> Result<(), Stop> {
    const SQL: &str =
        "INSERT INTO events (at, kind, user, client, address, detail, actor) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let values = params![
        row.at.0,
        row.kind.as_str(),
        row.user.map(|user| user.0),
        row.client.map(|client| client.0),
        row.address,
        row.detail,
        row.actor,
    ];
    run(connection, SQL, values).map(drop)
}
