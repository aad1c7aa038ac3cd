//! Options of the process itself: its log, and the permissions of its sockets.

use std::path::Path;

use super::configuration::Log;
use super::files::{loose, plain};
use super::resolver::Resolver;
use super::settings::{Listen, UnixSocket};
use crate::observe::level;

/// Maximum length of a socket's path in bytes. `sun_path` has 108 bytes on Linux and 104 on macOS, the last one a NUL.
const SOCKET_PATH_BYTES_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };
/// Mode bits that the owner needs. Without them the server could not use its own socket.
const OWNER_BITS: u32 = 0o600;
const OTHERS_BITS: u32 = 0o006;
const GROUP_BITS: u32 = 0o060;

impl Resolver<'_> {
    /// `[log]`. A log file that cannot be written causes a warning only, because the server can work without it.
    pub(super) fn log(&mut self) -> Log {
        let words = self.text("log.level").unwrap_or_default();
        match level::check(&words) {
            Ok(None) => {}
            Ok(Some(text)) => self.warn("log.level", format!("`log.level` {text}")),
            Err(text) => self.fault("log.level", format!("`log.level` {text}")),
        }
        let level = words.split(',').map(str::trim).collect::<Vec<_>>().join(",");
        let file = self.path("log.file");
        if let Some(file) = &file {
            if let Err(error) = try_to_append(file) {
                let text = format!(
                    "the log file {} cannot be written: {}. Until it can, the log goes to standard error",
                    file.display(),
                    plain(&error)
                );
                self.warn("log.file", text);
            }
            if let Some(text) = loose(file) {
                self.warn("log.file", text);
            }
        }
        let has_audit = self.file.written("log.audit").is_some().then(|| self.flag("log.audit"));
        Log { level, is_json: self.word("log.format") == "json", file, has_audit }
    }

    /// Returns the Unix socket at `path`, if a socket can have this path.
    pub(super) fn socket(&mut self, option: &str, path: &Path) -> Option<Listen> {
        let bytes = path.as_os_str().len();
        if bytes > SOCKET_PATH_BYTES_MAX {
            let text = format!(
                "`{option}` names {}, which has {bytes} bytes; the path of a socket may have {SOCKET_PATH_BYTES_MAX}",
                path.display()
            );
            self.fault(option, text);
            return None;
        }
        let mode = self.listen_mode()?;
        if let Some(text) = shut(path, mode) {
            self.warn(option, text);
        }
        Some(Listen::Unix(UnixSocket { path: path.to_owned(), mode }))
    }

    /// Reads the mode of Unix sockets, in the digits of `chmod`.
    fn listen_mode(&mut self) -> Option<u32> {
        let text = self.text("listen_mode").unwrap_or_default();
        let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
        let mode = u32::from_str_radix(&text, 8).ok().filter(|mode| is_octal && *mode <= 0o777);
        match mode {
            Some(mode) if mode & OWNER_BITS == OWNER_BITS => Some(mode),
            Some(_) => {
                self.fault(
                    "listen_mode",
                    format!("`listen_mode` is {text:?}, which shuts out the server itself: begin with 6"),
                );
                None
            }
            None => {
                let text = format!("`listen_mode` is {text:?}, it must be three or four octal digits such as \"0660\"");
                self.fault("listen_mode", text);
                None
            }
        }
    }
}

/// Checks whether lines can be appended to the file, without creating it.
fn try_to_append(file: &Path) -> std::io::Result<()> {
    match std::fs::File::options().append(true).open(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let folder = file.parent().filter(|own| !own.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Ok(rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)?)
        }
        opened => opened.map(drop),
    }
}

/// Returns a warning for a socket that no proxy of another user can open, because its folder belongs to the group root.
fn shut(path: &Path, mode: u32) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let folder = path.parent()?;
    let (may_others, may_group) = (mode & OTHERS_BITS == OTHERS_BITS, mode & GROUP_BITS == GROUP_BITS);
    if !may_others && !may_group && rustix::process::geteuid().is_root() {
        let text = format!("listen_mode = \"{mode:04o}\" lets only root connect to the socket: write \"0660\"");
        return Some(text);
    }
    let is_shut = !may_others && may_group && folder.metadata().ok()?.gid() == 0;
    is_shut.then(|| {
        format!(
            "the folder {} belongs to the group root, so only root can connect to the socket in it: give the folder the \
             group of your proxy (chgrp www-data), or set listen_mode = \"0666\" and let the folder's own mode decide",
            folder.display()
        )
    })
}
