//! The signing keys in the store: they are made, rotated and removed here. Several nodes and commands may do so at the same
//! time. Numbers and versions of the rows make sure that one of them wins, and the others read what it wrote.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use protocol::crypto::keys::Keys;
use protocol::jose::Algorithm;
use protocol::jose::sign::PrivateKey;
use protocol::line::Write;
use protocol::model::{Event, EventKind, SigningKey, SigningKeyState};
use protocol::operate::signing_keys::{due, lacking, outlived, promote, wait_s};
use protocol::time::UnixTime;
use store::{CommitError, Store};
use zeroize::Zeroizing;

use crate::entropy::Source;

/// The purpose that private keys are sealed for.
const PURPOSE: &str = "signing key";

/// The actor in the audit events of the server's own task.
const SERVER: &str = "server";

/// Maximum number of attempts when the keys are changed concurrently.
const ATTEMPTS_MAX: u32 = 5;

/// What a rotation by command must respect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// True if the next keys sign at once, even if cached key sets do not have them yet.
    pub is_immediate: bool,
    /// True if the retired keys are removed, so that nothing that they signed can be verified.
    pub drops_retired: bool,
}

/// The store, the keys that seal private keys, and the time.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The store.
    pub store: &'a dyn Store,
    /// The keys of the installation.
    pub keys: &'a Keys,
    /// The current time.
    pub now: UnixTime,
}

impl std::fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Place({:?})", self.now)
    }
}

