//! The ways to obtain a token.

use serde::{Deserialize, Serialize};

/// A way to obtain a token, by the RFC's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// RFC 6749 §4.1
    AuthorizationCode,
    /// RFC 6749 §6
    RefreshToken,
    /// RFC 6749 §4.4
    ClientCredentials,
    /// RFC 6749 §4.2
    Implicit,
    /// RFC 6749 §4.3
    Password,
    /// RFC 7521 §4.1 and RFC 7523 §2.1
    Assertion,
}

impl GrantType {
    /// Every grant, in the order in which people list them.
    pub const ALL: &[Self] = &[
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::ClientCredentials,
        Self::Implicit,
        Self::Password,
        Self::Assertion,
    ];

    /// The word of the RFCs; for the assertion grant, whose word there is an address, that of dialect files and clients.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::Implicit => "implicit",
            Self::Password => "password",
            Self::Assertion => "assertion",
        }
    }

    /// The `grant_type` of RFC 7523 §2.1.
    pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

    /// The grant with this word.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        if text == Self::JWT_BEARER {
            return Some(Self::Assertion);
        }
        Self::ALL.iter().copied().find(|grant| grant.as_str() == text)
    }
}
