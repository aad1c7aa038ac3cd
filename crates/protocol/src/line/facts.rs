//! The rows that were found for the keys that a call asked for.

use std::sync::Arc;

use crate::client::recalled::Recalled;
use crate::model::{Access, Attempts, Client, Code, Consent, Grant, Held, Identity, Personal, Session, User};
use crate::secret::Digest;

/// The rows found for [`super::Wants`]. Each is present or absent.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The client with the wanted `client_id`.
    pub client: Option<Arc<Client>>,
    /// The code, with its client and user.
    pub code: Option<Held<Code>>,
    /// The grant, with its client and user.
    pub grant: Option<Held<Grant>>,
    /// The access token, with its client and user.
    pub access: Option<Held<Access>>,
    /// The personal token, with its user.
    pub personal: Option<Held<Personal>>,
    /// The session, with its user.
    pub session: Option<Held<Session>>,
    /// The user who wants to sign in.
    pub login: Option<Arc<User>>,
    /// The user with the wanted `sub`.
    pub subject: Option<Arc<User>>,
    /// The account elsewhere, with its user here.
    pub identity: Option<Held<Identity>>,
    /// Was the token of [`super::Wants::burned`] used before?
    pub is_burned: bool,
    /// The counters of [`super::Wants::knock`] that have rows.
    pub attempts: Vec<(Digest, Attempts)>,
    /// Failed attempts from the address.
    pub address_attempts: Option<Attempts>,
    /// Failed attempts with a secret of the claimed client from the address.
    pub client_attempts: Option<Attempts>,
    /// Failed attempts with client secrets from the address.
    pub client_address_attempts: Option<Attempts>,
    /// What the process remembers of the client's secrets. It is no row: the process adds it.
    pub recalled: Recalled,
    /// The remembered consent.
    pub consent: Option<Consent>,
    /// How much the user of the session has; absent without a session.
    pub holdings: Option<Holdings>,
}

impl Facts {
    /// Every user among the rows, some perhaps more than once.
    pub fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        fn of<T>(held: &Option<Held<T>>) -> Option<&Arc<User>> {
            held.as_ref()?.user.as_ref()
        }
        let held = [
            of(&self.code),
            of(&self.grant),
            of(&self.access),
            of(&self.personal),
            of(&self.session),
            of(&self.identity),
            self.login.as_ref(),
            self.subject.as_ref(),
        ];
        held.into_iter().flatten()
    }

    /// Every client among the rows, some perhaps more than once.
    pub fn clients(&self) -> impl Iterator<Item = &Arc<Client>> {
        fn of<T>(held: &Option<Held<T>>) -> Option<&Arc<Client>> {
            held.as_ref()?.client.as_ref()
        }
        [self.client.as_ref(), of(&self.code), of(&self.grant), of(&self.access)].into_iter().flatten()
    }

    /// The greatest id below which something of these users and clients was revoked: whatever a turn makes for them must
    /// have a greater one, or it would be dead when it is born. Ids are drawn by clocks, and clocks differ.
    #[must_use]
    pub fn revoked_below(&self) -> i64 {
        fn of<T>(held: Option<&Held<T>>) -> i64 {
            let client = held.and_then(|held| held.client.as_ref()).map_or(0, |client| client.revoked_below);
            held.and_then(|held| held.user.as_ref()).map_or(0, |user| user.revoked_below).max(client)
        }
        let user = |user: &Option<Arc<User>>| user.as_ref().map_or(0, |user| user.revoked_below);
        [
            self.client.as_ref().map_or(0, |client| client.revoked_below),
            of(self.code.as_ref()),
            of(self.grant.as_ref()),
            of(self.session.as_ref()),
            of(self.identity.as_ref()),
            user(&self.login),
            user(&self.subject),
        ]
        .into_iter()
        .max()
        .unwrap_or(0)
    }
}

/// How much a user has of what is limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Applications that the user registered.
    pub clients: u32,
    /// Personal tokens, also those that are over and not swept away yet.
    pub personals: u32,
    /// Accounts elsewhere that open the user's account here.
    pub identities: u32,
}
