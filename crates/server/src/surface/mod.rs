//! The endpoints of a dialect. A request passes CORS and rate limits, is decoded, and is handed to the judge of its
//! endpoint.
//!
//! `judges` is the table of the judges; the other files hold one step each.

mod asked;
mod authorize;
mod cors;
mod judges;
mod limits;

use std::pin::pin;
use std::sync::OnceLock;

use ::http::header::VARY;
use ::http::{Method, StatusCode};
use dialect::{At, Dialect};
use http_body_util::Full;

use self::asked::Asked;
use crate::answers;
use crate::app::{App, Surface};
use crate::http::{Request, Response};

/// Answers a request to an endpoint of a dialect within the time limit.
pub(crate) async fn answer(app: &App, request: &Request, dialect: &Dialect, at: At) -> Response {
    let surface = app.surface(dialect);
    if let Some(response) = kept_metadata(surface, request, at) {
        return response;
    }
    let asked = Asked { app, request, dialect, at, surface, tally: OnceLock::new() };
    let response = app.in_time(pin!(asked.answer())).await;
    let mut response = response.unwrap_or_else(|fault| asked.refuse(&answers::broken(request, &fault)));
    if let Some(tally) = asked.tally.get() {
        tally.tell(response.headers_mut());
    }
    let is_metadata = at.endpoint.is_metadata() && request.method == Method::GET;
    if is_metadata && response.status() == StatusCode::OK && !response.headers().contains_key(VARY) {
        // Only the first response is kept, because all are alike.
        let _ = surface.metadata_headers(at.endpoint).set((at, response.headers().clone()));
    }
    response
}

/// Returns the metadata response if its headers are known already. It needs no time limit, and no protection against
/// panics.
fn kept_metadata(surface: &Surface, request: &Request, at: At) -> Option<Response> {
    let (own, headers) = at.endpoint.is_metadata().then(|| surface.metadata_headers(at.endpoint).get())??;
    let is_read = matches!(request.method, Method::GET | Method::HEAD) && request.unread.is_none();
    if *own != at || !is_read {
        return None;
    }
    let mut response = Response::new(Full::new(surface.metadata.clone()));
    *response.headers_mut() = headers.clone();
    Some(response)
}
