//! `grantry db backup` and `grantry db restore`: all rows in one file, optionally with the master key, encrypted by a
//! passphrase.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use protocol::crypto::keys::fingerprint;
use protocol::passphrase;
use protocol::secret::Secret;
use serde_json::json;
use store::Mode;
use zeroize::Zeroizing;

use super::moving;
use crate::cli::answer::{Answer, CommandError};
use crate::cli::input;
use crate::cli::installation::Installation;
use crate::config::{Master, plain, read_master};
use crate::keys;

/// Where a passphrase comes from.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub(crate) struct PassphraseFrom {
    /// Read the passphrase that seals the master key from standard input.
    #[arg(long)]
    passphrase_stdin: bool,
    /// Read the passphrase that seals the master key from this file.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseFrom {
    fn read(&self) -> Result<Option<Secret>, CommandError> {
        match &self.passphrase_file {
            Some(path) => input::file(path).map(Some),
            None if self.passphrase_stdin => input::stdin("the passphrase").map(Some),
            None => Ok(None),
        }
    }
}

/// A backup that is being written. The file has a temporary name until it is complete, so that an incomplete file is
/// never taken for a backup.
struct Partial<'f> {
    file: &'f Path,
    path: PathBuf,
}

impl<'f> Partial<'f> {
    /// Creates the file under its temporary name. Fails if either file exists.
    fn begin(file: &'f Path) -> Result<Self, CommandError> {
        if file.exists() {
            return Err(CommandError::no(format!("{} is there already: name a new file", file.display())));
        }
        let path = with_ending(file, ".partial");
        match File::options().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(_) => Ok(Self { file, path }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(CommandError::no(format!(
                "{} is there already: it is half a backup, of one that broke off or is being made. Remove it, unless the \
                 latter",
                path.display()
            ))),
            Err(error) => Err(CommandError::no(format!("{} cannot be made: {}", path.display(), plain(&error)))),
        }
    }

