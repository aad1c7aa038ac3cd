//! Outgoing HTTP requests, with the guard against server-side request forgery. A request uses https and no proxy, and its
//! redirects are not followed. It goes to no private address, whether the URL has the address itself or a name that resolves
//! to it. The operator lists exceptions in `fetch.allow`, by host and port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use protocol::secret::Secret;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder};
use thiserror::Error;
use tokio::sync::Semaphore;
use url::{Host, Url};

use crate::config::settings::Fetch;

/// Time limit of a request, from the resolution of the name to the last byte of the response.
const TIME_MAX: Duration = Duration::from_secs(10);
/// Time limit for opening a connection.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// Maximum size of a response, in bytes. A key set has a few thousand.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// Maximum number of requests at the same time. Others wait, within their time limit.
const AT_ONCE_MAX: usize = 16;
const AGENT: &str = concat!("Grantry/", env!("CARGO_PKG_VERSION"));

/// The reason why a request has no response. The texts are for the operator's log.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The guard does not allow the address.
    #[error("{0}")]
    Refused(String),
    /// The server did not answer, not in time, or not in HTTP.
    #[error("{0}")]
    Failed(String),
    /// The response is too large.
    #[error("the answer has more than {BODY_BYTES_MAX} bytes")]
    TooLarge,
}

/// A response.
#[derive(Debug)]
pub struct Fetched {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Sends the outgoing requests.
#[derive(Debug)]
pub struct Fetcher {
    /// For public addresses: it resolves no name to a private one.
    guarded: Client,
    /// For the addresses that the operator lists.
    allowed: Client,
    allow: Vec<String>,
    turns: Semaphore,
}

impl Fetcher {
    /// Makes a fetcher with the operator's settings.
    ///
    /// # Errors
    /// When the operator's certificate authorities cannot be used.
    pub fn new(settings: &Fetch) -> Result<Self, String> {
        let authorities = match &settings.ca_file {
            None => Vec::new(),
            Some(path) => {
                let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
                let read = Certificate::from_pem_bundle(&pem);
                read.map_err(|_| format!("{} holds no certificates in PEM", path.display()))?
            }
        };
        Ok(Self {
            guarded: client(|builder| builder.https_only(true).dns_resolver(Arc::new(Guarded)), &authorities)?,
            allowed: client(|builder| builder, &authorities)?,
            allow: settings.allow.iter().map(|own| own.to_ascii_lowercase()).collect(),
            turns: Semaphore::new(AT_ONCE_MAX),
        })
    }

    /// Sends a GET request, with an `Authorization` header if there is one.
    ///
    /// # Errors
    /// When there is no response. A response with a status other than success is no error.
    pub async fn get(&self, url: &str, authorization: Option<&str>) -> Result<Fetched, FetchError> {
        self.send(url, authorization, Client::get).await
    }

    /// Posts a form.
    ///
    /// # Errors
    /// As [`Fetcher::get`].
    pub async fn post(
        &self,
        url: &str,
        fields: &[(&str, &str)],
        authorization: Option<&str>,
    ) -> Result<Fetched, FetchError> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(url, authorization, |client, url| {
            client.post(url).header("content-type", "application/x-www-form-urlencoded").body(body)
        })
        .await
    }

    /// Checks that the guard allows this address, before a browser is sent there.
    ///
    /// # Errors
    /// [`FetchError::Refused`].
    pub fn check(&self, url: &str) -> Result<(), FetchError> {
        guard(url, &self.allow).map(drop)
    }

    async fn send(
        &self,
        url: &str,
        authorization: Option<&str>,
        make: impl FnOnce(&Client, Url) -> RequestBuilder,
    ) -> Result<Fetched, FetchError> {
        let (url, is_allowed) = guard(url, &self.allow)?;
        let mut request = make(if is_allowed { &self.allowed } else { &self.guarded }, url);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let exchange = async {
            let _turn = self.turns.acquire().await.map_err(|error| FetchError::Failed(error.to_string()))?;
            exchange(request.header("accept", "application/json")).await
        };
        let late = |_| FetchError::Failed(format!("no answer within {} s", TIME_MAX.as_secs()));
        tokio::time::timeout(TIME_MAX, exchange).await.map_err(late)?
    }
}

