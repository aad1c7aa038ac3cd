//! Turns: the context in which one attempt to judge a call runs, and what the judge decides in it.

use super::{Changes, Rely, Write};
use crate::client::recalled::{Proven, Recalled};
use crate::crypto::entropy::Entropy;
use crate::crypto::keys::Keys;
use crate::model::{ClientKey, Event, EventKind, User, UserKey};
use crate::person::memo::Memo;
use crate::person::password;
use crate::policy::Policy;
use crate::secret::Secret;
use crate::time::UnixTime;

/// One attempt to judge a call: time, policy, keys and randomness for the judge, and the changes that it decided so
/// far.
#[derive(Debug)]
pub struct Turn<'a> {
    /// The current time.
    pub now: UnixTime,
    /// The rules of the surface.
    pub policy: &'a Policy,
    /// The keys of the installation.
    pub keys: &'a Keys,
    /// The source of random bytes and row ids.
    pub entropy: Entropy,
    /// The client's network address.
    pub address: &'a str,
    /// What the process remembers about the secrets of the calling client.
    pub recalled: &'a Recalled,
    /// The operating system's account that runs a command; `None` for requests.
    actor: Option<&'a str>,
    /// Password hashes that earlier attempts to judge the same call computed.
    memo: Option<&'a Memo>,
    /// The client secret that the judge verified, if any. The process remembers it.
    pub proven: Option<Proven>,
    changes: Changes,
}

impl<'a> Turn<'a> {
    /// A turn that has decided nothing yet.
    #[must_use]
    pub fn new(now: UnixTime, policy: &'a Policy, keys: &'a Keys, entropy: Entropy, address: &'a str) -> Self {
        let recalled = Recalled::NOTHING;
        Self {
            now,
            policy,
            keys,
            entropy,
            address,
            recalled,
            actor: None,
            memo: None,
            proven: None,
            changes: Changes::default(),
        }
    }

    /// Returns the turn with the password hashes that earlier attempts computed.
    #[must_use]
    pub fn with_memo(self, memo: &'a Memo) -> Self {
        Self { memo: Some(memo), ..self }
    }

    /// Returns the turn with what the process remembers about the secrets of the calling client.
    #[must_use]
    pub fn with_recalled(self, recalled: &'a Recalled) -> Self {
        Self { recalled, ..self }
    }

    /// Returns the turn for a command that this account of the operating system runs. Every audit event will name the
    /// account.
    #[must_use]
    pub fn by(self, actor: &'a str) -> Self {
        Self { actor: Some(actor), ..self }
    }

    /// Returns true if `stored` is the hash of the password `typed`. Slow, unless an earlier attempt compared the two.
    pub fn is_right_password(&self, stored: &str, typed: &Secret) -> bool {
        let compare = || password::is_right(stored, typed);
        self.memo.map_or_else(compare, |memo| memo.is_right(stored, typed, compare))
    }

    /// Hashes a password. Slow, unless an earlier attempt hashed the same password.
    pub fn hash_password(&mut self, text: &Secret) -> String {
        let memo = self.memo;
        let mut hash = || password::hash(text, &mut self.entropy);
        match memo {
            Some(memo) => memo.hash(text, hash),
            None => hash(),
        }
    }

    /// Adds a precondition.
    pub fn rely(&mut self, rely: Rely) {
        self.changes.relied.push(rely);
    }

    /// Adds a write.
    pub fn write(&mut self, write: Write) {
        self.changes.writes.push(write);
    }

    /// Adds the precondition that the user is unchanged. If the turn has already written the user, that write has the
    /// precondition itself, and `user` has a newer version than the store.
    pub fn rely_on(&mut self, user: &User) {
        let is_written = |write: &Write| matches!(write, Write::PutUser(own) if own.key == user.key);
        if !self.changes.writes.iter().any(is_written) {
            self.rely(Rely::User(user.key, user.version));
        }
    }

    /// Adds an audit event.
    pub fn note(
        &mut self,
        kind: EventKind,
        user: Option<UserKey>,
        client: Option<ClientKey>,
        detail: impl Into<String>,
    ) {
        let (at, address, detail) = (self.now, self.address.to_owned(), detail.into());
        let actor = self.actor.map(ToOwned::to_owned);
        let event = Event { at, kind, user, client, address, detail, actor };
        self.write(Write::Note(event));
    }

    /// Returns the decided changes.
    #[must_use]
    pub fn into_changes(self) -> Changes {
        self.changes
    }
}
