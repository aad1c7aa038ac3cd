//! New rows, many at once: one statement for all rows of a table, each column as an array.

use protocol::model::{Access, Code, Consent, Event, Grant, Session};
use tokio_postgres::types::Type;

use super::link::{Link, Sql, Values};
use super::stop::Stop;
use super::text::text;
use crate::documents::list;

const INTS: Type = Type::INT8_ARRAY;
const TEXTS: Type = Type::TEXT_ARRAY;
const BYTES: Type = Type::BYTEA_ARRAY;
const BOOLS: Type = Type::BOOL_ARRAY;

static CODES: Sql = Sql {
    text: "INSERT INTO codes (id, digest, grant_id, client_key, user_key, is_spent, issued_at, expires_at, auth_time, \
        is_redirect_uri_named, redirect_uri, challenge, scope, audience) \
        SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    types: &[INTS, BYTES, INTS, INTS, INTS, BOOLS, INTS, INTS, INTS, BOOLS, TEXTS, BYTES, TEXTS, TEXTS],
};
static GRANTS: Sql = Sql {
    text: "INSERT INTO grants (id, user_key, client_key, is_revoked, auth_time, created_at, expires_at, refresh_current, \
        refresh_previous, refresh_idle_until, scope, audience, refresh_answer, refresh_generation) \
        SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    types: &[INTS, INTS, INTS, BOOLS, INTS, INTS, INTS, BYTES, BYTES, INTS, TEXTS, TEXTS, BYTES, INTS],
};
static ACCESSES: Sql = Sql {
    text: "INSERT INTO access_tokens (id, digest, client_key, user_key, grant_id, issued_at, expires_at, scope, audience) \
        SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    types: &[INTS, BYTES, INTS, INTS, INTS, INTS, INTS, TEXTS, TEXTS],
};
// A new consent, or another in its place.
static CONSENTS: Sql = Sql {
    text: "INSERT INTO consents (id, user_key, client_key, scope, audience, given_at, renewed_at) \
        SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (user_key, client_key) DO UPDATE SET \
        id = excluded.id, scope = excluded.scope, audience = excluded.audience, given_at = excluded.given_at, \
        renewed_at = excluded.renewed_at",
    types: &[INTS, INTS, INTS, TEXTS, TEXTS, INTS, INTS],
};
static SESSIONS: Sql = Sql {
    text: "INSERT INTO sessions (id, digest, user_key, amr, auth_time, created_at, seen_at, idle_until, expires_at, \
        address, agent) SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    types: &[INTS, BYTES, INTS, TEXTS, INTS, INTS, INTS, INTS, INTS, TEXTS, TEXTS],
};
static EVENTS: Sql = Sql {
    text: "INSERT INTO events (at, kind, user_key, client_key, address, detail, actor) \
        SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7)",
    types: &[INTS, TEXTS, INTS, INTS, TEXTS, TEXTS, TEXTS],
};

/// Every statement of this file.
pub(super) static STATEMENTS: &[&Sql] = &[&CODES, &GRANTS, &ACCESSES, &CONSENTS, &SESSIONS, &EVENTS];

/// One column of all rows.
macro_rules! column {
    ($rows:ident, $row:ident => $value:expr) => {
        &$rows.iter().map(|$row| $value).collect::<Vec<_>>()
    };
}

pub(super) async fn codes(link: &Link, rows: &[&Code]) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    let values: Values<'_> = &[
        column!(rows, row => row.id.0),
        column!(rows, row => row.digest.0.as_slice()),
        column!(rows, row => row.grant.0),
        column!(rows, row => row.client.0),
        column!(rows, row => row.user.0),
        column!(rows, row => row.is_spent),
        column!(rows, row => row.issued_at.0),
        column!(rows, row => row.expires_at.0),
        column!(rows, row => row.auth_time.0),
        column!(rows, row => row.is_redirect_uri_named),
        column!(rows, row => text(&row.redirect_uri)),
        column!(rows, row => row.challenge.as_ref().map(|digest| digest.0.as_slice())),
        column!(rows, row => text(row.scope.as_str())),
        column!(rows, row => list(&row.audience)),
    ];
    link.execute(&CODES, values).await.map(drop)
}

