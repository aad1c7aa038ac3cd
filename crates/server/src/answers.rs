//! Responses that refuse a request: a page for browsers, the dialect's format for programs.

use ::http::StatusCode;
use dialect::{At, Context, Dialect};
use protocol::model::Client;
use protocol::refusal::{ErrorKind, No, Refusal};
use protocol::wire::{Param, Params};

use crate::app::{App, busy};
use crate::browser::PageRequest;
use crate::fault::Fault;
use crate::http::answer::Form;
use crate::http::{Request, Response, answer};
use crate::observe::log;
use crate::render::face::Logo;
use crate::render::refused;

/// The mark on a response that refuses a request. [`crate::front`] removes it, counts the refusal and logs it.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    /// The client ID of the request, if such a client exists.
    pub(crate) client_id: Option<String>,
}

/// Returns the refusal of a request: a page if the client accepts HTML, or else the dialect's format.
#[must_use]
pub(crate) fn refused(
    app: &App,
    page: &PageRequest<'_>,
    dialect: Option<(&Dialect, Option<At>)>,
    refusal: &Refusal,
) -> Response {
    let context = Context { request_id: page.http.id.as_str(), ..Context::default() };
    let out = match dialect.or_else(|| Some((usual(app)?, None))) {
        Some((dialect, at)) => answer::outgoing(dialect.refuse(at, refusal, &context)),
        None => answer::plain(StatusCode::BAD_REQUEST, refusal.detail()),
    };
    let response = if page.http.wants_html() {
        // The status of a page describes the refusal, whatever status the dialect uses for programs.
        let status = StatusCode::from_u16(refusal.row().kind.page_status()).unwrap_or(StatusCode::BAD_REQUEST);
        page.html(app, status, page_of(app, page, None, refusal))
    } else {
        out
    };
    marked(response, *refusal)
}

/// As [`refused`], for a redirect URI that is not registered. The page shows what the request says.
#[must_use]
pub(crate) fn refused_redirect(
    app: &App,
    page: &PageRequest<'_>,
    refusal: &Refusal,
    told: refused::RedirectFacts,
) -> Response {
    let status = StatusCode::from_u16(refusal.row().kind.page_status()).unwrap_or(StatusCode::BAD_REQUEST);
    let shown = refused::Refused::new(refusal, page.http.id.as_str()).with_redirect(told);
    marked(page.html(app, status, app.templates.render(&shown)), *refusal)
}

/// As [`refused`], for one of this server's own pages. The page has a link to `way`, a path below that of the issuer.
#[must_use]
pub(crate) fn refused_with_way(app: &App, page: &PageRequest<'_>, refusal: &Refusal, way: &str) -> Response {
    let response = refused(app, page, None, refusal);
    if !page.http.wants_html() {
        return response;
    }
    let body = page_of(app, page, Some(way), refusal);
    marked(page.html(app, response.status(), body), *refusal)
}

fn page_of(app: &App, page: &PageRequest<'_>, way: Option<&str>, refusal: &Refusal) -> String {
    app.templates.render(&refused::Refused::new(refusal, page.http.id.as_str()).with_way(way))
}

/// Lets a page load images from the origin of an application's logo.
pub(crate) fn allow_logo(response: &mut Response, client: &Client) {
    if let Some(logo) = Logo::of(client) {
        answer::allow_images(response, &logo.origin);
    }
}

/// The answer to a request for a host that is not served here. It names the host that came, and none that is served.
pub(crate) fn misdirected(app: &App, request: &Request, status: StatusCode) -> Response {
    let refusal = Refusal::from(No::HostUnknown);
    let refusal = request.host().map_or(refusal, |host| refusal.with_value(host));
    let mut response = match usual(app) {
        // Without a cookie: it would be for the wrong host.
        _ if request.wants_html() => {
            let page = refused::Refused::new(&refusal, request.id.as_str()).elsewhere();
            answer::html(status, app.templates.render(&page), Form::Here)
        }
        Some(dialect) => answer::outgoing(dialect.refuse(None, &refusal, &Context::default())),
        None => answer::plain(status, refusal.detail()),
    };
    *response.status_mut() = status;
    marked(response, refusal)
}

/// Returns the dialect whose format is used for requests that belong to none.
fn usual(app: &App) -> Option<&Dialect> {
    app.dialects.named("standard").or_else(|| app.dialects.iter().next())
}

/// Marks an answer as a refusal, to be counted and logged.
pub(crate) fn marked(response: Response, refusal: impl Into<Refusal>) -> Response {
    Refused { refusal: refusal.into(), client_id: None }.mark(response)
}

/// As [`marked`], for a request that named this client.
pub(crate) fn marked_of(response: Response, refusal: Refusal, client_id: Option<&str>) -> Response {
    let client_id = client_id.filter(|_| is_of_known_client(refusal.no)).map(ToOwned::to_owned);
    Refused { refusal, client_id }.mark(response)
}

impl Refused {
    /// The mark of a refusal. `client_id` is that of the request, if such a client exists.
    pub(crate) fn new(refusal: Refusal, client_id: Option<String>) -> Self {
        Self { refusal, client_id }
    }

    /// Puts the mark on an answer.
    pub(crate) fn mark(self, mut response: Response) -> Response {
        response.extensions_mut().insert(self);
        response
    }
}

/// Returns the client ID that a request names.
pub(crate) fn claimed_client(params: &Params) -> Option<&str> {
    params.basic.as_ref().map(|basic| basic.client_id.as_str()).or(params.value(Param::ClientId))
}

/// Returns true if this refusal is decided only after the client was found. Before that, the client ID is whatever the
/// caller wrote, and may be a secret in the wrong field.
pub(crate) fn is_of_known_client(no: No) -> bool {
    use ErrorKind::{
        InsufficientScope, InvalidRequest, InvalidToken, MethodNotAllowed, NotFound, RateLimited, ServerError,
        TemporarilyUnavailable, UnknownClient, UnsupportedGrantType,
    };
    match no {
        No::RedirectUriUnregistered => true,
        No::ClientUnknown
        | No::ClientHeaderMalformed
        | No::ClientMissing
        | No::ClientInQuery
        | No::ClientAssertionTypeUnknown
        | No::ClientAssertionMalformed
        | No::ClientAssertionAlgorithm
        | No::ClientAssertionOfOther
        | No::ClientAssertionForOther
        | No::ClientAssertionExpired
        | No::ClientAssertionEarly
        | No::ClientAssertionTooLong
        | No::RequestUriUnknown => false,
        _ => !matches!(
            no.row().kind,
            InvalidRequest
                | UnsupportedGrantType
                | InvalidToken
                | InsufficientScope
                | NotFound
                | MethodNotAllowed
                | RateLimited
                | TemporarilyUnavailable
                | ServerError
                | UnknownClient
        ),
    }
}

/// Logs a fault, and returns the refusal that the client gets.
pub(crate) fn broken(request: &Request, fault: &Fault) -> Refusal {
    log::fault(request.id, fault);
    match fault {
        // Nothing is known to be broken: the store or a pool is slow.
        Fault::Late(_) => busy(),
        _ => No::Broken.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_id_of_an_unknown_client_is_no_known_one() {
        for no in [No::ClientUnknown, No::AuthorizeClientUnknown, No::ClientMissing, No::ClientLockedOut] {
            assert!(!is_of_known_client(no), "{no:?}");
        }
        assert!(is_of_known_client(No::RedirectUriUnregistered) && is_of_known_client(No::ClientSecretWrong));
    }
}
