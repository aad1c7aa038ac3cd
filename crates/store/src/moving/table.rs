//! The tables, as both kinds of database have them.

use super::{Cell, Cells};

/// What a column holds.
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
    /// Its name.
    pub name: &'static str,
    /// The columns of its key come first.
    pub(crate) key: usize,
    /// Columns beside the key of which no two rows have the same value, by their places.
    pub(crate) unique: &'static [usize],
    pub(crate) columns: &'static [Column],
}

impl Table {
    /// The key of a row.
    #[must_use]
    pub fn key_of(&self, row: &[Cell]) -> Cells {
        row.iter().take(self.key).cloned().collect()
    }
}

const fn int(name: &'static str) -> Column {
    Column { sqlite: name, postgres: name, kind: Kind::Int }
}
const fn flag(name: &'static str) -> Column {
    Column { sqlite: name, postgres: name, kind: Kind::Bool }
}
const fn text(name: &'static str) -> Column {
    Column { sqlite: name, postgres: name, kind: Kind::Text }
}
const fn bytes(name: &'static str) -> Column {
    Column { sqlite: name, postgres: name, kind: Kind::Bytes }
}
/// USER is a word of SQL that PostgreSQL keeps for itself.
const USER: Column = Column { sqlite: "user", postgres: "user_key", kind: Kind::Int };
const CLIENT: Column = Column { sqlite: "client", postgres: "client_key", kind: Kind::Int };

/// Every table with rows of an installation; those that others hang on come first.
pub static TABLES: &[Table] = &[
    Table { name: "installation", key: 1, unique: &[], columns: &[text("name"), bytes("value")] },
    Table { name: "seal_keys", key: 1, unique: &[1], columns: &[int("id"), int("number"), int("created_at")] },
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
    Table {
        name: "identities",
        key: 2,
        unique: &[],
        columns: &[text("issuer"), text("subject"), USER, int("linked_at")],
    },
    Table {
        name: "consents",
        key: 2,
        unique: &[],
        columns: &[USER, CLIENT, int("id"), text("scope"), text("audience"), int("given_at"), int("renewed_at")],
    },
    Table {
        name: "sessions",
        key: 1,
        unique: &[],
        columns: &[
            int("id"),
            bytes("digest"),
            USER,
            text("amr"),
            int("auth_time"),
            int("created_at"),
            int("seen_at"),
            int("idle_until"),
            int("expires_at"),
            text("address"),
            text("agent"),
        ],
    },
    Table {
        name: "codes",
        key: 1,
        unique: &[],
        columns: &[
            int("id"),
            bytes("digest"),
            int("grant_id"),
            CLIENT,
            USER,
            flag("is_spent"),
            int("issued_at"),
            int("expires_at"),
            int("auth_time"),
            flag("is_redirect_uri_named"),
            text("redirect_uri"),
            bytes("challenge"),
            text("scope"),
            text("audience"),
        ],
    },
    Table {
        name: "grants",
        key: 1,
        unique: &[],
        columns: &[
            int("id"),
            USER,
            CLIENT,
            flag("is_revoked"),
            int("auth_time"),
            int("created_at"),
            int("expires_at"),
            bytes("refresh_current"),
            bytes("refresh_previous"),
            int("refresh_idle_until"),
            text("scope"),
            text("audience"),
            bytes("refresh_answer"),
            int("refresh_generation"),
        ],
    },
    Table {
        name: "access_tokens",
        key: 1,
        unique: &[],
        columns: &[
            int("id"),
            bytes("digest"),
            CLIENT,
            USER,
            int("grant_id"),
            int("issued_at"),
            int("expires_at"),
            text("scope"),
            text("audience"),
        ],
    },
    Table {
        name: "personal_tokens",
        key: 1,
        unique: &[],
        columns: &[
            int("id"),
            bytes("digest"),
            USER,
            int("created_at"),
            int("expires_at"),
            int("used_at"),
            text("dialect"),
            text("name"),
            text("scope"),
            int("by_operator"),
        ],
    },
    Table { name: "secret_uses", key: 1, unique: &[], columns: &[bytes("secret"), CLIENT, int("used_at")] },
    Table { name: "burned", key: 1, unique: &[1], columns: &[int("id"), bytes("jti"), int("until")] },
    Table {
        name: "attempts",
        key: 1,
        unique: &[1],
        columns: &[int("id"), bytes("key"), int("failures"), int("resets_at"), USER],
    },
    Table {
        name: "jobs",
        key: 1,
        unique: &[],
        columns: &[
            int("id"),
            text("kind"),
            text("document"),
            int("created_at"),
            int("due_at"),
            int("attempts"),
            text("last_error"),
            flag("is_dead"),
            int("claimed_by"),
            int("claimed_until"),
        ],
    },
    Table {
        name: "events",
        key: 1,
        unique: &[],
        columns: &[int("id"), int("at"), text("kind"), USER, CLIENT, text("address"), text("detail"), text("actor")],
    },
];
