//! Facts: the rows that the store found for the keys of a call.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{Key, Turn, Wants, Write};
use crate::crypto::keys::Presented;
use crate::model::{
    Access, AccessId, Attempts, Client, Code, CodeId, Consent, Grant, GrantId, Identity, IdentityName, Personal,
    PersonalId, Session, SessionId, Ticket, TicketId, TicketKind, TicketProblem, User, UserKey, WithOwners,
};
use crate::person::attempt::Attempt;
use crate::secret::Digest;

/// What a store found for one [`Key`].
#[derive(Clone, Debug, Default)]
pub enum Row {
    /// No row.
    #[default]
    Absent,
    /// A client.
    Client(Arc<Client>),
    /// A user, for [`Key::Login`] and [`Key::Sub`].
    User(Arc<User>),
    /// A code, with its client and user.
    Code(Box<WithOwners<Code>>),
    /// A grant, with its client and user.
    Grant(Box<WithOwners<Grant>>),
    /// An access token, with its client and user.
    Access(WithOwners<Access>),
    /// A personal token, with its user.
    Personal(WithOwners<Personal>),
    /// A session, with its user.
    Session(WithOwners<Session>),
    /// A ticket, with its client and user.
    Ticket(Box<WithOwners<Ticket>>),
    /// An account at an upstream identity provider, with the linked user of this server.
    Identity(WithOwners<Identity>),
    /// The ID token of an upstream identity provider was used before.
    UsedJti,
    /// Failed attempts.
    Failures(Attempts),
    /// What a user allowed a client.
    Consent(Consent),
    /// The numbers of things that the account owns.
    OwnedCounts(OwnedCounts),
}

/// Implements the conversion of an optional row into a [`Row`].
macro_rules! rows {
    ($($name:ident($type:ty),)*) => {$(
        impl From<Option<$type>> for Row {
            fn from(row: Option<$type>) -> Self {
                row.map_or(Self::Absent, Self::$name)
            }
        }
    )*};
}

rows! {
    Client(Arc<Client>),
    User(Arc<User>),
    Access(WithOwners<Access>),
    Personal(WithOwners<Personal>),
    Session(WithOwners<Session>),
    Identity(WithOwners<Identity>),
    Failures(Attempts),
    Consent(Consent),
    OwnedCounts(OwnedCounts),
}

// These rows are boxed because they are larger than the others, and each fact takes the space of the largest variant.
impl From<Option<WithOwners<Code>>> for Row {
    fn from(row: Option<WithOwners<Code>>) -> Self {
        row.map_or(Self::Absent, |held| Self::Code(Box::new(held)))
    }
}

impl From<Option<WithOwners<Grant>>> for Row {
    fn from(row: Option<WithOwners<Grant>>) -> Self {
        row.map_or(Self::Absent, |held| Self::Grant(Box::new(held)))
    }
}

impl From<Option<WithOwners<Ticket>>> for Row {
    fn from(row: Option<WithOwners<Ticket>>) -> Self {
        row.map_or(Self::Absent, |held| Self::Ticket(Box::new(held)))
    }
}

impl Row {
    /// Returns [`Row::UsedJti`] if the ID token was used, or else [`Row::Absent`].
    #[must_use]
    pub fn used_jti(is_used: bool) -> Self {
        if is_used { Self::UsedJti } else { Self::Absent }
    }

    /// Returns the account that the row leads to.
    fn account(&self) -> Option<UserKey> {
        match self {
            Self::User(user) => Some(user.key),
            Self::Session(held) => Some(held.row.user),
            Self::Identity(held) => Some(held.row.user),
            _ => None,
        }
    }

    /// Returns the client and the user that the store loads together with the row.
    fn holders(&self) -> (Option<&Arc<Client>>, Option<&Arc<User>>) {
        fn of<T>(held: &WithOwners<T>) -> (Option<&Arc<Client>>, Option<&Arc<User>>) {
            (held.client.as_ref(), held.user.as_ref())
        }
        match self {
            Self::Client(client) => (Some(client), None),
            Self::User(user) => (None, Some(user)),
            Self::Code(held) => of(held),
            Self::Grant(held) => of(held),
            Self::Access(held) => of(held),
            Self::Personal(held) => of(held),
            Self::Session(held) => of(held),
            Self::Ticket(held) => of(held),
            Self::Identity(held) => of(held),
            Self::Absent | Self::UsedJti | Self::Failures(_) | Self::Consent(_) | Self::OwnedCounts(_) => (None, None),
        }
    }
}

