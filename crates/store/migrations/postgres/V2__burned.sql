-- Tokens of issuers elsewhere that were used, and are good once.
CREATE TABLE burned (
    id    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    jti   BYTEA  NOT NULL UNIQUE,
    until BIGINT NOT NULL
);
