//! Calls, which are the parsed requests, and replies, which are the answers before a dialect spells them.

use crate::client::authenticate::Credentials;
use crate::line::{Facts, Turn, Wants};
use crate::refusal::Refusal;
use crate::wire::{Field, Fields, names};

names! {
    /// The kinds of answers. A dialect has a template for each kind.
    ReplyKind {
        /// A token response; RFC 6749 §5.1
        Token = "token",
        /// An authorization response with a code; RFC 6749 §4.1.2
        Code = "code",
        /// An authorization response with an access token; RFC 6749 §4.2.2
        Implicit = "implicit",
        /// An authorization response with an error; RFC 6749 §4.1.2.1
        Denied = "denied",
        /// The introspection response for an active token; RFC 7662 §2.2
        Introspect = "introspect",
        /// The introspection response for an inactive token; RFC 7662 §2.2
        Inactive = "inactive",
        /// The revocation response; RFC 7009 §2.2
        Revoke = "revoke",
        /// The userinfo response; OpenID Connect Core §5.3.2
        Userinfo = "userinfo",
        /// The authorization server metadata; RFC 8414 §3.2
        Metadata = "metadata",
    }
}

impl ReplyKind {
    /// Returns the members that an answer of this kind can have. In a template, any other member would never get a
    /// value.
    #[must_use]
    pub const fn fields(self) -> &'static [Field] {
        use Field as F;
        match self {
            Self::Token => &[F::AccessToken, F::RefreshToken, F::ExpiresIn, F::ExpiresAt, F::Scope, F::User],
            Self::Code => &[F::Code, F::State, F::Iss],
            // RFC 6749 §4.2.2: "The authorization server MUST NOT issue a refresh token."
            Self::Implicit => {
                &[F::AccessToken, F::ExpiresIn, F::ExpiresAt, F::Scope, F::ScopeIfChanged, F::User, F::State, F::Iss]
            }
            Self::Denied => &[F::Error, F::Message, F::Fields, F::State, F::Iss],
            Self::Introspect => &[
                F::Active,
                F::TokenKind,
                F::Scope,
                F::ClientId,
                F::Username,
                F::Exp,
                F::Iat,
                F::Sub,
                F::Aud,
                F::Iss,
                F::User,
            ],
            Self::Inactive => &[F::Active],
            Self::Revoke | Self::Metadata => &[],
            Self::Userinfo => &[F::Sub, F::Scope, F::User],
        }
    }
}

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
