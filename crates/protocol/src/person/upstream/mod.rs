//! Trusted upstream identity providers: the claims of an ID token (OpenID Connect Core §2), the account that a verified
//! token leads to, and the trip of a browser to the provider and back.
//!
//! | the identity | its e-mail address | an account here with that address | outcome |
//! |---|---|---|---|
//! | is linked | | | that account |
//! | is new | not ASCII | | refused, before it is compared with anything |
//! | is new | not verified there | | refused |
//! | is new | more than one `@` | none | refused: no account here can have such an address |
//! | is new | verified | verified here too | linked to it |
//! | is new | verified | not verified here | refused: whoever registered first may not be its owner |
//! | is new | verified once, of a domain that the issuer does not manage | there is one | refused: it may be another's today |
//! | is new | verified | none, and new accounts are made ([`SignUp`]) | an account is made, and linked |
//! | is new | verified once, of a domain that the issuer does not manage | none, and new accounts are made | an account without that address is made, and linked; the address is kept as a hint |

mod id_token;
mod issuer;
mod link;
mod metadata;
#[cfg(test)]
pub(crate) mod sample;
mod trip;

use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use id_token::LEEWAY_S;
pub use id_token::{Expected, IdToken, UnverifiedIdToken};
pub use issuer::{Issuer, SignUp};
pub use link::Link;
use link::has_proven;
pub use metadata::ProviderMetadata;
pub use trip::UpstreamTrip;

use crate::identifiers;
use crate::jose::KeySet;
use crate::line::{AccountKey, Facts, Turn, Write};
use crate::model::{EventKind, Identity, IdentityName, User, UserKey};
use crate::refusal::No;
use crate::secret::Digest;
use crate::time::UnixTime;

/// An unverified ID token with the identity provider that must have issued it.
#[derive(Clone, Debug)]
pub struct Assertion {
    token: UnverifiedIdToken,
    issuer: Arc<Issuer>,
    nonce: Option<String>,
    asked_at: Option<UnixTime>,
}

impl Assertion {
    /// A token that `issuer` must have made. `nonce` is that of the authentication request, if this server made one.
    #[must_use]
    pub fn new(token: UnverifiedIdToken, issuer: Arc<Issuer>, nonce: Option<String>) -> Self {
        Self { token, issuer, nonce, asked_at: None }
    }

    /// The same token as the answer to an authentication request that was sent at this time.
    #[must_use]
    pub fn asked_at(self, asked_at: Option<UnixTime>) -> Self {
        Self { asked_at, ..self }
    }

    /// Returns the keys of the accounts that the token may lead to: first the account of the identity, then the one
    /// with the e-mail address.
    #[must_use]
    pub fn account(&self) -> [Option<AccountKey>; 2] {
        let login = self.token.email().map(|email| AccountKey::Login(email.to_owned()));
        [Some(AccountKey::Identity(self.identity())), login]
    }

    fn identity(&self) -> IdentityName {
        IdentityName { issuer: self.issuer.name.clone(), subject: self.token.subject().to_owned() }
    }

    /// Returns the digest that the store keeps of a used token, so that the token is good only once.
    #[must_use]
    pub fn jti(&self) -> Digest {
        self.token.digest()
    }

    /// Verifies the token and finds the account that it leads to.
    ///
    /// # Errors
    /// One of the `Assertion…` or `Upstream…` refusals.
    pub fn find<'f>(&self, facts: &'f Facts, turn: &mut Turn<'_>) -> Result<Found<'f>, No> {
        let keys = self.keys(turn).ok_or(No::UpstreamUnreachable)?;
        let Issuer { name, client_id, .. } = &*self.issuer;
        let expected = Expected { issuer: name, client_id, nonce: self.nonce.as_deref() };
        let token = self.token.verify(&keys, &expected, turn.now)?;
        let account = self.found(&token, facts)?;
        if matches!(account, Account::Absent) && !self.issuer.sign_up.is_for(&token) {
            return Err(No::UpstreamSignUpClosed);
        }
        Ok(Found { token, account, asked_at: self.asked_at })
    }

