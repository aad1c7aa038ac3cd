//! Makes responses. All security headers are set here.

use ::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use ::http::{Method, StatusCode};
use bytes::Bytes;
use dialect::Outgoing;
use http_body_util::Full;

use super::{RequestId, Response};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const POLICY_HERE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; base-uri 'none'; \
     frame-ancestors 'none'; form-action 'self'",
);
/// The content security policy of pages that may lead to an application; it has no `form-action`. Chromium applies
/// `form-action` to every redirect after a POST, including redirects by the application itself, whose targets are
/// unknown.
const POLICY_AWAY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; base-uri 'none'; \
     frame-ancestors 'none'",
);

/// Makes a response with a status and a body only.
#[must_use]
pub fn plain(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    response
}

/// Makes a JSON response.
#[must_use]
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = plain(status, body);
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// Adds the request ID to a response.
pub fn name(response: &mut Response, id: RequestId) {
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
}

/// Makes a response of a dialect's answer.
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
        // The loader has checked the names, and the encoder the values.
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    response
}

/// The destination of a page's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// This server, which answers with another page of its own.
    Here,
    /// Possibly an application, by a redirect.
    Away,
}

/// Makes a response with an HTML page.
#[must_use]
pub fn html(status: StatusCode, body: String, form: Form) -> Response {
    let mut response = plain(status, body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HTML);
    headers.insert(CACHE_CONTROL, NO_STORE);
    // Not `no-referrer`: with it, browsers send "Origin: null" in a POST, which is useless against cross-site request
    // forgery.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(CONTENT_SECURITY_POLICY, if form == Form::Here { POLICY_HERE } else { POLICY_AWAY });
    response
}

/// The `img-src` directive of pages.
const IMAGES: &str = "img-src 'self' data:";

/// Allows a page to load images from one more origin, given as scheme, host and port.
pub fn allow_images(response: &mut Response, origin: &str) {
    let Some(policy) = response.headers().get(CONTENT_SECURITY_POLICY).and_then(|own| own.to_str().ok()) else {
        return;
    };
    let wider = policy.replace(IMAGES, &format!("{IMAGES} {origin}"));
    if let Ok(wider) = HeaderValue::from_str(&wider) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, wider);
    }
}

/// Makes a redirect. `location` may contain a code or a token, so it is kept out of `Referer` and caches.
///
/// Returns `None` if the location contains characters that are not allowed in a header.
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
    fn a_page_that_leads_back_to_an_application_does_not_say_how_far_it_goes_from_there() {
        let policy = |form| {
            let page = html(StatusCode::OK, String::new(), form);
            page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned()
        };
        assert!(policy(Form::Here).ends_with("; form-action 'self'"));
        assert_eq!(policy(Form::Here).strip_suffix("; form-action 'self'").unwrap(), policy(Form::Away));
        assert!(!policy(Form::Here).contains("unsafe"));
    }

    #[test]
    fn a_page_that_shows_an_image_of_another_origin_allows_that_and_nothing_else() {
        for form in [Form::Here, Form::Away] {
            let mut page = html(StatusCode::OK, String::new(), form);
            let policy = |page: &Response| page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
            let before = policy(&page);
            allow_images(&mut page, "https://cdn.example:8443");
            let after = policy(&page);
            assert_eq!(after.replace(" https://cdn.example:8443", ""), before);
            assert!(after.contains("img-src 'self' data: https://cdn.example:8443;"), "{after}");
        }
    }

    #[test]
    fn a_redirect_after_a_form_is_a_303_rfc_9700_4_12() {
        assert_eq!(redirect(&Method::POST, "https://a.example/").unwrap().status(), 303);
        assert_eq!(redirect(&Method::GET, "https://a.example/").unwrap().status(), 302);
        assert!(redirect(&Method::GET, "https://a.example/\r\nSet-Cookie: x=y").is_none());
    }
}
