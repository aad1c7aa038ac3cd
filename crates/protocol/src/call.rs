//! Everything that this server can be asked, and everything that it can answer.

use crate::refusal::Refusal;
use crate::wire::{Fields, names};

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
        Self { kind, fields }
    }
}

/// Yes, with members; or no, with a name.
pub type Verdict = Result<Reply, Refusal>;
