//! The folder of the demo, which is emptied at each start. Only files that a demo made are removed, and only from a
//! folder that a demo made.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::cli::CommandError;
use crate::config::plain;

/// Name of the file that marks the folder of a demo. The file is locked while the demo runs.
const MARKER: &str = ".grantry-demo";
/// Names of the files that a demo makes.
const FILES: &[&str] = &["grantry.toml", "grantry.db", "grantry.db-wal", "grantry.db-shm", "grantry.db.key"];

/// The folder of a running demo.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// The marker file, which is locked as long as it is open.
    _marker: File,
}

impl Folder {
    /// Creates the folder, or removes the files of an earlier demo from it.
    pub(super) fn fresh(path: &Path) -> Result<Self, CommandError> {
        let cannot =
            |what: &Path, error: &std::io::Error| CommandError::no(format!("{}: {}", what.display(), plain(error)));
        std::fs::create_dir_all(path).map_err(|error| cannot(path, &error))?;
        let marker = path.join(MARKER);
        if !marker.exists() && FILES.iter().any(|name| path.join(name).exists()) {
            return Err(CommandError::no(format!(
                "{} holds files that no demo made; name another folder with --dir",
                path.display()
            )));
        }
        let mut options = File::options();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let opened = options.create(true).truncate(false).write(true).open(&marker);
        let mut file = opened.map_err(|error| cannot(&marker, &error))?;
        if file.try_lock().is_err() {
            return Err(CommandError::no(format!(
                "another demo is running in {}: stop it, or name another folder with --dir",
                path.display()
            )));
        }
        file.set_len(0)
            .and_then(|()| file.write_all(b"`grantry demo` empties this folder whenever it starts.\n"))
            .map_err(|error| cannot(&marker, &error))?;
        for name in FILES {
            match std::fs::remove_file(path.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(cannot(&path.join(name), &error));
                }
                _ => {}
            }
        }
        Ok(Self { path: path.to_path_buf(), _marker: file })
    }

    /// Writes a file that only its owner can read, and returns its path.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, CommandError> {
        let path = self.path.join(name);
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| CommandError::no(format!("{}: {}", path.display(), plain(&error))))?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_demo_is_removed_and_whatever_else_is_there_stays() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("demo");
        let first = Folder::fresh(&path).unwrap();
        first.write("grantry.db", "old").unwrap();
        first.write("mine.txt", "mine").unwrap();
        drop(first);
        let _second = Folder::fresh(&path).unwrap();
        assert!(!path.join("grantry.db").exists());
        assert_eq!(std::fs::read_to_string(path.join("mine.txt")).unwrap(), "mine");
    }

    #[test]
    fn a_database_that_no_demo_made_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("grantry.db"), "precious").unwrap();
        let error = Folder::fresh(folder.path()).unwrap_err();
        assert!(error.to_string().contains("no demo made"), "{error}");
        assert_eq!(std::fs::read_to_string(folder.path().join("grantry.db")).unwrap(), "precious");
    }

    #[test]
    fn two_demos_do_not_share_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Folder::fresh(folder.path()).unwrap();
        assert!(Folder::fresh(folder.path()).unwrap_err().to_string().contains("another demo is running"));
    }
}
