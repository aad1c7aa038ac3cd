-- All rows of an installation. The tables and their columns are those of SQLite, with `user_key` and `client_key` for
-- `user` and `client`, because USER is a word of SQL.
--
-- Keys and ids are numbers that grow, so that new rows are appended. There are no foreign keys: a token whose client,
-- user or grant is gone is dead by the join that finds it.

CREATE TABLE clients (
    key        BIGINT PRIMARY KEY,
    version    BIGINT NOT NULL,
    client_id  TEXT   NOT NULL UNIQUE,
    owner      BIGINT,
    dialect    TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    document   TEXT   NOT NULL
);
CREATE INDEX clients_by_owner ON clients (owner) WHERE owner IS NOT NULL;

CREATE TABLE users (
    key            BIGINT PRIMARY KEY,
    version        BIGINT NOT NULL,
    sub            TEXT   NOT NULL UNIQUE,
    username_lower TEXT   UNIQUE,
    email_lower    TEXT   UNIQUE,
    document       TEXT   NOT NULL
);

CREATE TABLE sessions (
    id         BIGINT PRIMARY KEY,
    digest     BYTEA  NOT NULL,
    user_key   BIGINT NOT NULL,
    amr        TEXT   NOT NULL,
    auth_time  BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    idle_until BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    address    TEXT   NOT NULL,
    agent      TEXT   NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX sessions_by_user ON sessions (user_key);

-- People as issuers elsewhere know them, and whose account that is here.
CREATE TABLE identities (
    issuer    TEXT   NOT NULL,
    subject   TEXT   NOT NULL,
    user_key  BIGINT NOT NULL,
    linked_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_by_user ON identities (user_key);

CREATE TABLE consents (
    id         BIGINT NOT NULL,
    user_key   BIGINT NOT NULL,
    client_key BIGINT NOT NULL,
    scope      TEXT   NOT NULL,
    audience   TEXT,
    given_at   BIGINT NOT NULL,
    renewed_at BIGINT NOT NULL,
    PRIMARY KEY (user_key, client_key)
);
CREATE INDEX consents_by_client ON consents (client_key);

CREATE TABLE codes (
    id                    BIGINT  PRIMARY KEY,
    digest                BYTEA   NOT NULL,
    grant_id              BIGINT  NOT NULL,
    client_key            BIGINT  NOT NULL,
    user_key              BIGINT  NOT NULL,
    is_spent              BOOLEAN NOT NULL,
    issued_at             BIGINT  NOT NULL,
    expires_at            BIGINT  NOT NULL,
    auth_time             BIGINT  NOT NULL,
    is_redirect_uri_named BOOLEAN NOT NULL,
    redirect_uri          TEXT    NOT NULL,
    challenge             BYTEA,
    scope                 TEXT    NOT NULL,
    audience              TEXT
);
-- Finds the codes that a withdrawn consent takes with it.
CREATE INDEX codes_unspent ON codes (user_key, client_key) WHERE NOT is_spent;

-- Rows are rewritten at every rotation. Room is left on each page, so that the new one stays beside the old one and no
-- index has to be told.
CREATE TABLE grants (
    id                 BIGINT  PRIMARY KEY,
    user_key           BIGINT  NOT NULL,
    client_key         BIGINT  NOT NULL,
    is_revoked         BOOLEAN NOT NULL,
    auth_time          BIGINT  NOT NULL,
    created_at         BIGINT  NOT NULL,
    expires_at         BIGINT  NOT NULL,
    refresh_current    BYTEA,
    refresh_previous   BYTEA,
    refresh_idle_until BIGINT,
    scope              TEXT    NOT NULL,
    audience           TEXT,
    refresh_answer     BYTEA
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX grants_by_user ON grants (user_key, client_key);
CREATE INDEX grants_by_client ON grants (client_key);

-- The busiest table by far. It has no second index: a new row is appended and touches nothing else. The first column of
-- the tables that grow all the time is their time, more or less, so a vacuum of what is new is cheap and comes often.
CREATE TABLE access_tokens (
    id         BIGINT PRIMARY KEY,
    client_key BIGINT NOT NULL,
    user_key   BIGINT,
    grant_id   BIGINT,
    issued_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    digest     BYTEA  NOT NULL,
    scope      TEXT   NOT NULL,
    audience   TEXT
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1);

CREATE TABLE personal_tokens (
    id         BIGINT PRIMARY KEY,
    digest     BYTEA  NOT NULL,
    user_key   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT,
    dialect    TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    scope      TEXT   NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX personal_tokens_by_user ON personal_tokens (user_key);

CREATE TABLE attempts (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key       BYTEA  NOT NULL UNIQUE,
    failures  BIGINT NOT NULL,
    resets_at BIGINT NOT NULL
) WITH (fillfactor = 60);

-- The last one seals.
CREATE TABLE seal_keys (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number     BIGINT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE events (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         BIGINT NOT NULL,
    kind       TEXT   NOT NULL,
    user_key   BIGINT,
    client_key BIGINT,
    address    TEXT   NOT NULL,
    detail     TEXT   NOT NULL
);
CREATE INDEX events_by_user ON events (user_key) WHERE user_key IS NOT NULL;

-- Which node does the work that only one should do, and until when, by this database's clock.
CREATE TABLE leases (
    name   TEXT        PRIMARY KEY,
    holder BIGINT      NOT NULL,
    until  TIMESTAMPTZ NOT NULL
);

-- Requests that are counted against limits, over all nodes. What is lost in a crash is a count that begins anew.
CREATE UNLOGGED TABLE windows (
    key      BYTEA  PRIMARY KEY,
    began_at BIGINT NOT NULL,
    used     BIGINT NOT NULL,
    until    BIGINT NOT NULL
) WITH (fillfactor = 60);
CREATE INDEX windows_by_end ON windows (until);

-- The oldest schema whose programs can still work with this one. Nodes of two versions run side by side while an
-- installation is upgraded; a migration that they could not bear raises this number.
CREATE TABLE compatibility (
    oldest BIGINT NOT NULL
);
INSERT INTO compatibility (oldest) VALUES (1);
