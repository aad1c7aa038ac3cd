//! The rows that were found for the keys that a call asked for.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{Key, Turn, Wants, Write};
use crate::crypto::keys::Presented;
use crate::model::{
    Access, AccessId, Attempts, Client, Code, CodeId, Consent, Grant, GrantId, Held, Identity, IdentityName, Personal,
    PersonalId, Session, SessionId, Ticket, TicketId, TicketKind, TicketProblem, User, UserKey,
};
use crate::person::attempt::Attempt;
use crate::secret::Digest;

/// What a store found for one [`Key`].
#[derive(Clone, Debug, Default)]
pub enum Row {
    /// Nothing.
    #[default]
    Absent,
    /// A client.
    Client(Arc<Client>),
    /// A user, for [`Key::Login`] and [`Key::Sub`].
    User(Arc<User>),
    /// A code, with its client and user.
    Code(Box<Held<Code>>),
    /// A grant, with its client and user.
    Grant(Box<Held<Grant>>),
    /// An access token, with its client and user.
    Access(Held<Access>),
    /// A personal token, with its user.
    Personal(Held<Personal>),
    /// A session, with its user.
    Session(Held<Session>),
    /// A ticket, with its client and user.
    Ticket(Box<Held<Ticket>>),
    /// An account at an upstream identity provider, with its user here.
    Identity(Held<Identity>),
    /// The token of another issuer was used.
    UsedJti,
    /// Failed attempts.
    Failures(Attempts),
    /// What a user allowed a client.
    Consent(Consent),
    /// How much the account owns.
    OwnedCounts(OwnedCounts),
}

/// Makes an optional row a [`Row`].
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
    Access(Held<Access>),
    Personal(Held<Personal>),
    Session(Held<Session>),
    Identity(Held<Identity>),
    Failures(Attempts),
    Consent(Consent),
    OwnedCounts(OwnedCounts),
}

// Boxed: they are larger than the others, and every fact has room for the largest.
impl From<Option<Held<Code>>> for Row {
    fn from(row: Option<Held<Code>>) -> Self {
        row.map_or(Self::Absent, |held| Self::Code(Box::new(held)))
    }
}

impl From<Option<Held<Grant>>> for Row {
    fn from(row: Option<Held<Grant>>) -> Self {
        row.map_or(Self::Absent, |held| Self::Grant(Box::new(held)))
    }
}

impl From<Option<Held<Ticket>>> for Row {
    fn from(row: Option<Held<Ticket>>) -> Self {
        row.map_or(Self::Absent, |held| Self::Ticket(Box::new(held)))
    }
}

impl Row {
    /// [`Row::UsedJti`] if the token was used.
    #[must_use]
    pub fn used_jti(is_used: bool) -> Self {
        if is_used { Self::UsedJti } else { Self::Absent }
    }

    /// The account to which the row leads.
    fn account(&self) -> Option<UserKey> {
        match self {
            Self::User(user) => Some(user.key),
            Self::Session(held) => Some(held.row.user),
            Self::Identity(held) => Some(held.row.user),
            _ => None,
        }
    }

    /// The client and the user that come with the row.
    fn holders(&self) -> (Option<&Arc<Client>>, Option<&Arc<User>>) {
        fn of<T>(held: &Held<T>) -> (Option<&Arc<Client>>, Option<&Arc<User>>) {
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

/// How much a user has of what is limited.
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
    pub held: &'f Held<Ticket>,
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
    /// It is the current one.
    Current,
    /// It is the one before, which was exchanged for the current one.
    Previous,
    /// It is neither. Its checksum says that this server made it for this grant.
    Neither,
}

/// The rows that were found for [`Wants`]. A judge names each key again to get at its row, so it cannot read what its call
/// did not ask for. Looking up a key that was not wanted is a bug: it panics in debug builds, and finds nothing in others.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// First the keys of the call, then the counters of [`Wants::attempt`].
    found: SmallVec<[(Key, Row); 2]>,
    /// How many keys the call named.
    named: usize,
    /// Places of the keys that lead to the account.
    account: SmallVec<[usize; 3]>,
    attempt: Option<Box<Attempt>>,
}

/// For stores.
impl Facts {
    /// What is wanted, before anything was looked for.
    #[must_use]
    pub fn of(wants: Wants) -> Self {
        let Wants { keys, account, attempt } = wants;
        let found: SmallVec<_> = keys.into_iter().map(|key| (key, Row::Absent)).collect();
        Self { named: found.len(), found, account, attempt }
    }

