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
use crate::config::{Configuration, Master, plain, read_master};
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
    let mut written = Written::default();
    let done = fill(file, key, master_file, config, &mut written).await;
    if done.is_err() {
        written.take_back();
    }
    let rows = done?;
    let mut text = format!("Restored {rows} rows from {}, and compared them from end to end.", file.display());
    if let Some(path) = &written.path {
        text += &format!("\nThe master key is in {}.", path.display());
    }
    Ok(Answer::new(json!({"rows": rows, "master_file": written.path.map(|path| path.display().to_string())}), text))
}

/// Where the master key of the backup was put.
#[derive(Default)]
struct Written {
    path: Option<PathBuf>,
    /// True if the file was not there before.
    is_new: bool,
}

impl Written {
    /// Writes the master key into a file that is not there, or that has this key already.
    fn put(&mut self, path: &Path, key: &[u8; 32]) -> Result<(), CommandError> {
        self.is_new = !path.exists() && keys::write(path, key).map_err(CommandError::no)?;
        if !self.is_new && !read_master(path).is_ok_and(|own| *own == *key) {
            return Err(CommandError::no(format!(
                "{} has another key than the backup. {}",
                path.display(),
                move_away(path)
            )));
        }
        self.path = Some(path.to_owned());
        Ok(())
    }

    /// Removes the file again. A restore that failed leaves nothing behind.
    fn take_back(&self) {
        if let Some(path) = self.path.as_ref().filter(|_| self.is_new) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Says what to do with a file that has another key.
fn move_away(path: &Path) -> String {
    let path = path.display();
    format!(
        "If {path} was made for this restore, such as by `grantry init`, move it away with `mv {path} {path}.unused`, and \
         run this command with `--master-file {path}`"
    )
}

/// Writes key and rows. Returns the number of rows.
async fn fill(
    file: &Path,
    key: Option<Zeroizing<[u8; 32]>>,
    master_file: Option<&Path>,
    config: &Path,
    written: &mut Written,
) -> Result<u64, CommandError> {
    // The configuration may name a file that is to be made here, so this comes first.
    if let Some((path, key)) = master_file.zip(key.as_ref()) {
        written.put(path, key)?;
    }
    let configuration = crate::cli::configuration::configuration(config)?;
    match (&configuration.master, &key) {
        (Master::Absent(path), Some(key)) => written.put(path, key)?,
        (Master::Absent(path), None) => {
            return Err(CommandError::no(format!(
                "the master key is missing: put it back at {} first, or give the passphrase of the backup with \
                 --passphrase-file or --passphrase-stdin",
                path.display()
            )));
        }
        (Master::Known(own), Some(key)) if **own != **key => return Err(another_key(&configuration)),
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
    Ok(moved.iter().map(|table| table.rows).sum())
}

/// The configuration has a key, and the backup has another one.
fn another_key(configuration: &Configuration) -> CommandError {
    match &configuration.master_file {
        Some(path) => CommandError::no(format!(
            "{} has another master key than the backup, and nothing in the backup could be read with it. {}",
            path.display(),
            move_away(path)
        )),
        None => CommandError::no(
            "`keys.master` of the configuration is another master key than that of the backup, and nothing in the backup could be \
             read with it. Remove `keys.master`, name a new file in `keys.master_file`, and run this command with \
             `--master-file` and that file",
        ),
    }
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
        return Err(CommandError::no(format!(
            "{} has no master key: it was made without a passphrase. Put the key that you keep elsewhere in the place that \
             `keys.master_file` names, and run this command without a passphrase",
            file.display()
        )));
    };
    let wrong = || {
        CommandError::no(format!(
            "the passphrase does not open the backup {}: it is not the one that the backup was made with. A line break at its \
             end does not count",
            file.display()
        ))
    };
    let plain = passphrase::open(&passphrase, &sealed).ok_or_else(wrong)?;
    let key: [u8; 32] = plain.as_slice().try_into().map_err(|_| wrong())?;
    Ok(Some(Zeroizing::new(key)))
}
