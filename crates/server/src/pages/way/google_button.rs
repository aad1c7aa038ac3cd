//! The button "Sign in with Google": where it leads, and whether a page has it.

use crate::app::App;
use crate::browser::PageRequest;
use crate::outside::upstream::Upstream;
use crate::pages::paths;

/// The path of the button on a sign-in page with this seal, below the path of the issuer; `None` where there is no button.
pub(super) fn link(app: &App, page: &PageRequest<'_>, seal: &str) -> Option<String> {
    // A seal is made of characters that need no encoding.
    offered(app, page).map(|_| format!("{}?errand={seal}", paths::GOOGLE))
}

/// The identity provider behind the button, and the redirect URI at which it sends the browser back. `None` for a request
/// whose host is in no configuration, which a dialect that answers on every host lets through: such a host has no redirect
/// URI.
pub(super) fn offered<'a>(app: &'a App, page: &PageRequest<'_>) -> Option<(&'a Upstream, String)> {
    let upstream = app.upstream.as_ref().filter(|upstream| upstream.has_button())?;
    Some((upstream, callback(app, page)?))
}

/// The redirect URI for Google. It is at the host that the browser is at, because its cookies belong to that host. The text
/// comes from the configuration (the host of the issuer, or one of the `hosts` of a dialect), never from the request.
fn callback(app: &App, page: &PageRequest<'_>) -> Option<String> {
    let (scheme, _) = app.settings.issuer.split_once("://")?;
    let host = app.dialects.configured_host(page.http.host()?)?;
    Some(format!("{scheme}://{host}{}{}", app.settings.base_path(), paths::GOOGLE_CALLBACK))
}
