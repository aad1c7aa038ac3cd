//! Listening sockets, with clear messages for the operator if a socket cannot be opened.

use std::fs::Permissions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, lchown};
use std::path::Path;

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tokio::net::{TcpListener, UnixListener};

use crate::config::settings::{Listen, UnixSocket};

/// Maximum number of connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// A listening socket.
#[derive(Debug)]
pub enum Listener {
    /// A TCP socket.
    Tcp(TcpListener),
    /// A Unix socket. Its file is removed when the listener is dropped.
    Unix(UnixListener, SocketFile),
}

/// The file of a Unix socket.
#[derive(Debug)]
pub struct SocketFile {
    socket: UnixSocket,
    /// Device and inode number of the file that this process created.
    made: Option<(u64, u64)>,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another server may have replaced the socket. Its file stays.
        if identity(&self.socket.path) == self.made {
            // The file may already be gone.
            let _ = std::fs::remove_file(&self.socket.path);
        }
    }
}

/// The reason why a socket cannot be opened.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Another process listens on the address.
    #[error("{0} is in use: another server listens there already. Stop it, or choose another address")]
    InUse(Listen),
    /// A file that is no socket has the socket's path.
    #[error("{0} is there and is not a socket; move it away, or choose another path")]
    NoSocket(Listen),
    /// Any other error.
    #[error("cannot listen on {listen}: {cause}")]
    Other {
        /// The address.
        listen: Listen,
        /// The error of the operating system.
        cause: io::Error,
    },
}

impl Listener {
    /// Opens a listening socket. Must be called within the runtime.
    ///
    /// # Errors
    /// The reason why the socket cannot be opened.
    pub fn bind(listen: &Listen) -> Result<Self, ListenError> {
        let bound = match listen {
            Listen::Tcp(address) => bind_tcp(*address).map(Self::Tcp),
            Listen::Unix(socket) => {
                make_way(listen, &socket.path)?;
                bind_unix(socket)
            }
        };
        bound.map_err(|cause| match cause.kind() {
            ErrorKind::AddrInUse => ListenError::InUse(listen.clone()),
            _ => ListenError::Other { listen: listen.clone(), cause },
        })
    }

    /// Returns the address of the listener, with the port that the system chose if none was configured.
    #[must_use]
    pub fn address(&self) -> Option<Listen> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok().map(Listen::Tcp),
            Self::Unix(_, file) => Some(Listen::Unix(file.socket.clone())),
        }
    }
}

fn bind_tcp(address: std::net::SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a server that just ended do not block the port for the next one.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Creates a Unix socket, and then sets its mode. Until then the umask restricts it to its owner.
fn bind_unix(socket: &UnixSocket) -> io::Result<Listener> {
    let path = &socket.path;
    let listener = UnixListener::bind(path)?;
    let file = SocketFile { socket: socket.clone(), made: identity(path) };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let group = folder.metadata()?.gid();
    if path.symlink_metadata()?.gid() != group
        && let Err(error) = lchown(path, None, Some(group))
    {
        tracing::warn!(
            socket = %path.display(),
            group,
            %error,
            "the socket could not get the group of its folder: make this process a member of the group, or set the folder's \
             setgid bit"
        );
    }
    std::fs::set_permissions(path, Permissions::from_mode(socket.mode))?;
    Ok(Listener::Unix(listener, file))
}

/// Returns device and inode number, which distinguish a file from another with the same name.
fn identity(path: &Path) -> Option<(u64, u64)> {
    path.symlink_metadata().ok().map(|file| (file.dev(), file.ino()))
}

/// Removes the socket file of a server that was killed.
fn make_way(listen: &Listen, path: &Path) -> Result<(), ListenError> {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(ListenError::NoSocket(listen.clone()));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(ListenError::InUse(listen.clone())),
        Err(_) => std::fs::remove_file(path).map_err(|cause| ListenError::Other { listen: listen.clone(), cause }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_is_taken_is_named() {
        let first = Listener::bind(&Listen::Tcp("127.0.0.1:0".parse().unwrap())).unwrap();
        let address = first.address().unwrap();
        let error = Listener::bind(&address).unwrap_err().to_string();
        assert!(error.contains(&address.to_string()) && error.contains("in use"), "{error}");
    }

    fn socket(path: &Path, mode: u32) -> Listen {
        Listen::Unix(UnixSocket { path: path.to_owned(), mode })
    }

    #[tokio::test]
    async fn a_socket_has_the_mode_that_was_asked_for_and_the_group_of_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        // Only root may give a folder to a group that the process is not a member of.
        let group = if lchown(folder.path(), None, Some(4711)).is_ok() {
            4711
        } else {
            folder.path().metadata().unwrap().gid()
        };
        for mode in [0o660, 0o600, 0o666] {
            let path = folder.path().join(format!("{mode:o}.sock"));
            let _listener = Listener::bind(&socket(&path, mode)).unwrap();
            let made = path.metadata().unwrap();
            assert_eq!((made.mode() & 0o777, made.gid()), (mode, group));
        }
    }

    #[tokio::test]
    async fn a_server_that_ends_leaves_the_socket_of_the_next_one_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("grantry.sock");
        let first = Listener::bind(&socket(&path, 0o660)).unwrap();
        std::fs::remove_file(&path).unwrap();
        let _second = Listener::bind(&socket(&path, 0o660)).unwrap();
        drop(first);
        assert!(std::os::unix::net::UnixStream::connect(&path).is_ok());
    }

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced_and_one_in_use_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = &folder.path().join("grantry.sock");
        let listen = socket(path, 0o660);
        drop(std::os::unix::net::UnixListener::bind(path).unwrap());
        let first = Listener::bind(&listen).unwrap();
        assert!(matches!(Listener::bind(&listen), Err(ListenError::InUse(_))));
        drop(first);
        assert!(!path.exists(), "the file goes with the listener");
        std::fs::write(path, "mine").unwrap();
        assert!(matches!(Listener::bind(&listen), Err(ListenError::NoSocket(_))));
        assert_eq!(std::fs::read(path).unwrap(), b"mine");
    }
}
