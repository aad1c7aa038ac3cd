-- Work that is done after the turn that asked for it. A claimed job is left alone by other workers until `claimed_until`.
CREATE TABLE jobs (
    id            BIGINT  PRIMARY KEY,
    kind          TEXT    NOT NULL,
    document      TEXT    NOT NULL,
    created_at    BIGINT  NOT NULL,
    due_at        BIGINT  NOT NULL,
    attempts      BIGINT  NOT NULL,
    last_error    TEXT,
    is_dead       BOOLEAN NOT NULL,
    claimed_by    BIGINT,
    claimed_until BIGINT
) WITH (fillfactor = 80);
CREATE INDEX jobs_by_due ON jobs (due_at) WHERE NOT is_dead;
