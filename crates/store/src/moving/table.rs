//! The tables of an installation, with their columns on SQLite and on PostgreSQL.

use super::{Cell, Cells};
use crate::rows::table::described;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Bool,
    Text,
    Bytes,
}

/// A column: its name on SQLite and on PostgreSQL.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
    pub(crate) kind: Kind,
}

/// A table.
#[derive(Debug)]
pub struct Table {
    /// The name of the table.
    pub name: &'static str,
    /// Number of columns of the key, which come first.
    pub(crate) key: usize,
    /// Indices of the columns with a unique constraint, without the key.
    pub(crate) unique: &'static [usize],
    pub(crate) columns: &'static [Column],
}

impl Table {
    /// Returns the key of a row.
    #[must_use]
    pub fn key_of(&self, row: &[Cell]) -> Cells {
        row.iter().take(self.key).cloned().collect()
    }
}

const fn int(name: &'static str) -> Column {
    Column { sqlite: name, postgres: name, kind: Kind::Int }
}
const fn text(name: &'static str) -> Column {
    Column { sqlite: name, postgres: name, kind: Kind::Text }
}
const fn bytes(name: &'static str) -> Column {
    Column { sqlite: name, postgres: name, kind: Kind::Bytes }
}
/// `user` is a reserved word of PostgreSQL.
const USER: Column = Column { sqlite: "user", postgres: "user_key", kind: Kind::Int };
const CLIENT: Column = Column { sqlite: "client", postgres: "client_key", kind: Kind::Int };

/// Every table with rows of an installation. A table comes after those that it depends on.
pub static TABLES: &[Table] = &[
    Table { name: "installation", key: 1, unique: &[], columns: &[text("name"), bytes("value")] },
    Table { name: "seal_keys", key: 1, unique: &[1], columns: &[int("id"), int("number"), int("created_at")] },
    Table {
        name: "signing_keys",
        key: 1,
        unique: &[],
        columns: &[
            int("number"),
            int("version"),
            text("algorithm"),
            text("kid"),
            text("sealed"),
            int("created_at"),
            int("active_at"),
            int("retired_at"),
        ],
    },
    Table {
        name: "clients",
        key: 1,
        unique: &[2],
        columns: &[
            int("key"),
            int("version"),
            text("client_id"),
            int("owner"),
            text("dialect"),
            text("name"),
            text("document"),
        ],
    },
    Table {
        name: "users",
        key: 1,
        unique: &[2, 3, 4],
        columns: &[
            int("key"),
            int("version"),
            text("sub"),
            text("username_lower"),
            text("email_lower"),
            text("document"),
        ],
    },
    Table { name: described!(table_name!(identity)), key: 2, unique: &[], columns: described!(columns_of!(identity)) },
    Table { name: described!(table_name!(consent)), key: 2, unique: &[], columns: described!(columns_of!(consent)) },
    Table { name: described!(table_name!(session)), key: 1, unique: &[], columns: described!(columns_of!(session)) },
    Table { name: described!(table_name!(code)), key: 1, unique: &[], columns: described!(columns_of!(code)) },
    Table { name: described!(table_name!(grant)), key: 1, unique: &[], columns: described!(columns_of!(grant)) },
    Table { name: described!(table_name!(access)), key: 1, unique: &[], columns: described!(columns_of!(access)) },
    Table { name: described!(table_name!(personal)), key: 1, unique: &[], columns: described!(columns_of!(personal)) },
    Table { name: described!(table_name!(ticket)), key: 1, unique: &[], columns: described!(columns_of!(ticket)) },
    Table { name: "secret_uses", key: 1, unique: &[], columns: &[bytes("secret"), CLIENT, int("used_at")] },
    Table { name: "burned", key: 1, unique: &[1], columns: &[int("id"), bytes("jti"), int("until")] },
    Table {
        name: "attempts",
        key: 1,
        unique: &[1],
        columns: &[int("id"), bytes("key"), int("failures"), int("resets_at"), USER],
    },
    Table { name: described!(table_name!(job)), key: 1, unique: &[], columns: described!(columns_and_claim!(job)) },
    // The database gives the id of an event.
    Table { name: described!(table_name!(event)), key: 1, unique: &[], columns: described!(columns_behind_id!(event)) },
];
