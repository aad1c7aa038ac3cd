//! A PostgreSQL for tests: made in a temporary folder, killed, restarted, copied to a standby, and gone with the process
//! that made it.
//!
//! A server in a test is nobody's to configure: `initdb` runs in a fresh folder, connections go through a socket in that
//! folder, and everything is trusted. PostgreSQL refuses to run as root, so as root it runs as the user `postgres`.
#![allow(clippy::disallowed_methods, reason = "tests make files and start processes")]

mod cluster;
mod system;

pub use cluster::{Cluster, Options, PASSWORD};

use std::sync::{LazyLock, Mutex, PoisonError};

/// The cluster that all tests of a process share; each takes a database of its own from it.
static SHARED: LazyLock<Mutex<Cluster>> = LazyLock::new(|| Mutex::new(Cluster::start(&Options::default())));

/// The address of a fresh database, in the cluster that the tests of this process share.
///
/// # Panics
/// When there is no PostgreSQL on this machine, or it does not start.
#[must_use]
pub fn database() -> String {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner).database()
}
