//! Links between upstream identities and accounts that wait for a second factor.

use serde::{Deserialize, Serialize};

use crate::line::{Facts, Turn, Write};
use crate::model::{EventKind, Identity, IdentityName, User, UserKey};
use crate::refusal::No;

/// Returns true if it was verified here that the address is this user's. It may be somebody's user name, which proves nothing
/// about it.
///
/// Only the case of ASCII letters is ignored. Names to sign in with are compared more widely, and two different addresses may
/// be the same name.
pub(super) fn has_proven(user: &User, email: &str) -> bool {
    user.email_verified && user.email.as_deref().is_some_and(|own| own.trim().eq_ignore_ascii_case(email))
}

/// An upstream identity that is linked to an account as soon as the second factor of the account is right. It travels with the
/// sign-in: nothing is written before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    issuer: String,
    subject: String,
    user: UserKey,
    /// The address by which they belong together.
    email: String,
}

impl Link {
    /// The link of an identity, by the name that its issuer has for it, with the account of `user`.
    pub(super) fn new(name: IdentityName, user: UserKey, email: String) -> Self {
        let IdentityName { issuer, subject } = name;
        Self { issuer, subject, user, email }
    }

    /// The name of the identity, to look for its row.
    #[must_use]
    pub fn name(&self) -> IdentityName {
        IdentityName { issuer: self.issuer.clone(), subject: self.subject.clone() }
    }

    /// True if the link must be made for the user whose second factor was right. The conditions under which it began must
    /// still hold.
    ///
    /// # Errors
    /// [`No::UpstreamEmailTaken`] when the identity has become somebody else's since, or the address has.
    pub fn is_due(&self, user: &User, facts: &Facts) -> Result<bool, No> {
        match facts.identity(&self.name()) {
            Some(held) if held.row.user == user.key => Ok(false),
            // Somebody else signed in meanwhile.
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
