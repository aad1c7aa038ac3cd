//! One request being judged.

use std::sync::Arc;

use super::{Changes, Document, DocumentKey, Documents, Rely, Write};
use crate::client::recalled::{Proven, Recalled};
use crate::crypto::entropy::Entropy;
use crate::crypto::keys::Keys;
use crate::jose::KeySet;
use crate::model::{ClientKey, Event, EventKind, User, UserKey};
use crate::person::memo::Memo;
use crate::person::password;
use crate::person::upstream::ProviderMetadata;
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
    /// The outside documents that were looked for so far.
    documents: &'a Documents,
    /// The outside documents that the judge asked for and nobody looked for yet.
    lacking: Vec<DocumentKey>,
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
            documents: Documents::NONE,
            lacking: Vec::new(),
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

    /// The same turn, with outside documents.
    #[must_use]
    pub fn with_documents(self, documents: &'a Documents) -> Self {
        Self { documents, ..self }
    }

    /// The same turn, for a command that this account of the operating system runs. Every event says so.
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
