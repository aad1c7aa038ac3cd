//! The statements of a batch. Each does one kind of work for all turns of the batch.

use tokio_postgres::types::Type;

use crate::postgres::error::PostgresError;
use crate::postgres::link::{Link, Sql, Values};

const NUMBER: Type = Type::INT8;
const INTS: Type = Type::INT8_ARRAY;
const BOOLS: Type = Type::BOOL_ARRAY;
const TEXTS: Type = Type::TEXT_ARRAY;
const BYTES: Type = Type::BYTEA_ARRAY;

/// Runs a statement that must find a row for each of `count`. Runs nothing if there are none.
pub(super) async fn all(link: &Link, sql: &'static Sql, count: usize, values: Values<'_>) -> Result<(), PostgresError> {
    let expected = i64::try_from(count).unwrap_or(i64::MAX);
    let mut values = values.to_vec();
    values.push(&expected);
    some(link, sql, count, &values).await
}

/// Runs a statement on `count` rows, unless there are none.
pub(super) async fn some(
    link: &Link,
    sql: &'static Sql,
    count: usize,
    values: Values<'_>,
) -> Result<(), PostgresError> {
    if count == 0 { Ok(()) } else { link.execute(sql, values).await.map(drop) }
}

/// A statement that fails unless it finds as many rows as its last parameter says: by a division by zero, which nothing else
/// here can cause. The server must notice this itself, because the end of the transaction is on its way already.
macro_rules! all_of {
    ($count:literal, $rows:literal) => {
        concat!("WITH found AS (", $rows, ") SELECT 1 / (count(*) = ", $count, ")::int FROM found")
    };
}

/// As [`all_of`], for rows that may be missing for several reasons. The statement fails by another error, an integer that is
/// out of range, so a turn that fails by itself is not told that it lost. It is written alone then, which finds the reason.
macro_rules! all_or_alone {
    ($count:literal, $rows:literal) => {
        concat!("WITH found AS (", $rows, ") SELECT 2147483647 + (count(*) <> ", $count, ")::int FROM found")
    };
}

/// Holds rows of a table in the order of their keys, each shared or alone.
macro_rules! hold {
    ($table:literal, $key:literal) => {
        concat!(
            "SELECT count(shared.held) + count(alone.held) \
                FROM (SELECT key, is_alone FROM unnest($1, $2) AS t (key, is_alone) ORDER BY key) AS t \
                LEFT JOIN LATERAL (SELECT 1 AS held FROM ",
            $table,
            " AS r WHERE r.",
            $key,
            " = t.key \
                    AND NOT t.is_alone FOR SHARE) AS shared ON true \
                LEFT JOIN LATERAL (SELECT 1 AS held FROM ",
            $table,
            " AS r WHERE r.",
            $key,
            " = t.key \
                    AND t.is_alone FOR UPDATE) AS alone ON true"
        )
    };
}

// FOR SHARE: what a turn relies on stays as it is until the turn is written, and whoever wants to change it waits so long.
pub(super) static CLIENTS: Sql = Sql {
    text: all_of!(
        "$3",
        "SELECT 1 FROM unnest($1, $2) AS t (key, version) \
            JOIN clients AS c ON c.key = t.key AND c.version = t.version FOR SHARE OF c"
    ),
    types: &[INTS, INTS, NUMBER],
};
pub(super) static USERS: Sql = Sql {
    text: all_of!(
        "$3",
        "SELECT 1 FROM unnest($1, $2) AS t (key, version) \
            JOIN users AS u ON u.key = t.key AND u.version = t.version FOR SHARE OF u"
    ),
    types: &[INTS, INTS, NUMBER],
};
// A row that is absent cannot be held, but the user whom it would belong to can. Every turn that adds or withdraws a consent
// holds the user alone, and so is written before or after the whole batch.
pub(super) static USERS_SHARED: Sql =
    Sql { text: "SELECT 1 FROM users WHERE key = ANY($1) ORDER BY key FOR SHARE", types: &[INTS] };
