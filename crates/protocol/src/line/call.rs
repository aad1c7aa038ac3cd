//! Calls, which are the parsed requests, and replies, which are the answers before a dialect spells them.

use crate::client::authenticate::Credentials;
use crate::line::{Facts, Turn, Wants};
use crate::refusal::Refusal;
use crate::secret::Secret;
use crate::wire::{Field, Fields, ReplyKind};

/// An answer by canonical names, which a dialect spells.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The kind of answer.
    pub kind: ReplyKind,
    /// The members with their values.
    pub fields: Fields,
}

impl Reply {
    /// An answer of this kind with these members.
    #[must_use]
    pub fn new(kind: ReplyKind, fields: Fields) -> Self {
        debug_assert!(
            fields.iter().all(|(field, _)| kind.fields().contains(&field)),
            "{kind} has a member that ReplyKind::fields does not list: {fields:?}"
        );
        Self { kind, fields }
    }

    /// Sets a member to the text that the server signed for it. Returns false if an answer of this kind has no such member.
    pub fn take_signed(&mut self, field: Field, text: &Secret) -> bool {
        let is_known = self.kind.fields().contains(&field);
        if is_known {
            self.fields.set(field, text.reveal());
        }
        is_known
    }
}

/// A fully parsed request, together with its judge. Each endpoint and each form of a page has a type that implements
/// it.
pub trait Call: Send + Sync + 'static {
    /// The result if the call is allowed.
    type Yes: Send + 'static;

    /// Returns the keys of the rows that the call is judged by. They depend on the call alone.
    fn wants(&self) -> Wants;

    /// Judges the call. The changes of the turn are committed even if the call is refused, because a refusal can have
    /// consequences. For example, a replayed code ends its grant.
    ///
    /// # Errors
    /// The reason why the call is refused.
    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<Self::Yes, Refusal>;

    /// Puts a text that the server signed into the result, in the place that [`Turn::sign`] named. Returns false if the
    /// result has no such place. The server then answers nothing and writes nothing: a judge that signs must take signatures.
    fn take_signed(_yes: &mut Self::Yes, _field: Field, _text: &Secret) -> bool {
        false
    }

    /// Returns the client credentials of the call, if it has any. Their hashing runs on a separate thread pool, so that
    /// a flood of wrong client secrets does not keep users from signing in.
    fn credentials(&self) -> Option<&Credentials> {
        None
    }

    /// Returns true if judging the call includes hashing a password. It then runs on the bounded thread pool for slow
    /// work, so that a flood of sign-ins does not delay the token endpoint.
    fn is_slow(&self, _facts: &Facts) -> bool {
        false
    }
}
