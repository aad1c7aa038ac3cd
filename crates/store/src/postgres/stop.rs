//! Why the work on a batch cannot go on, and what that means for whoever asked.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::{CommitError, Fault};

/// Why one piece of work stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// A precondition does not hold.
    Lost,
    /// Something that was to be revoked by its id has this greater one.
    Behind(i64),
    /// A name is somebody else's.
    Taken(&'static str),
    /// A row cannot be understood. Says which, but nothing of its content.
    Unreadable(String),
    /// PostgreSQL refused, or is not there.
    Engine(Error),
    /// No answer came in time.
    Late(&'static str),
    /// The server cannot be reached for the moment. Says why.
    Away(String),
    /// The connection broke after the end of the transaction was sent and before its answer came.
    Unanswered,
    /// So it was, and what became of it cannot be found out.
    Unknown,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

impl Stop {
    /// Is the connection of no more use?
    pub(super) fn is_gone(&self) -> bool {
        match self {
            Self::Late(_) | Self::Away(_) | Self::Unanswered | Self::Unknown => true,
            // Whatever is no answer of the server's is trouble with the connection.
            Self::Engine(error) => error.code().is_none_or(is_gone),
            Self::Lost | Self::Behind(_) | Self::Taken(_) | Self::Unreadable(_) => false,
        }
    }

    /// Did the connection break, so that what was sent may or may not have arrived? A pooler has words for it.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self, Self::Engine(error) if error.code().is_none_or(|code| code.code().starts_with("08")))
    }

    /// Was nothing decided, or can it be found out, so that the same work may be tried again?
    pub(super) fn may_go_better(&self) -> bool {
        match self {
            Self::Engine(error) => error.code().is_none_or(|code| is_gone(code) || is_collision(code)),
            Self::Late(_) | Self::Away(_) | Self::Unanswered => true,
            Self::Lost | Self::Behind(_) | Self::Taken(_) | Self::Unreadable(_) | Self::Unknown => false,
        }
    }

    /// Why, in words for the operator.
    pub(super) fn told(self) -> String {
        match self.into() {
            Fault::Unavailable { cause } | Fault::Broken { cause } | Fault::Damaged { cause } => cause,
            fault @ Fault::Unsupported(_) => fault.to_string(),
        }
    }

    /// Was the error that fewer rows were found than there must be? See `batch::all_of`.
    pub(super) fn is_shortfall(&self) -> bool {
        matches!(self, Self::Engine(error) if error.code() == Some(&SqlState::DIVISION_BY_ZERO))
    }

    /// Was the error that a key or a name is already there?
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Engine(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION))
    }
}

/// The server is going, coming, full, or no longer the one that is written to: another connection may find a better one.
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
            // A statement that is not there any more, or gives other columns since the schema was brought up to date.
            SqlState::INVALID_SQL_STATEMENT_NAME,
            SqlState::FEATURE_NOT_SUPPORTED,
        ]
        .contains(code)
        // Time limits for idle sessions and for transactions, which the library has no names for.
        || matches!(code.code(), "57P05" | "25P04")
}

/// Two transactions were in each other's way.
fn is_collision(code: &SqlState) -> bool {
    [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::QUERY_CANCELED,
    ]
    .contains(code)
}

impl From<Stop> for Fault {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Engine(ref error) => {
                let cause = said(error);
                if stop.may_go_better() { Self::Unavailable { cause } } else { Self::Broken { cause } }
            }
            Stop::Late(what) => Self::Unavailable { cause: format!("PostgreSQL did not answer in time: {what}") },
            Stop::Away(cause) => Self::Unavailable { cause },
            Stop::Unanswered | Stop::Unknown => Self::Unavailable {
                cause: "the connection broke during a commit; whether it was written is not known".to_owned(),
            },
            Stop::Unreadable(cause) => Self::Broken { cause },
            Stop::Lost | Stop::Behind(_) | Stop::Taken(_) => Self::Broken { cause: format!("unexpected: {stop:?}") },
        }
    }
}

impl From<Stop> for CommitError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Lost => Self::Lost,
            Stop::Behind(id) => Self::Behind(id),
            Stop::Taken(name) => Self::Taken(name),
            stop => Self::Fault(stop.into()),
        }
    }
}

/// What PostgreSQL said. Its messages name tables and columns; its details may quote values, and are left out.
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
