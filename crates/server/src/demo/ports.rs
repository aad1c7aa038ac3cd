//! The ports of the demo, and the addresses that contain them.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

use crate::cli::CommandError;

/// The ports on which the demo listens, on this machine only.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) public: u16,
    pub(super) site: u16,
    pub(super) admin: u16,
    /// The requested ports that were in use.
    pub(super) taken: Vec<u16>,
}

impl Ports {
    /// Returns the requested ports, with free ones in place of those in use.
    pub(super) fn find(public: u16, site: u16, admin: u16) -> Result<Self, CommandError> {
        let mut found = Self { public, site, admin, taken: Vec::new() };
        let mut used = Vec::new();
        for port in [&mut found.public, &mut found.site, &mut found.admin] {
            if *port == 0 {
                *port = free()?;
            } else if used.contains(port) || !is_free(*port) {
                found.taken.push(*port);
                *port = free()?;
            }
            used.push(*port);
        }
        Ok(found)
    }

    /// Returns the issuer of the demo.
    pub(super) fn issuer(&self) -> String {
        format!("http://localhost:{}", self.public)
    }

    /// Returns the address of the sample site.
    pub(super) fn site_url(&self) -> String {
        format!("http://localhost:{}", self.site)
    }

    /// Returns the resource indicator of the sample site's API (RFC 8707).
    pub(super) fn resource(&self) -> String {
        format!("{}/api", self.site_url())
    }
}

/// Returns true if the port is free on both addresses of `localhost`, because browsers try both.
fn is_free(port: u16) -> bool {
    let is_taken = |error: std::io::Error| error.kind() == std::io::ErrorKind::AddrInUse;
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        && !TcpListener::bind((Ipv6Addr::LOCALHOST, port)).is_err_and(is_taken)
}

fn free() -> Result<u16, CommandError> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(|error| CommandError::no(format!("no port is free: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_replaced_and_told() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        let other = free().unwrap();
        let ports = Ports::find(port, other, other).unwrap();
        assert_eq!(ports.taken, [port, other]);
        assert_ne!(ports.public, port);
        assert_eq!(ports.site, other);
        assert_ne!(ports.admin, other);
    }
}
