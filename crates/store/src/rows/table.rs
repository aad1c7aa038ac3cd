//! The columns of every row: names on SQLite and on PostgreSQL, and types. Select lists, inserts and the copy of a move
//! are made from this table at compile time.
//!
//! To add a column, add it here, in both migrations, and in the row's `read` and `values` in a file of this folder.

/// Calls a macro of this file with the table, the alias in statements, and the columns of a row:
/// `described!(sqlite_list!(code))`.
macro_rules! described {
    ($with:ident!(session)) => { $crate::rows::table::$with! { "sessions" "s"
        "id" "id" Int, "digest" "digest" Bytes, "user" "user_key" Int, "amr" "amr" Text, "auth_time" "auth_time" Int,
        "created_at" "created_at" Int, "seen_at" "seen_at" Int, "idle_until" "idle_until" Int,
        "expires_at" "expires_at" Int, "address" "address" Text, "agent" "agent" Text
    } };
    ($with:ident!(identity)) => { $crate::rows::table::$with! { "identities" "i"
        "issuer" "issuer" Text, "subject" "subject" Text, "user" "user_key" Int, "linked_at" "linked_at" Int
    } };
    ($with:ident!(consent)) => { $crate::rows::table::$with! { "consents" "o"
        "user" "user_key" Int, "client" "client_key" Int, "id" "id" Int, "scope" "scope" Text,
        "audience" "audience" Text, "given_at" "given_at" Int, "renewed_at" "renewed_at" Int
    } };
    ($with:ident!(code)) => { $crate::rows::table::$with! { "codes" "k"
        "id" "id" Int, "digest" "digest" Bytes, "grant_id" "grant_id" Int, "client" "client_key" Int,
        "user" "user_key" Int, "is_spent" "is_spent" Bool, "issued_at" "issued_at" Int, "expires_at" "expires_at" Int,
        "auth_time" "auth_time" Int, "is_redirect_uri_named" "is_redirect_uri_named" Bool,
        "redirect_uri" "redirect_uri" Text, "challenge" "challenge" Bytes, "scope" "scope" Text,
        "audience" "audience" Text,
        "circumstances" "circumstances" Text
    } };
    ($with:ident!(grant)) => { $crate::rows::table::$with! { "grants" "g"
        "id" "id" Int, "user" "user_key" Int, "client" "client_key" Int, "is_revoked" "is_revoked" Bool,
        "auth_time" "auth_time" Int, "created_at" "created_at" Int, "expires_at" "expires_at" Int,
        "refresh_current" "refresh_current" Bytes, "refresh_previous" "refresh_previous" Bytes,
        "refresh_idle_until" "refresh_idle_until" Int, "scope" "scope" Text, "audience" "audience" Text,
        "refresh_answer" "refresh_answer" Bytes, "refresh_generation" "refresh_generation" Int,
        "circumstances" "circumstances" Text
    } };
    ($with:ident!(access)) => { $crate::rows::table::$with! { "access_tokens" "a"
        "id" "id" Int, "digest" "digest" Bytes, "client" "client_key" Int, "user" "user_key" Int,
        "grant_id" "grant_id" Int, "issued_at" "issued_at" Int, "expires_at" "expires_at" Int, "scope" "scope" Text,
        "audience" "audience" Text
    } };
    ($with:ident!(personal)) => { $crate::rows::table::$with! { "personal_tokens" "p"
        "id" "id" Int, "digest" "digest" Bytes, "user" "user_key" Int, "created_at" "created_at" Int,
        "expires_at" "expires_at" Int, "used_at" "used_at" Int, "dialect" "dialect" Text, "name" "name" Text,
        "scope" "scope" Text, "by_operator" "by_operator" Int
    } };
    ($with:ident!(ticket)) => { $crate::rows::table::$with! { "tickets" "tk"
        "id" "id" Int, "kind" "kind" Text, "digest" "digest" Bytes, "user" "user_key" Int, "client" "client_key" Int,
        "expires_at" "expires_at" Int, "is_spent" "is_spent" Bool, "version" "version" Int, "document" "document" Text
    } };
    ($with:ident!(job)) => { $crate::rows::table::$with! { "jobs" "j"
        "id" "id" Int, "kind" "kind" Text, "document" "document" Text, "created_at" "created_at" Int,
        "due_at" "due_at" Int, "attempts" "attempts" Int, "last_error" "last_error" Text, "is_dead" "is_dead" Bool
    } };
    ($with:ident!(event)) => { $crate::rows::table::$with! { "events" "e"
        "at" "at" Int, "kind" "kind" Text, "user" "user_key" Int, "client" "client_key" Int,
        "address" "address" Text, "detail" "detail" Text, "actor" "actor" Text
    } };
}
pub(crate) use described;

