//! Everything that this server can be asked, and everything that it can answer.

use crate::client::authenticate::Credentials;
use crate::line::{Facts, Turn, Wants};
use crate::refusal::Refusal;
use crate::wire::{Fields, ReplyKind};

/// An answer with members, for a dialect to spell.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// Which template.
    pub kind: ReplyKind,
    /// The members.
    pub fields: Fields,
}

impl Reply {
    /// An answer of this kind.
    #[must_use]
    pub fn new(kind: ReplyKind, fields: Fields) -> Self {
        debug_assert!(
            fields.iter().all(|(field, _)| kind.fields().contains(&field)),
            "{kind} has a member that ReplyKind::fields does not list: {fields:?}"
        );
        Self { kind, fields }
    }
}

/// A fully parsed request. What it is judged by is in its type: there is one for every endpoint and every form of a page.
pub trait Call: Send + Sync + 'static {
    /// What a yes looks like.
    type Yes: Send + 'static;

    /// The keys of the rows that the call must be judged against, from the call alone.
    fn wants(&self) -> Wants;

    /// Judges the call. The changes of the turn are committed whether the verdict is yes or no: a no may have
    /// consequences, such as the end of a grant whose code came twice.
    ///
    /// # Errors
    /// Says no, with a name.
    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<Self::Yes, Refusal>;

    /// The client credentials that the call is judged by, if it has any. Hashing them belongs on a pool of its own, so that a
    /// storm of wrong client secrets cannot keep people from signing in.
    fn credentials(&self) -> Option<&Credentials> {
        None
    }

    /// Does judging mean hashing a password? Then it belongs on the bounded pool for slow work, so that a storm of
    /// sign-ins cannot starve the token endpoint.
    fn is_slow(&self, _facts: &Facts) -> bool {
        false
    }
}
