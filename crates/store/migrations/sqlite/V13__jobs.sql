-- Work that is done after the turn that asked for it. A claimed job is left alone by other workers until `claimed_until`.
CREATE TABLE jobs (
    id            INTEGER PRIMARY KEY,
    kind          TEXT    NOT NULL,
    document      TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    due_at        INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    last_error    TEXT,
    is_dead       INTEGER NOT NULL,
    claimed_by    INTEGER,
    claimed_until INTEGER
);
CREATE INDEX jobs_by_due ON jobs (due_at) WHERE is_dead = 0;
