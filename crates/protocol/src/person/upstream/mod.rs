//! Trusted upstream identity providers: what an ID token says (OpenID Connect Core §2), which account it opens, and the trip of
//! a browser to the provider and back.
//!
//! | the identity | its e-mail address | an account here with that address | outcome |
//! |---|---|---|---|
//! | is linked | | | that account |
//! | is new | not ASCII | | refused, before it is compared with anything |
//! | is new | not verified there | | refused |
//! | is new | verified | verified here too | linked to it |
//! | is new | verified | not verified here | refused: whoever registered first may not be its owner |
//! | is new | verified once, of a domain that the issuer does not manage | there is one | refused: it may be another's today |
//! | is new | verified | none, and new accounts are made ([`SignUp`]) | an account is made, and linked |
//! | is new | verified once, of a domain that the issuer does not manage | none, and new accounts are made | an account without that address is made, and linked; the address is kept as a hint |

mod departure;
mod id_token;
mod link;
#[cfg(test)]
pub(crate) mod sample;

use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
pub use departure::Departure;
use id_token::LEEWAY_S;
pub use id_token::{Expected, IdToken, UnverifiedIdToken};
pub use link::Link;
use link::has_proven;

use crate::identifiers;
use crate::jose::KeySet;
use crate::line::{AccountKey, Facts, Turn, Write};
use crate::model::{EventKind, Identity, IdentityName, User, UserKey};
use crate::refusal::No;
use crate::secret::Digest;
use crate::time::UnixTime;

/// An issuer that the operator trusts, with its keys as they were fetched.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Its identifier.
    pub name: String,
    /// What this server is called there.
    pub client_id: String,
    /// Its public keys.
    pub keys: Arc<KeySet>,
    /// Whose first sign-in makes an account here.
    pub sign_up: SignUp,
}

/// Whose first sign-in by way of an issuer elsewhere makes an account here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SignUp {
    /// Everybody whom the issuer knows.
    #[default]
    Anybody,
    /// People with an address of one of these domains, in lower case, of which the issuer knows that it is theirs today.
    Domains(Vec<String>),
    /// Nobody: accounts are made by the operator.
    Nobody,
}

impl SignUp {
    /// Returns true if somebody with this token may get an account.
    fn is_for(&self, token: &IdToken) -> bool {
        let Self::Domains(domains) = self else { return *self == Self::Anybody };
        let is_listed = |domain: &str| domains.iter().any(|own| own.eq_ignore_ascii_case(domain));
        let domain = token.email.as_deref().and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain);
        // Where the issuer names a domain, it must be a listed one as well: it is what manages the account.
        token.is_email_current && domain.is_some_and(is_listed) && token.hosted_domain.as_deref().is_none_or(is_listed)
    }
}

/// An ID token that is yet to be verified, together with all that this takes but the time.
#[derive(Clone, Debug)]
pub struct Assertion {
    token: UnverifiedIdToken,
    issuer: Arc<Issuer>,
    nonce: Option<String>,
    asked_at: Option<UnixTime>,
}

impl Assertion {
    /// A token that must have been made by `issuer`, and for the authentication request with `nonce` where there was one.
    #[must_use]
    pub fn new(token: UnverifiedIdToken, issuer: Arc<Issuer>, nonce: Option<String>) -> Self {
        Self { token, issuer, nonce, asked_at: None }
    }

    /// The same token, which came of a request that was sent at this time.
    #[must_use]
    pub fn asked_at(self, asked_at: Option<UnixTime>) -> Self {
        Self { asked_at, ..self }
    }

    /// The keys of the account that the token may be about: that of the identity, then that of the e-mail address.
    #[must_use]
    pub fn account(&self) -> [Option<AccountKey>; 2] {
        let login = self.token.email().map(|email| AccountKey::Login(email.to_owned()));
        [Some(AccountKey::Identity(self.identity())), login]
    }

    fn identity(&self) -> IdentityName {
        IdentityName { issuer: self.issuer.name.clone(), subject: self.token.subject().to_owned() }
    }

    /// What it is remembered by once it was used.
    #[must_use]
    pub fn jti(&self) -> Digest {
        self.token.digest()
    }