// A user who is written, or to whom a consent is added whose absence another turn may rely on, is held alone; only that user.
pub(super) static HOLD_USERS: Sql = Sql { text: hold!("users", "key"), types: &[INTS, BOOLS] };
pub(super) static HOLD_SESSIONS: Sql = Sql { text: hold!("sessions", "id"), types: &[INTS, BOOLS] };
pub(super) static SESSIONS: Sql =
    Sql { text: all_of!("$2", "SELECT 1 FROM sessions WHERE id = ANY($1) FOR SHARE"), types: &[INTS, NUMBER] };
pub(super) static UNREVOKED: Sql = Sql {
    text: all_of!("$2", "SELECT 1 FROM grants WHERE id = ANY($1) AND NOT is_revoked FOR SHARE"),
    types: &[INTS, NUMBER],
};
// Before some of these grants are relied on and others are rotated: whoever shared one and then wanted another alone could
// meet somebody who did so the other way round.
pub(super) static GRANTS: Sql =
    Sql { text: "SELECT 1 FROM grants WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", types: &[INTS] };
pub(super) static CONSENTS: Sql = Sql {
    text: all_of!(
        "$4",
        "SELECT 1 FROM unnest($1, $2, $3) AS t (user_key, client_key, id) JOIN consents AS o \
            ON o.user_key = t.user_key AND o.client_key = t.client_key AND o.id = t.id FOR SHARE OF o"
    ),
    types: &[INTS, INTS, INTS, NUMBER],
};
pub(super) static ABSENT: Sql = Sql {
    text: all_of!(
        "0",
        "SELECT 1 FROM unnest($1, $2) AS t (user_key, client_key) JOIN consents AS o \
            ON o.user_key = t.user_key AND o.client_key = t.client_key"
    ),
    types: &[INTS, INTS],
};
// Makes the counters that do not exist yet, and holds all of them. A new counter has a window that is over, so the failure
// that follows begins a window of its own. The condition is never true: PostgreSQL holds the row and leaves it as it is.
pub(super) static HOLD_COUNTERS: Sql = Sql {
    text: "INSERT INTO attempts (key, failures, resets_at) SELECT t.key, 0, 0 FROM unnest($1) AS t (key) ORDER BY t.key \
        ON CONFLICT (key) DO UPDATE SET key = excluded.key WHERE false",
    types: &[BYTES],
};
// In the order of HOLD_COUNTERS. A counter that became full since the turn looked at it stays full.
pub(super) static CLEAR: Sql = Sql {
    text: "DELETE FROM attempts WHERE id IN (\
        SELECT a.id FROM unnest($1, $2, $3) AS t (key, bound, now) JOIN attempts AS a ON a.key = t.key \
        WHERE NOT (a.failures >= t.bound AND a.resets_at > t.now) ORDER BY a.key FOR UPDATE OF a)",
    types: &[BYTES, INTS, INTS],
};
pub(super) static COUNT: Sql = Sql {
    text: all_of!(
        "$6",
        "UPDATE attempts AS a SET user_key = coalesce(t.user_key, a.user_key), \
            failures = CASE WHEN a.resets_at > t.now THEN a.failures + 1 ELSE 1 END, \
            resets_at = CASE WHEN a.resets_at > t.now THEN a.resets_at ELSE t.resets_at END \
            FROM unnest($1, $2, $3, $4, $5) AS t (key, bound, now, resets_at, user_key) \
            WHERE a.key = t.key AND t.bound > 0 AND (a.failures < t.bound OR a.resets_at <= t.now) RETURNING 1"
    ),
    types: &[BYTES, INTS, INTS, INTS, INTS, NUMBER],
};
// The columns of names stay as they are, so the names must be those of the document before. So must be what was revoked:
// what a greater `revoked_below` ends is looked for when the turn is written alone.
pub(super) static CHANGE_USERS: Sql = Sql {
    text: all_or_alone!(
        "$8",
        "UPDATE users AS u SET version = t.version, document = t.document FROM unnest($1, $2, $3, $4, $5, $6, $7) \
            AS t (key, version, sub, username, email, revoked_below, document) \
            WHERE u.key = t.key AND u.version = t.version - 1 AND u.sub = t.sub \
            AND (u.document::json ->> 'username') IS NOT DISTINCT FROM t.username \
            AND (u.document::json ->> 'email') IS NOT DISTINCT FROM t.email \
            AND coalesce((u.document::json ->> 'revoked_below')::bigint, 0) >= t.revoked_below RETURNING 1"
    ),
    types: &[INTS, INTS, TEXTS, TEXTS, TEXTS, INTS, TEXTS, NUMBER],
};
pub(super) static BURN: Sql = Sql {
    text: "INSERT INTO burned (jti, until) SELECT t.jti, t.until FROM unnest($1, $2) AS t (jti, until) ORDER BY t.jti",
    types: &[BYTES, INTS],
};
/// Held while names are given out, so that nobody else gives out the same. "GRTN".
pub(super) const NAMES_LOCK: i64 = 0x4752_544e;
pub(super) static NAMES: Sql = Sql { text: "SELECT pg_advisory_xact_lock($1)", types: &[NUMBER] };
// Both kinds of names are typed into the same field, so one person's name must not be another's address either.
pub(super) static NO_SUCH_USERS: Sql = Sql {
    text: all_or_alone!(
        "0",
        "SELECT 1 FROM users WHERE key = ANY($1) UNION ALL SELECT 1 FROM users WHERE sub = ANY($2) \
            UNION ALL SELECT 1 FROM clients WHERE client_id = ANY($2) \
            UNION ALL SELECT 1 FROM users WHERE username_lower = ANY($3) \
            UNION ALL SELECT 1 FROM users WHERE email_lower = ANY($3)"
    ),
    types: &[INTS, TEXTS, TEXTS],
};
pub(super) static ADD_USERS: Sql = Sql {
    text: all_or_alone!(
        "$7",
        "INSERT INTO users (key, version, sub, username_lower, email_lower, document) \
            SELECT * FROM unnest($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING 1"
    ),
    types: &[INTS, INTS, TEXTS, TEXTS, TEXTS, TEXTS, NUMBER],
};
// Sessions and grants that end are held already.
pub(super) static END_SESSIONS: Sql = Sql { text: "DELETE FROM sessions WHERE id = ANY($1)", types: &[INTS] };
pub(super) static REVOKE_GRANTS: Sql =
    Sql { text: "UPDATE grants SET is_revoked = true WHERE id = ANY($1)", types: &[INTS] };
