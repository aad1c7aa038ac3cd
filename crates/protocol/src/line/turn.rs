//! Turns: the context in which one attempt to judge a call runs, and what the judge decides in it.

use std::sync::Arc;

use super::{Changes, Document, DocumentKey, Documents, Rely, Write};
use crate::client::recalled::{Proven, Recalled};
use crate::crypto::entropy::Entropy;
use crate::crypto::keys::Keys;
use crate::jose::KeySet;
use crate::jose::sign::ToSign;
use crate::model::{ClientKey, Event, EventKind, User, UserKey};
use crate::person::memo::Memo;
use crate::person::password;
use crate::person::upstream::ProviderMetadata;
use crate::policy::Policy;
use crate::secret::Secret;
use crate::time::UnixTime;
use crate::wire::Field;

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
    /// The outside documents that were fetched so far, or found to be unavailable.
    documents: &'a Documents,
    /// The outside documents that the judge asked for and that were not fetched yet.
    lacking: Vec<DocumentKey>,
    /// The public parts of the keys with which this server signs, for tokens of its own that come back.
    own_keys: Option<&'a KeySet>,
    /// The messages that the server must sign, each with the member of the answer that it is for.
    to_sign: Vec<(Field, ToSign)>,
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
            documents: Documents::NONE,
            lacking: Vec::new(),
            own_keys: None,
            to_sign: Vec::new(),
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

    /// Returns the same turn with these outside documents.
    #[must_use]
    pub fn with_documents(self, documents: &'a Documents) -> Self {
        Self { documents, ..self }
    }

    /// Returns the same turn with the public parts of the keys with which this server signs.
    #[must_use]
    pub fn with_own_keys(self, own_keys: &'a KeySet) -> Self {
        Self { own_keys: Some(own_keys), ..self }
    }

    /// Returns the public parts of the keys with which this server signs: the active ones, and the retired ones that may have
    /// signed a token of its own. Returns `None` if this server has never signed, so that no token can be its own.
    #[must_use]
    pub const fn own_keys(&self) -> Option<&'a KeySet> {
        self.own_keys
    }

    /// Returns the turn for a command that this account of the operating system runs. Every audit event will name the
    /// account.
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

    /// The metadata of an OpenID provider, if they are at hand. Ask for a document only on behalf of somebody who may make
    /// this server fetch it.
    pub fn provider_metadata(&mut self, issuer: &str) -> Option<Arc<ProviderMetadata>> {
        match self.document(DocumentKey::ProviderMetadata { issuer: issuer.to_owned() })? {
            Document::ProviderMetadata(metadata) => Some(Arc::clone(metadata)),
            Document::KeySet(_) => None,
        }
    }

    /// The key set at a URL, if it is at hand, for a signature by the key `kid`. The key may be missing in it. As with
    /// [`Turn::provider_metadata`], the caller must know who makes this server fetch.
    pub fn key_set(&mut self, url: &str, kid: Option<&str>) -> Option<Arc<KeySet>> {
        match self.document(DocumentKey::KeySet { url: url.to_owned(), kid: kid.map(ToOwned::to_owned) })? {
            Document::KeySet(keys) => Some(Arc::clone(keys)),
            Document::ProviderMetadata(_) => None,
        }
    }

    /// An outside document. One that nobody looked for is noted as lacking.
    fn document(&mut self, key: DocumentKey) -> Option<&'a Document> {
        let documents = self.documents;
        if let Some(found) = documents.found(&key) {
            return found;
        }
        if !documents.is_full() && !self.lacking.contains(&key) {
            self.lacking.push(key);
        }
        None
    }

    /// Takes the keys of the outside documents that the judge lacked. If there are any, they must be looked for, and what was
    /// decided does not count.
    #[must_use]
    pub fn take_lacking(&mut self) -> Vec<DocumentKey> {
        std::mem::take(&mut self.lacking)
    }

    /// Has the server sign a message for a member of the answer. The server signs if the judge says yes, before it writes
    /// anything. The call of this turn must implement [`Call::take_signed`](super::Call::take_signed).
    pub fn sign(&mut self, field: Field, message: ToSign) {
        self.to_sign.push((field, message));
    }

    /// Takes the messages that the server must sign.
    #[must_use]
    pub fn take_to_sign(&mut self) -> Vec<(Field, ToSign)> {
        std::mem::take(&mut self.to_sign)
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
