//! Cross-origin resource sharing (CORS): which scripts of other origins may send requests, and which headers they may
//! read.

use ::http::StatusCode;
use ::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderName, HeaderValue, ORIGIN, VARY,
};
use bytes::Bytes;

use super::asked::Asked;
use crate::http::{Response, answer};

const CORS_HEADERS: &str = "authorization, content-type";
/// Maximum length of the `Access-Control-Request-Headers` that a preflight response repeats, in bytes.
const CORS_ASKED_BYTES_MAX: usize = 1024;
const CORS_EXPOSED: HeaderValue = HeaderValue::from_static("www-authenticate, retry-after, x-request-id");
/// Two hours in seconds: the longest time for which browsers cache a preflight response.
const CORS_KEPT_S: HeaderValue = HeaderValue::from_static("7200");

impl Asked<'_> {
    /// Returns the response to a preflight request; `None` if it is none, or if the endpoint allows no other origin.
    pub(super) fn preflight(&self) -> Option<Response> {
        self.request.headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
        let address = self.dialect.address(self.at);
        if address.cors.is_empty() {
            return None;
        }
        let mut response = answer::plain(StatusCode::NO_CONTENT, Bytes::new());
        let methods = HeaderValue::from_str(&address.methods.join(", ")).ok()?;
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_HEADERS, self.allowed_headers());
        response.headers_mut().insert(ACCESS_CONTROL_MAX_AGE, CORS_KEPT_S);
        self.share(&mut response);
        Some(response)
    }

    /// Returns the headers that scripts may send: the usual ones, and those that this preflight asks for. These
    /// endpoints use no cookies, so any header of a script can only speak for the script.
    fn allowed_headers(&self) -> HeaderValue {
        let asked = self.request.headers.get(ACCESS_CONTROL_REQUEST_HEADERS).and_then(|value| value.to_str().ok());
        let usual = HeaderValue::from_static(CORS_HEADERS);
        let Some(asked) = asked.filter(|asked| asked.len() <= CORS_ASKED_BYTES_MAX) else { return usual };
        let mut all: Vec<&str> = CORS_HEADERS.split(", ").collect();
        for name in asked.split(',').map(|name| name.trim_matches([' ', '\t'])).filter(|name| !name.is_empty()) {
            // RFC 9110 §5.1: a field name is a token. Ignore a list that has anything else.
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                return usual;
            }
            if !all.iter().any(|own| own.eq_ignore_ascii_case(name)) {
                all.push(name);
            }
        }
        HeaderValue::from_str(&all.join(", ")).unwrap_or(usual)
    }

    /// Returns the headers that scripts may read, including the dialect's rate limit headers.
    fn exposed(&self) -> HeaderValue {
        let own = &self.dialect.limits.headers;
        let names: Vec<&str> =
            [&own.limit, &own.remaining, &own.reset, &own.used].into_iter().flatten().map(String::as_str).collect();
        if names.is_empty() {
            return CORS_EXPOSED;
        }
        let all = format!("{}, {}", CORS_EXPOSED.to_str().unwrap_or_default(), names.join(", "));
        HeaderValue::from_str(&all).unwrap_or(CORS_EXPOSED)
    }

    /// Lets scripts of the dialect's origins read the answer.
    pub(super) fn share(&self, response: &mut Response) {
        let cors = &self.dialect.address(self.at).cors;
        if cors.is_empty() {
            return;
        }
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed());
        if cors.iter().any(|origin| origin == "*") {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            return;
        }
        headers.insert(VARY, HeaderValue::from_static("origin"));
        // Return the origin only if it equals one that the dialect lists, byte for byte.
        let asked = self.request.headers.get(ORIGIN);
        if let Some(origin) = asked.filter(|asked| cors.iter().any(|own| own.as_bytes() == asked.as_bytes())) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
    }
}
