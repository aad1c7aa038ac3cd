//! The statements of a batch. Each does one kind of work for all turns of the batch.

use tokio_postgres::types::Type;

use crate::postgres::link::Sql;

const COUNT: Type = Type::INT8;
const INTS: Type = Type::INT8_ARRAY;
const BYTES: Type = Type::BYTEA_ARRAY;

/// A statement that fails unless it finds as many rows as its last parameter says: by a division by zero, which nothing else
/// here can cause. The server must notice this itself, because the end of the transaction is on its way already.
macro_rules! all_of {
    ($count:literal, $rows:literal) => {
        concat!("WITH found AS (", $rows, ") SELECT 1 / (count(*) = ", $count, ")::int FROM found")
    };
}

// FOR SHARE: what a turn relies on stays as it is until the turn is written, and whoever wants to change it waits so long.
pub(super) static CLIENTS: Sql = Sql {
    text: all_of!(
        "$3",
        "SELECT 1 FROM unnest($1, $2) AS t (key, version) \
            JOIN clients AS c ON c.key = t.key AND c.version = t.version FOR SHARE OF c"
    ),
    types: &[INTS, INTS, COUNT],
};
pub(super) static USERS: Sql = Sql {
    text: all_of!(
        "$3",
        "SELECT 1 FROM unnest($1, $2) AS t (key, version) \
            JOIN users AS u ON u.key = t.key AND u.version = t.version FOR SHARE OF u"
    ),
    types: &[INTS, INTS, COUNT],
};
// A row that is absent cannot be held, but the user whom it would belong to can. Every turn that adds or withdraws a consent
// holds the user alone, and so is written before or after the whole batch.
pub(super) static USERS_SHARED: Sql =
    Sql { text: "SELECT 1 FROM users WHERE key = ANY($1) ORDER BY key FOR SHARE", types: &[INTS] };
pub(super) static USERS_ALONE: Sql =
    Sql { text: "SELECT 1 FROM users WHERE key = ANY($1) ORDER BY key FOR UPDATE", types: &[INTS] };
pub(super) static SESSIONS: Sql =
    Sql { text: all_of!("$2", "SELECT 1 FROM sessions WHERE id = ANY($1) FOR SHARE"), types: &[INTS, COUNT] };
pub(super) static UNREVOKED: Sql = Sql {
    text: all_of!("$2", "SELECT 1 FROM grants WHERE id = ANY($1) AND NOT is_revoked FOR SHARE"),
    types: &[INTS, COUNT],
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
    types: &[INTS, INTS, INTS, COUNT],
};
pub(super) static ABSENT: Sql = Sql {
    text: all_of!(
        "0",
        "SELECT 1 FROM unnest($1, $2) AS t (user_key, client_key) JOIN consents AS o \
            ON o.user_key = t.user_key AND o.client_key = t.client_key"
    ),
    types: &[INTS, INTS],
};
// In the order in which other turns lock counters. A counter that became full since the turn looked at it stays full.
pub(super) static CLEAR: Sql = Sql {
    text: "DELETE FROM attempts WHERE id IN (\
        SELECT a.id FROM unnest($1, $2, $3) AS t (key, bound, now) JOIN attempts AS a ON a.key = t.key \
        WHERE NOT (a.failures >= t.bound AND a.resets_at > t.now) ORDER BY a.id FOR UPDATE OF a)",
    types: &[BYTES, INTS, INTS],
};
pub(super) static SPEND: Sql = Sql {
    text: all_of!("$2", "UPDATE codes SET is_spent = true WHERE id = ANY($1) AND NOT is_spent RETURNING 1"),
    types: &[INTS, COUNT],
};
pub(super) static SPEND_TICKETS: Sql = Sql {
    text: all_of!(
        "$3",
        "UPDATE tickets AS tk SET is_spent = true FROM unnest($1, $2) AS t (id, version) \
            WHERE tk.id = t.id AND tk.version = t.version AND NOT tk.is_spent RETURNING 1"
    ),
    types: &[INTS, INTS, COUNT],
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
    types: &[INTS, BYTES, BYTES, BYTES, BYTES, INTS, INTS, INTS, COUNT],
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
    types: &[BYTES, INTS, INTS, COUNT],
};

// A word in the log that means nothing to anybody. The commit waits until the standby has it, and so has all before it.
pub(super) static AWAIT_DURABILITY: Sql =
    Sql { text: "SELECT pg_logical_emit_message(true, 'grantry', '')", types: &[] };

/// Every statement of this file.
pub(crate) static STATEMENTS: &[&Sql] = &[
    &AWAIT_DURABILITY,
    &USERS_SHARED,
    &USERS_ALONE,
    &CLIENTS,
    &USERS,
    &SESSIONS,
    &GRANTS,
    &UNREVOKED,
    &CONSENTS,
    &ABSENT,
    &CLEAR,
    &SPEND,
    &SPEND_TICKETS,
    &ROTATE,
    &TOUCH_SESSIONS,
    &TOUCH_PERSONALS,
    &TOUCH_SECRETS,
    &PASS,
];
