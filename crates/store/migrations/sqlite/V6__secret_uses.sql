-- When each client secret was last used, to the hour. The secret is named by a digest of what is kept of it.
CREATE TABLE secret_uses (
    secret  BLOB    NOT NULL PRIMARY KEY,
    client  INTEGER NOT NULL,
    used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX secret_uses_client ON secret_uses (client);
