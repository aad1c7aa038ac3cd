//! The client types of RFC 6749 §2.1.

use serde::{Deserialize, Serialize};

/// The client type, RFC 6749 §2.1: whether the client can keep a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// A client that runs on a server and can keep a secret.
    Confidential,
    /// A client that runs in a browser or on a user's device and cannot keep a secret.
    Public,
}