/// Returns the name of the table.
macro_rules! table_name {
    ($table:literal $alias:literal $($sqlite:literal $postgres:literal $kind:ident),+) => {
        $table
    };
}
pub(crate) use table_name;

/// Returns the columns for [`crate::moving::Table`].
macro_rules! columns_of {
    ($table:literal $alias:literal $($sqlite:literal $postgres:literal $kind:ident),+) => {
        &[$($crate::moving::Column { sqlite: $sqlite, postgres: $postgres, kind: $crate::moving::Kind::$kind }),+]
    };
}
pub(crate) use columns_of;

/// As [`columns_of`], after an `id` that the database gives.
macro_rules! columns_behind_id {
    ($table:literal $alias:literal $($sqlite:literal $postgres:literal $kind:ident),+) => {
        $crate::rows::table::columns_of!($table $alias "id" "id" Int, $($sqlite $postgres $kind),+)
    };
}
pub(crate) use columns_behind_id;

/// As [`columns_of`], with the claim of a worker, which is not part of the model.
macro_rules! columns_and_claim {
    ($table:literal $alias:literal $($sqlite:literal $postgres:literal $kind:ident),+) => {
        $crate::rows::table::columns_of!(
            $table $alias $($sqlite $postgres $kind),+, "claimed_by" "claimed_by" Int, "claimed_until" "claimed_until" Int
        )
    };
}
pub(crate) use columns_and_claim;

/// Returns the select list for SQLite.
macro_rules! sqlite_list {
    ($table:literal $alias:literal $first:literal $_p:literal $_k:ident $(, $sqlite:literal $postgres:literal $kind:ident)*) => {
        concat!($alias, ".", $first $(, ", ", $alias, ".", $sqlite)*)
    };
}
pub(crate) use sqlite_list;

/// Returns the columns for SQLite without the alias, which RETURNING does not know.
macro_rules! sqlite_names {
    ($table:literal $alias:literal $first:literal $_p:literal $_k:ident $(, $sqlite:literal $postgres:literal $kind:ident)*) => {
        concat!($first $(, ", ", $sqlite)*)
    };
}
pub(crate) use sqlite_names;

/// Returns the select list for PostgreSQL.
macro_rules! postgres_list {
    ($table:literal $alias:literal $_s:literal $first:literal $_k:ident $(, $sqlite:literal $postgres:literal $kind:ident)*) => {
        concat!($alias, ".", $first $(, ", ", $alias, ".", $postgres)*)
    };
}
pub(crate) use postgres_list;

/// Returns one placeholder for each name: `?, ?` or `$1, $2`.
macro_rules! marks {
    ($mark:literal; $name:literal; $number:literal $($numbers:literal)*) => { concat!($mark, $number) };
    ($mark:literal; $name:literal $($names:literal)+; $number:literal $($numbers:literal)*) => {
        concat!($mark, $number, ", ", $crate::rows::table::marks!($mark; $($names)+; $($numbers)*))
    };
}
pub(crate) use marks;

/// Returns the insert for SQLite, for one row.
macro_rules! sqlite_insert {
    ($table:literal $alias:literal $first:literal $_p:literal $_k:ident $(, $sqlite:literal $postgres:literal $kind:ident)*) => {
        concat!(
            "INSERT INTO ", $table, " (", $first $(, ", ", $sqlite)*, ") VALUES (",
            $crate::rows::table::marks!("?"; $first $($sqlite)*; 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20), ")"
        )
    };
}
pub(crate) use sqlite_insert;

/// Returns the insert for PostgreSQL, for any number of rows. Each parameter is an array with the values of one column.
macro_rules! postgres_insert {
    ($table:literal $alias:literal $_s:literal $first:literal $_k:ident $(, $sqlite:literal $postgres:literal $kind:ident)*) => {
        concat!(
            "INSERT INTO ", $table, " (", $first $(, ", ", $postgres)*, ") SELECT * FROM unnest(",
            $crate::rows::table::marks!("$"; $first $($postgres)*; 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20), ")"
        )
    };
}
pub(crate) use postgres_insert;

/// Returns the parameter types of [`postgres_insert`].
macro_rules! postgres_types {
    ($table:literal $alias:literal $($sqlite:literal $postgres:literal $kind:ident),+) => {
        &[$($crate::rows::table::postgres_types!($kind)),+]
    };
    (Int) => { tokio_postgres::types::Type::INT8_ARRAY };
    (Bool) => { tokio_postgres::types::Type::BOOL_ARRAY };
    (Text) => { tokio_postgres::types::Type::TEXT_ARRAY };
    (Bytes) => { tokio_postgres::types::Type::BYTEA_ARRAY };
}
pub(crate) use postgres_types;