/// The `Authorization` header of a client, RFC 6749 §2.3.1: identifier and secret are "encoded using the
/// "application/x-www-form-urlencoded" encoding algorithm" before they are put side by side.
#[must_use]
pub fn basic(client_id: &str, secret: &Secret) -> Secret {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(client_id), encode(secret.reveal()));
    Secret::new(format!("Basic {}", BASE64.encode(pair.as_bytes())))
}

fn client(own: impl Fn(ClientBuilder) -> ClientBuilder, authorities: &[Certificate]) -> Result<Client, String> {
    let usual = || {
        let builder = Client::builder().redirect(Policy::none()).no_proxy().user_agent(AGENT);
        own(builder.connect_timeout(CONNECT_TIME_MAX).timeout(TIME_MAX))
    };
    usual().tls_certs_merge(authorities.to_vec()).build().or_else(|error| {
        // A machine without certificate authorities only trusts those that the operator configured.
        tracing::warn!(cause = %plain(&error), "this machine has no certificate authorities; only those of fetch.ca_file count");
        usual().tls_certs_only(authorities.to_vec()).build().map_err(|error| plain(&error))
    })
}

async fn exchange(request: RequestBuilder) -> Result<Fetched, FetchError> {
    let failed = |error: reqwest::Error| FetchError::Failed(plain(&error));
    let mut response = request.send().await.map_err(failed)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Fetched { status: response.status().as_u16(), body })
}

/// An error with its causes, and without the address, whose query may be secret.
pub(crate) fn plain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        next = error.source();
        // The library's own layers name the address; what lies below them says what happened.
        if next.is_none() || !error.is::<reqwest::Error>() {
            let said = error.to_string();
            if !text.contains(&said) {
                if !text.is_empty() {
                    text.push_str(": ");
                }
                text.push_str(&said);
            }
        }
    }
    text
}

/// Checks an address. Returns the URL, and true if the operator listed its host and port.
fn guard(text: &str, allow: &[String]) -> Result<(Url, bool), FetchError> {
    let refused = |text: &str| FetchError::Refused(text.to_owned());
    let url = Url::parse(text).map_err(|_| refused("this is not a URL"))?;
    let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
        return Err(refused("the URL names no host"));
    };
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(refused("a URL with a name, a password or a fragment is not called"));
    }
    if matches!(url.scheme(), "http" | "https") && allow.contains(&format!("{host}:{port}").to_ascii_lowercase()) {
        return Ok((url, true));
    }
    if url.scheme() != "https" {
        return Err(FetchError::Refused(format!("{host}:{port} is not https, and not in `fetch.allow`")));
    }
    // The library asks the resolver about names only.
    let address = match host {
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
        Host::Domain(_) => None,
    };
    if address.is_some_and(|address| !is_global(address)) {
        return Err(FetchError::Refused(format!("{host}:{port} is a private address, and not in `fetch.allow`")));
    }
    Ok((url, false))
}

/// Resolves names to public addresses only.
struct Guarded;

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port of the request takes the place of this one.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let global: Vec<SocketAddr> = found.filter(|address| is_global(address.ip())).collect();
            if global.is_empty() {
                return Err("the name leads to private addresses only, or to none".into());
            }
            Ok(Box::new(global.into_iter()) as Addrs)
        })
    }
}

/// Returns true if the address is public by the special-purpose registries of RFC 6890. An address that they do not call
/// global is not.
fn is_global(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_global_v4(address),
        IpAddr::V6(address) => is_global_v6(address),
    }
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        // Carrier-grade NAT, RFC 6598.
        || (a == 100 && (64..128).contains(&b))
        // IETF protocol assignments and 6to4 relays.
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99)
        // Benchmarks, RFC 2544.
        || (a == 198 && matches!(b, 18 | 19))
        // Reserved, and broadcast.
        || a >= 240;
    !is_special
}

