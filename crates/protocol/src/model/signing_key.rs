//! The keys with which this server signs tokens.

use crate::jose::Algorithm;
use crate::time::UnixTime;

/// A key with which this server signs. A row belongs to one algorithm, and is first the next key, then the active one, then
/// retired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// The number of the key. Numbers only grow.
    pub number: u32,
    /// The version of the row, 1 when it is new.
    pub version: u32,
    /// The name of the algorithm. A newer version of the program may know more algorithms.
    pub algorithm: String,
    /// The name of the key in headers and key sets: its thumbprint by RFC 7638.
    pub kid: String,
    /// The private key in PKCS#8, sealed with a key that is derived from the master key.
    pub sealed: String,
    /// When the key was made. It is published from then on.
    pub created_at: UnixTime,
    /// When the key became the active one, which signs. Absent for the next key.
    pub active_at: Option<UnixTime>,
    /// When another key took over. A retired key is published until all tokens that it signed have expired.
    pub retired_at: Option<UnixTime>,
}

/// What a signing key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SigningKeyState {
    /// The key is published, and will sign after a rotation.
    Next,
    /// The key signs.
    Active,
    /// The key signs nothing, and is still published.
    Retired,
}

impl SigningKey {
    /// Returns what the key does.
    #[must_use]
    pub const fn state(&self) -> SigningKeyState {
        match (self.active_at, self.retired_at) {
            (_, Some(_)) => SigningKeyState::Retired,
            (Some(_), None) => SigningKeyState::Active,
            (None, None) => SigningKeyState::Next,
        }
    }

    /// Returns the algorithm; `None` if this version of the program does not know it.
    #[must_use]
    pub fn known_algorithm(&self) -> Option<Algorithm> {
        Algorithm::from_name(&self.algorithm)
    }
}

impl SigningKeyState {
    /// The word for the state.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }
}
