//! Sockets to listen on, and plain words when that does not work.

use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tokio::net::{TcpListener, UnixListener};

use crate::settings::Listen;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// A socket that listens.
#[derive(Debug)]
pub enum Listener {
    /// On a network address.
    Tcp(TcpListener),
    /// In the file system; the file goes when the listener does.
    Unix(UnixListener, SocketFile),
}

/// The file of a socket.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // If it is gone already, so much the better.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Why nobody can listen there.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Somebody does already.
    #[error("{0} is in use: another server listens there already. Stop it, or choose another address")]
    InUse(Listen),
    /// The file of a socket is something else.
    #[error("{0} is there and is not a socket; move it away, or choose another path")]
    NoSocket(Listen),
    /// Anything else.
    #[error("cannot listen on {listen}: {cause}")]
    Other {
        /// Where.
        listen: Listen,
        /// What the system says.
        cause: io::Error,
    },
}

impl Listener {
    /// Listens. Must be called inside the runtime.
    ///
    /// # Errors
    /// Says who or what is in the way.
    pub fn bind(listen: &Listen) -> Result<Self, ListenError> {
        let bound = match listen {
            Listen::Tcp(address) => bind_tcp(*address).map(Self::Tcp),
            Listen::Unix(path) => {
                make_way(listen, path)?;
                UnixListener::bind(path).map(|listener| Self::Unix(listener, SocketFile(path.clone())))
            }
        };
        bound.map_err(|cause| match cause.kind() {
            ErrorKind::AddrInUse => ListenError::InUse(listen.clone()),
            _ => ListenError::Other { listen: listen.clone(), cause },
        })
    }

    /// Where it listens, with the port that the system chose when none was asked for.
    #[must_use]
    pub fn address(&self) -> Option<Listen> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok().map(Listen::Tcp),
            Self::Unix(_, file) => Some(Listen::Unix(file.0.clone())),
        }
    }
}

fn bind_tcp(address: std::net::SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a server that just ended do not keep the next one from the port.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Removes the socket that a killed server left behind.
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

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced_and_one_in_use_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let listen = Listen::Unix(folder.path().join("grantry.sock"));
        let Listen::Unix(path) = &listen else { unreachable!("it is made above") };
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
