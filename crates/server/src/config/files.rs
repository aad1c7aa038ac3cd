//! Files that the operator names in the configuration: how they are read, and warnings about their permissions.

use std::path::{Path, PathBuf};

use super::value;

/// The byte order mark, which some editors and shells write before a text. It is never part of a value.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads a text file without its byte order mark.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let mut text = std::fs::read_to_string(path)
        .map_err(|error| format!("{} cannot be read: {}", path.display(), plain(&error)))?;
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len_utf8());
    }
    Ok(text)
}

/// Reads the master key from its file.
pub(crate) fn read_master(path: &Path) -> Result<zeroize::Zeroizing<[u8; 32]>, String> {
    let text = zeroize::Zeroizing::new(read(path)?);
    value::master(&text).map_err(|text| format!("the master key {} cannot be used: {text}", path.display()))
}

/// Describes an I/O error for people.
pub(crate) fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => {
            format!("permission denied to user {}", rustix::process::geteuid().as_raw())
        }
        std::io::ErrorKind::ReadOnlyFilesystem => "read-only file system".to_owned(),
        std::io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        std::io::ErrorKind::QuotaExceeded => "the disk quota of this user is used up".to_owned(),
        std::io::ErrorKind::NotADirectory => "a part of its path is a file and no folder".to_owned(),
        std::io::ErrorKind::InvalidFilename => "the path is too long".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}

/// Returns a warning if users other than the owner may read or change a file. Returns `None` if access is restricted or
/// there is no file.
///
/// A file of another user, such as root, may be readable by its group, because services are commonly given secrets that
/// way. So may a file of root for root itself, if its group is not root's.
pub(crate) fn loose(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let is_given = metadata.uid() == 0 && metadata.gid() != 0;
    let is_own = metadata.uid() == rustix::process::geteuid().as_raw() && !is_given;
    let (forbidden, right) = if is_own { (0o077, "600") } else { (0o037, "640") };
    let mode = metadata.mode() & 0o777;
    let who = match (mode & 0o007 != 0, mode & 0o022 != 0) {
        (true, true) => "everybody on this machine can read or change",
        (true, false) => "everybody on this machine can read",
        (false, true) => "the group can read or change",
        (false, false) => "the group can read",
    };
    (mode & forbidden != 0)
        .then(|| format!("{who} {path} (mode {mode:04o}): run `chmod {right} {path}`", path = path.display()))
}

/// Returns warnings for the files of the database that users other than the owner may read or change.
pub(crate) fn loose_database_files(store_url: &str) -> Vec<String> {
    let Some(database) = store_url.strip_prefix("sqlite:") else { return Vec::new() };
    ["", "-wal", "-shm"].iter().filter_map(|ending| loose(Path::new(&format!("{database}{ending}")))).collect()
}

/// Resolves a path of the configuration. Relative paths start at the folder of the configuration file.
pub(crate) fn beside(folder: &Path, path: &str) -> PathBuf {
    folder.join(path)
}