fn is_global_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Global unicast is 2000::/3, without protocol assignments such as Teredo (2001::/23), documentation (2001:db8::/32 and
    // 3fff::/20) and 6to4 (2002::/16), which carries an IPv4 address.
    let is_special = match a {
        0x2001 => b < 0x200 || b == 0xdb8,
        0x3fff => b < 0x1000,
        _ => a == 0x2002,
    };
    (0x2000..0x4000).contains(&a) && !is_special
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn told(url: &str, allow: &[&str]) -> Result<bool, String> {
        let allow: Vec<String> = allow.iter().map(|own| (*own).to_owned()).collect();
        guard(url, &allow).map(|(_, is_allowed)| is_allowed).map_err(|error| error.to_string())
    }

    #[test]
    fn only_https_to_addresses_for_everybody_is_called() {
        assert_eq!(told("https://accounts.google.com/x", &[]), Ok(false));
        assert_eq!(told("https://8.8.8.8/", &[]), Ok(false));
        for url in [
            "http://accounts.google.com/",
            "https://127.0.0.1/",
            "https://0.0.0.0/",
            "https://10.0.0.7:8443/",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[fd00::1]/",
            "https://[fe80::1]/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://user:secret@example.com/",
            "https://example.com/#x",
            "ftp://example.com/",
            "file:///etc/passwd",
            "nonsense",
        ] {
            assert!(told(url, &["127.0.0.1:9999"]).is_err(), "{url}");
        }
    }

    #[test]
    fn what_the_operator_lists_is_let_through_on_its_port_alone() {
        let allow = ["127.0.0.1:9999", "idp.local:443", "[::1]:80"];
        for url in ["http://127.0.0.1:9999/x", "https://127.0.0.1:9999/", "https://IDP.local/", "http://[::1]/"] {
            assert_eq!(told(url, &allow), Ok(true), "{url}");
        }
        for url in ["http://127.0.0.1:9998/", "http://127.0.0.1/", "http://idp.local/", "ftp://127.0.0.1:9999/"] {
            assert!(told(url, &allow).is_err(), "{url}");
        }
    }

    #[test]
    fn special_addresses_are_not_for_everybody() {
        for text in [
            "0.1.2.3",
            "10.1.1.1",
            "100.64.0.1",
            "127.8.8.8",
            "169.254.1.1",
            "172.16.0.1",
            "192.0.0.9",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::",
            "3fff::1",
            "fc00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_global(text.parse().unwrap()), "{text}");
        }
        for text in ["1.1.1.1", "8.8.8.8", "100.128.0.1", "172.32.0.1", "198.20.0.1", "2606:4700::1", "2a00:1450::1"] {
            assert!(is_global(text.parse().unwrap()), "{text}");
        }
    }

    /// Starts a server on loopback that answers every request with `answer`.
    async fn server(answer: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        address
    }

    fn fetcher(allow: &[&str]) -> Fetcher {
        let allow = allow.iter().map(|own| (*own).to_owned()).collect();
        Fetcher::new(&Fetch { allow, ca_file: None }).unwrap()
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let address =
            server("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 2\r\n\r\nhi".into()).await;
        let fetched = fetcher(&[&address]).get(&format!("http://{address}/"), None).await.unwrap();
        assert_eq!((fetched.status, fetched.body.as_slice()), (302, &b"hi"[..]));
    }

    #[tokio::test]
    async fn an_answer_without_end_is_cut_off() {
        let body = "x".repeat(BODY_BYTES_MAX + 1);
        let address = server(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await;
        let told = fetcher(&[&address]).get(&format!("http://{address}/"), None).await.unwrap_err();
        assert!(matches!(told, FetchError::TooLarge), "{told}");
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_not_called() {
        let fetcher = fetcher(&["127.0.0.1:9"]);
        let told = fetcher.get("https://localhost:9/secret?code=hunter2", None).await.unwrap_err().to_string();
        assert!(told.contains("private addresses only") && !told.contains("hunter2"), "{told}");
        let told = fetcher.get("http://127.0.0.1:9/?code=hunter2", None).await.unwrap_err().to_string();
        assert!(!told.contains("hunter2"), "{told}");
        assert!(fetcher.check("https://10.0.0.1/").is_err() && fetcher.check("https://example.com/").is_ok());
    }

    #[test]
    fn certificate_authorities_that_cannot_be_read_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n").unwrap();
        let told = Fetcher::new(&Fetch { allow: vec![], ca_file: Some(path) }).unwrap_err();
        assert!(told.contains("ca.pem"), "{told}");
    }
}
