//! One request being judged.

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

/// One request being judged: the time, the rules, the keys, the randomness, and what was decided so far.
#[derive(Debug)]
pub struct Turn<'a> {
    /// What time it is.
    pub now: UnixTime,
    /// The rules of the dialect that was spoken.
    pub policy: &'a Policy,
    /// The installation's keys.
    pub keys: &'a Keys,
    /// Randomness and ids.
    pub entropy: Entropy,
    /// The network address of the caller.
    pub address: &'a str,
    /// What the process remembers of the calling client's secrets.
    pub recalled: &'a Recalled,
    /// The account of the operating system that runs a command; absent for requests.
    actor: Option<&'a str>,
    /// Password hashes that an earlier attempt at the same turn computed.
    memo: Option<&'a Memo>,
    /// The client's secret that was right, once one was. The process remembers it.
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

    /// The same turn, with the password hashes that an earlier attempt at it computed.
    #[must_use]
    pub fn with_memo(self, memo: &'a Memo) -> Self {
        Self { memo: Some(memo), ..self }
    }

    /// The same turn, judged by a process that remembers something of the calling client's secrets.
    #[must_use]
    pub fn with_recalled(self, recalled: &'a Recalled) -> Self {
        Self { recalled, ..self }
    }

    /// The same turn, for a command that this account of the operating system runs. Every event says so.
    #[must_use]
    pub fn by(self, actor: &'a str) -> Self {
        Self { actor: Some(actor), ..self }
    }

    /// Returns the account of the operating system that runs the command; none for a request.
    #[must_use]
    pub const fn actor(&self) -> Option<&'a str> {
        self.actor
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

    /// Adds the precondition that the user is unchanged, unless the turn has written the user already: that write has the
    /// precondition, with the version before the one that `user` has now.
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

    /// Hands over what was decided.
    #[must_use]
    pub fn into_changes(self) -> Changes {
        self.changes
    }
}
