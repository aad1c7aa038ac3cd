//! Requests of browsers: cookies and submitted forms.

use ::http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE, USER_AGENT};
use ::http::{Method, StatusCode};
use data_encoding::BASE64URL_NOPAD;
use protocol::person::browser::{BROWSER_BYTES, Caller, Cookie, renewed_browser};
use protocol::person::device;
use protocol::person::sign_in::read_session;
use protocol::policy::PAGE_TTL_S;
use protocol::secret::Digest;
use protocol::show_once::ONCE_TTL_S;

use crate::address::address;
use crate::app::App;
use crate::http::answer::Form;
use crate::http::{Request, Response, answer};

/// Maximum number of form fields that are read.
const FIELDS_MAX: usize = 128;

/// A request by a browser, as the pages see it.
#[derive(Debug)]
pub struct PageRequest<'a> {
    /// The HTTP method. `HEAD` counts as `GET`.
    pub method: Method,
    /// The path below that of the issuer, such as `/account`.
    pub path: &'a str,
    /// The browser: its session, its cookie, and the users who know it as a device.
    pub caller: Caller,
    /// The client address that the request is counted by, from [`address`].
    pub address: String,
    /// The HTTP request.
    pub http: &'a Request,
    /// Names and values of the form. Parameters of the query are not included.
    form: Vec<(String, String)>,
    /// The sealed secret in the cookie of [`protocol::show_once::SecretDelivery`], for the page that shows it once.
    pub once: Option<String>,
    /// Digest of the browser cookie before the last sign-in. The pages in other tabs are sealed for it.
    pub before: Option<Digest>,
    /// The browser cookie, which identifies this browser.
    browser: String,
    /// True if the browser does not have a browser cookie yet.
    is_browser_new: bool,
}

impl<'a> PageRequest<'a> {
    /// Reads cookies and form of a request.
    #[must_use]
    pub fn read(app: &App, http: &'a Request) -> Self {
        let path = http.uri.path();
        let names = CookieNames::of(app);
        let session = cookie(&http.headers, names.session).and_then(|text| read_session(text, &app.keys()));
        let devices = cookie(&http.headers, names.device).unwrap_or_default();
        let devices = device::read(devices, app.clock.now(), &app.keys());
        let known = cookie(&http.headers, names.browser).filter(|text| is_browser_cookie(text));
        let browser = known.map_or_else(|| drawn_browser(app), ToOwned::to_owned);
        let before = cookie(&http.headers, names.before).filter(|text| is_browser_cookie(text));
        let agent = http.headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Self {
            method: if http.method == Method::HEAD { Method::GET } else { http.method.clone() },
            path: path.strip_prefix(app.settings.base_path()).unwrap_or(path),
            caller: Caller { session, browser: Digest::of(browser.as_bytes()), agent: agent.to_owned(), devices },
            address: address(http, &app.settings),
            form: form(http),
            once: cookie(&http.headers, names.once).map(ToOwned::to_owned),
            before: before.map(|text| Digest::of(text.as_bytes())),
            is_browser_new: known.is_none(),
            browser,
            http,
        }
    }

