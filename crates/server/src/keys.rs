//! The keys of the installation: the master key, which is created if there is none yet, and the ring of sealing keys in
//! the store.

use std::io::Write as _;
use std::path::Path;

use protocol::crypto::keys::{Keys, fingerprint};
use protocol::line::Write;
use protocol::model::{Event, EventKind, SealKey};
use protocol::time::UnixTime;
use store::{CommitError, Store};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::config::configuration::Master;
use crate::config::files::{plain, read_master};
use crate::config::value::written_master;
use crate::entropy::Source;

/// Maximum number of sealing keys. The newest one seals, and older ones only open what they sealed.
pub const RING_MAX: usize = 2;

/// The name of the lease that every server takes at its start. Its trace shows that a store was in service.
pub const SERVING: &str = "serve";

/// Maximum number of attempts when the ring is changed concurrently.
const ATTEMPTS_MAX: u32 = 5;

/// Opens the keys of an installation. Creates the master key and the first sealing key if there are none yet.
///
/// # Errors
/// A message for the operator.
pub async fn open(master: &Master, store: &dyn Store) -> Result<Keys, String> {
    let master = master_key(master, store).await?;
    let ring = store.seal_keys().await.map_err(|fault| fault.to_string())?;
    let ring = if ring.is_empty() { begin(store).await? } else { ring };
    Ok(derive(&master, &ring))
}

/// Returns the master key. Creates it if there is none yet and the store was never used.
///
/// # Errors
/// A message for the operator.
pub async fn master_key(master: &Master, store: &dyn Store) -> Result<Zeroizing<[u8; 32]>, String> {
    match master {
        Master::Known(key) => {
            compare(key, store).await?;
            Ok(key.clone())
        }
        Master::Fleeting => Ok(fresh()),
        Master::Absent(path) => {
            let said = |fault: store::Fault| fault.to_string();
            let is_used = !store.seal_keys().await.map_err(said)?.is_empty();
            if is_used || store.master_fingerprint().await.map_err(said)?.is_some() {
                return Err(lost(path));
            }
            let key = make(path)?;
            compare(&key, store).await?;
            Ok(key)
        }
    }
}

/// Compares an existing master key with the one that the store was created with. The first comparison notes its
/// fingerprint.
///
/// # Errors
/// A message for the operator.
pub async fn verify(master: &Master, store: &dyn Store) -> Result<(), String> {
    match master {
        Master::Known(key) => compare(key, store).await,
        Master::Absent(_) | Master::Fleeting => Ok(()),
    }
}

async fn compare(key: &[u8; 32], store: &dyn Store) -> Result<(), String> {
    let own = fingerprint(key);
    let noted = match store.master_fingerprint().await.map_err(|fault| fault.to_string())? {
        Some(noted) => noted,
        None => store.note_master_fingerprint(own).await.map_err(|fault| fault.to_string())?,
    };
    if noted == own { Ok(()) } else { Err(ANOTHER.to_owned()) }
}

/// The message for the operator if the master key is not that of the store.
pub const ANOTHER: &str = "the master key is not the one that this store was made with: its second factors and tokens are \
    worth nothing under another key. Put the right key back from your backup, or name its place in `keys.master_file`; every \
    node of one database needs the same key";

fn lost(path: &Path) -> String {
    format!(
        "the master key {} is missing, but the store is in use: its second factors and tokens are worth nothing without \
         it. Put the key back from your backup, or name its place in `keys.master_file`",
        path.display()
    )
}

/// Derives the keys from the master key and the ring, the newest sealing key first.
#[must_use]
pub fn derive(master: &[u8; 32], ring: &[SealKey]) -> Keys {
    let numbers: Vec<u32> = ring.iter().rev().map(|key| key.number).collect();
    Keys::derive(master, &numbers)
}

