-- Tokens of issuers elsewhere that were used, and are good once.
CREATE TABLE burned (
    id    INTEGER PRIMARY KEY,
    jti   BLOB    NOT NULL UNIQUE,
    until INTEGER NOT NULL
) STRICT;
