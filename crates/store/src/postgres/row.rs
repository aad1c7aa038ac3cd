//! Reading rows from columns. [`crate::rows`] lists the columns of each row. The functions at the end list those that
//! they expect.

use protocol::model::{
    Access, Attempts, Code, Consent, Event, Grant, Identity, Personal, SealKey, Session, SigningKey, Ticket,
};
use protocol::secret::Digest;
use protocol::time::UnixTime;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::error::PostgresError;
use crate::rows::table::described;
use crate::rows::work::StoredJob;
use crate::rows::{Columns, FromRow};

type Read<T> = Result<T, PostgresError>;

/// Returns the select list of a described row, with the alias that its table has in every statement.
macro_rules! columns {
    ($name:ident) => {
        $crate::rows::table::described!(postgres_list!($name))
    };
}
pub(super) use columns;

/// Declares width and reader of each described row.
macro_rules! readers {
    ($($name:ident $width:ident: $row:ty;)*) => {$(
        /// Index of the first column of a join, after those of the row.
        #[allow(dead_code, reason = "not every row is joined with others")]
        pub(super) const $width: usize = {
            let columns: &[crate::moving::Column] = described!(columns_of!($name));
            columns.len()
        };
        pub(super) fn $name(row: &Row) -> Read<$row> {
            FromRow::read(&mut Cursor { row, at: 0 })
        }
    )*};
}

readers! {
    session SESSION_WIDTH: Session;
    identity IDENTITY_WIDTH: Identity;
    consent CONSENT_WIDTH: Consent;
    code CODE_WIDTH: Code;
    grant GRANT_WIDTH: Grant;
    access ACCESS_WIDTH: Access;
    personal PERSONAL_WIDTH: Personal;
    ticket TICKET_WIDTH: Ticket;
    job JOB_WIDTH: StoredJob;
    event EVENT_WIDTH: Option<Event>;
}

/// Reads the columns of a row one after the other.
struct Cursor<'r> {
    row: &'r Row,
    at: usize,
}

impl<'r> Cursor<'r> {
    fn next<T: FromSql<'r>>(&mut self) -> Read<T> {
        let value = get(self.row, self.at);
        self.at += 1;
        value
    }
}

impl Columns for Cursor<'_> {
    type Error = PostgresError;

    fn int(&mut self) -> Read<Option<i64>> {
        self.next()
    }

    fn flag(&mut self) -> Read<bool> {
        self.next()
    }

    fn text_with<T>(&mut self, read: impl FnOnce(Option<&str>) -> T) -> Read<T> {
        self.next().map(read)
    }

    fn bytes_with<T>(&mut self, read: impl FnOnce(Option<&[u8]>) -> T) -> Read<T> {
        self.next().map(read)
    }

    fn unreadable(&self, what: &'static str) -> PostgresError {
        unreadable(what, self.at.saturating_sub(1))
    }
}

/// Reads one column.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, at: usize) -> Read<T> {
    Ok(row.try_get(at)?)
}

/// Reads a version, or another number of 32 bits.
pub(super) fn number(row: &Row, at: usize) -> Read<u32> {
    let number: i64 = get(row, at)?;
    u32::try_from(number).map_err(|_| unreadable("a number", at))
}

/// Reads the version of a row that may be absent.
pub(super) fn version(row: &Row, at: usize) -> Read<Option<u32>> {
    let version: Option<i64> = get(row, at)?;
    version.map(|version| u32::try_from(version).map_err(|_| unreadable("a version", at))).transpose()
}

fn unreadable(what: &str, at: usize) -> PostgresError {
    PostgresError::Unreadable(format!("column {at} is not {what}"))
}

pub(super) fn digest(row: &Row, at: usize) -> Read<Digest> {
    digest_or_none(row, at)?.ok_or_else(|| unreadable("a digest", at))
}

fn digest_or_none(row: &Row, at: usize) -> Read<Option<Digest>> {
    let bytes: Option<&[u8]> = get(row, at)?;
    bytes.map(|bytes| bytes.try_into().map(Digest).map_err(|_| unreadable("a digest", at))).transpose()
}

fn time(row: &Row, at: usize) -> Read<UnixTime> {
    get(row, at).map(UnixTime)
}

/// `key, failures, resets_at`
pub(super) fn attempts(row: &Row) -> Read<(Digest, Attempts)> {
    Ok((digest(row, 0)?, Attempts { failures: number(row, 1)?, resets_at: time(row, 2)? }))
}

/// `secret, used_at`
pub(super) fn secret_use(row: &Row) -> Read<(Digest, UnixTime)> {
    Ok((digest(row, 0)?, time(row, 1)?))
}

/// `number, created_at`
pub(super) fn seal_key(row: &Row) -> Read<SealKey> {
    let number = u32::try_from(get::<i64>(row, 0)?).map_err(|_| unreadable("a number of a key", 0))?;
    Ok(SealKey { number, created_at: time(row, 1)? })
}

/// `number, version, algorithm, kid, sealed, created_at, active_at, retired_at`
pub(super) fn signing_key(row: &Row) -> Read<SigningKey> {
    Ok(SigningKey {
        number: number(row, 0)?,
        version: number(row, 1)?,
        algorithm: get(row, 2)?,
        kid: get(row, 3)?,
        sealed: get(row, 4)?,
        created_at: time(row, 5)?,
        active_at: get::<Option<i64>>(row, 6)?.map(UnixTime),
        retired_at: get::<Option<i64>>(row, 7)?.map(UnixTime),
    })
}