    /// The keys that the call named.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.found[..self.named].iter().map(|(key, _)| key)
    }

    /// Returns true if something is wanted that cannot be looked for before the account is known.
    #[must_use]
    pub fn needs_account(&self) -> bool {
        self.attempt.is_some() || self.keys().any(Key::needs_account)
    }

    /// Looks for every key with `find`, which is also given what was found so far. Keys that need the account come after those
    /// that lead to it. A second look starts from the beginning.
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

    /// The account that the call is about, as far as its rows were found.
    #[must_use]
    pub fn account(&self) -> Option<UserKey> {
        self.account.iter().find_map(|at| self.found[*at].1.account())
    }

    /// The account that the call is about, for a store that has the rows elsewhere: `user_of` gives the user to whom a key
    /// leads.
    pub fn account_by(&self, user_of: impl Fn(&Key) -> Option<UserKey>) -> Option<UserKey> {
        self.account.iter().find_map(|at| user_of(&self.found[*at].0))
    }

    /// The counters of failed attempts that depend on the account.
    #[must_use]
    pub fn counters(&self, account: Option<UserKey>) -> Vec<Digest> {
        let login = self.account.iter().find_map(|at| match &self.found[*at].0 {
            Key::Login(typed) => Some(typed.as_str()),
            _ => None,
        });
        self.attempt.as_ref().map(|attempt| attempt.keys(account, login)).unwrap_or_default()
    }

    /// Returns true if the key was wanted, whether or not something was found under it.
    #[must_use]
    pub fn is_wanted(&self, key: &Key) -> bool {
        self.found.iter().any(|(own, _)| own == key)
    }

    /// What was found under a key; `None` if it is not there or was not wanted. Judges use the look-ups by kind, which also
    /// compare what was presented.
    #[must_use]
    pub fn row(&self, key: &Key) -> Option<&Row> {
        let (_, row) = self.found.iter().find(|(own, _)| own == key)?;
        (!matches!(row, Row::Absent)).then_some(row)
    }
}

