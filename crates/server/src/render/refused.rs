//! The page for refusals that are not sent to an application: what happened, and what to do next.

use protocol::refusal::{ErrorKind, No, Refusal};
use serde::Serialize;

use super::page::Page;
use super::words;

/// The refusal page.
#[derive(Serialize)]
pub(crate) struct Refused {
    heading: &'static str,
    text: String,
    next: &'static str,
    wait: Option<String>,
    error: &'static str,
    param: Option<&'static str>,
    request_id: String,
    /// The path of the link to go on, below the path of the issuer. `None` for the account page.
    way: Option<String>,
    /// True if the page is shown at a host that has no other page.
    is_elsewhere: bool,
    /// For a redirect URI that is not registered: what the request says.
    redirect: Option<RedirectFacts>,
}

/// What the page tells about an authorization request whose redirect URI is not registered.
#[derive(Serialize)]
pub(crate) struct RedirectFacts {
    /// The name of the application.
    pub(crate) application: String,
    /// The redirect URI of the request.
    pub(crate) sent: String,
    /// The path of the developer area, where it can show more; absent if it is switched off.
    pub(crate) developer: Option<&'static str>,
    /// What only the signed-in owner of the application is told.
    pub(crate) own: Option<OwnRedirects>,
}

/// What the owner of an application is told about its redirect URIs.
#[derive(Serialize)]
pub(crate) struct OwnRedirects {
    /// The registered redirect URIs.
    pub(crate) registered: Vec<String>,
    /// The registered redirect URI that is most like that of the request.
    pub(crate) nearest: Option<String>,
    /// Where the two differ.
    pub(crate) difference: Option<String>,
    /// The path of the application's page.
    pub(crate) path: String,
    /// Why the redirect URI cannot be registered; absent if it can.
    pub(crate) obstacle: Option<String>,
    /// The seal of the form that registers it.
    pub(crate) csrf: String,
}

impl Refused {
    /// The page of a refusal.
    pub(crate) fn new(refusal: &Refusal, request_id: &str) -> Self {
        let row = refusal.row();
        let (heading, next) = story(refusal.no, row.kind);
        Self {
            heading,
            text: refusal.detail(),
            next,
            wait: refusal.retry_after_s.map(words::wait),
            // The error code for developers. RFC 6749 has none for an unknown client at this endpoint.
            error: match row.kind {
                ErrorKind::UnknownClient => ErrorKind::InvalidRequest.as_str(),
                kind => kind.as_str(),
            },
            param: refusal.param.map(protocol::wire::Param::as_str),
            request_id: request_id.to_owned(),
            way: None,
            is_elsewhere: false,
            redirect: None,
        }
    }

    /// The same page for a host at which this server has no other page.
    pub(crate) fn elsewhere(self) -> Self {
        Self { is_elsewhere: true, ..self }
    }

    /// The same page with what an authorization request says.
    pub(crate) fn with_redirect(self, told: RedirectFacts) -> Self {
        Self { redirect: Some(told), ..self }
    }

    /// The same page with another link to go on.
    pub(crate) fn with_way(self, way: Option<&str>) -> Self {
        Self { way: way.map(ToOwned::to_owned), ..self }
    }
}

const AGAIN: &str = "Go back and try again. If it keeps happening, ask for help and give the request id below.";

/// Returns the heading, and what the user can do next.
fn story(no: No, kind: ErrorKind) -> (&'static str, &'static str) {
    match (no, kind) {
        (No::PageStale, _) => (
            "This page is no longer valid",
            "Nothing was changed. If it happens at once and every time, your browser refuses cookies: allow them for this \
             site.",
        ),
        (No::PageOfOther, _) => (
            "Somebody else is signed in now",
            "What you see here may be another person's account. To send the form, sign in again as the person to whom it was \
             shown.",
        ),
        (No::RequestTooLarge, _) => ("The form was too large", "Nothing was changed. Go back and send less."),
        (No::HostUnknown, _) => ("Not found at this host", "Check the host in the address for a typing error."),
        (No::BodyMalformed | No::BodyTypeUnknown, _) => ("The form could not be read", AGAIN),
        (_, ErrorKind::NotFound) => ("Page not found", "Check the address for a typing error, or go to your account."),
        (_, ErrorKind::MethodNotAllowed) => ("This address is not a page", AGAIN),
        (_, ErrorKind::RateLimited) => ("Too many attempts", "This protects your account against guessing."),
        (_, ErrorKind::AccessDenied | ErrorKind::InsufficientScope) => {
            ("You may not do this", "If you think that you should, ask for help.")
        }
        (_, ErrorKind::LoginRequired) => ("You are not signed in", "Go to your account to sign in."),
        (_, ErrorKind::TemporarilyUnavailable) => {
            ("We are busy at the moment", "Nothing was changed. Wait a moment, then go back and try again.")
        }
        (_, ErrorKind::ServerError) => ("Something went wrong", "It is not your fault. Go back and try again."),
        _ => (
            "The application’s request is not valid",
            "Nothing was shared. Go back to the application and try again. If it keeps happening, send the details below to the \
             people who make the application.",
        ),
    }
}

impl Page for Refused {
    const FILE: &'static str = "refused.html";

    fn samples() -> Vec<(&'static str, Self)> {
        use protocol::wire::Param;
        let page = |refusal: Refusal| Self::new(&refusal, "0192f3a1b2c3d4e5");
        let sent = "https://importer.example/cb/";
        let unregistered = || page(Refusal::of(No::RedirectUriUnregistered, Param::RedirectUri).with_value(sent));
        let told = |own| RedirectFacts {
            application: "Importer".to_owned(),
            sent: sent.to_owned(),
            developer: Some("/developer"),
            own,
        };
        let own = |obstacle| OwnRedirects {
            registered: vec!["https://importer.example/cb".to_owned(), "https://beta.importer.example/cb".to_owned()],
            nearest: Some("https://importer.example/cb".to_owned()),
            difference: Some("It differs at character 28: the request has a slash at the end.".to_owned()),
            path: "/developer/applications/mzxw6ytboi4dcmrtgq2tmnzyhe".to_owned(),
            obstacle,
            csrf: "seal".to_owned(),
        };
        let obstacle = No::RedirectUriUnencrypted.row().text.to_owned();
        vec![
            ("refused_redirect", unregistered().with_redirect(told(None))),
            ("refused_redirect_owner", unregistered().with_redirect(told(Some(own(None))))),
            ("refused_redirect_owner_never", unregistered().with_redirect(told(Some(own(Some(obstacle)))))),
            ("refused_host", page(Refusal::from(No::HostUnknown).with_value("auth.internal")).elsewhere()),
            ("refused_stale", page(No::PageStale.into())),
            ("refused_not_found", page(No::AddressUnknown.into())),
            ("refused_rate", page(Refusal { retry_after_s: Some(30), ..No::TooManyRequests.into() })),
            ("refused_busy", page(No::Busy.into())),
            ("refused_broken", page(No::Broken.into())),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_page_with_a_next_step() {
        for row in protocol::refusal::TABLE {
            let page = Refused::new(&row.no.into(), "id");
            assert!(!page.heading.is_empty() && !page.next.is_empty(), "{}", row.name);
        }
    }
}