pub(super) static REVOKE_ACCESSES: Sql = Sql {
    text: "DELETE FROM access_tokens WHERE id IN (\
        SELECT id FROM access_tokens WHERE id = ANY($1) ORDER BY id FOR UPDATE)",
    types: &[INTS],
};
pub(super) static REVOKE_PERSONALS: Sql = Sql {
    text: "DELETE FROM personal_tokens WHERE id IN (\
        SELECT id FROM personal_tokens WHERE id = ANY($1) ORDER BY id FOR UPDATE)",
    types: &[INTS],
};
pub(super) static SPEND: Sql = Sql {
    text: all_of!("$2", "UPDATE codes SET is_spent = true WHERE id = ANY($1) AND NOT is_spent RETURNING 1"),
    types: &[INTS, NUMBER],
};
pub(super) static SPEND_TICKETS: Sql = Sql {
    text: all_of!(
        "$3",
        "UPDATE tickets AS tk SET is_spent = true FROM unnest($1, $2) AS t (id, version) \
            WHERE tk.id = t.id AND tk.version = t.version AND NOT tk.is_spent RETURNING 1"
    ),
    types: &[INTS, INTS, NUMBER],
};
pub(super) static ROTATE: Sql = Sql {
    text: all_of!(
        "$9",
        "UPDATE grants AS g SET refresh_current = t.current, refresh_previous = t.previous, \
            refresh_answer = t.answer, refresh_idle_until = t.idle_until, expires_at = t.expires_at, \
            refresh_generation = t.generation FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) \
            AS t (id, before, current, previous, answer, idle_until, expires_at, generation) \
            WHERE g.id = t.id AND NOT g.is_revoked AND g.refresh_current = t.before RETURNING 1"
    ),
    types: &[INTS, BYTES, BYTES, BYTES, BYTES, INTS, INTS, INTS, NUMBER],
};
// SKIP LOCKED: that something was used a moment ago is not worth a wait, and those who use the same two things in different
// orders would wait for each other.
pub(super) static TOUCH_SESSIONS: Sql = Sql {
    text: "UPDATE sessions AS s SET seen_at = t.seen_at, idle_until = t.idle_until \
        FROM unnest($1, $2, $3) AS t (id, seen_at, idle_until) WHERE s.id = t.id AND s.id IN (\
        SELECT id FROM sessions WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)",
    types: &[INTS, INTS, INTS],
};
pub(super) static TOUCH_PERSONALS: Sql = Sql {
    text: "UPDATE personal_tokens AS p SET used_at = t.used_at FROM unnest($1, $2) AS t (id, used_at) \
        WHERE p.id = t.id AND p.id IN (\
        SELECT id FROM personal_tokens WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)",
    types: &[INTS, INTS],
};

