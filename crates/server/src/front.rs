//! The front of the server: host and path say whether a request is for an endpoint of a dialect, for an API of this server, for
//! a page, or for nothing.
//!
//! Every answer leaves through [`answer()`], which counts it, logs it and gives it the ID of its request.

use std::time::Instant;

use ::http::header::{CONTENT_LENGTH, HeaderValue, STRICT_TRANSPORT_SECURITY};
use ::http::{Method, StatusCode};
use bytes::Bytes;
use dialect::{Dialect, Route};
use http_body::Body as _;
use http_body_util::Full;
use protocol::refusal::No;
use protocol::wire::Params;

use crate::address::address;
use crate::answers::{self, Refused};
use crate::app::App;
use crate::browser::PageRequest;
use crate::http::{Request, Response, answer};
use crate::limits::Asker;
use crate::observe::metrics::Series;
use crate::observe::{log, refusals};
use crate::{accounts, pages, surface};

/// Two years, in seconds.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// Answers a request within the time limit, also after a fault or a panic.
pub async fn answer(app: &App, request: &Request) -> Response {
    let begun = Instant::now();
    let route = request.host().map(|host| app.dialects.route(host, request.uri.path()));
    let (mut response, place, series) = match route {
        Some(Route::Endpoint(dialect, at)) => {
            let response = surface::answer(app, request, dialect, at).await;
            (response, (dialect.name.as_str(), at.endpoint.row().name), app.metrics.of(&dialect.name, at.endpoint))
        }
        Some(Route::UnknownPath(dialect)) => {
            // Boxed, so that a token request does not carry room for what a page needs.
            let response = app.in_time(Box::pin(page(app, request, dialect)).as_mut()).await;
            let response = response.unwrap_or_else(|fault| {
                answers::refused(app, &PageRequest::read(app, request), None, &answers::broken(request, &fault))
            });
            (response, ("", "page"), &app.metrics.pages)
        }
        Some(Route::UnknownHost) => {
            (answers::misdirected(app, StatusCode::MISDIRECTED_REQUEST), ("", "host"), &app.metrics.pages)
        }
        None => (answers::misdirected(app, StatusCode::BAD_REQUEST), ("", "host"), &app.metrics.pages),
    };
    finish(app, request, &mut response, begun, place, series);
    response
}

/// Counts and logs an answer, and adds the headers that every answer has.
fn finish(app: &App, request: &Request, response: &mut Response, begun: Instant, place: (&str, &str), series: &Series) {
    let refused = response.extensions_mut().remove::<Refused>();
    let took = begun.elapsed();
    series.count(refused.as_ref().map(|refused| refused.refusal.no), took);
    app.forwarding.look(request, &app.settings);
    match &refused {
        None => log::answered(request, place, response.status(), took),
        Some(Refused { refusal, client_id }) => {
            app.metrics.refused(refusal.no);
            app.refusals.refused(&refusals::Refused {
                request,
                place,
                address: &address(request, &app.settings),
                refusal,
                client_id: client_id.as_deref(),
                status: response.status(),
                took,
            });
        }
    }
    answer::name(response, request.id);
    if app.settings.is_https() {
        response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HSTS);
    }
    if request.method == Method::HEAD {
        let length = response.body().size_hint().exact().unwrap_or_default();
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        *response.body_mut() = Full::new(Bytes::new());
    }
}

/// Answers a request for a path that is no endpoint: an API, a page, a static file, or an unknown path.
async fn page(app: &App, request: &Request, dialect: Option<&Dialect>) -> Response {
    if let Err(refusal) = app.check_clock() {
        return answers::refused(
            app,
            &PageRequest::read(app, request),
            dialect.map(|dialect| (dialect, None)),
            &refusal,
        );
    }
    if let Some(sub) = accounts::account(app, request.uri.path()) {
        return accounts::answer(app, request, dialect, sub).await;
    }
    let page = PageRequest::read(app, request);
    let no = if let Some(no) = request.unread {
        no
    } else if page.is_cross_site() {
        No::PageStale
    } else {
        match pages::route(app, &page).await {
            Some(response) => return response,
            None => No::AddressUnknown,
        }
    };
    nowhere(app, &page, dialect, no)
}

/// Refuses a request for an unknown path. Unlike a request for a page, it counts against the rate limits of the dialect.
fn nowhere(app: &App, page: &PageRequest<'_>, dialect: Option<&Dialect>, no: No) -> Response {
    let (params, now) = (Params::default(), app.clock.now());
    let asker = Asker { address: &page.address, params: &params, token: None, owner: None };
    let tally = dialect.and_then(|dialect| app.limiter.count(dialect, None, &asker, now));
    let allowed = tally.as_ref().map_or(Ok(()), |tally| tally.check(now));
    let refusal = allowed.err().unwrap_or_else(|| no.into());
    let mut response = answers::refused(app, page, dialect.map(|dialect| (dialect, None)), &refusal);
    if let Some(tally) = &tally {
        tally.tell(response.headers_mut());
    }
    response
}
