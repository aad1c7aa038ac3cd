//! Writes of sealing keys and signing keys. Other nodes are told, so that they take over the change at once.

use protocol::model::{SealKey, SigningKey};

use super::error::PostgresError;
use super::link::{Link, Typed, typed};
use super::shared::NOTIFY;
use super::text::text;

const ADD: &str = "INSERT INTO signing_keys (number, version, algorithm, kid, sealed, created_at, active_at, retired_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const CHANGE: &str = "UPDATE signing_keys SET version = $2, active_at = $3, retired_at = $4 \
    WHERE number = $1 AND version = $2 - 1";

/// Adds a sealing key.
pub(super) async fn put_seal(link: &Link, row: SealKey) -> Result<(), PostgresError> {
    let sql = "INSERT INTO seal_keys (number, created_at) VALUES ($1, $2)";
    change(link, sql, typed![INT8 i64::from(row.number), INT8 row.created_at.0]).await
}

/// Removes a sealing key.
pub(super) async fn drop_seal(link: &Link, number: u32) -> Result<(), PostgresError> {
    link.run("DELETE FROM seal_keys WHERE number = $1", typed![INT8 i64::from(number)]).await?;
    link.simple(NOTIFY).await
}

/// Adds a signing key, or changes the state of one whose version is the one before.
pub(super) async fn put_signing(link: &Link, row: &SigningKey) -> Result<(), PostgresError> {
    let SigningKey { number, version, algorithm, kid, sealed, created_at, active_at, retired_at } = row;
    let (number, is_new, version) = (i64::from(*number), *version == 1, i64::from(*version));
    let (active_at, retired_at) = (active_at.map(|at| at.0), retired_at.map(|at| at.0));
    if is_new {
        let (algorithm, kid, sealed) = (text(algorithm), text(kid), text(sealed));
        let values = typed![
            INT8 number, INT8 version, TEXT algorithm, TEXT kid, TEXT sealed, INT8 created_at.0, INT8 active_at, INT8 retired_at
        ];
        return change(link, ADD, values).await;
    }
    change(link, CHANGE, typed![INT8 number, INT8 version, INT8 active_at, INT8 retired_at]).await
}

/// Removes a signing key.
pub(super) async fn drop_signing(link: &Link, number: u32) -> Result<(), PostgresError> {
    link.run("DELETE FROM signing_keys WHERE number = $1", typed![INT8 i64::from(number)]).await?;
    link.simple(NOTIFY).await
}

async fn change(link: &Link, sql: &str, values: &[Typed<'_>]) -> Result<(), PostgresError> {
    match link.run(sql, values).await {
        Ok(1) => link.simple(NOTIFY).await,
        Ok(_) => Err(PostgresError::Lost),
        Err(stop) if stop.is_conflict() => Err(PostgresError::Lost),
        Err(stop) => Err(stop),
    }
}
