//! New rows: one statement for all rows of a table, each column as an array.

use std::borrow::Cow;

use protocol::model::{Access, Code, Consent, Event, Grant, Identity, Job, Personal, Session, Ticket};
use tokio_postgres::types::{ToSql, Type};

use super::error::PostgresError;
use super::link::{Link, Sql};
use super::text::text;
use crate::rows::table::described;
use crate::rows::{ToRow, Value};

/// The values of one column of all rows.
enum Array<'a> {
    Ints(Vec<Option<i64>>),
    Bools(Vec<bool>),
    Texts(Vec<Option<Cow<'a, str>>>),
    Bytes(Vec<Option<&'a [u8]>>),
}

impl<'a> Array<'a> {
    fn new(value: Value<'a>, rows: usize) -> Self {
        let mut array = match value {
            Value::Int(_) => Self::Ints(Vec::with_capacity(rows)),
            Value::Bool(_) => Self::Bools(Vec::with_capacity(rows)),
            Value::Text(_) => Self::Texts(Vec::with_capacity(rows)),
            Value::Bytes(_) => Self::Bytes(Vec::with_capacity(rows)),
        };
        array.push(value);
        array
    }

    fn push(&mut self, value: Value<'a>) {
        match (self, value) {
            (Self::Ints(own), Value::Int(number)) => own.push(number),
            (Self::Bools(own), Value::Bool(flag)) => own.push(flag),
            (Self::Texts(own), Value::Text(text)) => own.push(text.map(without_nul)),
            (Self::Bytes(own), Value::Bytes(bytes)) => own.push(bytes),
            // An array that is too short for its neighbours: PostgreSQL fills it with NULL, which the column refuses.
            _ => debug_assert!(false, "a column has values of two types"),
        }
    }

    fn to_sql(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Ints(own) => own,
            Self::Bools(own) => own,
            Self::Texts(own) => own,
            Self::Bytes(own) => own,
        }
    }
}

fn without_nul(own: Cow<'_, str>) -> Cow<'_, str> {
    match own {
        Cow::Borrowed(own) => text(own),
        Cow::Owned(own) if own.contains('\0') => Cow::Owned(own.replace('\0', "\u{fffd}")),
        owned => owned,
    }
}

/// The rows as one array for each column.
fn arrays<'a, T: ToRow + 'a>(rows: impl ExactSizeIterator<Item = &'a T>) -> Vec<Array<'a>> {
    let count = rows.len();
    let mut arrays: Vec<Array<'a>> = Vec::new();
    for row in rows {
        if arrays.is_empty() {
            arrays.extend(row.values().into_iter().map(|value| Array::new(value, count)));
        } else {
            arrays.iter_mut().zip(row.values()).for_each(|(array, value)| array.push(value));
        }
    }
    arrays
}

/// Rows that come in batches have a prepared statement.
macro_rules! batches {
    ($($name:ident $rows:ident $sql:ident: $row:ty $(, $rest:literal)?;)*) => {
        $(static $sql: Sql = Sql {
            text: concat!(described!(postgres_insert!($name)) $(, $rest)?),
            types: described!(postgres_types!($name)),
        };)*

        /// Every prepared statement of this file.
        pub(super) static STATEMENTS: &[&Sql] = &[$(&$sql),*];

        $(pub(super) async fn $rows(link: &Link, rows: &[&$row]) -> Result<(), PostgresError> {
            if rows.is_empty() {
                return Ok(());
            }
            let arrays = arrays(rows.iter().copied());
            let values: Vec<&(dyn ToSql + Sync)> = arrays.iter().map(Array::to_sql).collect();
            link.execute(&$sql, &values).await.map(drop)
        })*
    };
}

batches! {
    code codes CODES: Code;
    grant grants GRANTS: Grant;
    access accesses ACCESSES: Access;
    session sessions SESSIONS: Session;
    ticket tickets TICKETS: Ticket;
    // In one order, since whoever adds an identity waits for another one who does.
    identity identities IDENTITIES: Identity, " ORDER BY 1, 2";
    consent consents CONSENTS: Consent, " ON CONFLICT (user_key, client_key) DO UPDATE SET id = excluded.id, \
        scope = excluded.scope, audience = excluded.audience, given_at = excluded.given_at, renewed_at = excluded.renewed_at";
    job jobs JOBS: Job;
    event events EVENTS: Event;
}

/// Adds a personal token. They come one at a time, so this statement is not kept prepared. A row whose key is taken loses the
/// turn.
pub(super) async fn personal(link: &Link, row: &Personal) -> Result<(), PostgresError> {
    const TYPES: &[Type] = described!(postgres_types!(personal));
    let arrays = arrays(std::iter::once(row));
    let values: Vec<_> = arrays.iter().map(Array::to_sql).zip(TYPES.iter().cloned()).collect();
    match link.run(described!(postgres_insert!(personal)), &values).await {
        Err(stop) if stop.is_conflict() => Err(PostgresError::Lost),
        done => done.map(drop),
    }
}