    /// Syncs the file to disk, and gives it its final name.
    fn end(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()?;
        fs::rename(&self.path, self.file)?;
        // Sync the directory too, so that the new name is durable.
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    /// Removes the temporary files. Errors are ignored.
    fn give_up(&self) {
        for ending in ["", "-wal", "-shm", "-journal"] {
            let _ = fs::remove_file(with_ending(&self.path, ending));
        }
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Runs `grantry db backup`.
pub(super) async fn backup(
    file: &Path,
    from: &PassphraseFrom,
    installation: &Installation,
) -> Result<Answer, CommandError> {
    let sealed = match from.read()? {
        None => None,
        Some(passphrase) => {
            let Master::Known(key) = &installation.configuration.master else {
                return Err(CommandError::no(
                    "there is no master key yet, and so nothing to back up; start the server once",
                ));
            };
            let sealed = passphrase::seal(&passphrase, &**key, &mut installation.entropy());
            Some(sealed.map_err(|error| CommandError::no(error.to_string()))?)
        }
    };
    let partial = Partial::begin(file)?;
    if let Err(stop) = write(&partial, sealed.as_deref(), installation).await {
        partial.give_up();
        return Err(stop);
    }
    let bytes = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
    let key = if sealed.is_some() {
        "The master key is in it, sealed by the passphrase: without that, the backup is worth nothing."
    } else {
        "It is worth nothing without the master key: keep a copy of that in another place, or seal it into the backup \
         with --passphrase-stdin."
    };
    let text = format!("Wrote {} ({bytes} bytes). {key}", file.display());
    let document = json!({"file": file.display().to_string(), "bytes": bytes, "has_master_key": sealed.is_some()});
    Ok(Answer::new(document, text))
}

async fn write(partial: &Partial<'_>, sealed: Option<&[u8]>, installation: &Installation) -> Result<(), CommandError> {
    installation.store.backup(&partial.path).await?;
    if let Some(sealed) = sealed {
        store::enclose(&partial.path, sealed)?;
    }
    partial.end().map_err(|error| CommandError::no(format!("{} cannot be written: {error}", partial.file.display())))
}

/// Runs `grantry db restore`: fills an empty store from a backup, and writes the master key to its file.
pub(super) async fn restore(
    file: &Path,
    from: &PassphraseFrom,
    master_file: Option<&Path>,
    config: &Path,
) -> Result<Answer, CommandError> {
    if !file.exists() {
        return Err(CommandError::no(format!("there is no file {}", file.display())));
    }
    let key = opened(file, from)?;
    // The configuration may name the file that is written here, so write it first.
    let mut written = None;
    if let Some((path, key)) = master_file.zip(key.as_ref()) {
        put(path, key)?;
        written = Some(path.to_owned());
    }
    let configuration = crate::cli::configuration::configuration(config)?;
    match (&configuration.master, &key) {
        (Master::Absent(path), Some(key)) => {
            put(path, key)?;
            written = Some(path.clone());
        }
        (Master::Absent(path), None) => {
            return Err(CommandError::no(format!(
                "the master key is missing: put it back at {} first, or give the passphrase of the backup with \
                 --passphrase-stdin",
                path.display()
            )));
        }
        (Master::Known(own), Some(key)) if **own != **key => {
            return Err(CommandError::no(
                "the configuration has another master key than the backup: what is in it could not be read",
            ));
        }
        _ => {}
    }
    let source = store::open(&format!("sqlite:{}", file.display()), Mode::Existing).await;
    let source = source.map_err(|error| CommandError::no(error.to_string()))?;
    // A backup holds the fingerprint of its master key, even if it does not hold the key.
    if let (Master::Known(own), Some(noted)) = (known(&configuration.master, key), source.master_fingerprint().await?)
        && fingerprint(&own) != noted
    {
        return Err(CommandError::no(format!("the backup: {}", keys::ANOTHER)));
    }
    let destination = store::open(&configuration.store_url, Mode::Create).await;
    let destination = destination.map_err(|error| CommandError::no(error.to_string()))?;
    if destination.greatest_id().await? != 0 || !destination.seal_keys().await?.is_empty() {
        return Err(CommandError::no(
            "the store is in use: a backup is restored into an empty one. Move it away, or name another in `store.url`",
        ));
    }
    let moved = moving::copy(&*source, &*destination).await?;
    let rows: u64 = moved.iter().map(|table| table.rows).sum();
    let mut text = format!("Restored {rows} rows from {}, and compared them from end to end.", file.display());
    if let Some(path) = &written {
        text += &format!("\nThe master key is in {}.", path.display());
    }
    Ok(Answer::new(json!({"rows": rows, "master_file": written.map(|path| path.display().to_string())}), text))
}

/// Returns the master key of the restored store: that of the configuration, or else that of the backup.
fn known(own: &Master, key: Option<Zeroizing<[u8; 32]>>) -> Master {
    match (own, key) {
        (Master::Absent(_), Some(key)) => Master::Known(key),
        _ => own.clone(),
    }
}

/// Decrypts the master key in a backup; `None` without a passphrase.
fn opened(file: &Path, from: &PassphraseFrom) -> Result<Option<Zeroizing<[u8; 32]>>, CommandError> {
    let Some(passphrase) = from.read()? else { return Ok(None) };
    let Some(sealed) = store::enclosed(file)? else {
        return Err(CommandError::no(format!("there is no master key in {}", file.display())));
    };
    let wrong = || CommandError::no("the passphrase does not open the backup");
    let plain = passphrase::open(&passphrase, &sealed).ok_or_else(wrong)?;
    let key: [u8; 32] = plain.as_slice().try_into().map_err(|_| wrong())?;
    Ok(Some(Zeroizing::new(key)))
}

/// Writes the master key to a new file. Does nothing if the file holds this key already.
fn put(path: &Path, key: &[u8; 32]) -> Result<(), CommandError> {
    if path.exists() {
        return match read_master(path) {
            Ok(own) if *own == *key => Ok(()),
            _ => Err(CommandError::no(format!(
                "{} is there already, with another key: move it away first",
                path.display()
            ))),
        };
    }
    keys::write(path, key).map(drop).map_err(CommandError::no)
}
