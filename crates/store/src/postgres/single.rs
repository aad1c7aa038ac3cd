//! New rows of the kinds that come one at a time.

use protocol::model::{Identity, Personal};

use super::apply::add;
use super::link::{Link, typed};
use super::stop::Stop;
use super::text::text;

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

pub(super) async fn identity(link: &Link, row: &Identity) -> Result<(), Stop> {
    const SQL: &str = "INSERT INTO identities (issuer, subject, user_key, linked_at) VALUES ($1, $2, $3, $4)";
    let (issuer, subject) = (text(&row.name.issuer), text(&row.name.subject));
    add(link, SQL, typed![TEXT issuer, TEXT subject, INT8 row.user.0, INT8 row.linked_at.0]).await
}