    /// The keys of the issuer, which its metadata lead to. Callers know the client, or that this server sent the browser
    /// there, before they look for the account: nobody else makes this server fetch.
    fn keys(&self, turn: &mut Turn<'_>) -> Option<Arc<KeySet>> {
        let metadata = turn.provider_metadata(&self.issuer.name)?;
        turn.key_set(&metadata.jwks_uri, self.token.kid())
    }

    /// Finds the account of a verified token by the table at the head of this file.
    fn found<'f>(&self, token: &IdToken, facts: &'f Facts) -> Result<Account<'f>, No> {
        let usable = |user: &'f Arc<User>| if user.is_disabled { Err(No::UpstreamUserDisabled) } else { Ok(user) };
        if let Some(held) = facts.identity(&self.identity()) {
            let is_same = held.row.name.subject == token.subject && held.row.name.issuer == token.issuer;
            let user = held.user.as_ref().filter(|_| is_same).ok_or(No::UpstreamUserDisabled)?;
            return usable(user).map(Account::Linked);
        }
        if token.is_email_foreign {
            return Err(No::UpstreamEmailForeign);
        }
        let email = token.email.as_deref().filter(|_| token.email_verified).ok_or(No::UpstreamEmailUnverified)?;
        let user = self.token.email().and_then(|email| facts.login(email));
        let Some(user) = user else {
            // A new account gets an address only if the operator could also have given it that address.
            return identifiers::email(email).map(|_| Account::Absent).map_err(|_| No::UpstreamEmailMalformed);
        };
        if !has_proven(user, email) || !token.is_email_current {
            return Err(No::UpstreamEmailTaken);
        }
        usable(user).map(Account::Unlinked)
    }
}

/// A verified identity with the account that it leads to. Nothing is written yet.
#[derive(Debug)]
pub struct Found<'f> {
    token: IdToken,
    account: Account<'f>,
    asked_at: Option<UnixTime>,
}

#[derive(Debug)]
enum Account<'f> {
    Linked(&'f Arc<User>),
    Unlinked(&'f Arc<User>),
    Absent,
}

impl<'f> Found<'f> {
    /// Returns the account, if it exists already.
    #[must_use]
    pub fn user(&self) -> Option<&'f Arc<User>> {
        match self.account {
            Account::Linked(user) | Account::Unlinked(user) => Some(user),
            Account::Absent => None,
        }
    }

    /// Returns the time at which the identity provider authenticated the user, if it says so.
    #[must_use]
    pub fn auth_time(&self) -> Option<UnixTime> {
        self.token.auth_time
    }

    /// Returns true if the identity provider says that it authenticated the user after this server sent the request.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        let asked_at = self.asked_at.map(|at| UnixTime(at.0.saturating_sub_unsigned(LEEWAY_S)));
        self.token.auth_time.zip(asked_at).is_some_and(|(auth_time, asked_at)| auth_time >= asked_at)
    }

    /// Returns the time from which the token is refused as expired.
    #[must_use]
    pub fn ends_at(&self) -> UnixTime {
        self.token.ends_at
    }

    /// Returns the link to make after the second factor, if the account is found by its e-mail address and has one.
    #[must_use]
    pub fn pending(&self) -> Option<Link> {
        let Account::Unlinked(user) = self.account else { return None };
        user.totp.as_ref()?;
        let name = IdentityName { issuer: self.token.issuer.clone(), subject: self.token.subject.clone() };
        Some(Link::new(name, user.key, self.token.email.clone()?))
    }

    /// Writes the link and the account where they are missing, and returns the account. The caller must have checked
    /// the second factor of an account that has one.
    pub fn enter(self, turn: &mut Turn<'_>) -> Arc<User> {
        let Self { token, account, .. } = self;
        let user = match account {
            Account::Linked(user) => {
                turn.rely_on(user);
                return Arc::clone(user);
            }
            Account::Unlinked(user) => {
                turn.rely_on(user);
                Arc::clone(user)
            }
            Account::Absent => Arc::new(new_user(&token, turn)),
        };
        // ◆ Write the identity before the account. Of two requests with the same new identity, the second then finds it
        // linked.
        let name = IdentityName { issuer: token.issuer.clone(), subject: token.subject };
        turn.write(Write::PutIdentity(Identity { name, user: user.key, linked_at: turn.now }));
        if matches!(account, Account::Absent) {
            turn.write(Write::PutUser(Box::new((*user).clone())));
            turn.note(EventKind::UserAdded, Some(user.key), None, token.issuer.as_str());
        }
        turn.note(EventKind::IdentityLinked, Some(user.key), None, token.issuer);
        user
    }
}

