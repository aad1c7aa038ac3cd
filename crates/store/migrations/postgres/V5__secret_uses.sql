-- When each client secret was last used, to the hour. The secret is named by a digest of what is kept of it.
CREATE TABLE secret_uses (
    secret     BYTEA  PRIMARY KEY,
    client_key BIGINT NOT NULL,
    used_at    BIGINT NOT NULL
);
CREATE INDEX secret_uses_client ON secret_uses (client_key);
