-- The keys with which the server signs tokens. `sealed` is the private key, encrypted with a key that is derived from the master
-- key. A key without `active_at` is the next one, one without `retired_at` signs.
CREATE TABLE signing_keys (
    number     BIGINT PRIMARY KEY,
    version    BIGINT NOT NULL,
    algorithm  TEXT   NOT NULL,
    kid        TEXT   NOT NULL,
    sealed     TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    active_at  BIGINT,
    retired_at BIGINT
);
