//! The settings of a running server. The configuration makes them; the rest of the server reads them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderName;
use ipnet::IpNet;

use protocol::person::upstream::SignUp;
use protocol::reserved_names::ReservedNames;
use protocol::secret::Secret;

use super::accent::Accent;

/// The header that `X-Forwarded-For` proxies write: nginx, Caddy, Traefik, HAProxy, Envoy and cloud load balancers.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The settings of a running server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The one public base URL, without a slash at its end.
    pub issuer: String,
    /// Where the public is answered.
    pub listen: Listen,
    /// Where the operator's machines are answered; `None` is nowhere.
    pub admin_listen: Option<Listen>,
    /// Certificate and key; without them, connections are not encrypted here.
    pub tls: Option<TlsFiles>,
    /// The networks of the trusted proxies.
    pub trusted: Vec<IpNet>,
    /// The one header in which a trusted proxy names the client.
    pub proxy_header: HeaderName,
    /// What the pages look like.
    pub brand: Brand,
    /// May people register applications and make personal tokens by themselves?
    pub has_developer_pages: bool,
    /// The names that no self-registered application may have or imitate.
    pub reserved_names: Arc<ReservedNames>,
    /// How old a sealing key gets before another one takes over, in seconds.
    pub keys_rotate_every_s: u64,
    /// How long audit events are kept, in seconds.
    pub audit_keep_s: u64,
    /// Limits of connections and requests.
    pub limits: Limits,
    /// Cores that may be busy with passwords.
    pub slow_workers: usize,
    /// The settings of outgoing requests.
    pub fetch: Fetch,
    /// The issuer elsewhere whose word about people is taken, if there is one.
    pub google: Option<Google>,
}

/// The issuer identifier of Google itself.
pub const GOOGLE: &str = "https://accounts.google.com";

/// Google, or whoever stands in for it.
#[derive(Clone, Debug)]
pub struct Google {
    /// Its issuer identifier.
    pub issuer: String,
    /// What this server is called there.
    pub client_id: String,
    /// How this server proves itself there. Without one ID tokens can be verified, and nobody can be sent there.
    pub client_secret: Option<Secret>,
    /// Whose first sign-in makes an account here.
    pub sign_up: SignUp,
}

impl Google {
    /// True if the issuer honours `prompt=login` and `max_age`, and says in `auth_time` when it authenticated somebody
    /// (OpenID Connect Core §2 and §3.1.2.1). Google does neither, and takes no word for `prompt` but those that it lists.
    #[must_use]
    pub fn is_dating(&self) -> bool {
        self.issuer != GOOGLE
    }
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `host:port`, resolved.
    Tcp(SocketAddr),
    /// `unix:/path`
    Unix(UnixSocket),
}

/// A socket in the file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixSocket {
    /// Where it is.
    pub path: PathBuf,
    /// Who may connect: the mode of the file.
    pub mode: u32,
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(socket) => write!(f, "unix:{}", socket.path.display()),
        }
    }
}

/// Where certificate and key are, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those that lead to the root.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What the pages look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brand {
    /// The provider's name.
    pub name: String,
    /// An image, as a media type and its bytes.
    pub logo: Option<(String, Vec<u8>)>,
    /// The colour of buttons and links.
    pub accent: Accent,
    /// A link to help.
    pub support: Option<Support>,
    /// Templates that take the place of shipped ones: file names and texts.
    pub templates: Vec<(String, String)>,
}

impl Default for Brand {
    fn default() -> Self {
        Self { name: "Grantry".to_owned(), logo: None, accent: Accent::DEFAULT, support: None, templates: Vec::new() }
    }
}

/// A link to help.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Support {
    /// The link target: `https:` or `mailto:`.
    pub href: String,
    /// The text of the link.
    pub label: String,
}

/// The settings of outgoing requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetch {
    /// Private addresses, as host:port, that may be called nevertheless.
    pub allow: Vec<String>,
    /// A file with additional certificate authorities, in PEM.
    pub ca_file: Option<PathBuf>,
}

/// Limits of connections and requests: everything has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections.
    pub connections_max: usize,
    /// From the first byte of a request, or from the beginning of a connection, until its headers are there.
    pub header_time: Duration,
    /// Without a request, after which a connection is closed.
    pub idle_time: Duration,
    /// For the body to arrive.
    pub body_time: Duration,
    /// For the whole answer.
    pub request_time: Duration,
    /// For everything in flight when the server is told to end.
    pub drain_time: Duration,
    /// Length of a body.
    pub body_bytes_max: usize,
    /// Length of the headers of a request, all together.
    pub header_bytes_max: usize,
    /// Number of headers of a request.
    pub headers_max: usize,
    /// Open connections of one client address; `None` is a tenth of `connections_max`, and at least 100.
    pub connections_per_address_max: Option<usize>,
    /// Requests at once on one HTTP/2 connection.
    pub streams_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            header_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
            body_time: Duration::from_secs(10),
            request_time: Duration::from_secs(30),
            drain_time: Duration::from_secs(30),
            body_bytes_max: 64 * 1024,
            header_bytes_max: 32 * 1024,
            headers_max: 100,
            connections_per_address_max: None,
            streams_max: 32,
        }
    }
}

impl Limits {
    /// Open connections of one client address. Browsers open six, and API servers some dozens.
    #[must_use]
    pub fn connections_per_address(&self) -> usize {
        self.connections_per_address_max.unwrap_or_else(|| (self.connections_max / 10).max(100))
    }
}

impl Settings {
    /// Settings for an issuer, with everything else as it is when nobody says otherwise.
    #[must_use]
    pub fn new(issuer: &str) -> Self {
        Self {
            issuer: issuer.trim_end_matches('/').to_owned(),
            listen: Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 8080))),
            admin_listen: Some(Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 9090)))),
            tls: None,
            trusted: Vec::new(),
            proxy_header: X_FORWARDED_FOR,
            brand: Brand::default(),
            reserved_names: Arc::default(),
            has_developer_pages: true,
            keys_rotate_every_s: 30 * 86_400,
            audit_keep_s: store::EVENT_KEPT_S,
            limits: Limits::default(),
            // One core is left for those who wait for a token, where there is more than one.
            slow_workers: std::thread::available_parallelism().map_or(1, |cores| (cores.get() - 1).max(1)),
            fetch: Fetch::default(),
            google: None,
        }
    }

    /// Is the public reached by https? Cookies are then `Secure`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.issuer.starts_with("https://")
    }

    /// The path below which everything of the issuer's is: empty, or `/auth` for `https://example.com/auth`.
    #[must_use]
    pub fn base_path(&self) -> &str {
        let rest = self.issuer.split_once("://").map_or("", |(_, rest)| rest);
        rest.find('/').map_or("", |at| &rest[at..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_path_is_what_follows_the_host() {
        assert_eq!(Settings::new("https://auth.example").base_path(), "");
        assert_eq!(Settings::new("https://auth.example/").base_path(), "");
        assert_eq!(Settings::new("https://example.com/a/b").base_path(), "/a/b");
    }
}
