//! The ids of rows: numbers that grow with time. They never leave the server unmasked.

use serde::{Deserialize, Serialize};

/// Declares a row id.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);
    )*};
}

ids! {
    /// The row of a client; not the public `client_id`.
    ClientKey,
    /// The row of a user; not the public `sub`.
    UserKey,
    /// The row of a login session.
    SessionId,
    /// The row of a grant: one authorization of a client by a user, with all its tokens.
    GrantId,
    /// The row of an authorization code.
    CodeId,
    /// The row of an access token.
    AccessId,
    /// The row of a personal access token.
    PersonalId,
    /// The row of a ticket.
    TicketId,
    /// The row of a job.
    JobId,
}