/// Adds the first sealing key to an empty store. If another process does so at the same time, its key is used.
async fn begin(store: &dyn Store) -> Result<Vec<SealKey>, String> {
    for _ in 0..ATTEMPTS_MAX {
        let first = SealKey { number: 1, created_at: Clock::System.now() };
        match store.commit([Write::PutSealKey(first)].into()).await {
            Ok(()) | Err(CommitError::Lost) => {}
            Err(error) => return Err(error.to_string()),
        }
        let ring = store.seal_keys().await.map_err(|fault| fault.to_string())?;
        if !ring.is_empty() {
            return Ok(ring);
        }
    }
    Err("the store does not keep its first sealing key".to_owned())
}

/// Adds a new sealing key, and drops keys beyond [`RING_MAX`]. Returns the ring, oldest first. `actor` is recorded in
/// the audit event.
///
/// # Errors
/// A message for the operator.
pub async fn rotate(store: &dyn Store, actor: String) -> Result<Vec<SealKey>, String> {
    rotate_before(store, UnixTime::NEVER, Some(actor)).await
}

/// As [`rotate`], but only if the newest sealing key was created before `moment`. If several nodes call this at the
/// same time, only one rotation takes place: a second one would drop the key that sealed the pages which people have
/// open.
///
/// # Errors
/// Those of [`rotate`].
pub async fn rotate_older(store: &dyn Store, moment: UnixTime) -> Result<Vec<SealKey>, String> {
    rotate_before(store, moment, None).await
}

