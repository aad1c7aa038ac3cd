//! Redirect URIs: which may be registered, which match, and the only maker of [`VerifiedRedirect`].

use url::{Host, Url};

use crate::model::{Client, ClientKind};
use crate::refusal::{No, Refusal};
use crate::wire::Param;

/// Longest redirect URI that may be registered, in bytes.
pub const REDIRECT_URI_BYTES_MAX: usize = 2000;

/// A redirect target that was compared with a registered one. Nothing else can be redirected to with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedRedirect(String);

impl VerifiedRedirect {
    /// The target.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host that a person should recognise, or the scheme of an application on the device.
    #[must_use]
    pub fn host(&self) -> String {
        display_host(&self.0)
    }
}

/// Finds the redirect target of an authorization request.
///
/// # Errors
/// [`No::RedirectUriMissing`] when none is named and the client has not exactly one;
/// [`No::RedirectUriUnregistered`] when the named one is none of the client's.
pub fn verify(client: &Client, requested: Option<&str>) -> Result<VerifiedRedirect, Refusal> {
    let Some(requested) = requested else {
        // RFC 6749 §3.1.2.3: "If multiple redirection URIs have been registered, […] the client MUST include a
        // redirection URI with the authorization request".
        return match client.redirect_uris.as_slice() {
            [only] => Ok(VerifiedRedirect(only.clone())),
            _ => Err(Refusal::of(No::RedirectUriMissing, Param::RedirectUri)),
        };
    };
    // RFC 9700 §4.1.3: "authorization servers MUST utilize exact matching of client redirect URIs against
    // pre-registered URIs […] exact string matching".
    let is_registered = client.redirect_uris.iter().any(|registered| {
        registered == requested
            || (client.kind == ClientKind::Public && is_same_but_for_loopback_port(registered, requested))
    });
    if is_registered {
        Ok(VerifiedRedirect(requested.to_owned()))
    } else {
        Err(Refusal::of(No::RedirectUriUnregistered, Param::RedirectUri))
    }
}

/// RFC 8252 §7.3: "The authorization server MUST allow any port to be specified at the time of the request for loopback
/// IP redirect URIs". Everything before and after the port is compared byte for byte; nothing is parsed.
fn is_same_but_for_loopback_port(registered: &str, requested: &str) -> bool {
    ["http://127.0.0.1", "http://[::1]"].iter().any(|origin| {
        let rests = registered.strip_prefix(origin).zip(requested.strip_prefix(origin));
        rests.is_some_and(|(registered, requested)| match (after_port(registered), after_port(requested)) {
            (Some(registered), Some(requested)) => registered == requested,
            _ => false,
        })
    })
}

/// What follows an optional `:port`; `None` when what follows the host is neither a port nor a path or query.
fn after_port(rest: &str) -> Option<&str> {
    let path = match rest.strip_prefix(':') {
        Some(port) => {
            let path = port.trim_start_matches(|c: char| c.is_ascii_digit());
            if !(1..=5).contains(&(port.len() - path.len())) {
                return None;
            }
            path
        }
        None => rest,
    };
    (path.is_empty() || path.starts_with(['/', '?'])).then_some(path)
}

