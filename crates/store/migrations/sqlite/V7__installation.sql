-- Facts about the installation as a whole, such as the fingerprint of its master key.
CREATE TABLE installation (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
