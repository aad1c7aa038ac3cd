//! The ways in which a store can fail. No text here ever holds a value of a row.

use thiserror::Error;

/// The store does not do what it is there for. For the log, never for a client.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// It may work later, or after somebody made room: a full disk, a file that is locked or read-only.
    #[error("the store cannot be used at the moment: {cause}")]
    Unavailable {
        /// What the storage engine said.
        cause: String,
    },
    /// It will not heal by itself: a row that cannot be read, a thread that is gone.
    #[error("the store is broken: {cause}")]
    Broken {
        /// What the storage engine said.
        cause: String,
    },
    /// The file is damaged: some of it cannot be read, and what can be read may be wrong.
    #[error(
        "the database is damaged ({cause}): stop the server, keep the file for whoever may mend it, and restore a backup; \
         `grantry check` looks at the whole file"
    )]
    Damaged {
        /// What the storage engine said.
        cause: String,
    },
    /// This kind of store cannot do it.
    #[error("this store does not support {0}")]
    Unsupported(&'static str),
}

/// Why nothing of a turn was written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommitError {
    /// A precondition does not hold any more: somebody was faster.
    #[error("somebody else changed the rows first")]
    Lost,
    /// A user or client was to lose everything below an id, but has something with this greater one: draw ids above it.
    /// Other processes draw ids by clocks of their own, and clocks differ.
    #[error("the ids of this process are behind those of another")]
    Behind(i64),
    /// A name is somebody else's: `client_id`, `sub`, `username` or `email`, or
    /// [`crate::CLIENT_ID_OF_USER`] or [`crate::SUB_OF_CLIENT`].
    #[error("this {0} is already taken")]
    Taken(&'static str),
    /// The store failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why a store cannot be opened. The texts say what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The address names no store.
    #[error("store.url is neither \"sqlite:PATH\" nor \"postgres://USER@HOST/DATABASE\" nor \"memory:\"")]
    Url,
    /// The address of a PostgreSQL cannot be used.
    #[error("store.url: {cause}")]
    Address {
        /// What is wrong with it.
        cause: String,
    },
    /// Nobody answers, or not as hoped.
    #[error("the database {place} cannot be reached: {cause}")]
    Unreachable {
        /// Which database, where.
        place: String,
        /// What the server or the network said.
        cause: String,
    },
    /// No tables are there, and none may be made.
    #[error("there is nothing of Grantry in the database {place}; start the server once, or check store.url")]
    Empty {
        /// Which database, where.
        place: String,
    },
    /// No file is there, and none may be made.
    #[error("there is no database at {path}; start the server once, or check store.url")]
    Missing {
        /// Where it was looked for.
        path: String,
    },
    /// The folder or the file cannot be used.
    #[error("the database {path} cannot be opened: {cause}")]
    Unreadable {
        /// Which file.
        path: String,
        /// Why, and whose it is where that is known.
        cause: String,
    },
    /// The file can be read but not written.
    #[error("the database {path} is read-only{owner}; give this process the right to write the file and its folder")]
    ReadOnly {
        /// Which file.
        path: String,
        /// Whose it is, in words; empty when unknown.
        owner: String,
    },
    /// The file is something else.
    #[error("{path} is not a Grantry database: {cause}")]
    Foreign {
        /// Which file.
        path: String,
        /// What is wrong with it.
        cause: String,
    },
    /// Something happened to the file: a part of it is not what was written.
    #[error("the database {path} is damaged ({cause}): keep the file for whoever may mend it, and restore a backup")]
    Damaged {
        /// Which file.
        path: String,
        /// What the storage engine said.
        cause: String,
    },
    /// A newer program wrote the file.
    #[error(
        "the database {path} has schema {found}, but this program knows only {known}: use the program that wrote it, or a newer one"
    )]
    Newer {
        /// Which file.
        path: String,
        /// Its schema.
        found: u32,
        /// The newest schema that this program knows.
        known: u32,
    },
    /// Another process holds the file.
    #[error("the database {path} is locked by another process; try again when it is done")]
    Locked {
        /// Which file.
        path: String,
    },
    /// Anything else.
    #[error("the database {path} cannot be brought up to date: {cause}")]
    Schema {
        /// Which file.
        path: String,
        /// What the storage engine said.
        cause: String,
    },
}