    /// Verifies it and finds the account.
    ///
    /// # Errors
    /// One of the `Assertion…` or `Upstream…` refusals.
    pub fn find<'f>(&self, facts: &'f Facts, turn: &Turn<'_>) -> Result<Found<'f>, No> {
        let Issuer { name, client_id, keys, .. } = &*self.issuer;
        let expected = Expected { issuer: name, client_id, nonce: self.nonce.as_deref() };
        let token = self.token.verify(keys, &expected, turn.now)?;
        let account = self.found(&token, facts)?;
        if matches!(account, Account::Absent) && !self.issuer.sign_up.is_for(&token) {
            return Err(No::UpstreamSignUpClosed);
        }
        Ok(Found { token, account, asked_at: self.asked_at })
    }

    /// True if a refusal of [`Assertion::find`] is about a token that was verified: somebody proved who they are at the issuer,
    /// and may not sign in here.
    #[must_use]
    pub fn is_of_somebody(no: No) -> bool {
        matches!(
            no,
            No::UpstreamUserDisabled
                | No::UpstreamEmailTaken
                | No::UpstreamEmailForeign
                | No::UpstreamEmailUnverified
                | No::UpstreamSignUpClosed
        )
    }

    /// The account that a refusal of [`Assertion::find`] is about, if it is about one.
    #[must_use]
    pub fn refused_account(&self, no: No, facts: &Facts) -> Option<UserKey> {
        if !matches!(no, No::UpstreamUserDisabled | No::UpstreamEmailTaken) {
            return None;
        }
        let linked = facts.identity(&self.identity()).and_then(|held| held.user.as_ref());
        let named = || facts.login(self.token.email()?);
        linked.or_else(named).map(|user| user.key)
    }

    /// The table above.
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
            // A new account gets no address that the operator could not give it either.
            return identifiers::email(email).map(|_| Account::Absent).map_err(|_| No::UpstreamEmailForeign);
        };
        if !has_proven(user, email) || !token.is_email_current {
            return Err(No::UpstreamEmailTaken);
        }
        usable(user).map(Account::Unlinked)
    }
}

/// An identity whose account is known, and nothing of which is written yet.
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
    /// The account, if there is one already.
    #[must_use]
    pub fn user(&self) -> Option<&'f Arc<User>> {
        match self.account {
            Account::Linked(user) | Account::Unlinked(user) => Some(user),
            Account::Absent => None,
        }
    }

    /// When the issuer authenticated the person, if it says so.
    #[must_use]
    pub fn auth_time(&self) -> Option<UnixTime> {
        self.token.auth_time
    }

    /// True if the issuer says that it authenticated the person after it was asked.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        let asked_at = self.asked_at.map(|at| UnixTime(at.0.saturating_sub_unsigned(LEEWAY_S)));
        self.token.auth_time.zip(asked_at).is_some_and(|(auth_time, asked_at)| auth_time >= asked_at)
    }

    /// When the token is too old to be taken.
    #[must_use]
    pub fn ends_at(&self) -> UnixTime {
        self.token.ends_at
    }

    /// The link that must wait for the second factor of the account.
    #[must_use]
    pub fn pending(&self) -> Option<Link> {
        let Account::Unlinked(user) = self.account else { return None };
        user.totp.as_ref()?;
        let name = IdentityName { issuer: self.token.issuer.clone(), subject: self.token.subject.clone() };
        Some(Link::new(name, user.key, self.token.email.clone()?))
    }

    /// Links and makes what is not there yet, and gives the account. Who has a second factor must have proven it.
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
        // ◆ It comes before the account: of two who come with the same new identity, the second finds it linked.
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

/// Random bytes of a `sub` of an account that another issuer makes.
const SUB_BYTES: usize = 15;

fn new_user(token: &IdToken, turn: &mut Turn<'_>) -> User {
    let key = UserKey(turn.entropy.next_id());
    let sub = BASE32_NOPAD.encode(&turn.entropy.bytes::<SUB_BYTES>()).to_lowercase();
    let name = token.name.clone().or_else(|| token.email.clone()).unwrap_or_default();
    // An address that may be another's by now is nobody's name to sign in with: its owner must be able to have it.
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
