//! The browser behind a request: its cookies, and the network address that it is counted by.

use std::net::{IpAddr, Ipv6Addr};

use ::http::header::{COOKIE, FORWARDED, HeaderMap, HeaderValue, SET_COOKIE, USER_AGENT};
use ::http::{Method, StatusCode};
use data_encoding::BASE64URL_NOPAD;
use ipnet::IpNet;
use protocol::browser::{Caller, Cookie, read_session};
use protocol::login::device;
use protocol::once::ONCE_TTL_S;
use protocol::secret::Digest;

use crate::app::App;
use crate::http::answer::Form;
use crate::http::{Peer, Request, Response, answer};

/// Bytes of the cookie that tells browsers apart.
const BROWSER_BYTES: usize = 24;
/// Fields of a form that are read at most.
const FIELDS_MAX: usize = 128;
/// The address of a caller by a socket in the file system.
const UNIX_ADDRESS: &str = "unix";

/// A request by a browser, as the pages see it.
#[derive(Debug)]
pub struct PageRequest<'a> {
    /// The method; `HEAD` counts as `GET`.
    pub method: Method,
    /// The path below the issuer's own, such as `/account`.
    pub path: &'a str,
    /// The browser.
    pub caller: Caller,
    /// The network address that it is counted by.
    pub address: String,
    /// The request as it came.
    pub http: &'a Request,
    /// Names and values of the form, and before them nothing of the query.
    form: Vec<(String, String)>,
    /// A secret on its way to the page that shows it once, as [`protocol::once::Way::seal`] sealed it.
    pub once: Option<String>,
    /// A cookie to tell this browser from others, when it has none yet.
    new_browser: Option<String>,
}

impl<'a> PageRequest<'a> {
    /// Reads what a page needs of a request.
    #[must_use]
    pub fn read(app: &App, http: &'a Request) -> Self {
        let path = http.uri.path();
        let names = CookieNames::of(app);
        let session = cookie(&http.headers, names.session).and_then(|text| read_session(text, &app.keys()));
        let devices = cookie(&http.headers, names.device).unwrap_or_default();
        let devices = device::read(devices, app.clock.now(), &app.keys());
        let known = cookie(&http.headers, names.browser).filter(|text| is_browser_cookie(text));
        let new_browser = known.is_none().then(|| BASE64URL_NOPAD.encode(&app.draw().bytes::<BROWSER_BYTES>()));
        let browser = known.or(new_browser.as_deref()).unwrap_or_default();
        let agent = http.headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Self {
            method: if http.method == Method::HEAD { Method::GET } else { http.method.clone() },
            path: path.strip_prefix(app.settings.base_path()).unwrap_or(path),
            caller: Caller { session, browser: Digest::of(browser.as_bytes()), agent: agent.to_owned(), devices },
            address: address(http, &app.settings.trusted),
            form: form(http),
            once: cookie(&http.headers, names.once).map(ToOwned::to_owned),
            new_browser,
            http,
        }
    }

