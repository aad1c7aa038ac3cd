//! The reasons why work on a batch stops, and how they become errors for the callers.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::{CommitError, Fault};

/// The reason why a piece of work stopped.
#[derive(Debug)]
pub(super) enum PostgresError {
    /// A precondition does not hold.
    Lost,
    /// A row that was to be revoked by its id has this greater id.
    Behind(i64),
    /// A unique name is already taken.
    Taken(&'static str),
    /// A row cannot be parsed. Names the row, but nothing of its content.
    Unreadable(String),
    /// PostgreSQL reported an error, or the connection failed.
    Engine(Error),
    /// A time limit passed without an answer.
    Late(&'static str),
    /// The server is currently unreachable, with the reason.
    Away(String),
    /// The connection broke after COMMIT was sent and before its answer arrived.
    Unanswered,
    /// As [`PostgresError::Unanswered`], and it cannot be determined whether the transaction was committed.
    Unknown,
}

impl From<Error> for PostgresError {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

impl PostgresError {
    /// Returns true if the connection can no longer be used.
    pub(super) fn is_gone(&self) -> bool {
        match self {
            Self::Late(_) | Self::Away(_) | Self::Unanswered | Self::Unknown => true,
            // An error without a code of the server is a failure of the connection.
            Self::Engine(error) => error.code().is_none_or(is_gone),
            Self::Lost | Self::Behind(_) | Self::Taken(_) | Self::Unreadable(_) => false,
        }
    }

    /// Returns true if the connection broke, so that sent data may or may not have arrived. A pooler reports this with
    /// an error of its own.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self, Self::Engine(error) if error.code().is_none_or(|code| code.code().starts_with("08")))
    }

    /// Returns true if the same work may be tried again, because nothing was decided or the outcome can be determined.
    pub(super) fn may_go_better(&self) -> bool {
        match self {
            Self::Engine(error) => error.code().is_none_or(|code| is_gone(code) || is_collision(code)),
            Self::Late(_) | Self::Away(_) | Self::Unanswered => true,
            Self::Lost | Self::Behind(_) | Self::Taken(_) | Self::Unreadable(_) | Self::Unknown => false,
        }
    }

    /// Returns a message for the operator.
    pub(super) fn told(self) -> String {
        match self.into() {
            Fault::Unavailable { cause } | Fault::Broken { cause } | Fault::Damaged { cause } => cause,
            fault @ Fault::Unsupported(_) => fault.to_string(),
        }
    }

    /// Returns true if fewer rows were found than required. See `batch::all_of`.
    pub(super) fn is_shortfall(&self) -> bool {
        matches!(self, Self::Engine(error) if error.code() == Some(&SqlState::DIVISION_BY_ZERO))
    }

    /// Returns true if a key or a unique name already exists.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Engine(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION))
    }
}

/// Returns true if the server is shutting down, starting, full, or no longer the primary. Another connection may find a
/// better server.
fn is_gone(code: &SqlState) -> bool {
    let class = code.code().get(..2);
    matches!(class, Some("08" | "53"))
        || [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::DATABASE_DROPPED,
            // A prepared statement that no longer exists, or whose columns a migration changed.
            SqlState::INVALID_SQL_STATEMENT_NAME,
            SqlState::FEATURE_NOT_SUPPORTED,
        ]
        .contains(code)
        // The time limits of idle sessions and of transactions, for which the library has no constants.
        || matches!(code.code(), "57P05" | "25P04")
}

/// Returns true if two transactions blocked each other.
fn is_collision(code: &SqlState) -> bool {
    [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::QUERY_CANCELED,
    ]
    .contains(code)
}

impl From<PostgresError> for Fault {
    fn from(stop: PostgresError) -> Self {
        match stop {
            PostgresError::Engine(ref error) => {
                let cause = said(error);
                if stop.may_go_better() { Self::Unavailable { cause } } else { Self::Broken { cause } }
            }
            PostgresError::Late(what) => {
                Self::Unavailable { cause: format!("PostgreSQL did not answer in time: {what}") }
            }
            PostgresError::Away(cause) => Self::Unavailable { cause },
            PostgresError::Unanswered | PostgresError::Unknown => Self::Unavailable {
                cause: "the connection broke during a commit; whether it was written is not known".to_owned(),
            },
            PostgresError::Unreadable(cause) => Self::Broken { cause },
            PostgresError::Lost | PostgresError::Behind(_) | PostgresError::Taken(_) => {
                Self::Broken { cause: format!("unexpected: {stop:?}") }
            }
        }
    }
}

impl From<PostgresError> for CommitError {
    fn from(stop: PostgresError) -> Self {
        match stop {
            PostgresError::Lost => Self::Lost,
            PostgresError::Behind(id) => Self::Behind(id),
            PostgresError::Taken(name) => Self::Taken(name),
            stop => Self::Fault(stop.into()),
        }
    }
}

/// Returns the message of PostgreSQL, which names tables and columns. The details are left out, because they may quote
/// values.
pub(super) fn said(error: &Error) -> String {
    match error.as_db_error() {
        Some(refusal) => format!("{} ({})", refusal.message(), refusal.code().code()),
        None => {
            let mut text = error.to_string();
            let mut cause = std::error::Error::source(error);
            while let Some(inner) = cause {
                let inner_text = inner.to_string();
                if !text.contains(&inner_text) {
                    text = format!("{text}: {inner_text}");
                }
                cause = inner.source();
            }
            text
        }
    }
}
