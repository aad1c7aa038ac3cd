//! The two kinds of clients.

use serde::{Deserialize, Serialize};

/// Can the client keep a secret? RFC 6749 §2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// Runs on a server of its own.
    Confidential,
    /// Runs in a browser or on a person's device.
    Public,
}
