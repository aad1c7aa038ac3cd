//! The result of reading the configuration: every value checked and of its type.

use std::path::PathBuf;

use dialect::Dialects;
use protocol::policy::Policy;
use zeroize::Zeroizing;

use super::settings::Settings;

/// A checked configuration.
#[derive(Debug)]
pub struct Configuration {
    /// The settings of a running server.
    pub settings: Settings,
    /// The store, as [`store::open`] takes it.
    pub store_url: String,
    /// The master key, or where it is yet to be made.
    pub master: Master,
    /// The surfaces.
    pub dialects: Dialects,
    /// The rules of each surface: those of its dialect, and what the operator decides for all of them.
    pub policies: Vec<Policy>,
    /// Logs.
    pub log: Log,
}

impl Configuration {
    /// The rules of a surface, if it is switched on.
    #[must_use]
    pub fn policy(&self, dialect: &str) -> Option<&Policy> {
        self.policies.iter().find(|policy| policy.dialect == dialect)
    }

    /// Digits of the codes of a second factor that is switched on outside of every dialect.
    #[must_use]
    pub fn otp_digits(&self) -> u32 {
        otp_digits(self.policies.iter())
    }
}

/// Digits of the codes of a second factor that is switched on outside of every dialect: those of the standard one, or else
/// as many as any dialect asks for. A dialect that asks for another number gets it all the same.
#[must_use]
pub fn otp_digits<'p>(policies: impl Iterator<Item = &'p Policy> + Clone) -> u32 {
    let standard = policies.clone().find(|policy| policy.dialect == "standard").map(|policy| policy.otp_digits);
    standard.or(policies.map(|policy| policy.otp_digits).max()).unwrap_or(6)
}

/// The master key. It cannot be printed.
#[derive(Clone)]
pub enum Master {
    /// It is there.
    Known(Zeroizing<[u8; 32]>),
    /// Nobody said where it is, and there is none beside the database yet. The first command that needs it makes it.
    Absent(PathBuf),
    /// A store in memory has one for as long as it lives.
    Fleeting,
}

impl std::fmt::Debug for Master {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Known(_) => f.write_str("Known(…)"),
            Self::Absent(path) => write!(f, "Absent({})", path.display()),
            Self::Fleeting => f.write_str("Fleeting"),
        }
    }
}

/// Logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// A filter as `tracing-subscriber` reads it.
    pub level: String,
    /// One JSON document a line, instead of text.
    pub is_json: bool,
    /// The file that takes the place of standard error.
    pub file: Option<PathBuf>,
}
