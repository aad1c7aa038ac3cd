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
    /// The address on which the server listens for public requests.
    pub listen: Listen,
    /// The address on which the server listens for the operator's health checks and metrics; `None` for no such
    /// address.
    pub admin_listen: Option<Listen>,
    /// The TLS certificate and key; `None` if the server does not terminate TLS.
    pub tls: Option<TlsFiles>,
    /// The networks of the trusted proxies.
    pub trusted: Vec<IpNet>,
    /// The one header in which a trusted proxy names the client.
    pub proxy_header: HeaderName,
    /// The look of the pages.
    pub brand: Brand,
    /// True if users may register applications and make personal access tokens on the developer pages.
    pub has_developer_pages: bool,
    /// The names that no self-registered application may have or imitate.
    pub reserved_names: Arc<ReservedNames>,
    /// Age in seconds at which a sealing key is replaced.
    pub keys_rotate_every_s: u64,
    /// Time in seconds after which another key signs tokens.
    pub signing_keys_rotate_every_s: u64,
    /// Retention of audit events in seconds.
    pub audit_keep_s: u64,
    /// Limits of connections and requests.
    pub limits: Limits,
    /// Number of threads that hash passwords.
    pub slow_workers: usize,
    /// The settings of outgoing requests.
    pub fetch: Fetch,
    /// The upstream identity provider, if one is configured.
    pub google: Option<Google>,
}

/// The issuer identifier of Google itself.
pub const GOOGLE: &str = "https://accounts.google.com";

/// The upstream identity provider: Google, or another one in its place.
#[derive(Clone, Debug)]
pub struct Google {
    /// The issuer identifier of the identity provider.
    pub issuer: String,
    /// The client identifier of this server at the identity provider.
    pub client_id: String,
    /// The client secret of this server at the identity provider. Without it, ID tokens can be verified, but users
    /// cannot sign in on the pages.
    pub client_secret: Option<Secret>,
    /// The users for whom the first sign-in makes an account on this server.
    pub sign_up: SignUp,
}

impl Google {
    /// Returns true if the identity provider honours `prompt=login` and `max_age`, and sends `auth_time` (OpenID
    /// Connect Core §2 and §3.1.2.1). Google does neither, and refuses unknown values of `prompt`.
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
    /// The path of the socket.
    pub path: PathBuf,
    /// The mode of the file, which determines who may connect.
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

/// The files with the TLS certificate and its key, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The file with the certificate, followed by the intermediate certificates.
    pub cert: PathBuf,
    /// The file with the private key.
    pub key: PathBuf,
}

/// The look of the pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brand {
    /// The provider's name.
    pub name: String,
    /// An image, as a media type and its bytes.
    pub logo: Option<(String, Vec<u8>)>,
    /// The image that takes the place of the logo in the dark colour scheme.
    pub logo_dark: Option<(String, Vec<u8>)>,
    /// The icon of the browser's tab. Without it, tabs show the logo.
    pub icon: Option<(String, Vec<u8>)>,
    /// True if the provider's name stands beside the logo. False for a logo that contains the name.
    pub is_name_shown: bool,
    /// The colour of buttons and links.
    pub accent: Accent,
    /// A link to help.
    pub support: Option<Support>,
    /// Links in the footer of every page: terms of use, privacy policy, imprint.
    pub links: Vec<Support>,
    /// Templates that replace shipped ones: file names and texts.
    pub templates: Vec<(String, String)>,
}

impl Default for Brand {
    fn default() -> Self {
        Self {
            name: "Grantry".to_owned(),
            logo: None,
            logo_dark: None,
            icon: None,
            is_name_shown: true,
            accent: Accent::DEFAULT,
            support: None,
            links: Vec::new(),
            templates: Vec::new(),
        }
    }
}

/// A link that every page has, such as the link to help.
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
    /// Private addresses, as `host:port`, to which requests are allowed.
    pub allow: Vec<String>,
    /// A file with additional certificate authorities, in PEM.
    pub ca_file: Option<PathBuf>,
}

/// Limits of connections and requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of open connections.
    pub connections_max: usize,
    /// Time limit for the headers of a request, from its first byte or from the beginning of the connection.
    pub header_time: Duration,
    /// Time after which a connection without a request is closed.
    pub idle_time: Duration,
    /// Time limit for the body of a request.
    pub body_time: Duration,
    /// Time limit for handling a request.
    pub request_time: Duration,
    /// Time limit for the requests in progress when the server ends.
    pub drain_time: Duration,
    /// Maximum length of a body in bytes.
    pub body_bytes_max: usize,
    /// Maximum total length of the headers of a request in bytes.
    pub header_bytes_max: usize,
    /// Maximum number of headers of a request.
    pub headers_max: usize,
    /// Maximum number of open connections of one client address. `None` for a tenth of `connections_max`, but at least
    /// 100.
    pub connections_per_address_max: Option<usize>,
    /// Maximum number of concurrent requests on one HTTP/2 connection.
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
    /// Returns the maximum number of open connections of one client address. Browsers open six, and API servers some
    /// dozens.
    #[must_use]
    pub fn connections_per_address(&self) -> usize {
        self.connections_per_address_max.unwrap_or_else(|| (self.connections_max / 10).max(100))
    }
}

impl Settings {
    /// Returns the default settings for an issuer.
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
            signing_keys_rotate_every_s: 90 * 86_400,
            audit_keep_s: store::EVENT_KEPT_S,
            limits: Limits::default(),
            // Leave one core for other requests, if there is more than one.
            slow_workers: std::thread::available_parallelism().map_or(1, |cores| (cores.get() - 1).max(1)),
            fetch: Fetch::default(),
            google: None,
        }
    }

    /// Returns true if the issuer is https. Cookies are then `Secure`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.issuer.starts_with("https://")
    }

    /// Returns the path of the issuer, below which all pages are: empty, or `/auth` for `https://example.com/auth`.
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
