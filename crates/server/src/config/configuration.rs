//! The result of reading the configuration: every value checked and of its type.

use std::path::PathBuf;

use dialect::Dialects;
use protocol::policy::Policy;
use zeroize::Zeroizing;

use super::settings::Settings;

/// The resolved configuration.
#[derive(Debug)]
pub struct Configuration {
    /// The settings of a running server.
    pub settings: Settings,
    /// The URL of the store, for [`store::open`].
    pub store_url: String,
    /// The master key, or the place where it will be created.
    pub master: Master,
    /// The file with the master key, if the key has one.
    pub master_file: Option<PathBuf>,
    /// The enabled dialects.
    pub dialects: Dialects,
    /// The policy of each dialect, including the operator's settings.
    pub policies: Vec<Policy>,
    /// The log settings.
    pub log: Log,
}

impl Configuration {
    /// Returns the policy of a dialect, if it is enabled.
    #[must_use]
    pub fn policy(&self, dialect: &str) -> Option<&Policy> {
        self.policies.iter().find(|policy| policy.dialect == dialect)
    }

    /// Returns the number of digits of second-factor codes for enrolments outside of a dialect.
    #[must_use]
    pub fn otp_digits(&self) -> u32 {
        otp_digits(self.policies.iter())
    }
}

/// Returns the number of digits of second-factor codes for enrolments outside of a dialect: that of the standard
/// dialect, or else the number that any dialect asks for. A dialect that asks for another number still gets it.
#[must_use]
pub fn otp_digits<'p>(policies: impl Iterator<Item = &'p Policy> + Clone) -> u32 {
    let standard = policies.clone().find(|policy| policy.dialect == "standard").map(|policy| policy.otp_digits);
    standard.or(policies.map(|policy| policy.otp_digits).max()).unwrap_or(6)
}

/// The master key. It cannot be printed.
#[derive(Clone)]
pub enum Master {
    /// The key exists.
    Known(Zeroizing<[u8; 32]>),
    /// No key is configured, and there is none beside the database yet. The first command that needs the key creates it
    /// at this path.
    Absent(PathBuf),
    /// The temporary key of a store in memory.
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

/// The log settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The filter, in the syntax of `tracing-subscriber`.
    pub level: String,
    /// True for one JSON document per line instead of text.
    pub is_json: bool,
    /// The log file that replaces standard error.
    pub file: Option<PathBuf>,
}