    /// The value of a field of the form; the first one where there are several.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields(name).next()
    }

    /// All values of a field of the form, such as those of checkboxes.
    pub fn fields(&self, name: &str) -> impl Iterator<Item = &str> {
        self.form.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter of the query.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<String> {
        let query = self.http.uri.query()?;
        form_urlencoded::parse(query.as_bytes()).find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
    }

    /// Was this form posted from a page of somebody else? Browsers say so by themselves; the form's seal is the other
    /// protection.
    #[must_use]
    pub fn is_cross_site(&self) -> bool {
        let site = self.http.headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
        self.method == Method::POST && matches!(site, Some("cross-site" | "same-site"))
    }

    /// An answer that is a page. `targets` are the redirect URIs that posting its form may lead to.
    #[must_use]
    pub fn html(&self, app: &App, status: StatusCode, body: String) -> Response {
        self.dressed(app, answer::html(status, body, Form::Here), &Cookie::Keep)
    }

    /// An answer that sends the browser to a page of this server, by its path below the issuer's.
    #[must_use]
    pub fn go(&self, app: &App, path: &str) -> Response {
        let location = format!("{}{path}", app.settings.base_path());
        let response = answer::redirect(&self.http.method, &location);
        self.dressed(app, response.unwrap_or_else(|| answer::plain(StatusCode::NOT_FOUND, "")), &Cookie::Keep)
    }

    /// Adds the cookies that an answer sets.
    #[must_use]
    pub fn dressed(&self, app: &App, mut response: Response, session: &Cookie) -> Response {
        let names = CookieNames::of(app);
        let mut set = |name: &str, value: &str, rest: &str| set_cookie(app, &mut response, name, value, rest);
        if let Some(browser) = &self.new_browser {
            set(names.browser, browser, "");
        }
        match session {
            Cookie::Keep => {}
            Cookie::Set(secret, ttl_s, device) => {
                set(names.session, secret.reveal(), &format!("; Max-Age={ttl_s}"));
                if let Some(device) = device {
                    let sealed = device::seal(device, &self.caller.devices, &app.keys(), &mut app.draw());
                    set(names.device, &sealed, &format!("; Max-Age={}", device::DEVICE_TTL_S));
                }
            }
            Cookie::Clear => set(names.session, "", "; Max-Age=0"),
        }
        response
    }

    /// Adds the cookie that brings a sealed secret to the page that shows it, or takes the cookie away.
    #[must_use]
    pub fn with_once(&self, app: &App, mut response: Response, sealed: Option<&str>) -> Response {
        let ttl_s = if sealed.is_some() { ONCE_TTL_S } else { 0 };
        let rest = format!("; Max-Age={ttl_s}");
        set_cookie(app, &mut response, CookieNames::of(app).once, sealed.unwrap_or_default(), &rest);
        response
    }
}

fn set_cookie(app: &App, response: &mut Response, name: &str, value: &str, rest: &str) {
    let secure = if app.settings.is_https() { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/{rest}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(mut value) = HeaderValue::from_str(&text) {
        value.set_sensitive(true);
        response.headers_mut().append(SET_COOKIE, value);
    }
}

/// The names of the cookies. With the prefix, browsers refuse them from other hosts and without encryption.
struct CookieNames {
    session: &'static str,
    browser: &'static str,
    once: &'static str,
    device: &'static str,
}

impl CookieNames {
    fn of(app: &App) -> Self {
        if app.settings.is_https() {
            Self {
                session: "__Host-grantry-session",
                browser: "__Host-grantry-browser",
                once: "__Host-grantry-once",
                device: "__Host-grantry-device",
            }
        } else {
            Self {
                session: "grantry-session",
                browser: "grantry-browser",
                once: "grantry-once",
                device: "grantry-device",
            }
        }
    }
}

/// The value of a cookie; of the first one where there are several, which is the one with the longest path.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(own, value)| (own == name).then_some(value))
}

fn is_browser_cookie(text: &str) -> bool {
    BASE64URL_NOPAD.decode_len(text.len()) == Ok(BROWSER_BYTES) && BASE64URL_NOPAD.decode(text.as_bytes()).is_ok()
}

fn form(http: &Request) -> Vec<(String, String)> {
    if !http.has_form() {
        return Vec::new();
    }
    form_urlencoded::parse(&http.body).into_owned().take(FIELDS_MAX).collect()
}

/// The network address that a caller is counted by: the peer's, or what peers who may say so say. What cannot be read
/// counts for the peer, so that nobody escapes the count by writing nonsense.
#[must_use]
pub fn address(http: &Request, trusted: &[IpNet]) -> String {
    let Peer::Ip(peer) = http.peer else {
        // Whoever may open the socket is the proxy.
        return forwarded(&http.headers, |_| false).map_or_else(|| UNIX_ADDRESS.to_owned(), counted);
    };
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address.to_canonical()));
    let client = is_trusted(peer).then(|| forwarded(&http.headers, is_trusted)).flatten();
    counted(client.unwrap_or(peer))
}

