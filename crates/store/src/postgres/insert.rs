//! New rows, many at once: one statement for all rows of a table, each column as an array.

use protocol::model::{Access, Code, Event, Grant};
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
        is_redirect_uri_named, redirect_uri, challenge, scope, audience, circumstances) \
        SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    types: &[INTS, BYTES, INTS, INTS, INTS, BOOLS, INTS, INTS, INTS, BOOLS, TEXTS, BYTES, TEXTS, TEXTS, TEXTS],
};
static GRANTS: Sql = Sql {
    text: "INSERT INTO grants (id, user_key, client_key, is_revoked, auth_time, created_at, expires_at, refresh_current, \
        refresh_previous, refresh_idle_until, scope, audience, refresh_answer, refresh_generation, circumstances) \
        SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    types: &[INTS, INTS, INTS, BOOLS, INTS, INTS, INTS, BYTES, BYTES, INTS, TEXTS, TEXTS, BYTES, INTS, TEXTS],
};
static ACCESSES: Sql = Sql {
    text: "INSERT INTO access_tokens (id, digest, client_key, user_key, grant_id, issued_at, expires_at, scope, audience) \
        SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    types: &[INTS, BYTES, INTS, INTS, INTS, INTS, INTS, TEXTS, TEXTS],
};
static EVENTS: Sql = Sql {
    text: "INSERT INTO events (at, kind, user_key, client_key, address, detail, actor) \
        SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7)",
    types: &[INTS, TEXTS, INTS, INTS, TEXTS, TEXTS, TEXTS],
};

/// Every statement of this file.
pub(super) static STATEMENTS: &[&Sql] = &[&CODES, &GRANTS, &ACCESSES, &EVENTS];

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
        column!(rows, row => row.authorization.client.0),
        column!(rows, row => row.authorization.user.0),
        column!(rows, row => row.is_spent),
        column!(rows, row => row.issued_at.0),
        column!(rows, row => row.expires_at.0),
        column!(rows, row => row.authorization.auth_time.0),
        column!(rows, row => row.is_redirect_uri_named),
        column!(rows, row => text(&row.redirect_uri)),
        column!(rows, row => row.challenge.as_ref().map(|digest| digest.0.as_slice())),
        column!(rows, row => text(row.authorization.permission.scope.as_str())),
        column!(rows, row => list(&row.authorization.permission.audience)),
        column!(rows, row => row.authorization.circumstances.document()),
    ];
    link.execute(&CODES, values).await.map(drop)
}

pub(super) async fn grants(link: &Link, rows: &[&Grant]) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    let values: Values<'_> = &[
        column!(rows, row => row.id.0),
        column!(rows, row => row.authorization.user.0),
        column!(rows, row => row.authorization.client.0),
        column!(rows, row => row.is_revoked),
        column!(rows, row => row.authorization.auth_time.0),
        column!(rows, row => row.created_at.0),
        column!(rows, row => row.expires_at.0),
        column!(rows, row => row.refresh.as_ref().map(|refresh| refresh.current.0.as_slice())),
        column!(rows, row => row.refresh.as_ref().and_then(|refresh| refresh.previous.as_ref()).map(|digest| digest.0.as_slice())),
        column!(rows, row => row.refresh.as_ref().map(|refresh| refresh.idle_until.0)),
        column!(rows, row => text(row.authorization.permission.scope.as_str())),
        column!(rows, row => list(&row.authorization.permission.audience)),
        column!(rows, row => row.refresh.as_ref().and_then(|refresh| refresh.answer.as_deref())),
        column!(rows, row => row.refresh.as_ref().map(|refresh| i64::from(refresh.generation))),
        column!(rows, row => row.authorization.circumstances.document()),
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
        column!(rows, row => text(row.permission.scope.as_str())),
        column!(rows, row => list(&row.permission.audience)),
    ];
    link.execute(&ACCESSES, values).await.map(drop)
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
