//! The right of a client to introspect tokens.

use serde::{Deserialize, Serialize};

/// The tokens that introspection describes to a client. Refresh tokens are only described to their own client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Introspection {
    /// Tokens that were issued to the client, and tokens for the resources that it represents.
    Own,
    /// Every access token and personal access token of the surface.
    Any,
}

impl Introspection {
    /// Returns the word that the operator writes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Any => "any",
        }
    }

    /// Returns the setting with this word.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        [Self::Own, Self::Any].into_iter().find(|own| own.as_str() == text)
    }
}