impl Place<'_> {
    /// Makes the active keys that are missing. Returns all keys.
    ///
    /// # Errors
    /// A message for the operator.
    pub async fn ensure(self) -> Result<Vec<SigningKey>, String> {
        self.fill(SigningKeyState::Active).await
    }

    /// Does what is due: removes keys that no token needs, makes the missing ones, and lets a next key take over from one that has
    /// signed for `every_s` seconds.
    ///
    /// # Errors
    /// A message for the operator.
    pub async fn maintain(self, every_s: u64) -> Result<(), String> {
        let rows = self.ensure().await?;
        let mut writes: Vec<Write> = outlived(&rows, self.now).into_iter().map(Write::DropSigningKey).collect();
        for algorithm in due(&rows, every_s, self.now) {
            writes.extend(self.promotion(&rows, algorithm, SERVER));
        }
        // If another node was faster, it did the same.
        self.commit(writes).await?;
        self.fill(SigningKeyState::Next).await.map(drop)
    }

    /// Lets the next key of every algorithm sign, and makes new next keys. Returns all keys.
    ///
    /// # Errors
    /// A message for the operator.
    pub async fn rotate(self, rotation: Rotation, actor: &str) -> Result<Vec<SigningKey>, String> {
        self.ensure().await?;
        let rows = self.fill(SigningKeyState::Next).await?;
        let waits = Algorithm::ALL.iter().filter_map(|algorithm| wait_s(&rows, *algorithm, self.now));
        let wait_s = waits.max().unwrap_or_default();
        if wait_s > 0 && !rotation.is_immediate {
            return Err(format!(
                "a next key is too new: applications that fetched the key set before it was made could not verify its \
                 signatures. Wait for {} minutes; or, if a private key leaked, say --now",
                wait_s.div_ceil(60)
            ));
        }
        let mut writes = Vec::new();
        for algorithm in Algorithm::ALL {
            writes.extend(self.promotion(&rows, *algorithm, actor));
        }
        if !self.commit(writes).await? {
            return Err("somebody else is changing the signing keys; try again".to_owned());
        }
        let rows = self.fill(SigningKeyState::Next).await?;
        if !rotation.drops_retired {
            return Ok(rows);
        }
        let retired = rows.iter().filter(|row| row.state() == SigningKeyState::Retired);
        self.commit(retired.map(|row| Write::DropSigningKey(row.number)).collect()).await?;
        self.rows().await
    }

    /// Opens the private key of a row. Returns `None` if the master key is not the one that sealed it, or if the row was altered.
    #[must_use]
    pub fn opened(self, row: &SigningKey) -> Option<PrivateKey> {
        let algorithm = row.known_algorithm()?;
        let pkcs8 = self.keys.open_kept(PURPOSE, &context(algorithm, &row.kid), &row.sealed).map(Zeroizing::new)?;
        PrivateKey::parse(algorithm, &pkcs8).filter(|key| key.kid() == row.kid)
    }

    async fn rows(self) -> Result<Vec<SigningKey>, String> {
        self.store.signing_keys().await.map_err(|fault| fault.to_string())
    }

    /// Makes a key in this state for every algorithm that lacks one. Returns all keys.
    async fn fill(self, state: SigningKeyState) -> Result<Vec<SigningKey>, String> {
        for _ in 0..ATTEMPTS_MAX {
            let rows = self.rows().await?;
            let missing = lacking(&rows, state);
            if missing.is_empty() {
                return Ok(rows);
            }
            // A number always means the same key, so no number is reused.
            let mut number = rows.iter().map(|row| row.number).max().unwrap_or_default();
            let mut writes = Vec::new();
            for algorithm in missing {
                number = number.checked_add(1).ok_or("all numbers of signing keys were given")?;
                let row = self.make(number, algorithm, state).await?;
                writes.push(Write::PutSigningKey(Box::new(row)));
            }
            // If another process made keys at the same time, its keys are used.
            self.commit(writes).await?;
        }
        Err("somebody else is changing the signing keys; try again".to_owned())
    }

    async fn make(self, number: u32, algorithm: Algorithm, state: SigningKeyState) -> Result<SigningKey, String> {
        let cannot = || format!("a key for {algorithm} could not be made");
        // An RSA key takes some tenths of a second.
        let made = tokio::task::spawn_blocking(move || generate(algorithm)).await;
        let pkcs8 = made.ok().flatten().ok_or_else(cannot)?;
        let kid = PrivateKey::parse(algorithm, &pkcs8).ok_or_else(cannot)?.kid().to_owned();
        let mut entropy = Source::System.for_turn(0);
        let sealed = self.keys.keep(PURPOSE, &context(algorithm, &kid), &pkcs8, &mut entropy);
        let active_at = (state == SigningKeyState::Active).then_some(self.now);
        Ok(SigningKey {
            number,
            version: 1,
            algorithm: algorithm.as_str().to_owned(),
            kid,
            sealed,
            created_at: self.now,
            active_at,
            retired_at: None,
        })
    }

    /// Returns the writes of a rotation, with its audit event.
    fn promotion(self, rows: &[SigningKey], algorithm: Algorithm, actor: &str) -> Vec<Write> {
        let mut writes = promote(rows, algorithm, self.now);
        let promoted = writes.iter().find_map(|write| {
            let Write::PutSigningKey(row) = write else { return None };
            (row.state() == SigningKeyState::Active).then(|| row.kid.clone())
        });
        writes.extend(promoted.map(|kid| {
            Write::Note(Event {
                at: self.now,
                kind: EventKind::KeyRotated,
                user: None,
                client: None,
                address: String::new(),
                detail: format!("signing key {algorithm} {kid}"),
                actor: Some(actor.to_owned()),
            })
        }));
        writes
    }

    /// Commits changes of keys. Returns false if another process was faster.
    async fn commit(self, writes: Vec<Write>) -> Result<bool, String> {
        if writes.is_empty() {
            return Ok(true);
        }
        match self.store.commit(writes.into()).await {
            Ok(()) => Ok(true),
            Err(CommitError::Lost) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The context that a private key is sealed in: a sealed key that is moved to another row does not open.
fn context(algorithm: Algorithm, kid: &str) -> Vec<u8> {
    format!("{algorithm} {kid}").into_bytes()
}

/// Makes a private key in PKCS#8.
fn generate(algorithm: Algorithm) -> Option<Zeroizing<Vec<u8>>> {
    let random = SystemRandom::new();
    let pkcs8 = match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 => {
            let pair = KeyPair::generate(KeySize::Rsa2048).ok()?;
            let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
            der.as_ref().to_vec()
        }
        Algorithm::Es256 => {
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).ok()?.as_ref().to_vec()
        }
        Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random).ok()?.as_ref().to_vec(),
    };
    Some(Zeroizing::new(pkcs8))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use protocol::operate::signing_keys::{PUBLISHED_FOR_S, RETIRED_FOR_S};
    use store::{Memory, Mode};
    use tokio::task::JoinSet;

    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);
    const EVERY_S: u64 = 90 * 86_400;

    fn keys(master: u8) -> Keys {
        Keys::derive(&[master; 32], &[])
    }

    /// Each key as its number, algorithm and state.
    async fn told(store: &dyn Store) -> String {
        let rows = store.signing_keys().await.unwrap();
        let told = rows.iter().map(|row| format!("{} {} {}", row.number, row.algorithm, row.state().as_str()));
        told.collect::<Vec<_>>().join(", ")
    }

    #[tokio::test]
    async fn keys_are_made_published_promoted_and_removed_in_their_time() {
        let (store, keys) = (Memory::default(), keys(1));
        let at = |now| Place { store: &store, keys: &keys, now };
        at(NOW).maintain(EVERY_S).await.unwrap();
        let first = "1 RS256 active, 2 PS256 active, 3 ES256 active, 4 EdDSA active, 5 RS256 next, 6 PS256 next, 7 ES256 next, \
            8 EdDSA next";
        assert_eq!(told(&store).await, first);
        at(NOW.plus(EVERY_S - 1)).maintain(EVERY_S).await.unwrap();
        assert_eq!(told(&store).await, first, "it is too early");
        let due = NOW.plus(EVERY_S);
        at(due).maintain(EVERY_S).await.unwrap();
        assert_eq!(
            told(&store).await,
            "1 RS256 retired, 2 PS256 retired, 3 ES256 retired, 4 EdDSA retired, 5 RS256 active, 6 PS256 active, \
             7 ES256 active, 8 EdDSA active, 9 RS256 next, 10 PS256 next, 11 ES256 next, 12 EdDSA next"
        );
        at(due.plus(RETIRED_FOR_S)).maintain(EVERY_S).await.unwrap();
        assert!(told(&store).await.starts_with("5 RS256 active"), "{}", told(&store).await);
    }

    #[tokio::test]
    async fn a_private_key_opens_with_its_master_key_in_its_own_row_only() {
        let (store, own, other) = (Memory::default(), keys(1), keys(2));
        let place = Place { store: &store, keys: &own, now: NOW };
        let rows = place.ensure().await.unwrap();
        for row in &rows {
            let key = place.opened(row).expect("it opens");
            assert_eq!((key.kid(), key.algorithm().as_str()), (row.kid.as_str(), row.algorithm.as_str()));
        }
        assert!(Place { keys: &other, ..place }.opened(&rows[0]).is_none());
        let swapped = SigningKey { algorithm: rows[1].algorithm.clone(), ..rows[0].clone() };
        assert!(place.opened(&swapped).is_none(), "a key for RS256 does not become one for PS256");
        assert!(place.opened(&SigningKey { kid: rows[1].kid.clone(), ..rows[0].clone() }).is_none());
    }

    #[tokio::test]
    async fn one_key_of_each_algorithm_is_active_however_many_nodes_begin_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("g.db").display());
        let store = store::open(&url, Mode::Create).await.unwrap();
        let begin = |_| {
            let store = Arc::clone(&store);
            async move { Place { store: &*store, keys: &keys(1), now: NOW }.maintain(EVERY_S).await.unwrap() }
        };
        (0..3).map(begin).collect::<JoinSet<_>>().join_all().await;
        let rows = store.signing_keys().await.unwrap();
        for state in [SigningKeyState::Active, SigningKeyState::Next] {
            assert_eq!(rows.iter().filter(|row| row.state() == state).count(), Algorithm::ALL.len());
        }
    }

    #[tokio::test]
    async fn a_command_rotates_at_once_only_if_it_says_so_and_drops_retired_keys_only_if_told_to() {
        let (store, keys) = (Memory::default(), keys(1));
        let at = |now| Place { store: &store, keys: &keys, now };
        at(NOW).maintain(EVERY_S).await.unwrap();
        let usual = Rotation { is_immediate: false, drops_retired: false };
        let error = at(NOW.plus(60)).rotate(usual, "root").await.unwrap_err();
        assert!(error.contains("Wait for 64 minutes"), "{error}");
        let later = NOW.plus(PUBLISHED_FOR_S);
        at(later).rotate(usual, "root").await.unwrap();
        assert_eq!(told(&store).await.matches("retired").count(), 4);
        let leaked = Rotation { is_immediate: true, drops_retired: true };
        let rows = at(later.plus(1)).rotate(leaked, "root").await.unwrap();
        assert!(rows.iter().all(|row| row.number > 8), "{}", told(&store).await);
        assert_eq!(lacking(&rows, SigningKeyState::Active), []);
        let list: &dyn Store = &store;
        let events = list.events(::store::EventFilter { rows_max: 99, ..Default::default() }).await.unwrap();
        assert!(events.iter().all(|noted| noted.event.detail.starts_with("signing key ")), "{events:?}");
        assert_eq!(events.len(), 8);
    }
}
