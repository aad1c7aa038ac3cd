//! Creates database files with access for their owner only, and describes errors of the file system.

use std::fs::OpenOptions;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Mode of the files: only the owner may read and write.
const MODE: u32 = 0o600;

/// Creates an empty file with access for its owner only, if there is none. SQLite gives the files beside a database
/// (`-wal`, `-shm`) the mode of the database, so this determines the mode of all of them, regardless of the umask.
///
/// # Errors
/// The error of the operating system.
#[allow(clippy::disallowed_methods, reason = "SQLite takes the mode of a new file from its compilation and the umask")]
pub(super) fn make(path: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(MODE).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

/// Writes a small file with access for its owner only.
///
/// # Errors
/// The error of the operating system.
#[allow(clippy::disallowed_methods, reason = "see `distrust`")]
pub(super) fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(path)?;
    std::io::Write::write_all(&mut file, text.as_bytes())
}

/// Returns the system's reason why the file cannot be written, if there is one. Changes nothing.
#[allow(clippy::disallowed_methods, reason = "SQLite does not tell why it cannot write")]
pub(super) fn unwritable(path: &Path) -> Option<Error> {
    OpenOptions::new().write(true).open(path).err()
}

/// Returns the system's reason why no file can be created in the folder of `path`, if there is one. Changes nothing.
pub(super) fn unwritable_folder(path: &Path) -> Option<Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).err().map(Error::from)
}

/// Describes an error of the operating system for the operator.
pub(super) fn plain(error: &Error) -> String {
    match error.kind() {
        ErrorKind::ReadOnlyFilesystem => "read-only file system: mount it read-write, or keep it elsewhere".to_owned(),
        ErrorKind::StorageFull => "the disk is full".to_owned(),
        ErrorKind::QuotaExceeded => "the disk quota of this user is used up".to_owned(),
        ErrorKind::PermissionDenied => {
            format!("permission denied to user {}", rustix::process::geteuid().as_raw())
        }
        ErrorKind::NotADirectory => "a part of its path is a file and no folder".to_owned(),
        ErrorKind::IsADirectory => "it is a folder".to_owned(),
        ErrorKind::InvalidFilename => "the path is too long".to_owned(),
        ErrorKind::NotFound => "its folder: there is no such folder; make it first".to_owned(),
        _ => error.to_string(),
    }
}