/// Random bytes in the `sub` of an account that a sign-in at an identity provider makes.
const SUB_BYTES: usize = 15;

fn new_user(token: &IdToken, turn: &mut Turn<'_>) -> User {
    let key = UserKey(turn.entropy.next_id());
    let sub = BASE32_NOPAD.encode(&turn.entropy.bytes::<SUB_BYTES>()).to_lowercase();
    let name = token.name.clone().or_else(|| token.email.clone()).unwrap_or_default();
    // An address that may belong to somebody else by now does not become a name for signing in: its present owner must
    // be able to use it.
    let (email, email_hint) =
        if token.is_email_current { (token.email.clone(), None) } else { (None, token.email.clone()) };
    User { email, email_hint, email_verified: token.is_email_current, ..User::new(key, sub, name, turn.now) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::World;

    fn token(email: &str, hosted_domain: Option<&str>, is_email_current: bool) -> IdToken {
        IdToken {
            issuer: "https://issuer.example".into(),
            subject: "s".into(),
            email: Some(email.into()),
            email_verified: true,
            is_email_current,
            is_email_foreign: false,
            hosted_domain: hosted_domain.map(Into::into),
            auth_time: None,
            name: None,
            ends_at: UnixTime(2000),
        }
    }

    #[test]
    fn an_account_is_made_for_whom_the_operator_lets_sign_up() {
        let domains = SignUp::Domains(vec!["example.com".into()]);
        for (email, hosted_domain, is_current, expected) in [
            ("a@example.com", Some("example.com"), true, true),
            ("a@EXAMPLE.com", None, true, true),
            ("a@example.com", Some("other.example"), true, false),
            ("a@example.com", None, false, false),
            ("a@gmail.com", None, true, false),
            ("a@sub.example.com", None, true, false),
            ("a@notexample.com", None, true, false),
            ("a@example.com.evil.example", None, true, false),
            ("a@example.com@evil.example", None, true, false),
            ("a@evil.example", Some("example.com"), true, false),
            ("a@example.com.", None, true, false),
        ] {
            let token = token(email, hosted_domain, is_current);
            assert_eq!(domains.is_for(&token), expected, "{email} {hosted_domain:?} {is_current}");
            assert!(SignUp::Anybody.is_for(&token) && !SignUp::Nobody.is_for(&token));
        }
    }

    #[test]
    fn an_address_that_may_be_another_s_is_kept_apart_from_the_names_to_sign_in_with() {
        let world = World::new();
        let made = |is_current| new_user(&token("a@corp.example", None, is_current), &mut world.turn());
        let (own, foreign) = (made(true), made(false));
        assert_eq!((own.email.as_deref(), own.email_verified, own.email_hint), (Some("a@corp.example"), true, None));
        assert_eq!((foreign.email, foreign.email_verified), (None, false));
        assert_eq!(foreign.email_hint.as_deref(), Some("a@corp.example"));
    }

    #[test]
    fn addresses_are_the_same_when_only_the_case_of_ascii_letters_differs() {
        let owner = |email: &str| User { email: Some(email.into()), ..crate::sample::user() };
        assert!(has_proven(&owner("Mike@kite.example"), "mike@KITE.example"));
        assert!(!has_proven(&owner("mi\u{212a}e@kite.example"), "mike@kite.example"));
        assert!(!has_proven(&owner("\u{ff4d}ike@kite.example"), "mike@kite.example"));
    }
}
