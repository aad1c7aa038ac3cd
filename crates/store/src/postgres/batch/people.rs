//! Users in a batch. It changes users who keep their names, and adds new ones. Whatever is more than that fails, and its turn
//! is written by itself, where each reason to refuse it has a name.

use std::borrow::Cow;

use protocol::model::User;

use super::statements::{ADD_USERS, CHANGE_USERS, NAMES, NAMES_LOCK, NO_SUCH_USERS, all, some};
use crate::documents::written;
use crate::names::stored_form;
use crate::postgres::error::PostgresError;
use crate::postgres::link::{Link, Values};
use crate::postgres::text::text;

/// Holds the right to give out names until the end of the transaction.
pub(crate) async fn give_names(link: &Link) -> Result<(), PostgresError> {
    link.query(&NAMES, &[&NAMES_LOCK]).await.map(drop)
}

/// The columns of some users.
struct Columns<'c> {
    keys: Vec<i64>,
    versions: Vec<i64>,
    subs: Vec<Cow<'c, str>>,
    documents: Vec<String>,
}

impl<'c> Columns<'c> {
    fn of(rows: &[&'c User]) -> Result<Self, PostgresError> {
        let document = |row: &&User| written(*row, row.key.0).map_err(PostgresError::Unreadable);
        Ok(Self {
            keys: rows.iter().map(|row| row.key.0).collect(),
            versions: rows.iter().map(|row| i64::from(row.version)).collect(),
            subs: rows.iter().map(|row| text(&row.sub)).collect(),
            documents: rows.iter().map(document).collect::<Result<_, _>>()?,
        })
    }
}

/// Writes users in the place of their versions before. The transaction holds them alone.
pub(super) async fn change(link: &Link, rows: &[&User]) -> Result<(), PostgresError> {
    let Columns { keys, versions, subs, documents } = Columns::of(rows)?;
    let usernames: Vec<_> = rows.iter().map(|row| row.username.as_deref().map(text)).collect();
    let emails: Vec<_> = rows.iter().map(|row| row.email.as_deref().map(text)).collect();
    let revoked_below: Vec<i64> = rows.iter().map(|row| row.revoked_below).collect();
    let columns: Values<'_> = &[&keys, &versions, &subs, &usernames, &emails, &revoked_below, &documents];
    all(link, &CHANGE_USERS, keys.len(), columns).await
}

/// Adds users; `forms` are all forms of the names that they get.
pub(super) async fn add<'a>(
    link: &Link,
    rows: &[&User],
    forms: impl Iterator<Item = &'a str>,
) -> Result<(), PostgresError> {
    if rows.is_empty() {
        return Ok(());
    }
    let Columns { keys, versions, subs, documents } = Columns::of(rows)?;
    let stored = |name: &Option<String>| name.as_deref().map(|name| text(&stored_form(name, None)).into_owned());
    let usernames: Vec<_> = rows.iter().map(|row| stored(&row.username)).collect();
    let emails: Vec<_> = rows.iter().map(|row| stored(&row.email)).collect();
    let forms: Vec<_> = forms.map(text).collect();
    let names: Values<'_> = &[&keys, &subs, &forms];
    let columns: Values<'_> = &[&keys, &versions, &subs, &usernames, &emails, &documents];
    tokio::try_join!(
        biased;
        give_names(link),
        some(link, &NO_SUCH_USERS, keys.len(), names),
        all(link, &ADD_USERS, keys.len(), columns),
    )
    .map(drop)
}
