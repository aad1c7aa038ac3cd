//! What the configuration means: everything checked, read and of its type. The rest of the server sees only this.

use std::path::PathBuf;

use ipnet::IpNet;
use protocol::policy::{LockoutPolicy, SessionPolicy};
use zeroize::Zeroizing;

use super::accent::Accent;
use super::issuer::Issuer;

/// A checked configuration.
#[derive(Debug)]
pub struct Settings {
    /// The one public base URL.
    pub issuer: Issuer,
    /// Where to listen.
    pub listen: Listen,
    /// Where the operator's own addresses are; `None` is nowhere.
    pub admin_listen: Option<Listen>,
    /// The store, as [`store::open`] takes it.
    pub store_url: String,
    /// The master key, or where it is yet to be made.
    pub master: Master,
    /// TLS on the listener itself.
    pub tls: Option<Tls>,
    /// Only these peers may say on whose behalf they call.
    pub proxy_trusted: Vec<IpNet>,
    /// The surfaces.
    pub dialects: DialectSettings,
    /// How login sessions end by themselves.
    pub session: SessionPolicy,
    /// When the door is shut.
    pub lockout: LockoutPolicy,
    /// What people see.
    pub brand: Brand,
    /// Outgoing requests.
    pub fetch: Fetch,
    /// Logs.
    pub log: Log,
    /// How much at once.
    pub limits: Limits,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A host and a port, as the system's resolver takes them.
    Tcp(String),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
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

/// Files for TLS. That they can be read was checked; what is in them is for the listener to parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate chain, PEM.
    pub cert: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// The surfaces.
#[derive(Clone, Debug)]
pub struct DialectSettings {
    /// Their names.
    pub enable: Vec<String>,
    /// A folder with the operator's own files.
    pub path: Option<PathBuf>,
    /// The waivers that the operator accepts.
    pub accept: Vec<String>,
    /// The configuration file, as the operator named it.
    pub file: String,
    /// Its text, for the dialects' own tables in it.
    pub text: String,
}

/// What people see.
#[derive(Clone, Debug)]
pub struct Brand {
    /// The name on every page and in authenticator applications.
    pub name: String,
    /// The logo.
    pub logo: Option<Logo>,
    /// The colour of buttons and links.
    pub accent: Accent,
    /// Where people find help.
    pub support: Option<Support>,
}

/// A picture.
#[derive(Clone)]
pub struct Logo {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// What they are.
    pub media_type: &'static str,
}

impl std::fmt::Debug for Logo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Logo({}, {} bytes)", self.media_type, self.bytes.len())
    }
}

/// Where people find help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Support {
    /// For a link: `https:` or `mailto:`.
    pub href: String,
    /// What the link says.
    pub label: String,
}

/// Outgoing requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Private addresses, as host:port, that may be called all the same.
    pub allow: Vec<String>,
    /// More certificate authorities, PEM.
    pub ca_file: Option<PathBuf>,
}

/// Logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// A filter as `tracing-subscriber` reads it.
    pub level: String,
    /// One JSON document a line, instead of text.
    pub is_json: bool,
}

/// How much at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time.
    pub connections_max: usize,
    /// Seconds for a request's header.
    pub header_timeout_s: u64,
    /// Seconds for a request's body.
    pub body_timeout_s: u64,
    /// Size of a request's body.
    pub body_bytes_max: usize,
    /// Seconds for requests in flight, when told to stop.
    pub drain_s: u64,
    /// Passwords that are hashed at the same time.
    pub hashing_threads: usize,
    /// Sign-ins that may wait for that.
    pub hashing_queue_max: usize,
}
