//! Redirect URIs: which ones may be registered, and which one a request may use. Only this module makes a
//! [`VerifiedRedirect`].

use url::{Host, Url};

use crate::model::{Client, ClientKind};
use crate::refusal::{No, Refusal};
use crate::wire::Param;

/// Maximum length of a registered redirect URI, in bytes.
pub const REDIRECT_URI_BYTES_MAX: usize = 2000;

/// A redirect target that matches a registered redirect URI. Answers are only ever redirected to a value of this type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedRedirect(String);

impl VerifiedRedirect {
    /// Returns the target URI.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the host, which a person should recognise, or the URI scheme of an application on the device.
    #[must_use]
    pub fn host(&self) -> String {
        display_host(&self.0)
    }
}

/// Finds the redirect target of an authorization request.
///
/// # Errors
/// [`No::RedirectUriMissing`] if the request names none and the client does not have exactly one.
/// [`No::RedirectUriUnregistered`] if the named URI is not registered for the client.
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
        Err(Refusal::of(No::RedirectUriUnregistered, Param::RedirectUri).with_value(requested))
    }
}

/// Loopback origins, on which the port may differ. RFC 8252 §8.3 advises against `localhost`, because a device may
/// resolve it to another address. Native applications use it nevertheless.
const LOOPBACK_ORIGINS: [&str; 3] = ["http://127.0.0.1", "http://[::1]", LOCALHOST];
const LOCALHOST: &str = "http://localhost";

/// RFC 8252 §7.3: "The authorization server MUST allow any port to be specified at the time of the request for loopback
/// IP redirect URIs". Everything before and after the port is compared byte for byte; nothing is parsed.
fn is_same_but_for_loopback_port(registered: &str, requested: &str) -> bool {
    LOOPBACK_ORIGINS.iter().any(|origin| {
        let rests = registered.strip_prefix(origin).zip(requested.strip_prefix(origin));
        rests.is_some_and(|(registered, requested)| match (after_port(registered), after_port(requested)) {
            (Some((_, registered)), Some((port, requested))) => {
                registered == requested && port.is_none_or(is_possible_port)
            }
            _ => false,
        })
    })
}

/// Splits the text after a host into an optional port and the rest. Returns `None` if the text begins with neither a
/// port nor a path nor a query.
fn after_port(rest: &str) -> Option<(Option<&str>, &str)> {
    let (port, path) = match rest.strip_prefix(':') {
        Some(rest) => {
            let path = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            let port = &rest[..rest.len() - path.len()];
            if !(1..=5).contains(&port.len()) {
                return None;
            }
            (Some(port), path)
        }
        None => (None, rest),
    };
    (path.is_empty() || path.starts_with(['/', '?'])).then_some((port, path))
}

/// Returns true for a number from 1 to 65535 without leading zeros or signs.
fn is_possible_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit())
        && !port.starts_with('0')
        && port.parse::<u16>().is_ok_and(|number| number > 0)
}

/// Returns true for a redirect URI of a public client on `localhost`. Its developer should be told that `127.0.0.1` is
/// the better choice: RFC 8252 §8.3.
#[must_use]
pub fn is_on_localhost(uri: &str, kind: ClientKind) -> bool {
    kind == ClientKind::Public && uri.strip_prefix(LOCALHOST).is_some_and(|rest| after_port(rest).is_some())
}

/// The advice for redirect URIs for which [`is_on_localhost`] returns true.
pub const LOCALHOST_ADVICE: &str = "any port works, but localhost may be another address than the one that the application \
    listens on; http://127.0.0.1 and http://[::1] are safer (RFC 8252 section 8.3)";

