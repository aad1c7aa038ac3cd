//! Making answers: their headers are decided here, in one place.

use ::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use ::http::{Method, StatusCode};
use bytes::Bytes;
use dialect::Outgoing;
use http_body_util::Full;
use url::Url;

use super::{RequestId, Response};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer with a status and a body, and nothing else.
#[must_use]
pub fn plain(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    response
}

/// Gives an answer the name of its request.
pub fn name(response: &mut Response, id: RequestId) {
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
}

/// What a dialect made of an answer.
#[must_use]
pub fn outgoing(out: Outgoing) -> Response {
    let status = StatusCode::from_u16(out.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = plain(status, out.body);
    let headers = response.headers_mut();
    match out.content_type.as_deref() {
        None => {}
        Some("application/json") => drop(headers.insert(CONTENT_TYPE, JSON)),
        Some(other) => {
            if let Ok(value) = HeaderValue::from_str(other) {
                headers.insert(CONTENT_TYPE, value);
            }
        }
    }
    for (name, value) in &out.headers {
        // The loader checked the names, and the encoder the values.
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    response
}

/// A page. `targets` are the redirect URIs to which posting its form may lead: Chromium holds a redirect after a POST to
/// the page's `form-action`.
#[must_use]
pub fn html<'u>(status: StatusCode, body: String, targets: impl IntoIterator<Item = &'u str>) -> Response {
    let mut response = plain(status, body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HTML);
    headers.insert(CACHE_CONTROL, NO_STORE);
    // Not no-referrer: under it browsers post "Origin: null", which is of no use against cross-site request forgery.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(CONTENT_SECURITY_POLICY, content_security_policy(targets));
    response
}

fn content_security_policy<'u>(targets: impl IntoIterator<Item = &'u str>) -> HeaderValue {
    let mut policy = String::from(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; base-uri 'none'; \
         frame-ancestors 'none'; form-action 'self'",
    );
    let mut sources: Vec<String> = targets.into_iter().filter_map(source).collect();
    sources.sort();
    sources.dedup();
    for source in sources {
        policy.push(' ');
        policy.push_str(&source);
    }
    HeaderValue::from_str(&policy).expect("sources are made of letters, digits and a few marks")
}

/// How a Content Security Policy names the origin of a redirect URI.
fn source(redirect_uri: &str) -> Option<String> {
    let url = Url::parse(redirect_uri).ok()?;
    let scheme = url.scheme();
    let host = match (scheme, url.host()) {
        // A source cannot name an IPv6 address: the scheme alone must do.
        ("http" | "https", Some(url::Host::Ipv6(_))) => return Some(format!("{scheme}:")),
        // RFC 8252 §7.3: the port of a loopback redirect is the application's to choose.
        ("http", Some(url::Host::Ipv4(address))) if address.is_loopback() => {
            return Some(format!("http://{address}:*"));
        }
        ("http" | "https", Some(host)) => host.to_string(),
        // An application's own scheme, RFC 8252 §7.1.
        _ => return Some(format!("{scheme}:")),
    };
    Some(url.port().map_or_else(|| format!("{scheme}://{host}"), |port| format!("{scheme}://{host}:{port}")))
}

/// Sends the browser elsewhere. `location` may hold a code or a token, so it is kept out of `Referer` and caches.
///
/// `None` when the location cannot stand in a header.
#[must_use]
pub fn redirect(method: &Method, location: &str) -> Option<Response> {
    // RFC 9700 §4.12: "If an HTTP redirection (and not, for example, JavaScript) is used for such a request, the
    // authorization server MUST use HTTP status code 303": the browser must not post the form again to the target.
    let status = if method == Method::POST { StatusCode::SEE_OTHER } else { StatusCode::FOUND };
    let mut response = plain(status, Bytes::new());
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_str(location).ok()?);
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_uri_becomes_a_source_of_the_policy() {
        assert_eq!(source("https://app.example/cb?x=1").unwrap(), "https://app.example");
        assert_eq!(source("https://app.example:8443/cb").unwrap(), "https://app.example:8443");
        assert_eq!(source("http://127.0.0.1/cb").unwrap(), "http://127.0.0.1:*");
        assert_eq!(source("http://[::1]:3000/cb").unwrap(), "http:");
        assert_eq!(source("com.example.app:/cb").unwrap(), "com.example.app:");
    }

    #[test]
    fn a_page_names_where_its_form_may_lead_and_forbids_the_rest() {
        let page =
            html(StatusCode::OK, String::new(), ["https://b.example/x", "https://a.example/", "https://b.example/"]);
        let policy = page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.ends_with("form-action 'self' https://a.example https://b.example"), "{policy}");
        assert!(!policy.contains("unsafe"));
    }

    #[test]
    fn a_redirect_after_a_form_is_a_303_rfc_9700_4_12() {
        assert_eq!(redirect(&Method::POST, "https://a.example/").unwrap().status(), 303);
        assert_eq!(redirect(&Method::GET, "https://a.example/").unwrap().status(), 302);
        assert!(redirect(&Method::GET, "https://a.example/\r\nSet-Cookie: x=y").is_none());
    }
}