/// Declares the look-up of a kind of token: the row whose id the token names, if its digest is that of the token.
macro_rules! presented {
    ($($(#[$doc:meta])* $name:ident: $key:ident($id:ident) -> $row:ty;)*) => {
        impl Facts {$(
            $(#[$doc])*
            #[must_use]
            #[track_caller]
            pub fn $name(&self, presented: Presented) -> Option<&Held<$row>> {
                match self.wanted(|key| matches!(key, Key::$key($id(id)) if *id == presented.id))? {
                    Row::$key(held) if held.row.digest == presented.digest => Some(held),
                    _ => None,
                }
            }
        )*}
    };
}

presented! {
    /// The code that was presented.
    code: Code(CodeId) -> Code;
    /// The access token that was presented.
    access: Access(AccessId) -> Access;
    /// The personal token that was presented.
    personal: Personal(PersonalId) -> Personal;
    /// The session whose cookie was presented.
    session: Session(SessionId) -> Session;
}

/// For judges.
impl Facts {
    /// What was found under the first key of which `is_it` says that it is the one.
    #[track_caller]
    fn wanted(&self, is_it: impl Fn(&Key) -> bool) -> Option<&Row> {
        let found = self.found.iter().find(|(key, _)| is_it(key));
        debug_assert!(found.is_some(), "a judge looks for a row that its call did not want");
        found.map(|(_, row)| row)
    }

    /// The client with this public identifier.
    #[must_use]
    #[track_caller]
    pub fn client(&self, client_id: &str) -> Option<&Arc<Client>> {
        match self.wanted(|key| matches!(key, Key::Client(own) if own == client_id))? {
            Row::Client(client) => Some(client),
            _ => None,
        }
    }

    /// The grant for which the presented refresh token was made, and which of the grant's tokens it is.
    #[must_use]
    #[track_caller]
    pub fn grant(&self, presented: Presented) -> Option<(&Held<Grant>, RefreshMatch)> {
        let held = self.grant_row(GrantId(presented.id))?;
        let is = match &held.row.refresh {
            Some(refresh) if refresh.current == presented.digest => RefreshMatch::Current,
            Some(refresh) if refresh.previous == Some(presented.digest) => RefreshMatch::Previous,
            _ => RefreshMatch::Neither,
        };
        Some((held, is))
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

    /// The grant in this row. No token was presented for it: the operator names it.
    #[must_use]
    #[track_caller]
    pub fn grant_row(&self, id: GrantId) -> Option<&Held<Grant>> {
        match self.wanted(|key| *key == Key::Grant(id))? {
            Row::Grant(held) => Some(held),
            _ => None,
        }
    }

    /// The personal token in this row. It was not presented itself: its owner or the operator names it.
    #[must_use]
    #[track_caller]
    pub fn personal_row(&self, id: PersonalId) -> Option<&Held<Personal>> {
        match self.wanted(|key| *key == Key::Personal(id))? {
            Row::Personal(held) => Some(held),
            _ => None,
        }
    }

    /// The user with this e-mail address or user name, as it was typed.
    #[must_use]
    #[track_caller]
    pub fn login(&self, typed: &str) -> Option<&Arc<User>> {
        match self.wanted(|key| matches!(key, Key::Login(own) if own == typed))? {
            Row::User(user) => Some(user),
            _ => None,
        }
    }

    /// The user with this public identifier.
    #[must_use]
    #[track_caller]
    pub fn subject(&self, sub: &str) -> Option<&Arc<User>> {
        match self.wanted(|key| matches!(key, Key::Sub(own) if own == sub))? {
            Row::User(user) => Some(user),
            _ => None,
        }
    }

    /// The account at an upstream identity provider, with its user here.
    #[must_use]
    #[track_caller]
    pub fn identity(&self, name: &IdentityName) -> Option<&Held<Identity>> {
        match self.wanted(|key| matches!(key, Key::Identity(own) if own == name))? {
            Row::Identity(held) => Some(held),
            _ => None,
        }
    }

    /// Returns true if the token of another issuer was used before, and also if nobody looked.
    #[must_use]
    #[track_caller]
    pub fn is_jti_used(&self, jti: Digest) -> bool {
        !matches!(self.wanted(|key| *key == Key::UsedJti(jti)), Some(Row::Absent))
    }

    /// The failed attempts that a counter has.
    #[must_use]
    #[track_caller]
    pub fn failures(&self, counter: Digest) -> Option<Attempts> {
        match self.wanted(|key| *key == Key::Failures(counter))? {
            Row::Failures(attempts) => Some(*attempts),
            _ => None,
        }
    }

    /// What the account allowed the client with this public identifier.
    #[must_use]
    #[track_caller]
    pub fn consent(&self, client_id: &str) -> Option<&Consent> {
        match self.wanted(|key| matches!(key, Key::Consent(own) if own == client_id))? {
            Row::Consent(consent) => Some(consent),
            _ => None,
        }
    }

    /// How much the account owns; `None` without an account.
    #[must_use]
    #[track_caller]
    pub fn owned_counts(&self) -> Option<OwnedCounts> {
        match self.wanted(|key| *key == Key::OwnedCounts)? {
            Row::OwnedCounts(counts) => Some(*counts),
            _ => None,
        }
    }

    /// Every user among the rows, some perhaps more than once.
    pub fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.found.iter().filter_map(|(_, row)| row.holders().1)
    }

    /// Every client among the rows, some perhaps more than once.
    pub fn clients(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.found.iter().filter_map(|(_, row)| row.holders().0)
    }

    /// The greatest id below which something of these users and clients was revoked. What a turn makes for them must have
    /// greater ids, or it would be revoked already. Ids are drawn by clocks, and clocks of nodes differ. Nothing is made for
    /// the holder of an access token or a personal token.
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