/// May `uri` be registered?
///
/// # Errors
/// What is wrong with it; the refusal's text says so to whoever registers it.
pub fn may_register(uri: &str, kind: ClientKind) -> Result<(), No> {
    if uri.len() > REDIRECT_URI_BYTES_MAX {
        return Err(No::RedirectUriTooLong);
    }
    if uri.bytes().any(|b| b <= b' ' || b >= 0x7f) || uri.contains(['\\', '"', '<', '>', '^', '`', '{', '|', '}']) {
        return Err(No::RedirectUriCharacters);
    }
    // RFC 6749 §3.1.2: "The redirection endpoint URI MUST be an absolute URI […]. The endpoint URI MUST NOT include a
    // fragment component."
    if uri.contains('#') {
        return Err(No::RedirectUriFragment);
    }
    if uri.contains('*') {
        return Err(No::RedirectUriWildcard);
    }
    let url = Url::parse(uri).map_err(|_| No::RedirectUriRelative)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(No::RedirectUriUserinfo);
    }
    match url.scheme() {
        // A parser forgives missing slashes, and a browser takes what follows for a path on this very server.
        "https" | "http" if !uri.starts_with("https://") && !uri.starts_with("http://") => {
            Err(No::RedirectUriNotWrittenOut)
        }
        "https" if url.host().is_some() => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        "http" => Err(No::RedirectUriUnencrypted),
        "javascript" | "data" | "vbscript" | "file" | "blob" | "about" | "ws" | "wss" | "ftp" => {
            Err(No::RedirectUriSchemeForbidden)
        }
        // RFC 8252 §7.1: "apps MUST use a URI scheme based on a domain name under their control, expressed in reverse
        // order". A scheme without a dot can be anybody's.
        scheme if kind == ClientKind::Public && scheme.contains('.') => Ok(()),
        _ if kind == ClientKind::Public => Err(No::RedirectUriSchemeVague),
        _ => Err(No::RedirectUriOfConfidential),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// What to show a person of a redirect URI.
#[must_use]
pub fn display_host(uri: &str) -> String {
    match Url::parse(uri) {
        Ok(url) => match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.to_owned(),
            (None, _) => format!("{}:", url.scheme()),
        },
        Err(_) => uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn client(kind: ClientKind, uris: &[&str]) -> Client {
        Client { kind, redirect_uris: uris.iter().map(ToString::to_string).collect(), ..sample::client() }
    }

    #[test]
    fn only_the_registered_bytes_match_rfc_9700_4_1_3() {
        let client = client(ClientKind::Confidential, &["https://app.example/cb"]);
        assert!(verify(&client, Some("https://app.example/cb")).is_ok());
        for near in [
            "https://app.example/cb/",
            "https://app.example/CB",
            "https://app.example/cb?x=1",
            "https://app.example:443/cb",
            "https://APP.example/cb",
            "https://user@app.example/cb",
            "https://app.example/cb/../cb",
            "https://app.example/%63b",
            "https://app.example.evil/cb",
            "",
        ] {
            assert!(verify(&client, Some(near)).is_err(), "{near}");
        }
    }

    #[test]
    fn any_port_matches_on_a_loopback_address_rfc_8252_7_3() {
        let client = client(ClientKind::Public, &["http://127.0.0.1/cb", "http://[::1]:1/cb"]);
        assert!(verify(&client, Some("http://127.0.0.1:51004/cb")).is_ok());
        assert!(verify(&client, Some("http://[::1]:51004/cb")).is_ok());
        for near in [
            "http://127.0.0.1:51004/cb2",
            "http://127.0.0.1:51004@evil.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:123456/cb",
            "https://127.0.0.1:51004/cb",
            "http://localhost:51004/cb",
        ] {
            assert!(verify(&client, Some(near)).is_err(), "{near}");
        }
    }

    #[test]
    fn a_confidential_client_has_no_loopback_exception() {
        let client = client(ClientKind::Confidential, &["http://127.0.0.1/cb"]);
        assert!(verify(&client, Some("http://127.0.0.1:51004/cb")).is_err());
    }

    #[test]
    fn a_client_with_two_uris_must_name_one_rfc_6749_3_1_2_3() {
        let two = client(ClientKind::Confidential, &["https://a.example/", "https://b.example/"]);
        assert_eq!(verify(&two, None).unwrap_err().no, No::RedirectUriMissing);
        let one = client(ClientKind::Confidential, &["https://a.example/"]);
        assert_eq!(verify(&one, None).unwrap().as_str(), "https://a.example/");
    }

    #[test]
    fn dangerous_and_vague_uris_cannot_be_registered_rfc_8252_7_1() {
        for uri in [
            "javascript:alert(1)",
            "data:text/html,x",
            "http://app.example/cb",
            "https://app.example/#x",
            "https://*.example/cb",
            "https://u:p@app.example/cb",
            "/cb",
            "myapp:/cb",
            "https:app.example/cb",
            "HTTPS://app.example/cb",
            "https://app.example/c b",
        ] {
            assert!(may_register(uri, ClientKind::Public).is_err(), "{uri}");
        }
        for uri in ["https://app.example/cb?x=1", "http://localhost:3000/cb", "com.example.app:/cb"] {
            assert_eq!(may_register(uri, ClientKind::Public), Ok(()), "{uri}");
        }
    }
}
