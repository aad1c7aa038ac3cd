//! Reading rows from columns. [`crate::rows`] lists the columns of each row. The functions at the end list those that
//! they expect.

use protocol::model::{
    Access, Attempts, Code, Consent, Event, Grant, Identity, Personal, SealKey, Session, SigningKey, Ticket,
};
use protocol::secret::Digest;
use protocol::time::UnixTime;
use rusqlite::types::{ToSqlOutput, Type, ValueRef};
use rusqlite::{Row, ToSql};

use crate::rows::table::described;
use crate::rows::work::StoredJob;
use crate::rows::{Columns, FromRow, Value};

type Read<T> = rusqlite::Result<T>;

/// Declares select list, width and reader of each described row.
macro_rules! readers {
    ($($name:ident $list:ident $width:ident: $row:ty;)*) => {$(
        #[allow(dead_code, reason = "some statements are constant texts and take the list itself")]
        pub(super) const $list: &str = described!(sqlite_list!($name));
        /// Index of the first column of a join, after those of the row.
        #[allow(dead_code, reason = "not every row is joined with others")]
        pub(super) const $width: usize = {
            let columns: &[crate::moving::Column] = described!(columns_of!($name));
            columns.len()
        };
        pub(super) fn $name(row: &Row<'_>) -> Read<$row> {
            FromRow::read(&mut Cursor { row, at: 0 })
        }
    )*};
}

readers! {
    session SESSION SESSION_WIDTH: Session;
    identity IDENTITY IDENTITY_WIDTH: Identity;
    consent CONSENT CONSENT_WIDTH: Consent;
    code CODE CODE_WIDTH: Code;
    grant GRANT GRANT_WIDTH: Grant;
    access ACCESS ACCESS_WIDTH: Access;
    personal PERSONAL PERSONAL_WIDTH: Personal;
    ticket TICKET TICKET_WIDTH: Ticket;
    job JOB JOB_WIDTH: StoredJob;
    event EVENT EVENT_WIDTH: Option<Event>;
}

/// Reads the columns of a row one after the other.
struct Cursor<'r, 's> {
    row: &'r Row<'s>,
    at: usize,
}

impl<'r> Cursor<'r, '_> {
    fn next(&mut self) -> Read<ValueRef<'r>> {
        let value = self.row.get_ref(self.at);
        self.at += 1;
        value
    }
}

impl Columns for Cursor<'_, '_> {
    type Error = rusqlite::Error;

    fn int(&mut self) -> Read<Option<i64>> {
        Ok(self.next()?.as_i64_or_null()?)
    }

    fn flag(&mut self) -> Read<bool> {
        self.number().map(|number| number != 0)
    }

    fn text_with<T>(&mut self, read: impl FnOnce(Option<&str>) -> T) -> Read<T> {
        Ok(read(self.next()?.as_str_or_null()?))
    }

    fn bytes_with<T>(&mut self, read: impl FnOnce(Option<&[u8]>) -> T) -> Read<T> {
        Ok(read(self.next()?.as_blob_or_null()?))
    }

    fn unreadable(&self, what: &'static str) -> rusqlite::Error {
        let cause = format!("this is not {what}");
        rusqlite::Error::FromSqlConversionFailure(self.at.saturating_sub(1), Type::Null, cause.into())
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> Read<ToSqlOutput<'_>> {
        let value = match self {
            Self::Int(number) => number.map_or(ValueRef::Null, ValueRef::Integer),
            Self::Bool(flag) => ValueRef::Integer(i64::from(*flag)),
            Self::Text(text) => text.as_ref().map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => bytes.map_or(ValueRef::Null, ValueRef::Blob),
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

fn digest(row: &Row<'_>, at: usize) -> Read<Digest> {
    row.get(at).map(Digest)
}

fn time(row: &Row<'_>, at: usize) -> Read<UnixTime> {
    row.get(at).map(UnixTime)
}

/// `failures, resets_at`
pub(super) fn attempts(row: &Row<'_>) -> Read<Attempts> {
    Ok(Attempts { failures: row.get(0)?, resets_at: time(row, 1)? })
}

/// `secret, used_at`
pub(super) fn secret_use(row: &Row<'_>) -> Read<(Digest, UnixTime)> {
    Ok((digest(row, 0)?, time(row, 1)?))
}

/// `number, created_at`
pub(super) fn seal_key(row: &Row<'_>) -> Read<SealKey> {
    Ok(SealKey { number: row.get(0)?, created_at: time(row, 1)? })
}

/// `number, version, algorithm, kid, sealed, created_at, active_at, retired_at`
pub(super) fn signing_key(row: &Row<'_>) -> Read<SigningKey> {
    Ok(SigningKey {
        number: row.get(0)?,
        version: row.get(1)?,
        algorithm: row.get(2)?,
        kid: row.get(3)?,
        sealed: row.get(4)?,
        created_at: time(row, 5)?,
        active_at: row.get::<_, Option<i64>>(6)?.map(UnixTime),
        retired_at: row.get::<_, Option<i64>>(7)?.map(UnixTime),
    })
}
