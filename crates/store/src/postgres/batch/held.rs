//! Rows that a transaction holds before it compares or writes anything: each shared or alone, and all of one table in the
//! order of their keys. A transaction that shared some rows and then wanted others alone could wait for one that did so the
//! other way round.

use std::collections::{BTreeMap, BTreeSet};

use super::statements::{GRANTS, HOLD_SESSIONS, HOLD_USERS, USERS_SHARED, some};
use crate::postgres::error::PostgresError;
use crate::postgres::link::{Link, Sql};

/// Holds users.
pub(super) async fn users(link: &Link, shared: BTreeSet<i64>, alone: &BTreeSet<i64>) -> Result<(), PostgresError> {
    if alone.is_empty() {
        let keys: Vec<i64> = shared.into_iter().collect();
        return some(link, &USERS_SHARED, keys.len(), &[&keys]).await;
    }
    each(link, &HOLD_USERS, shared.into_iter(), alone).await
}

/// Holds sessions, if some are to be ended. Sessions that are only relied on are held by the statement that compares them.
pub(crate) async fn sessions(
    link: &Link,
    relied: impl Iterator<Item = i64>,
    ended: &BTreeSet<i64>,
) -> Result<(), PostgresError> {
    if ended.is_empty() { Ok(()) } else { each(link, &HOLD_SESSIONS, relied, ended).await }
}

/// Holds grants alone, if some are to be changed and others are not, or are changed by another statement.
pub(crate) async fn grants(
    link: &Link,
    relied: impl Iterator<Item = i64>,
    rotated: impl Iterator<Item = i64>,
    revoked: &BTreeSet<i64>,
) -> Result<(), PostgresError> {
    let (relied, rotated): (BTreeSet<i64>, BTreeSet<i64>) = (relied.collect(), rotated.collect());
    if revoked.is_empty() && (relied.is_empty() || rotated.is_empty()) {
        return Ok(());
    }
    let all: BTreeSet<i64> = relied.into_iter().chain(rotated).chain(revoked.iter().copied()).collect();
    let ids: Vec<i64> = all.into_iter().collect();
    some(link, &GRANTS, ids.len(), &[&ids]).await
}

async fn each(
    link: &Link,
    sql: &'static Sql,
    shared: impl Iterator<Item = i64>,
    alone: &BTreeSet<i64>,
) -> Result<(), PostgresError> {
    let mut rows: BTreeMap<i64, bool> = shared.map(|key| (key, false)).collect();
    rows.extend(alone.iter().map(|key| (*key, true)));
    let (keys, are_alone): (Vec<i64>, Vec<bool>) = rows.into_iter().unzip();
    some(link, sql, keys.len(), &[&keys, &are_alone]).await
}
