//! Pending links between upstream identities and accounts, which are made once the second factor is proven.

use serde::{Deserialize, Serialize};

use crate::line::{Facts, Turn, Write};
use crate::model::{EventKind, Identity, IdentityName, User, UserKey};
use crate::refusal::No;

/// Returns true if the address is the user's and was verified on this server. An address that is only the user name
/// does not count, because nobody verified it.
///
/// The comparison ignores only the case of ASCII letters. Names for signing in are compared less strictly, so two
/// different addresses may be one name.
pub(super) fn has_proven(user: &User, email: &str) -> bool {
    user.email_verified && user.email.as_deref().is_some_and(|own| own.trim().eq_ignore_ascii_case(email))
}

/// An upstream identity that is linked to an account once the user has proven the second factor of the account. Until
/// then the link is sealed into the pages, and nothing is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    issuer: String,
    subject: String,
    user: UserKey,
    /// The e-mail address that the identity and the account have in common.
    email: String,
}

impl Link {
    /// A pending link of the identity `name` to the account of `user`.
    pub(super) fn new(name: IdentityName, user: UserKey, email: String) -> Self {
        let IdentityName { issuer, subject } = name;
        Self { issuer, subject, user, email }
    }

    /// Returns the name of the identity: the key of its row.
    #[must_use]
    pub fn name(&self) -> IdentityName {
        IdentityName { issuer: self.issuer.clone(), subject: self.subject.clone() }
    }

    /// Returns true if the link must be made now that `user` has proven the second factor. The conditions under which
    /// the link began must still hold.
    ///
    /// # Errors
    /// [`No::UpstreamEmailTaken`] if identity or address belong to another account by now.
    pub fn is_due(&self, user: &User, facts: &Facts) -> Result<bool, No> {
        match facts.identity(&self.name()) {
            Some(held) if held.row.user == user.key => Ok(false),
            // Another user has signed in meanwhile.
            None if self.user != user.key => Ok(false),
            None if has_proven(user, &self.email) => Ok(true),
            _ => Err(No::UpstreamEmailTaken),
        }
    }

    /// Decides the write that makes the link.
    pub fn make(&self, turn: &mut Turn<'_>) {
        turn.write(Write::PutIdentity(Identity { name: self.name(), user: self.user, linked_at: turn.now }));
        turn.note(EventKind::IdentityLinked, Some(self.user), None, self.issuer.as_str());
    }
}