    /// Returns the value of a form field; the first one if there are several.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields(name).next()
    }

    /// Returns all values of a form field, such as those of checkboxes.
    pub fn fields(&self, name: &str) -> impl Iterator<Item = &str> {
        self.form.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Returns names and values of all form fields.
    #[must_use]
    pub fn all_fields(&self) -> &[(String, String)] {
        &self.form
    }

    /// Returns the value of a parameter of the query.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<String> {
        let query = self.http.uri.query()?;
        form_urlencoded::parse(query.as_bytes()).find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
    }

    /// Returns the request that submits a form with these fields, from the same browser to the same address.
    #[must_use]
    pub fn submitting(&self, form: Vec<(String, String)>) -> PageRequest<'a> {
        PageRequest {
            method: Method::POST,
            path: self.path,
            caller: self.caller.clone(),
            address: self.address.clone(),
            http: self.http,
            form,
            once: None,
            before: self.before,
            browser: self.browser.clone(),
            is_browser_new: self.is_browser_new,
        }
    }

    /// Returns true if the browser says that a page of this server led here, and that no redirect came from another
    /// origin.
    #[must_use]
    pub fn is_from_here(&self) -> bool {
        self.fetch_site() == Some("same-origin")
    }

    /// Returns true if the browser says that a page of another site posted the form. The seal of the form is the second
    /// protection.
    #[must_use]
    pub fn is_cross_site(&self) -> bool {
        self.method == Method::POST && matches!(self.fetch_site(), Some("cross-site" | "same-site"))
    }

    /// Where the request comes from, as the browser says it in `Sec-Fetch-Site`.
    fn fetch_site(&self) -> Option<&str> {
        self.http.headers.get("sec-fetch-site")?.to_str().ok()
    }

    /// Returns a response with a page, whose form posts to this server.
    #[must_use]
    pub fn html(&self, app: &App, status: StatusCode, body: String) -> Response {
        self.dressed(app, answer::html(status, body, Form::Here), &Cookie::Keep)
    }

    /// Returns a redirect to a page of this server, by its path below that of the issuer.
    #[must_use]
    pub fn go(&self, app: &App, path: &str) -> Response {
        let location = format!("{}{path}", app.settings.base_path());
        let response = answer::redirect(&self.http.method, &location);
        self.dressed(app, response.unwrap_or_else(|| answer::plain(StatusCode::NOT_FOUND, "")), &Cookie::Keep)
    }

    /// Adds the cookies to a response.
    #[must_use]
    pub fn dressed(&self, app: &App, mut response: Response, session: &Cookie) -> Response {
        let names = CookieNames::of(app);
        let mut set = |name: &str, value: &str, rest: &str| set_cookie(app, &mut response, name, value, rest);
        if self.is_browser_new {
            set(names.browser, &self.browser, "");
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

    /// As [`PageRequest::dressed`], for a response after a user signed in or out. It changes the browser cookie, so
    /// that whoever knew the earlier one cannot make seals for this browser.
    #[must_use]
    pub fn renewed(&self, app: &App, response: Response, session: &Cookie) -> Response {
        let mut response = match session {
            Cookie::Keep => return self.dressed(app, response, session),
            Cookie::Set(..) | Cookie::Clear => self.dressed(app, response, session),
        };
        let names = CookieNames::of(app);
        let mut set = |name: &str, value: &str, rest: &str| set_cookie(app, &mut response, name, value, rest);
        match session {
            Cookie::Set(secret, ..) => {
                set(names.browser, &renewed_browser(secret), "");
                set(names.before, &self.browser, &format!("; Max-Age={PAGE_TTL_S}"));
            }
            Cookie::Keep | Cookie::Clear => {
                set(names.browser, &drawn_browser(app), "");
                set(names.before, "", "; Max-Age=0");
            }
        }
        response
    }

    /// Adds the cookie that carries a sealed secret to the page that shows it, or deletes that cookie.
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

/// The names of the cookies. With the prefix `__Host-`, browsers accept them only from this host and over TLS.
struct CookieNames {
    session: &'static str,
    browser: &'static str,
    before: &'static str,
    once: &'static str,
    device: &'static str,
}

impl CookieNames {
    fn of(app: &App) -> Self {
        if app.settings.is_https() {
            Self {
                session: "__Host-grantry-session",
                browser: "__Host-grantry-browser",
                before: "__Host-grantry-before",
                once: "__Host-grantry-once",
                device: "__Host-grantry-device",
            }
        } else {
            Self {
                session: "grantry-session",
                browser: "grantry-browser",
                before: "grantry-before",
                once: "grantry-once",
                device: "grantry-device",
            }
        }
    }
}

/// Returns the value of a cookie. Of several, returns the first one, which has the longest path.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(own, value)| (own == name).then_some(value))
}

fn drawn_browser(app: &App) -> String {
    BASE64URL_NOPAD.encode(&app.draw().bytes::<BROWSER_BYTES>())
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

#[cfg(test)]
mod tests {
    use super::*;

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