/// The last address of the chain that no trusted proxy wrote of another trusted proxy.
fn forwarded(headers: &HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let standard: Vec<&str> = list(headers, FORWARDED.as_str())?;
    let hops: Vec<&str> = if standard.is_empty() {
        list(headers, "x-forwarded-for")?
    } else {
        standard.into_iter().map(forwarded_for).collect::<Option<_>>()?
    };
    let mut client = None;
    for hop in hops.iter().rev() {
        let address = hop_address(hop)?;
        client = Some(address);
        if !is_trusted(address) {
            break;
        }
    }
    client
}

/// The members of a header that is a list; `None` when it is not text.
fn list<'h>(headers: &'h HeaderMap, name: &str) -> Option<Vec<&'h str>> {
    let mut members = Vec::new();
    for value in headers.get_all(name) {
        members.extend(value.to_str().ok()?.split(',').map(str::trim));
    }
    Some(members)
}

/// RFC 7239 §4: the `for` parameter of one hop.
fn forwarded_for(hop: &str) -> Option<&str> {
    let pairs = hop.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("for")).map(|(_, value)| value.trim_matches('"'))
}

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]:80`, `2001:db8::1`.
fn hop_address(hop: &str) -> Option<IpAddr> {
    if let Some(rest) = hop.strip_prefix('[') {
        return rest.split(']').next()?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    hop.parse().ok().or_else(|| hop.split_once(':')?.0.parse().ok())
}

/// One household has one IPv4 address, and 2^64 addresses of IPv6.
pub(crate) fn counted(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let mut segments = address.segments();
            segments[4..].fill(0);
            format!("{}/64", Ipv6Addr::from(segments))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::RequestIds;
    use bytes::Bytes;

    fn from(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let request = Request {
            method: Method::GET,
            uri: "/".parse().unwrap(),
            headers: map,
            body: Bytes::new(),
            unread: None,
            peer: if peer == "unix" { Peer::Unix } else { Peer::Ip(peer.parse().unwrap()) },
            id: RequestIds::new(1).next(),
        };
        address(&request, &["10.0.0.0/8".parse().unwrap()])
    }

    #[test]
    fn only_a_trusted_peer_may_say_who_its_caller_is() {
        assert_eq!(from("192.0.2.7", &[("x-forwarded-for", "1.1.1.1")]), "192.0.2.7");
        assert_eq!(from("10.0.0.1", &[("x-forwarded-for", "1.1.1.1")]), "1.1.1.1");
        assert_eq!(from("10.0.0.1", &[("forwarded", "for=\"[2001:db8::1]:80\";proto=https")]), "2001:db8::/64");
        assert_eq!(from("unix", &[("x-forwarded-for", "1.1.1.1")]), "1.1.1.1");
        assert_eq!(from("unix", &[]), "unix");
    }

    #[test]
    fn what_the_caller_itself_wrote_into_the_chain_does_not_count() {
        assert_eq!(from("10.0.0.1", &[("x-forwarded-for", "6.6.6.6, 1.1.1.1, 10.0.0.2")]), "1.1.1.1");
        assert_eq!(from("10.0.0.1", &[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.1.1.1")]), "1.1.1.1");
    }

    #[test]
    fn a_chain_that_cannot_be_read_counts_for_the_peer() {
        assert_eq!(from("10.0.0.1", &[("x-forwarded-for", "nonsense")]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &[("forwarded", "for=_hidden, for=unknown")]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &[("forwarded", "proto=https")]), "10.0.0.1");
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_caller_and_a_mapped_address_is_ipv4() {
        assert_eq!(from("2001:db8:1:2:3:4:5:6", &[]), "2001:db8:1:2::/64");
        assert_eq!(from("::ffff:192.0.2.1", &[]), "192.0.2.1");
    }

    #[test]
    fn a_broken_cookie_header_holds_no_cookie() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_bytes(b"x=\xff; grantry-browser=1").unwrap());
        headers.append(COOKIE, HeaderValue::from_static(";;=; =;grantry-session; a=b"));
        assert_eq!(cookie(&headers, "grantry-browser"), None);
        assert_eq!(cookie(&headers, "grantry-session"), None);
        assert_eq!(cookie(&headers, "a"), Some("b"));
    }
}