/// The numbers of things that a user owns and that are limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnedCounts {
    /// Applications that the user registered.
    pub clients: u32,
    /// Personal tokens, including those that expired and were not swept yet.
    pub personals: u32,
    /// Accounts at upstream identity providers that are linked to the user.
    pub identities: u32,
}

/// A presented ticket that may be used.
#[derive(Debug)]
pub struct LiveTicket<'f, K> {
    /// The row, with its client and user.
    pub held: &'f WithOwners<Ticket>,
    /// What the ticket is about.
    pub document: K,
}

impl<K> LiveTicket<'_, K> {
    /// Uses the ticket. Of several turns that do so, one is written.
    #[must_use]
    pub fn spend(&self) -> Write {
        Write::SpendTicket { id: self.held.row.id, version: self.held.row.version }
    }
}

/// How a presented refresh token compares with those of its grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshMatch {
    /// The current refresh token of the grant.
    Current,
    /// The previous refresh token, which was exchanged for the current one.
    Previous,
    /// Another token, which by its checksum this server made for this grant.
    Neither,
}

/// The rows that were found for [`Wants`]. A judge names each key again to get at its row, so it cannot read what its call
/// did not ask for. Looking up a key that was not wanted is a bug: it panics in debug builds, and finds nothing in others.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The keys of the call with their rows, followed by the counters of [`Wants::attempt`].
    found: SmallVec<[(Key, Row); 2]>,
    /// Number of keys that the call named.
    named: usize,
    /// Indices of the keys that lead to the account.
    account: SmallVec<[usize; 3]>,
    attempt: Option<Box<Attempt>>,
}

/// The functions that stores use.
impl Facts {
    /// Facts for these wants, before any row was loaded.
    #[must_use]
    pub fn of(wants: Wants) -> Self {
        let Wants { keys, account, attempt } = wants;
        let found: SmallVec<_> = keys.into_iter().map(|key| (key, Row::Absent)).collect();
        Self { named: found.len(), found, account, attempt }
    }

    /// Returns the keys that the call named.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.found[..self.named].iter().map(|(key, _)| key)
    }

    /// Returns true if a row is wanted that can be found only once the account is known.
    #[must_use]
    pub fn needs_account(&self) -> bool {
        self.attempt.is_some() || self.keys().any(Key::needs_account)
    }

    /// Loads the row of every key with `find`, which also gets the facts loaded so far. Keys that need the account come
    /// after those that lead to it. A second call starts from the beginning.
    ///
    /// # Errors
    /// Those of `find`.
    pub fn look<E>(&mut self, mut find: impl FnMut(&Key, &Self) -> Result<Row, E>) -> Result<(), E> {
        self.found.truncate(self.named);
        for at in 0..self.named {
            let row = find(&self.found[at].0, self)?;
            self.found[at].1 = row;
        }
        for counter in self.counters(self.account()) {
            let key = Key::Failures(counter);
            let row = find(&key, self)?;
            self.found.push((key, row));
        }
        Ok(())
    }

    /// Returns the account that the call is about; `None` if no loaded row leads to one.
    #[must_use]
    pub fn account(&self) -> Option<UserKey> {
        self.account.iter().find_map(|at| self.found[*at].1.account())
    }

    /// Returns true if the call names an account that it is about, whether or not the account exists.
    #[must_use]
    pub fn names_account(&self) -> bool {
        !self.account.is_empty()
    }

    /// Returns the account that the call is about, for a store whose rows are not loaded into these facts. `user_of`
    /// returns the user that a key leads to.
    pub fn account_by(&self, user_of: impl Fn(&Key) -> Option<UserKey>) -> Option<UserKey> {
        self.account.iter().find_map(|at| user_of(&self.found[*at].0))
    }

    /// Returns the keys of the counters of failed attempts that depend on the account.
    #[must_use]
    pub fn counters(&self, account: Option<UserKey>) -> Vec<Digest> {
        let login = self.account.iter().find_map(|at| match &self.found[*at].0 {
            Key::Login(typed) => Some(typed.as_str()),
            _ => None,
        });
        self.attempt.as_ref().map(|attempt| attempt.keys(account, login)).unwrap_or_default()
    }

    /// Returns true if the key was wanted, whether or not a row was found.
    #[must_use]
    pub fn is_wanted(&self, key: &Key) -> bool {
        self.found.iter().any(|(own, _)| own == key)
    }

    /// Returns the row of a key; `None` if there is no row or the key was not wanted. Judges use the look-ups by kind,
    /// which also compare the presented token with the row.
    #[must_use]
    pub fn row(&self, key: &Key) -> Option<&Row> {
        let (_, row) = self.found.iter().find(|(own, _)| own == key)?;
        (!matches!(row, Row::Absent)).then_some(row)
    }
}

