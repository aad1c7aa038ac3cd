//! The keys of the installation: the master key, made where there is none yet, and the ring of sealing keys in the store.

use std::io::Write;
use std::path::Path;

use protocol::keys::Keys;
use protocol::model::{Event, EventKind, SealKey};
use protocol::time::UnixTime;
use protocol::turn::Change;
use store::{CommitError, Store};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::config::{Master, written_master};
use crate::entropy::Source;

/// How many sealing keys open: the newest seals, those before it open what they sealed.
pub const RING_MAX: usize = 2;

/// The lease that whoever serves asks for when it starts: its trace tells that a store was in service.
pub const SERVING: &str = "serve";

/// How often a command looks again when somebody else changed the ring at the same time.
const ATTEMPTS_MAX: u32 = 5;

/// The keys of an installation. Makes the master key and the first sealing key where there are none yet.
///
/// # Errors
/// A sentence for the operator.
pub async fn open(master: &Master, store: &dyn Store) -> Result<Keys, String> {
    let master = master_key(master, store).await?;
    let ring = store.seal_keys().await.map_err(|fault| fault.to_string())?;
    let ring = if ring.is_empty() { begin(store).await? } else { ring };
    Ok(derive(&master, &ring))
}

/// The master key; made where there is none yet and the store was never used.
///
/// # Errors
/// A sentence for the operator.
pub async fn master_key(master: &Master, store: &dyn Store) -> Result<Zeroizing<[u8; 32]>, String> {
    match master {
        Master::Known(key) => Ok(key.clone()),
        Master::Fleeting => Ok(fresh()),
        Master::Absent(path) => {
            let ring = store.seal_keys().await.map_err(|fault| fault.to_string())?;
            if ring.is_empty() { make(path) } else { Err(lost(path)) }
        }
    }
}

fn lost(path: &Path) -> String {
    format!(
        "the master key {} is missing, but the store is in use: its second factors and tokens are worth nothing without \
         it. Put the key back from your backup, or name its place in `keys.master_file`",
        path.display()
    )
}

/// Keys from the master key and the ring, the newest sealing key first.
#[must_use]
pub fn derive(master: &[u8; 32], ring: &[SealKey]) -> Keys {
    let numbers: Vec<u8> = ring.iter().rev().map(|key| key.number).collect();
    Keys::derive(master, &numbers)
}

/// Puts the first sealing key into an empty store. Somebody else may do so at the same time: then it is theirs.
async fn begin(store: &dyn Store) -> Result<Vec<SealKey>, String> {
    for _ in 0..ATTEMPTS_MAX {
        let first = SealKey { number: 1, created_at: Clock::System.now() };
        match store.commit(vec![Change::PutSealKey(first)]).await {
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

/// A new sealing key takes over; only [`RING_MAX`] keep opening. Gives the ring, oldest first. `actor` is who wants it so.
///
/// # Errors
/// A sentence for the operator.
pub async fn rotate(store: &dyn Store, actor: String) -> Result<Vec<SealKey>, String> {
    rotate_before(store, UnixTime::NEVER, Some(actor)).await
}

/// As [`rotate`], if the newest sealing key was made before `moment`; else the ring stays as it is. However many nodes do
/// so at once, one rotation comes of it: two would drop the key that sealed the pages people have before them.
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
        // Numbers go round; one that still opens something is never taken again.
        let last = ring.last().map_or(0, |key| key.number);
        let is_free = |number: &u8| ring.iter().all(|key| key.number != *number);
        let number = (1..=u8::MAX).map(|step| last.wrapping_add(step)).find(is_free).ok_or("no number is free")?;
        ring.push(SealKey { number, created_at: now });
        let mut changes = vec![Change::PutSealKey(SealKey { number, created_at: now })];
        while ring.len() > RING_MAX {
            changes.push(Change::DropSealKey(ring.remove(0).number));
        }
        changes.push(Change::Note(Event {
            at: now,
            kind: EventKind::KeyRotated,
            user: None,
            client: None,
            address: String::new(),
            detail: format!("sealing key {number}"),
            actor: actor.clone(),
        }));
        match store.commit(changes).await {
            Ok(()) => return Ok(ring),
            Err(CommitError::Lost) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("somebody else is changing the keys; try again".to_owned())
}

/// 32 random bytes.
#[must_use]
pub fn fresh() -> Zeroizing<[u8; 32]> {
    Zeroizing::new(Source::System.draw())
}

/// Makes a master key in a file that only its owner can read. When two processes do so at once, the first one wins and
/// both have the same key.
///
/// # Errors
/// A sentence for the operator.
pub fn make(path: &Path) -> Result<Zeroizing<[u8; 32]>, String> {
    let key = fresh();
    if write(path, &key)? {
        tracing::info!(path = %path.display(), "made the master key; back it up apart from the database");
        return Ok(key);
    }
    crate::config::read_master(path)
}

/// Writes a master key into a new file that only its owner can read. Says no when somebody else was faster.
///
/// # Errors
/// A sentence for the operator.
pub fn write(path: &Path, key: &[u8; 32]) -> Result<bool, String> {
    let cannot = |error: std::io::Error| format!("the master key {} cannot be made: {error}", path.display());
    // Written under another name first and then linked, so that nobody ever reads half a key.
    let draft = path.with_extension(format!("key.{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&draft).and_then(|mut file| {
        writeln!(file, "{}", &*written_master(key))?;
        file.sync_all()
    });
    // The name must be on disk too: what is sealed in the store from now on is worth nothing without this key.
    let linked = written.and_then(|()| std::fs::hard_link(&draft, path)).and_then(|()| sync_folder(path));
    // The draft goes in any case; that it cannot go is no reason to do without a key.
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
    use protocol::turn::Entropy;
    use std::sync::Arc;
    use store::{Memory, Mode};
    use tokio::task::JoinSet;

    #[tokio::test]
    async fn the_first_opening_makes_a_key_and_the_second_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("grantry.db.key");
        let store = Memory::default();
        open(&Master::Absent(path.clone()), &store).await.unwrap();
        let again = crate::config::read_master(&path).unwrap();
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
    async fn a_sealing_key_that_is_old_enough_is_followed_by_one_however_many_want_it() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("g.db").display());
        let store = store::open(&url, Mode::Create).await.unwrap();
        let first = SealKey { number: 1, created_at: UnixTime(1_000) };
        store.commit(vec![Change::PutSealKey(first)]).await.unwrap();
        assert_eq!(rotate_older(&*store, UnixTime(1_000)).await.unwrap(), [first], "it is not old enough");
        // They all look before the first one of them writes.
        let rotate = |_| {
            let store = Arc::clone(&store);
            async move { rotate_older(&*store, UnixTime(1_001)).await.unwrap() }
        };
        (0..8).map(rotate).collect::<JoinSet<_>>().join_all().await;
        let ring = store.seal_keys().await.unwrap();
        assert_eq!(ring.iter().map(|key| key.number).collect::<Vec<_>>(), [1, 2]);
    }
}
