//! The signer: it signs what a judge decided, before anything is written. Its keys are parsed once.

use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::rand::SystemRandom;
use bytes::Bytes;
use protocol::crypto::keys::Keys;
use protocol::endpoint::Endpoint;
use protocol::jose::sign::{PrivateKey, ToSign};
use protocol::jose::{Algorithm, KeySet};
use protocol::line::Call;
use protocol::model::{SigningKey, SigningKeyState};
use protocol::refusal::Refusal;
use protocol::secret::Secret;
use protocol::wire::Field;
use serde_json::{Value, json};
use store::Store;

use super::{App, busy};
use crate::fault::Fault;
use crate::signing_keys::Place;

/// The signing keys of this process.
pub(crate) struct Signer {
    held: ArcSwap<Held>,
    /// Held while keys are made, so that concurrent requests make them once.
    making: tokio::sync::Mutex<()>,
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
    fn is_complete(&self) -> bool {
        Algorithm::ALL.iter().all(|algorithm| self.active.iter().any(|key| key.algorithm() == *algorithm))
    }
}

impl App {
    /// Returns true if a surface of this process signs, so that signing keys are needed.
    pub(crate) fn is_signing(&self) -> bool {
        self.dialects.iter().any(|dialect| dialect.at(Endpoint::Jwks).is_some())
    }

    /// Returns the signing keys with an active key of every algorithm. The first caller of an installation makes them. So a key
    /// set that was told never lacks the key of a signature that follows.
    ///
    /// # Errors
    /// [`protocol::refusal::No::Busy`] if the keys cannot be read or made. The log has the reason.
    pub(crate) async fn signing(&self) -> Result<Arc<Held>, Refusal> {
        let held = self.signer.held();
        if held.is_complete() {
            return Ok(held);
        }
        // Boxed because only the first request of an installation comes here.
        Box::pin(self.first_keys()).await
    }

    async fn first_keys(&self) -> Result<Arc<Held>, Refusal> {
        let _one = self.signer.making.lock().await;
        let (store, keys) = (&*self.store, self.keys());
        if !self.signer.held().is_complete() {
            let made = Place { store, keys: &keys, now: self.clock.now() }.ensure().await;
            made.map_err(|cause| {
                tracing::error!(cause, "there are no signing keys, and none could be made");
                busy()
            })?;
            self.signer.reload(store, &keys).await.map_err(|cause| {
                tracing::error!(%cause, "the signing keys could not be read");
                busy()
            })?;
        }
        let held = self.signer.held();
        if held.is_complete() {
            return Ok(held);
        }
        tracing::error!("a signing key in the store cannot be used; the log says which one since it was read");
        Err(busy())
    }

    /// Signs the messages that the judge decided, and puts them into the answer. A signature takes at most a millisecond (RS256),
    /// so it is made on the spot.
    ///
    /// # Errors
    /// The inner error is [`protocol::refusal::No::Busy`] if there is no key. The outer one means that the call does not take the
    /// signature. In both cases nothing may be written.
    pub(super) async fn sign<C: Call>(
        &self,
        yes: &mut C::Yes,
        messages: &[(Field, ToSign)],
    ) -> Result<Result<(), Refusal>, Fault> {
        if messages.is_empty() {
            return Ok(Ok(()));
        }
        let held = match self.signing().await {
            Ok(held) => held,
            Err(refusal) => return Ok(Err(refusal)),
        };
        for (field, message) in messages {
            let Some(signed) = self.signed(&held, message) else { return Ok(Err(busy())) };
            if !C::take_signed(yes, *field, &signed) {
                return Err(Fault::Unsigned(field.as_str()));
            }
        }
        Ok(Ok(()))
    }

    fn signed(&self, held: &Held, message: &ToSign) -> Option<Secret> {
        let key = held.active.iter().find(|key| key.algorithm() == message.algorithm());
        let signed = key.and_then(|key| key.sign(message, &self.signer.random));
        if signed.is_none() {
            tracing::error!(algorithm = message.algorithm().as_str(), "there is no key that can sign this");
        }
        signed
    }
}

