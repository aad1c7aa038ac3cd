-- Short-lived rows of many kinds that are good once, such as a pushed authorization request or an e-mail confirmation. What a
-- kind knows is in its document, a JSON object. `version` grows with every change of the document.
CREATE TABLE tickets (
    id         BIGINT  PRIMARY KEY,
    kind       TEXT    NOT NULL,
    digest     BYTEA   NOT NULL,
    user_key   BIGINT,
    client_key BIGINT,
    expires_at BIGINT  NOT NULL,
    is_spent   BOOLEAN NOT NULL,
    version    BIGINT  NOT NULL,
    document   TEXT    NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX tickets_by_user ON tickets (user_key) WHERE user_key IS NOT NULL;
CREATE INDEX tickets_by_client ON tickets (client_key) WHERE client_key IS NOT NULL;
