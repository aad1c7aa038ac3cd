//! The signing keys of this process, read from the store and parsed once.

use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::rand::SystemRandom;
use bytes::Bytes;
use protocol::crypto::keys::Keys;
use protocol::jose::sign::{PrivateKey, ToSign};
use protocol::jose::{Algorithm, KeySet};
use protocol::model::{SigningKey, SigningKeyState};
use protocol::secret::Secret;
use serde_json::{Value, json};
use store::Store;

use crate::fault::Fault;
use crate::signing_keys::Place;

/// The signing keys of this process.
pub(crate) struct Signer {
    held: ArcSwap<Held>,
    /// Held while keys are made, so that concurrent requests make them once.
    pub(super) making: tokio::sync::Mutex<()>,
    random: SystemRandom,
}

/// The keys as this process last read them from the store.
#[derive(Debug, Default)]
pub(crate) struct Held {
    rows: Vec<SigningKey>,
    active: Vec<PrivateKey>,
    /// The public keys, to recognise tokens of this server.
    public: Option<KeySet>,
    /// The key set as JSON.
    document: Bytes,
}

impl Signer {
    /// Reads the keys of the store.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn open(store: &dyn Store, keys: &Keys) -> Result<Self, Fault> {
        let signer =
            Self { held: ArcSwap::default(), making: tokio::sync::Mutex::default(), random: SystemRandom::new() };
        signer.reload(store, keys).await?;
        Ok(signer)
    }

    /// Returns the keys that this process has.
    pub(crate) fn held(&self) -> Arc<Held> {
        self.held.load_full()
    }

    /// Reads the keys of the store again. Parses them if they changed.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn reload(&self, store: &dyn Store, keys: &Keys) -> Result<(), Fault> {
        let rows = store.signing_keys().await?;
        if self.held.load().rows != rows {
            let opened = |row: &SigningKey| Place { store, keys, now: row.created_at }.opened(row);
            self.held.store(Arc::new(Held::new(rows, opened)));
        }
        Ok(())
    }

    /// Signs a message with the active key of its algorithm. Returns `None` if there is no key or the signature fails. The log has
    /// the reason.
    pub(super) fn sign(&self, held: &Held, message: &ToSign) -> Option<Secret> {
        let key = held.active.iter().find(|key| key.algorithm() == message.algorithm());
        let signed = key.and_then(|key| key.sign(message, &self.random));
        if signed.is_none() {
            tracing::error!(algorithm = message.algorithm().as_str(), "there is no key that can sign this");
        }
        signed
    }
}

impl Held {
    fn new(rows: Vec<SigningKey>, opened: impl Fn(&SigningKey) -> Option<PrivateKey>) -> Self {
        let known = rows.iter().filter(|row| row.known_algorithm().is_some());
        let mut keys: Vec<(SigningKeyState, PrivateKey)> = Vec::new();
        for row in known {
            match opened(row) {
                Some(key) => keys.push((row.state(), key)),
                None => tracing::error!(
                    kid = row.kid,
                    number = row.number,
                    "a signing key cannot be opened: the master key is not the one that sealed it, or the row was altered"
                ),
            }
        }
        // A recipient that reads only some keys of a set should find those that sign, and then the latest of the others.
        keys.reverse();
        keys.sort_by_key(|(state, key)| match state {
            SigningKeyState::Active => (0, Some(key.algorithm())),
            SigningKeyState::Next => (1, Some(key.algorithm())),
            SigningKeyState::Retired => (2, None),
        });
        let public: Vec<&Value> = keys.iter().map(|(_, key)| key.public()).collect();
        let document = Bytes::from(json!({"keys": public}).to_string());
        let public = KeySet::parse(&document).ok().filter(|keys| !keys.is_empty());
        let is_active = |(state, _): &(SigningKeyState, PrivateKey)| *state == SigningKeyState::Active;
        let active = keys.into_iter().filter(is_active).map(|(_, key)| key).collect();
        Self { rows, active, public, document }
    }

    /// Returns the public keys; `None` if this server has never signed.
    pub(crate) const fn public(&self) -> Option<&KeySet> {
        self.public.as_ref()
    }

    /// Returns the JWK Set as JSON, RFC 7517 §5.
    pub(crate) fn document(&self) -> Bytes {
        self.document.clone()
    }

    /// Returns true if this process can sign by every algorithm.
    pub(super) fn is_complete(&self) -> bool {
        Algorithm::ALL.iter().all(|algorithm| self.active.iter().any(|key| key.algorithm() == *algorithm))
    }
}