/// Declares the look-up of one kind of token. It returns the row whose id the token names, if the row has the digest of
/// the token.
macro_rules! presented {
    ($($(#[$doc:meta])* $name:ident: $key:ident($id:ident) -> $row:ty;)*) => {
        impl Facts {$(
            $(#[$doc])*
            #[must_use]
            #[track_caller]
            pub fn $name(&self, presented: Presented) -> Option<&WithOwners<$row>> {
                match self.wanted(|key| matches!(key, Key::$key($id(id)) if *id == presented.id))? {
                    Row::$key(held) if held.row.digest == presented.digest => Some(held),
                    _ => None,
                }
            }
        )*}
    };
}

presented! {
    /// Returns the presented authorization code.
    code: Code(CodeId) -> Code;
    /// Returns the presented access token.
    access: Access(AccessId) -> Access;
    /// Returns the presented personal access token.
    personal: Personal(PersonalId) -> Personal;
    /// Returns the session of the presented cookie.
    session: Session(SessionId) -> Session;
}

/// The functions that judges use.
impl Facts {
    /// Returns the row of the first key for which `is_it` returns true.
    #[track_caller]
    fn wanted(&self, is_it: impl Fn(&Key) -> bool) -> Option<&Row> {
        let found = self.found.iter().find(|(key, _)| is_it(key));
        debug_assert!(found.is_some(), "a judge looks for a row that its call did not want");
        found.map(|(_, row)| row)
    }

    /// Returns the client with this public identifier.
    #[must_use]
    #[track_caller]
    pub fn client(&self, client_id: &str) -> Option<&Arc<Client>> {
        match self.wanted(|key| matches!(key, Key::Client(own) if own == client_id))? {
            Row::Client(client) => Some(client),
            _ => None,
        }
    }

    /// Returns the grant of the presented refresh token, and which of the grant's tokens it is.
    #[must_use]
    #[track_caller]
    pub fn grant(&self, presented: Presented) -> Option<(&WithOwners<Grant>, RefreshMatch)> {
        let held = self.grant_row(GrantId(presented.id))?;
        let is = match &held.row.refresh {
            Some(refresh) if refresh.current == presented.digest => RefreshMatch::Current,
            Some(refresh) if refresh.previous == Some(presented.digest) => RefreshMatch::Previous,
            _ => RefreshMatch::Neither,
        };
        Some((held, is))
    }

    /// Returns the grant from which the presented access token was issued. The caller must compare the token with its own row
    /// first, because a grant does not have the digest of its access tokens.
    #[must_use]
    #[track_caller]
    pub fn grant_of(&self, presented: Presented) -> Option<&WithOwners<Grant>> {
        match self.wanted(|key| *key == Key::GrantOf(AccessId(presented.id)))? {
            Row::Grant(held) => Some(held),
            _ => None,
        }
    }

    /// The ticket of kind `K` for which this token was presented, if it may be used: it is neither expired nor spent, and its
    /// client and user still allow it.
    ///
    /// # Errors
    /// Says why the ticket may not be used.
    #[track_caller]
    pub fn ticket<K: TicketKind>(
        &self,
        presented: Presented,
        turn: &Turn<'_>,
    ) -> Result<LiveTicket<'_, K>, TicketProblem> {
        let held = match self.wanted(|key| matches!(key, Key::Ticket(TicketId(id)) if *id == presented.id)) {
            Some(Row::Ticket(held)) if held.row.digest == presented.digest => held,
            _ => return Err(TicketProblem::Unknown),
        };
        let document = held.row.open(turn.now)?;
        held.check(&turn.policy.dialect).map_err(|_| TicketProblem::Revoked)?;
        Ok(LiveTicket { held, document })
    }

    /// Returns the grant with this id. The operator names the grant, so no token is compared.
    #[must_use]
    #[track_caller]
    pub fn grant_row(&self, id: GrantId) -> Option<&WithOwners<Grant>> {
        match self.wanted(|key| *key == Key::Grant(id))? {
            Row::Grant(held) => Some(held),
            _ => None,
        }
    }

    /// Returns the personal access token with this id. Its owner or the operator names it, so no token is compared.
    #[must_use]
    #[track_caller]
    pub fn personal_row(&self, id: PersonalId) -> Option<&WithOwners<Personal>> {
        match self.wanted(|key| *key == Key::Personal(id))? {
            Row::Personal(held) => Some(held),
            _ => None,
        }
    }

    /// Returns the user with this e-mail address or user name. `typed` is the text of the key.
    #[must_use]
    #[track_caller]
    pub fn login(&self, typed: &str) -> Option<&Arc<User>> {
        match self.wanted(|key| matches!(key, Key::Login(own) if own == typed))? {
            Row::User(user) => Some(user),
            _ => None,
        }
    }

    /// Returns the user with this public identifier.
    #[must_use]
    #[track_caller]
    pub fn subject(&self, sub: &str) -> Option<&Arc<User>> {
        match self.wanted(|key| matches!(key, Key::Sub(own) if own == sub))? {
            Row::User(user) => Some(user),
            _ => None,
        }
    }

    /// Returns the account at an upstream identity provider, with the linked user of this server.
    #[must_use]
    #[track_caller]
    pub fn identity(&self, name: &IdentityName) -> Option<&WithOwners<Identity>> {
        match self.wanted(|key| matches!(key, Key::Identity(own) if own == name))? {
            Row::Identity(held) => Some(held),
            _ => None,
        }
    }

    /// Returns true if the ID token of an upstream identity provider was used before. Also true if the key was not
    /// wanted.
    #[must_use]
    #[track_caller]
    pub fn is_jti_used(&self, jti: Digest) -> bool {
        !matches!(self.wanted(|key| *key == Key::UsedJti(jti)), Some(Row::Absent))
    }

    /// Returns the failed attempts that a counter has.
    #[must_use]
    #[track_caller]
    pub fn failures(&self, counter: Digest) -> Option<Attempts> {
        match self.wanted(|key| *key == Key::Failures(counter))? {
            Row::Failures(attempts) => Some(*attempts),
            _ => None,
        }
    }

    /// Returns what the account allowed the client with this public identifier.
    #[must_use]
    #[track_caller]
    pub fn consent(&self, client_id: &str) -> Option<&Consent> {
        match self.wanted(|key| matches!(key, Key::Consent(own) if own == client_id))? {
            Row::Consent(consent) => Some(consent),
            _ => None,
        }
    }

    /// Returns the numbers of things that the account owns; `None` without an account.
    #[must_use]
    #[track_caller]
    pub fn owned_counts(&self) -> Option<OwnedCounts> {
        match self.wanted(|key| *key == Key::OwnedCounts)? {
            Row::OwnedCounts(counts) => Some(*counts),
            _ => None,
        }
    }

    /// Returns every user among the rows. A user may occur more than once.
    pub fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.found.iter().filter_map(|(_, row)| row.holders().1)
    }

    /// Returns every client among the rows. A client may occur more than once.
    pub fn clients(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.found.iter().filter_map(|(_, row)| row.holders().0)
    }

    /// Returns the greatest `revoked_below` of the users and clients among the rows. What a turn makes for them needs
    /// greater ids, or it would be revoked at once. Ids depend on clocks, and the clocks of nodes differ. Rows of
    /// access tokens and personal access tokens do not count, because nothing is made for their holders.
    #[must_use]
    pub fn revoked_below(&self) -> i64 {
        let below = |(_, row): &(Key, Row)| {
            let (client, user) = match row {
                Row::Access(_) | Row::Personal(_) => (None, None),
                row => row.holders(),
            };
            client.map_or(0, |client| client.revoked_below).max(user.map_or(0, |user| user.revoked_below))
        };
        self.found.iter().map(below).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
