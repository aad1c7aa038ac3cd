-- Short-lived rows of many kinds that are good once, such as a pushed authorization request or an e-mail confirmation. What a
-- kind knows is in its document, a JSON object. `version` grows with every change of the document.
CREATE TABLE tickets (
    id         INTEGER PRIMARY KEY,
    kind       TEXT    NOT NULL,
    digest     BLOB    NOT NULL,
    user       INTEGER,
    client     INTEGER,
    expires_at INTEGER NOT NULL,
    is_spent   INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    document   TEXT    NOT NULL
) STRICT;
CREATE INDEX tickets_by_user ON tickets (user) WHERE user IS NOT NULL;
CREATE INDEX tickets_by_client ON tickets (client) WHERE client IS NOT NULL;