#[cfg(test)]
mod tests {
    use dialect::{Dialect, Dialects};
    use protocol::jose::Jws;
    use protocol::line::{Facts, Turn, Wants};
    use protocol::model::EventKind;
    use protocol::refusal::No;
    use protocol::time::UnixTime;
    use serde_json::Map;
    use store::{EventFilter, Memory};
    use zeroize::Zeroizing;

    use super::*;
    use crate::app::Setup;
    use crate::clock::Clock;
    use crate::config::settings::Settings;
    use crate::entropy::Source;
    use crate::http::FoundOnce;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    /// A call that writes an event and has a message signed.
    struct Signs {
        algorithm: Algorithm,
        takes: bool,
    }

    impl Call for Signs {
        type Yes = (bool, Option<Secret>);

        fn wants(&self) -> Wants {
            Wants::default()
        }

        fn decide(&self, _facts: &Facts, turn: &mut Turn<'_>) -> Result<Self::Yes, Refusal> {
            turn.note(EventKind::BackupMade, None, None, "signed");
            turn.sign(Field::AccessToken, ToSign::new("JWT", self.algorithm, Map::new()).lasting(turn.now, 60));
            Ok((self.takes, None))
        }

        fn take_signed(yes: &mut Self::Yes, field: Field, text: &Secret) -> bool {
            yes.1 = (field == Field::AccessToken).then(|| text.clone());
            yes.0
        }
    }

    async fn app(store: &Arc<dyn Store>) -> Arc<App> {
        let settings = Settings::new("https://auth.example");
        let standard = Dialect::load("standard", &[]).expect("the shipped dialect is sound");
        let setup = Setup {
            store: Arc::clone(store),
            dialects: Dialects::new(&settings.issuer, vec![standard], &[]).expect("it waives nothing"),
            policies: Vec::new(),
            master: Zeroizing::new([7; 32]),
            settings,
            clock: Clock::fixed(NOW),
            entropy: Source::seeded([1; 32]),
        };
        App::open(setup).await.expect("the store works")
    }

    async fn asked(app: &App, algorithm: Algorithm, takes: bool) -> Result<Result<Secret, No>, Fault> {
        let policy = Arc::clone(app.house_policy());
        let verdict = app.turn(&policy, &FoundOnce::default(), "192.0.2.1", Signs { algorithm, takes }).await?;
        Ok(verdict.map(|(_, text)| text.expect("it was signed")).map_err(|refusal| refusal.no))
    }

    async fn events(store: &dyn Store) -> usize {
        store.events(EventFilter { rows_max: 99, ..EventFilter::default() }).await.unwrap().len()
    }

    #[tokio::test]
    async fn the_key_set_that_was_told_before_verifies_every_signature_of_every_node() {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let (one, two) = (app(&store).await, app(&store).await);
        let told = KeySet::parse(&one.signing().await.unwrap().document()).unwrap();
        for app in [&one, &two] {
            for algorithm in Algorithm::ALL.iter().copied() {
                let text = asked(app, algorithm, true).await.unwrap().unwrap();
                let jws = Jws::read(text.reveal().to_owned(), "JWT").unwrap();
                assert_eq!(jws.check_signature(&told), Ok(()), "{algorithm}");
            }
        }
        assert_eq!(events(&*store).await, 8, "what was decided is written");
    }

    #[tokio::test]
    async fn nothing_is_written_for_an_answer_that_has_no_place_for_its_signature() {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let app = app(&store).await;
        assert!(matches!(asked(&app, Algorithm::Es256, false).await, Err(Fault::Unsigned("access_token"))));
        assert_eq!(events(&*store).await, 0);
    }

    #[tokio::test]
    async fn nothing_is_written_and_nothing_is_told_of_a_key_that_does_not_open() {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let other = Keys::derive(&[8; 32], &[]);
        Place { store: &*store, keys: &other, now: NOW }.ensure().await.unwrap();
        let app = app(&store).await;
        assert_eq!(asked(&app, Algorithm::Es256, true).await.unwrap().unwrap_err(), No::Busy);
        assert_eq!(events(&*store).await, 0);
        assert!(app.signing().await.is_err());
        assert!(app.signer.held().public().is_none());
    }
}