pub(super) async fn grants(link: &Link, rows: &[&Grant]) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    let values: Values<'_> = &[
        column!(rows, row => row.id.0),
        column!(rows, row => row.user.0),
        column!(rows, row => row.client.0),
        column!(rows, row => row.is_revoked),
        column!(rows, row => row.auth_time.0),
        column!(rows, row => row.created_at.0),
        column!(rows, row => row.expires_at.0),
        column!(rows, row => row.refresh.as_ref().map(|refresh| refresh.current.0.as_slice())),
        column!(rows, row => row.refresh.as_ref().and_then(|refresh| refresh.previous.as_ref()).map(|digest| digest.0.as_slice())),
        column!(rows, row => row.refresh.as_ref().map(|refresh| refresh.idle_until.0)),
        column!(rows, row => text(row.scope.as_str())),
        column!(rows, row => list(&row.audience)),
        column!(rows, row => row.refresh.as_ref().and_then(|refresh| refresh.answer.as_deref())),
        column!(rows, row => row.refresh.as_ref().map(|refresh| i64::from(refresh.generation))),
    ];
    link.execute(&GRANTS, values).await.map(drop)
}

pub(super) async fn accesses(link: &Link, rows: &[&Access]) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    let values: Values<'_> = &[
        column!(rows, row => row.id.0),
        column!(rows, row => row.digest.0.as_slice()),
        column!(rows, row => row.client.0),
        column!(rows, row => row.user.map(|user| user.0)),
        column!(rows, row => row.grant.map(|grant| grant.0)),
        column!(rows, row => row.issued_at.0),
        column!(rows, row => row.expires_at.0),
        column!(rows, row => text(row.scope.as_str())),
        column!(rows, row => list(&row.audience)),
    ];
    link.execute(&ACCESSES, values).await.map(drop)
}

pub(super) async fn consents(link: &Link, rows: &[&Consent]) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    let values: Values<'_> = &[
        column!(rows, row => row.id),
        column!(rows, row => row.user.0),
        column!(rows, row => row.client.0),
        column!(rows, row => text(row.scope.as_str())),
        column!(rows, row => list(&row.audience)),
        column!(rows, row => row.given_at.0),
        column!(rows, row => row.renewed_at.0),
    ];
    link.execute(&CONSENTS, values).await.map(drop)
}

pub(super) async fn sessions(link: &Link, rows: &[&Session]) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    let values: Values<'_> = &[
        column!(rows, row => row.id.0),
        column!(rows, row => row.digest.0.as_slice()),
        column!(rows, row => row.user.0),
        column!(rows, row => list(&row.amr).unwrap_or_else(|| "[]".to_owned())),
        column!(rows, row => row.auth_time.0),
        column!(rows, row => row.created_at.0),
        column!(rows, row => row.seen_at.0),
        column!(rows, row => row.idle_until.0),
        column!(rows, row => row.expires_at.0),
        column!(rows, row => text(&row.address)),
        column!(rows, row => text(&row.agent)),
    ];
    link.execute(&SESSIONS, values).await.map(drop)
}

pub(super) async fn events(link: &Link, rows: &[&Event]) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    let values: Values<'_> = &[
        column!(rows, row => row.at.0),
        column!(rows, row => row.kind.as_str()),
        column!(rows, row => row.user.map(|user| user.0)),
        column!(rows, row => row.client.map(|client| client.0)),
        column!(rows, row => text(&row.address)),
        column!(rows, row => text(&row.detail)),
        column!(rows, row => row.actor.as_deref().map(text)),
    ];
    link.execute(&EVENTS, values).await.map(drop)
}
