//! Wants: the keys of the rows that a call is judged by.

use smallvec::SmallVec;

use crate::model::{AccessId, CodeId, GrantId, IdentityName, PersonalId, SessionId, TicketId};
use crate::person::attempt::Attempt;
use crate::secret::Digest;

/// The key of one row that a store can find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A client, by its public identifier.
    Client(String),
    /// An authorization code.
    Code(CodeId),
    /// A grant, which also holds its refresh tokens.
    Grant(GrantId),
    /// The grant from which an access token was issued.
    GrantOf(AccessId),
    /// An access token.
    Access(AccessId),
    /// A personal access token.
    Personal(PersonalId),
    /// A login session.
    Session(SessionId),
    /// A ticket, of whatever kind.
    Ticket(TicketId),
    /// A user, by an e-mail address or user name as it was typed.
    Login(String),
    /// A user, by the public identifier.
    Sub(String),
    /// An account at an upstream identity provider, which is linked to a user of this server.
    Identity(IdentityName),
    /// The ID token of an upstream identity provider, which is good for one use. A row exists once the token was used.
    UsedJti(Digest),
    /// A counter of failed attempts.
    Failures(Digest),
    /// What the account of [`Wants::account`] allowed the client with this public identifier.
    Consent(String),
    /// How many applications, personal tokens and identities the account of [`Wants::account`] has.
    OwnedCounts,
}

impl Key {
    /// Returns true if the key finds nothing before the account of [`Wants::account`] is known.
    #[must_use]
    pub const fn needs_account(&self) -> bool {
        matches!(self, Self::Consent(_) | Self::OwnedCounts)
    }
}

/// A key that leads to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountKey {
    /// The user of a login session.
    Session(SessionId),
    /// The user with this e-mail address or user name.
    Login(String),
    /// The user to whom this account at an upstream identity provider is linked.
    Identity(IdentityName),
}

impl From<AccountKey> for Key {
    fn from(key: AccountKey) -> Self {
        match key {
            AccountKey::Session(id) => Self::Session(id),
            AccountKey::Login(typed) => Self::Login(typed),
            AccountKey::Identity(name) => Self::Identity(name),
        }
    }
}

/// The keys of the rows that a call is judged by. They depend on the call alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// The distinct keys. Those that need the account come last. Most requests have one or two keys.
    pub(super) keys: SmallVec<[Key; 2]>,
    /// Indices of the keys that lead to the account, in the order in which they are tried.
    pub(super) account: SmallVec<[usize; 3]>,
    /// The attempt to sign in or to confirm an identity, if the call is one. It is judged by the counters of failed
    /// attempts at the account.
    pub(super) attempt: Option<Box<Attempt>>,
}

impl Wants {
    /// Returns wants with these keys.
    #[must_use]
    pub fn of(keys: impl IntoIterator<Item = Key>) -> Self {
        let mut wants = Self::default();
        keys.into_iter().for_each(|key| wants.add(key));
        wants
    }

    /// Adds a key.
    pub fn add(&mut self, key: Key) {
        if let Key::Consent(client_id) = &key {
            // A store finds a consent by the row of its client.
            self.add(Key::Client(client_id.clone()));
        }
        if !self.keys.contains(&key) {
            let is_first = |own: &&Key| key.needs_account() || !own.needs_account();
            let at = self.keys.iter().take_while(is_first).count();
            self.keys.insert(at, key);
        }
    }

    /// Sets the account that the call is about: that of the first of these keys for which a row exists. Adds the keys
    /// as well.
    pub fn account(&mut self, keys: impl IntoIterator<Item = AccountKey>) {
        self.account.clear();
        for key in keys {
            let key = Key::from(key);
            self.add(key.clone());
            let at = self.keys.iter().position(|own| *own == key);
            self.account.extend(at);
        }
    }

    /// Adds the counters that an attempt at the account of [`Wants::account`] must pass. If no account is found, they
    /// are those of the typed name.
    pub fn attempt(&mut self, attempt: Attempt) {
        self.attempt = Some(Box::new(attempt));
    }

    /// Returns true if nothing is wanted. A request that names no row of this server is judged without asking the store.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.attempt.is_none()
    }

    /// Returns the distinct keys.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }
}
