//! Tells the service manager how far the server is, by the protocol of sd_notify(3): a datagram to the socket that the
//! environment variable `NOTIFY_SOCKET` names.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

/// What a service manager wants to know.
#[derive(Clone, Copy, Debug)]
pub enum State {
    /// The server takes connections.
    Ready,
    /// The server ends, and answers what is in flight.
    Ending,
}

impl State {
    fn words(self) -> &'static [u8] {
        match self {
            Self::Ready => b"READY=1",
            Self::Ending => b"STOPPING=1",
        }
    }
}

/// Tells the service manager. Does nothing if no service manager waits for it. A failure is logged, because systemd ends a
/// service of `Type=notify` that it does not hear from.
pub fn tell(state: State) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send(&socket, state.words()) {
        tracing::warn!(
            socket = %socket.display(),
            cause = %error,
            ?state,
            "the service manager cannot be told the state of the server: check NOTIFY_SOCKET"
        );
    }
}

fn send(socket: &OsStr, words: &[u8]) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => abstract_address(name)?,
        _ => SocketAddr::from_pathname(Path::new(socket))?,
    };
    let own = UnixDatagram::unbound()?;
    // A manager that does not read must not hold up the server.
    own.set_nonblocking(true)?;
    own.send_to_addr(words, &address).map(drop)
}

/// The address of a socket without a file. Only Linux has such sockets.
#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt as _;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> Vec<u8> {
        socket.set_nonblocking(true).unwrap();
        let mut bytes = [0; 64];
        let length = socket.recv(&mut bytes).unwrap();
        bytes[..length].to_vec()
    }

    #[test]
    fn a_service_manager_hears_each_state_at_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str(), State::Ready.words()).unwrap();
        send(path.as_os_str(), State::Ending.words()).unwrap();
        assert_eq!((heard(&manager), heard(&manager)), (b"READY=1".to_vec(), b"STOPPING=1".to_vec()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_service_manager_hears_at_a_socket_without_a_file() {
        let name = format!("grantry-notify-{}", std::process::id());
        let address = abstract_address(name.as_bytes()).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        send(OsStr::new(&format!("@{name}")), State::Ready.words()).unwrap();
        assert_eq!(heard(&manager), b"READY=1");
    }

    #[test]
    fn a_socket_that_is_not_there_is_an_error_and_no_panic() {
        assert!(send(OsStr::new("/nowhere/notify"), State::Ready.words()).is_err());
    }
}