async fn rotate_before(store: &dyn Store, moment: UnixTime, actor: Option<String>) -> Result<Vec<SealKey>, String> {
    for _ in 0..ATTEMPTS_MAX {
        let mut ring = store.seal_keys().await.map_err(|fault| fault.to_string())?;
        if ring.last().is_some_and(|newest| newest.created_at >= moment) {
            return Ok(ring);
        }
        let now = Clock::System.now();
        // A number always means the same key, so no number is reused.
        let last = ring.iter().map(|key| key.number).max().unwrap_or_default();
        let number = last.checked_add(1).ok_or("all numbers of sealing keys were given")?;
        ring.push(SealKey { number, created_at: now });
        let mut changes = vec![Write::PutSealKey(SealKey { number, created_at: now })];
        while ring.len() > RING_MAX {
            changes.push(Write::DropSealKey(ring.remove(0).number));
        }
        changes.push(Write::Note(Event {
            at: now,
            kind: EventKind::KeyRotated,
            user: None,
            client: None,
            address: String::new(),
            detail: format!("sealing key {number}"),
            actor: actor.clone(),
        }));
        match store.commit(changes.into()).await {
            Ok(()) => return Ok(ring),
            Err(CommitError::Lost) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("somebody else is changing the keys; try again".to_owned())
}

/// Returns 32 random bytes.
#[must_use]
pub fn fresh() -> Zeroizing<[u8; 32]> {
    Zeroizing::new(Source::System.draw())
}

/// Creates a master key in a file that only its owner can read. If two processes do so at the same time, both get the
/// key of the first.
///
/// # Errors
/// A message for the operator.
pub fn make(path: &Path) -> Result<Zeroizing<[u8; 32]>, String> {
    let key = fresh();
    if write(path, &key)? {
        tracing::info!(path = %path.display(), "made the master key; back it up apart from the database");
        return Ok(key);
    }
    read_master(path)
}

/// Writes a master key to a new file that only its owner can read. Returns false if another process was faster.
///
/// # Errors
/// A message for the operator.
pub fn write(path: &Path, key: &[u8; 32]) -> Result<bool, String> {
    let cannot = |error: std::io::Error| {
        format!("the master key {} cannot be made: {error}", path.display(), error = plain(&error))
    };
    // Written under a temporary name first and then linked, so that no process reads a partial key.
    let draft = path.with_extension(format!("key.{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&draft).and_then(|mut file| {
        writeln!(file, "{}", &*written_master(key))?;
        file.sync_all()
    });
    // The directory entry must be on disk, too, because everything sealed from now on needs this key.
    let linked = written.and_then(|()| std::fs::hard_link(&draft, path)).and_then(|()| sync_folder(path));
    // The temporary file is removed in any case. A failure to remove it is ignored.
    let _ = std::fs::remove_file(&draft);
    match linked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && path.exists() => Ok(false),
        Err(error) => Err(cannot(error)),
    }
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::crypto::entropy::Entropy;
    use std::sync::Arc;
    use store::{Memory, Mode};
    use tokio::task::JoinSet;

    #[tokio::test]
    async fn the_first_opening_makes_a_key_and_the_second_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("grantry.db.key");
        let store = Memory::default();
        open(&Master::Absent(path.clone()), &store).await.unwrap();
        let again = read_master(&path).unwrap();
        assert_eq!(*make(&path).unwrap(), *again);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn nobody_else_can_read_the_master_key() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k");
        make(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_lost_master_key_is_not_replaced_in_silence() {
        let store = Memory::default();
        open(&Master::Fleeting, &store).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k");
        let error = open(&Master::Absent(path.clone()), &store).await.unwrap_err();
        assert!(error.contains("backup"), "{error}");
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn another_master_key_is_refused_and_changes_nothing() {
        let store = Memory::default();
        let known = |byte: u8| Master::Known(Zeroizing::new([byte; 32]));
        open(&known(1), &store).await.unwrap();
        let before = store.master_fingerprint().await;
        for _ in 0..2 {
            assert_eq!(open(&known(2), &store).await.unwrap_err(), ANOTHER);
            assert_eq!(verify(&known(2), &store).await.unwrap_err(), ANOTHER);
        }
        assert_eq!(store.master_fingerprint().await, before);
        open(&known(1), &store).await.unwrap();
    }

    #[tokio::test]
    async fn a_store_that_knows_a_key_gets_no_new_one_although_it_has_no_sealing_keys() {
        let store = Memory::default();
        verify(&Master::Known(Zeroizing::new([1; 32])), &store).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        assert!(open(&Master::Absent(folder.path().join("k")), &store).await.unwrap_err().contains("backup"));
    }

    #[tokio::test]
    async fn what_was_sealed_before_a_rotation_opens_after_one_and_not_after_two() {
        let store: &dyn Store = &Memory::default();
        open(&Master::Fleeting, store).await.unwrap();
        let master = [3; 32];
        let before = derive(&master, &store.seal_keys().await.unwrap());
        let sealed = before.seal("page", b"", b"x", &mut Entropy::seeded([1; 32], 1));
        assert!(derive(&master, &rotate(store, "root".into()).await.unwrap()).open("page", b"", &sealed).is_some());
        assert!(derive(&master, &rotate(store, "root".into()).await.unwrap()).open("page", b"", &sealed).is_none());
    }

    #[tokio::test]
    async fn numbers_of_sealing_keys_grow_beyond_a_byte_and_never_come_back() {
        let store: &dyn Store = &Memory::default();
        for number in [255, 0] {
            let key = SealKey { number, created_at: UnixTime(1_000) };
            store.commit([Write::PutSealKey(key)].into()).await.unwrap();
        }
        for expected in 256..260 {
            assert_eq!(rotate(store, String::new()).await.unwrap().last().unwrap().number, expected);
        }
    }

    #[tokio::test]
    async fn a_sealing_key_that_is_old_enough_is_followed_by_one_however_many_want_it() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("g.db").display());
        let store = store::open(&url, Mode::Create).await.unwrap();
        let first = SealKey { number: 1, created_at: UnixTime(1_000) };
        store.commit([Write::PutSealKey(first)].into()).await.unwrap();
        assert_eq!(rotate_older(&*store, UnixTime(1_000)).await.unwrap(), [first], "it is not old enough");
        // Every process reads the ring before the first one writes.
        let rotate = |_| {
            let store = Arc::clone(&store);
            async move { rotate_older(&*store, UnixTime(1_001)).await.unwrap() }
        };
        (0..8).map(rotate).collect::<JoinSet<_>>().join_all().await;
        let ring = store.seal_keys().await.unwrap();
        assert_eq!(ring.iter().map(|key| key.number).collect::<Vec<_>>(), [1, 2]);
    }
}
