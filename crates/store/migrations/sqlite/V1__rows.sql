-- All rows of an installation.
--
-- Keys and ids are numbers that grow, so that new rows are appended. Columns that are read in a join come before long
-- ones, so that reading them touches one page. What is looked up has a column; the rest of a client or a user is a
-- document. There are no foreign keys: a token whose client, user or grant is gone is dead by the join that finds it.

-- "GRTY": tells this file from those of other programs.
PRAGMA application_id = 1196577881;

CREATE TABLE clients (
    key        INTEGER PRIMARY KEY,
    version    INTEGER NOT NULL,
    client_id  TEXT    NOT NULL UNIQUE,
    owner      INTEGER,
    dialect    TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    document   TEXT    NOT NULL
) STRICT;
CREATE INDEX clients_by_owner ON clients (owner) WHERE owner IS NOT NULL;

CREATE TABLE users (
    key            INTEGER PRIMARY KEY,
    version        INTEGER NOT NULL,
    sub            TEXT    NOT NULL UNIQUE,
    username_lower TEXT    UNIQUE,
    email_lower    TEXT    UNIQUE,
    document       TEXT    NOT NULL
) STRICT;

CREATE TABLE sessions (
    id         INTEGER PRIMARY KEY,
    digest     BLOB    NOT NULL,
    user       INTEGER NOT NULL,
    amr        TEXT    NOT NULL,
    auth_time  INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    idle_until INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    address    TEXT    NOT NULL,
    agent      TEXT    NOT NULL
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user);

CREATE TABLE consents (
    id         INTEGER NOT NULL,
    user       INTEGER NOT NULL,
    client     INTEGER NOT NULL,
    scope      TEXT    NOT NULL,
    audience   TEXT,
    given_at   INTEGER NOT NULL,
    renewed_at INTEGER NOT NULL,
    PRIMARY KEY (user, client)
) STRICT, WITHOUT ROWID;
CREATE INDEX consents_by_client ON consents (client);

CREATE TABLE codes (
    id                    INTEGER PRIMARY KEY,
    digest                BLOB    NOT NULL,
    grant_id              INTEGER NOT NULL,
    client                INTEGER NOT NULL,
    user                  INTEGER NOT NULL,
    is_spent              INTEGER NOT NULL,
    issued_at             INTEGER NOT NULL,
    expires_at            INTEGER NOT NULL,
    auth_time             INTEGER NOT NULL,
    is_redirect_uri_named INTEGER NOT NULL,
    redirect_uri          TEXT    NOT NULL,
    challenge             BLOB,
    scope                 TEXT    NOT NULL,
    audience              TEXT
) STRICT;
-- Finds the codes that a withdrawn consent takes with it.
CREATE INDEX codes_unspent ON codes (user, client) WHERE is_spent = 0;

CREATE TABLE grants (
    id                 INTEGER PRIMARY KEY,
    user               INTEGER NOT NULL,
    client             INTEGER NOT NULL,
    is_revoked         INTEGER NOT NULL,
    auth_time          INTEGER NOT NULL,
    created_at         INTEGER NOT NULL,
    expires_at         INTEGER NOT NULL,
    refresh_current    BLOB,
    refresh_previous   BLOB,
    refresh_idle_until INTEGER,
    scope              TEXT    NOT NULL,
    audience           TEXT,
    refresh_answer     BLOB
) STRICT;
CREATE INDEX grants_by_user ON grants (user, client);
CREATE INDEX grants_by_client ON grants (client);

-- The busiest table by far. It has no second index: a new row is appended and touches nothing else.
CREATE TABLE access_tokens (
    id         INTEGER PRIMARY KEY,
    digest     BLOB    NOT NULL,
    client     INTEGER NOT NULL,
    user       INTEGER,
    grant_id   INTEGER,
    issued_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    scope      TEXT    NOT NULL,
    audience   TEXT
) STRICT;

CREATE TABLE personal_tokens (
    id         INTEGER PRIMARY KEY,
    digest     BLOB    NOT NULL,
    user       INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER,
    dialect    TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    scope      TEXT    NOT NULL
) STRICT;
CREATE INDEX personal_tokens_by_user ON personal_tokens (user);

CREATE TABLE attempts (
    id        INTEGER PRIMARY KEY,
    key       BLOB    NOT NULL UNIQUE,
    failures  INTEGER NOT NULL,
    resets_at INTEGER NOT NULL
) STRICT;

-- The last one seals.
CREATE TABLE seal_keys (
    id         INTEGER PRIMARY KEY,
    number     INTEGER NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE events (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    user    INTEGER,
    client  INTEGER,
    address TEXT    NOT NULL,
    detail  TEXT    NOT NULL
) STRICT;
CREATE INDEX events_by_user ON events (user) WHERE user IS NOT NULL;
