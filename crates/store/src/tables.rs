//! Statements about all tables that both SQLite and PostgreSQL understand.

/// The tables, in the order in which they are shown.
pub(crate) const TABLES: [&str; 17] = [
    "clients",
    "users",
    "sessions",
    "identities",
    "consents",
    "codes",
    "grants",
    "access_tokens",
    "personal_tokens",
    "tickets",
    "secret_uses",
    "attempts",
    "burned",
    "seal_keys",
    "signing_keys",
    "jobs",
    "events",
];

/// Finds identifiers that a client and a user share, up to a number that is enough for a warning.
pub(crate) const SHARED_IDS: &str = "SELECT c.client_id FROM clients AS c JOIN users AS u ON u.sub = c.client_id \
    ORDER BY c.client_id LIMIT 20";

/// The query for the times of the first and the last row of a table.
pub(crate) struct Ages {
    /// The statement.
    pub(crate) sql: String,
    /// True if the statement needs only two look-ups. Otherwise it reads the whole table.
    pub(crate) is_by_key: bool,
}

/// Returns the query for the times of a table's first and last row; `None` if its rows have no time. Ids and keys grow
/// with time, so two look-ups are enough for a table with ids. `in_document` is the SQL expression that reads the time
/// from a document.
pub(crate) fn ages(table: &str, in_document: &str) -> Option<Ages> {
    let (time, key) = match table {
        "clients" | "users" => (in_document, Some("key")),
        "sessions" | "grants" | "personal_tokens" | "seal_keys" | "jobs" => ("created_at", Some("id")),
        "signing_keys" => ("created_at", Some("number")),
        "codes" | "access_tokens" => ("issued_at", Some("id")),
        "events" => ("at", Some("id")),
        "consents" => ("given_at", None),
        "identities" => ("linked_at", None),
        _ => return None,
    };
    let ends = key.map_or_else(String::new, |key| {
        format!(" WHERE {key} IN ((SELECT min({key}) FROM {table}), (SELECT max({key}) FROM {table}))")
    });
    Some(Ages { sql: format!("SELECT min({time}), max({time}) FROM {table}{ends}"), is_by_key: key.is_some() })
}

/// Returns the statement for [`crate::Query::GreatestId`]. A negative id overflowed.
pub(crate) fn greatest_id_sql() -> String {
    let tables = [
        ("clients", "key"),
        ("users", "key"),
        ("sessions", "id"),
        ("codes", "id"),
        ("grants", "id"),
        ("access_tokens", "id"),
        ("personal_tokens", "id"),
        ("tickets", "id"),
        ("jobs", "id"),
    ];
    let parts = tables.map(|(table, key)| {
        let overrun = i64::MAX;
        format!("SELECT max({key}) AS id FROM {table} UNION ALL SELECT max({overrun}) FROM {table} WHERE {key} < 0")
    });
    format!("SELECT max(id) FROM ({}) AS ids", parts.join(" UNION ALL "))
}
