//! The errors of a store. No message ever contains a value of a row.

use thiserror::Error;

/// A failure of the store. For the log, never for a client.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The store is temporarily unavailable, because of a full disk or a locked or read-only file. A retry may succeed
    /// later.
    #[error("the store cannot be used at the moment: {cause}")]
    Unavailable {
        /// The message of the storage engine.
        cause: String,
    },
    /// A permanent failure: a row that cannot be read, or a thread that has ended.
    #[error("the store is broken: {cause}")]
    Broken {
        /// The message of the storage engine.
        cause: String,
    },
    /// The file is damaged. Some of it cannot be read, and the rest may be wrong.
    #[error(
        "the database is damaged ({cause}): stop the server, keep the file for whoever may mend it, and restore a backup; \
         `grantry check` looks at the whole file"
    )]
    Damaged {
        /// The message of the storage engine.
        cause: String,
    },
    /// This kind of store does not support the operation.
    #[error("this store does not support {0}")]
    Unsupported(&'static str),
}

/// The reason why nothing of a turn was written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommitError {
    /// A precondition no longer holds, because a concurrent turn was faster.
    #[error("somebody else changed the rows first")]
    Lost,
    /// Everything of a user or client below an id was to be revoked, but there is a row with this greater id. The
    /// caller must draw ids above it and try again. Other processes draw ids by their own clocks, and clocks differ.
    #[error("the ids of this process are behind those of another")]
    Behind(i64),
    /// A unique name is already taken: `client_id`, `sub`, `username` or `email`, or [`crate::CLIENT_ID_OF_USER`] or
    /// [`crate::SUB_OF_CLIENT`].
    #[error("this {0} is already taken")]
    Taken(&'static str),
    /// The store failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The reason why a store cannot be opened. The messages say what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The URL names no kind of store.
    #[error("store.url is neither \"sqlite:PATH\" nor \"postgres://USER@HOST/DATABASE\" nor \"memory:\"")]
    Url,
    /// The URL of a PostgreSQL database is invalid.
    #[error("store.url: {cause}")]
    Address {
        /// The fault.
        cause: String,
    },
    /// The database server cannot be reached, or refuses.
    #[error("the database {place} cannot be reached: {cause}")]
    Unreachable {
        /// The database and its host.
        place: String,
        /// The message of the server or the network.
        cause: String,
    },
    /// The tables do not exist, and may not be created.
    #[error("there is nothing of Grantry in the database {place}; start the server once, or check store.url")]
    Empty {
        /// The database and its host.
        place: String,
    },
    /// The file does not exist, and may not be created.
    #[error("there is no database at {path}; start the server once, or check store.url")]
    Missing {
        /// The path.
        path: String,
    },
    /// The folder or the file cannot be accessed.
    #[error("the database {path} cannot be opened: {cause}")]
    Unreadable {
        /// The path of the file.
        path: String,
        /// The reason, and the owner of the file if known.
        cause: String,
    },
    /// The file can be read, but not written.
    #[error("the database {path} is read-only{owner}; give this process the right to write the file and its folder")]
    ReadOnly {
        /// The path of the file.
        path: String,
        /// The owner of the file, in words; empty if unknown.
        owner: String,
    },
    /// The file is not a Grantry database.
    #[error("{path} is not a Grantry database: {cause}")]
    Foreign {
        /// The path of the file.
        path: String,
        /// The fault.
        cause: String,
    },
    /// The file is damaged.
    #[error("the database {path} is damaged ({cause}): keep the file for whoever may mend it, and restore a backup")]
    Damaged {
        /// The path of the file.
        path: String,
        /// The message of the storage engine.
        cause: String,
    },
    /// A newer version of Grantry wrote the file.
    #[error(
        "the database {path} has schema {found}, but this program knows only {known}: use the program that wrote it, or a newer one"
    )]
    Newer {
        /// The path of the file.
        path: String,
        /// The schema version of the file.
        found: u32,
        /// The newest schema version that this program knows.
        known: u32,
    },
    /// Another process has locked the file.
    #[error("the database {path} is locked by another process; try again when it is done")]
    Locked {
        /// The path of the file.
        path: String,
    },
    /// Any other failure of a migration.
    #[error("the database {path} cannot be brought up to date: {cause}")]
    Schema {
        /// The path of the file.
        path: String,
        /// The message of the storage engine.
        cause: String,
    },
}
