//! Everything that this server can be asked, and everything that it can answer.

use crate::client::authenticate::Credentials;
use crate::line::{Facts, Turn, Wants};
use crate::refusal::Refusal;
use crate::wire::{Field, Fields, names};

names! {
    /// Which template of a dialect an answer fills.
    ReplyKind {
        /// Tokens; RFC 6749 §5.1
        Token = "token",
        /// A code on its way to the client; RFC 6749 §4.1.2
        Code = "code",
        /// A token on its way to the client; RFC 6749 §4.2.2
        Implicit = "implicit",
        /// A refusal on its way to the client; RFC 6749 §4.1.2.1
        Denied = "denied",
        /// A live token; RFC 7662 §2.2
        Introspect = "introspect",
        /// A token that is worth nothing; RFC 7662 §2.2
        Inactive = "inactive",
        /// A token was revoked; RFC 7009 §2.2
        Revoke = "revoke",
        /// Who the user is; OpenID Connect Core §5.3.2
        Userinfo = "userinfo",
        /// What the server can do; RFC 8414 §3.2
        Metadata = "metadata",
    }
}

impl ReplyKind {
    /// The members that an answer of this kind can have. A template that names another one would never get a value.
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