/// Checks whether `uri` may be registered.
///
/// # Errors
/// The fault of the URI. The text of the refusal explains it to the person who registers the URI.
pub fn may_register(uri: &str, kind: ClientKind) -> Result<(), No> {
    if uri.len() > REDIRECT_URI_BYTES_MAX {
        return Err(No::RedirectUriTooLong);
    }
    if uri.bytes().any(|b| b <= b' ' || b >= 0x7f) || uri.contains(['\\', '"', '<', '>', '^', '`', '{', '|', '}']) {
        return Err(No::RedirectUriCharacters);
    }
    if !is_escaped_well(uri) {
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
    let written = authority(uri);
    if let Some(written) = written {
        check_authority(written)?;
    }
    let url = Url::parse(uri).map_err(|_| No::RedirectUriRelative)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(No::RedirectUriUserinfo);
    }
    match url.scheme() {
        // URL parsers accept missing slashes, but a browser would read the rest as a path on this server.
        scheme if !uri.starts_with(scheme) => Err(No::RedirectUriNotWrittenOut),
        "https" | "http" if written.is_none_or(str::is_empty) => Err(No::RedirectUriNotWrittenOut),
        // Browsers remove these path segments, and would then open a URI that is not registered.
        _ if has_dots(uri) => Err(No::RedirectUriDots),
        "https" | "http" if !is_host_as_written(&url, written.unwrap_or_default()) => Err(No::RedirectUriHost),
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

/// Returns the part between `//` and the path, if the URI has one.
fn authority(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once(':')?;
    rest.strip_prefix("//")?.split(['/', '?']).next()
}

fn check_authority(authority: &str) -> Result<(), No> {
    if authority.contains('@') {
        return Err(No::RedirectUriUserinfo);
    }
    match port(authority) {
        Some(port) if !is_possible_port(port) => Err(No::RedirectUriPort),
        _ => Ok(()),
    }
}

/// Returns the port of an authority. Colons within the brackets of an IPv6 address do not count.
fn port(authority: &str) -> Option<&str> {
    let behind = authority.rsplit_once(']').map_or(authority, |(_, behind)| behind);
    behind.split_once(':').map(|(_, port)| port)
}

/// Returns true if the host is in its normal form. Parsers read `127.1`, `0x7f000001` and `%6cocalhost` as other hosts
/// than people do.
fn is_host_as_written(url: &Url, authority: &str) -> bool {
    let host = port(authority).map_or(authority, |port| &authority[..authority.len() - port.len() - 1]);
    url.host_str().is_some_and(|read| read.eq_ignore_ascii_case(host))
}

/// Returns true if the path contains a segment `.` or `..`, escaped or not.
fn has_dots(uri: &str) -> bool {
    let path = uri.split('?').next().unwrap_or_default();
    path.split('/').any(|segment| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | ".."))
}

/// Returns true if every `%` begins a valid escape.
fn is_escaped_well(uri: &str) -> bool {
    uri.split('%').skip(1).all(|after| after.len() >= 2 && after.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Returns the part of a redirect URI that is shown to people.
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
            "http://127.0.0.1:65536/cb",
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:080/cb",
            "https://127.0.0.1:51004/cb",
            "http://localhost:51004/cb",
        ] {
            assert!(verify(&client, Some(near)).is_err(), "{near}");
        }
    }

    #[test]
    fn any_port_matches_on_localhost_and_on_no_name_like_it_rfc_8252_8_3() {
        let client = client(ClientKind::Public, &["http://localhost/cb", "http://localhost:3000/old?x=1"]);
        for same in [
            "http://localhost/cb",
            "http://localhost:51004/cb",
            "http://localhost:1/old?x=1",
            "http://localhost/old?x=1",
        ] {
            assert!(verify(&client, Some(same)).is_ok(), "{same}");
        }
        for near in [
            "http://localhost.evil.com/cb",
            "http://localhost.evil.com:51004/cb",
            "http://localhost.:51004/cb",
            "http://localhost:80@evil.example/cb",
            "http://localhost@evil.example/cb",
            "http://localhost:80#@evil.example/cb",
            "http://localhost:80\\@evil.example/cb",
            "http://localhostevil/cb",
            "http://LOCALHOST:51004/cb",
            "http://app.localhost:51004/cb",
            "http://127.0.0.1:51004/cb",
            "https://localhost:51004/cb",
            "http://localhost:51004/cb/",
            "http://localhost:51004/cb?x=1",
            "http://localhost:/cb",
            "http://localhost:0/cb",
            "http://localhost:65536/cb",
            "http://localhost: 80/cb",
            "http://localhost:+80/cb",
        ] {
            assert!(verify(&client, Some(near)).is_err(), "{near}");
        }
        let confidential = Client { kind: ClientKind::Confidential, ..client };
        assert!(verify(&confidential, Some("http://localhost:51004/cb")).is_err());
    }

    #[test]
    fn advice_is_given_for_localhost_and_nothing_else_rfc_8252_8_3() {
        assert!(is_on_localhost("http://localhost/cb", ClientKind::Public));
        assert!(is_on_localhost("http://localhost:3000", ClientKind::Public));
        assert!(!is_on_localhost("http://localhost/cb", ClientKind::Confidential));
        for other in ["http://127.0.0.1/cb", "http://localhost.example/cb", "https://localhost/cb"] {
            assert!(!is_on_localhost(other, ClientKind::Public), "{other}");
        }
    }

    #[test]
    fn a_uri_that_cannot_be_or_is_read_otherwise_is_not_registered_rfc_3986() {
        for (uri, no) in [
            ("https://app.example:0/cb", No::RedirectUriPort),
            ("https://app.example:65536/cb", No::RedirectUriPort),
            ("https://app.example:99999/cb", No::RedirectUriPort),
            ("https://app.example:/cb", No::RedirectUriPort),
            ("https://app.example:080/cb", No::RedirectUriPort),
            ("https://app.example:http/cb", No::RedirectUriPort),
            ("https://app.example:-1/cb", No::RedirectUriPort),
            ("https://app.example:44 3/cb", No::RedirectUriCharacters),
            ("https://app.example:443:444/cb", No::RedirectUriPort),
            ("http://127.0.0.1:0/cb", No::RedirectUriPort),
            ("http://[::1]:99999/cb", No::RedirectUriPort),
            ("http://localhost:0", No::RedirectUriPort),
            ("http://localhost:65536?x", No::RedirectUriPort),
            ("com.example.app://host:0/cb", No::RedirectUriPort),
            ("https://@app.example/cb", No::RedirectUriUserinfo),
            ("https://user@app.example/cb", No::RedirectUriUserinfo),
            ("http://localhost:80@evil.example/cb", No::RedirectUriUserinfo),
            ("com.example.app://user@host/cb", No::RedirectUriUserinfo),
            ("https://app.example\\@evil.example/cb", No::RedirectUriCharacters),
            ("https://app.example/c\tb", No::RedirectUriCharacters),
            (" https://app.example/cb", No::RedirectUriCharacters),
            ("https://bücher.example/cb", No::RedirectUriCharacters),
            ("https://app.example/%zz", No::RedirectUriCharacters),
            ("https://app.example/%", No::RedirectUriCharacters),
            ("https:///app.example/cb", No::RedirectUriNotWrittenOut),
            ("https:/app.example/cb", No::RedirectUriNotWrittenOut),
            ("Https://app.example/cb", No::RedirectUriNotWrittenOut),
            ("Com.Example.App:/cb", No::RedirectUriNotWrittenOut),
            ("http://127.1/cb", No::RedirectUriHost),
            ("http://2130706433/cb", No::RedirectUriHost),
            ("http://0x7f.0.0.1/cb", No::RedirectUriHost),
            ("http://0177.0.0.1/cb", No::RedirectUriHost),
            ("http://127.0.0.1./cb", No::RedirectUriHost),
            ("https://%61pp.example/cb", No::RedirectUriHost),
            ("http://[0:0:0:0:0:0:0:1]/cb", No::RedirectUriHost),
            ("https://app.example/a/../cb", No::RedirectUriDots),
            ("https://app.example/./cb", No::RedirectUriDots),
            ("https://app.example/%2e%2E/cb", No::RedirectUriDots),
            ("https://app.example/cb/..", No::RedirectUriDots),
            ("http://localhost.evil.com/cb", No::RedirectUriUnencrypted),
        ] {
            assert_eq!(may_register(uri, ClientKind::Public), Err(no), "{uri}");
        }
        for uri in [
            "https://app.example",
            "https://App.Example:8443/cb",
            "https://app.example/a..b/.well-known/%2F?next=/../x:0@",
            "http://127.0.0.1:65535/cb",
            "http://[::1]:1/cb",
            "http://localhost/cb",
            "https://xn--bcher-kva.example/cb",
            "https://192.0.2.1/cb",
            "com.example.app:/cb:0@",
            "com.example.app://callback",
        ] {
            assert_eq!(may_register(uri, ClientKind::Public), Ok(()), "{uri}");
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