pub(super) static TOUCH_SECRETS: Sql = Sql {
    text: "INSERT INTO secret_uses AS s (secret, client_key, used_at) SELECT t.secret, t.client, t.used_at \
        FROM unnest($1, $2, $3) AS t (secret, client, used_at) \
        WHERE EXISTS (SELECT 1 FROM clients WHERE key = t.client) ORDER BY t.secret \
        ON CONFLICT (secret) DO UPDATE SET client_key = excluded.client_key, \
        used_at = greatest(s.used_at, excluded.used_at)",
    types: &[BYTES, INTS, INTS],
};
pub(super) static PASS: Sql = Sql {
    text: all_of!(
        "$4",
        "SELECT 1 FROM unnest($1, $2, $3) AS t (key, bound, now) WHERE t.bound > 0 AND NOT EXISTS (\
            SELECT 1 FROM attempts AS a WHERE a.key = t.key AND a.failures >= t.bound AND a.resets_at > t.now)"
    ),
    types: &[BYTES, INTS, INTS, NUMBER],
};

// A word in the log that means nothing to anybody. The commit waits until the standby has it, and so has all before it.
pub(super) static AWAIT_DURABILITY: Sql =
    Sql { text: "SELECT pg_logical_emit_message(true, 'grantry', '')", types: &[] };

/// Every statement of this file.
pub(crate) static STATEMENTS: &[&Sql] = &[
    &CLIENTS,
    &USERS,
    &USERS_SHARED,
    &HOLD_USERS,
    &HOLD_SESSIONS,
    &SESSIONS,
    &UNREVOKED,
    &GRANTS,
    &CONSENTS,
    &ABSENT,
    &HOLD_COUNTERS,
    &CLEAR,
    &COUNT,
    &CHANGE_USERS,
    &BURN,
    &NAMES,
    &NO_SUCH_USERS,
    &ADD_USERS,
    &END_SESSIONS,
    &REVOKE_GRANTS,
    &REVOKE_ACCESSES,
    &REVOKE_PERSONALS,
    &SPEND,
    &SPEND_TICKETS,
    &ROTATE,
    &TOUCH_SESSIONS,
    &TOUCH_PERSONALS,
    &TOUCH_SECRETS,
    &PASS,
    &AWAIT_DURABILITY,
];
