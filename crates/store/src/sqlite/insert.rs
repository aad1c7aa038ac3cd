//! Inserts of new rows.

use protocol::model::{Access, Code, Consent, Event, Grant, Identity, Job, Personal, Session, Ticket};
use rusqlite::{Connection, params_from_iter};

use super::apply::{add, run};
use super::error::SqliteError;
use crate::rows::ToRow;
use crate::rows::table::described;

/// Declares an insert for each kind of row. If the key is taken, the turn is lost.
macro_rules! inserts {
    ($($name:ident: $row:ty;)*) => {$(
        pub(super) fn $name(connection: &Connection, row: &$row) -> Result<(), SqliteError> {
            add(connection, described!(sqlite_insert!($name)), params_from_iter(row.values()))
        }
    )*};
}

inserts! {
    code: Code;
    grant: Grant;
    access: Access;
    personal: Personal;
    session: Session;
    ticket: Ticket;
    identity: Identity;
    job: Job;
    event: Event;
}

/// Adds or replaces a consent.
pub(super) fn consent(connection: &Connection, row: &Consent) -> Result<(), SqliteError> {
    const SQL: &str = concat!(
        described!(sqlite_insert!(consent)),
        " ON CONFLICT (user, client) DO UPDATE SET id = excluded.id, scope = excluded.scope, \
        audience = excluded.audience, given_at = excluded.given_at, renewed_at = excluded.renewed_at"
    );
    run(connection, SQL, params_from_iter(row.values())).map(drop)
}
