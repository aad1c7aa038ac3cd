//! How far a sign-in got. It travels with what the browser came for: nothing is written for a stranger.

use serde::{Deserialize, Serialize};

use crate::model::{Session, SessionId};
use crate::person::upstream::Link;

/// How far a sign-in got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The session that an answer to one of the questions began.
    pub begun: Option<Begun>,
    /// The upstream identity that is linked to the account once the second factor is right.
    pub link: Option<Link>,
}

/// A session that began in the course of a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The session.
    pub session: SessionId,
    /// True if the user proved who they are after the sign-in began: by a password or code typed here, or by an `auth_time` of
    /// the upstream identity provider.
    pub is_fresh: bool,
}

impl Progress {
    /// True if an answer to one of the questions of this sign-in began the session.
    ///
    /// It is not enough that the session is another one than the browser had when the sign-in began. A browser can leave out
    /// its cookie when it comes, and send it from then on.
    #[must_use]
    pub fn has_begun(&self, session: &Session) -> bool {
        self.begun.is_some_and(|begun| begun.session == session.id)
    }

    /// True if the user proved who they are in the course of this sign-in, and the session is the one that it began.
    #[must_use]
    pub fn has_proven(&self, session: &Session) -> bool {
        self.begun.is_some_and(|begun| begun.session == session.id && begun.is_fresh)
    }
}
