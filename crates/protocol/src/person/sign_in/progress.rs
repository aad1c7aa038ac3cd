//! The progress of a sign-in. It is sealed into the pages with the pending visit, so that nothing is stored for an
//! unknown browser.

use serde::{Deserialize, Serialize};

use crate::model::{Session, SessionId};
use crate::person::upstream::Link;

/// The progress of a sign-in: the session that it has begun, and the link that it will make.
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
    /// Returns true if an answer in the course of this sign-in began the session.
    ///
    /// It is not enough that the session differs from the one that the browser had when the sign-in began. A browser
    /// can withhold its cookie at first and send it later.
    #[must_use]
    pub fn has_begun(&self, session: &Session) -> bool {
        self.begun.is_some_and(|begun| begun.session == session.id)
    }

    /// Returns true if this sign-in began the session and the user proved their identity in the course of it.
    #[must_use]
    pub fn has_proven(&self, session: &Session) -> bool {
        self.begun.is_some_and(|begun| begun.session == session.id && begun.is_fresh)
    }
}
