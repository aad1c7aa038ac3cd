//! New rows of the kinds that come one at a time.

use protocol::model::{Consent, Identity, Personal, Session};

use super::apply::add;
use super::link::{Link, typed};
use super::stop::Stop;
use super::text::text;
use crate::documents::list;

pub(super) async fn personal(link: &Link, row: &Personal) -> Result<(), Stop> {
    const SQL: &str = "INSERT INTO personal_tokens (id, digest, user_key, created_at, expires_at, used_at, dialect, \
        name, scope, by_operator) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let used_at = row.used_at.map(|time| time.0);
    let values = typed![
        INT8 row.id.0,
        BYTEA row.digest.0.as_slice(),
        INT8 row.user.0,
        INT8 row.created_at.0,
        INT8 row.expires_at.0,
        INT8 used_at,
        TEXT text(&row.dialect),
        TEXT text(&row.name),
        TEXT text(row.scope.as_str()),
        INT8 row.is_by_operator.then_some(1_i64),
    ];
    add(link, SQL, values).await
}

pub(super) async fn session(link: &Link, row: &Session) -> Result<(), Stop> {
    const SQL: &str = "INSERT INTO sessions (id, digest, user_key, amr, auth_time, created_at, seen_at, idle_until, \
        expires_at, address, agent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let values = typed![
        INT8 row.id.0,
        BYTEA row.digest.0.as_slice(),
        INT8 row.user.0,
        TEXT list(&row.amr).unwrap_or_else(|| "[]".to_owned()),
        INT8 row.auth_time.0,
        INT8 row.created_at.0,
        INT8 row.seen_at.0,
        INT8 row.idle_until.0,
        INT8 row.expires_at.0,
        TEXT text(&row.address),
        TEXT text(&row.agent),
    ];
    add(link, SQL, values).await
}

pub(super) async fn identity(link: &Link, row: &Identity) -> Result<(), Stop> {
    const SQL: &str = "INSERT INTO identities (issuer, subject, user_key, linked_at) VALUES ($1, $2, $3, $4)";
    let (issuer, subject) = (text(&row.name.issuer), text(&row.name.subject));
    add(link, SQL, typed![TEXT issuer, TEXT subject, INT8 row.user.0, INT8 row.linked_at.0]).await
}

/// A new consent, or another in its place.
pub(super) async fn consent(link: &Link, row: &Consent) -> Result<(), Stop> {
    const SQL: &str = "INSERT INTO consents (id, user_key, client_key, scope, audience, given_at, renewed_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (user_key, client_key) DO UPDATE SET id = excluded.id, \
        scope = excluded.scope, audience = excluded.audience, given_at = excluded.given_at, \
        renewed_at = excluded.renewed_at";
    let values = typed![
        INT8 row.id,
        INT8 row.user.0,
        INT8 row.client.0,
        TEXT text(row.permission.scope.as_str()),
        TEXT list(&row.permission.audience),
        INT8 row.given_at.0,
        INT8 row.renewed_at.0,
    ];
    link.run(SQL, values).await.map(drop)
}
