//! The button "Sign in with Google": whether a page has it, and its address.

use crate::app::App;
use crate::browser::PageRequest;
use crate::outside::upstream::Upstream;
use crate::pages::paths;

/// Returns the address of the button on a sign-in page with this seal, below the path of the issuer; `None` if the page
/// has no button.
pub(super) fn link(app: &App, page: &PageRequest<'_>, seal: &str) -> Option<String> {
    // A seal has only characters that need no encoding.
    offered(app, page).map(|_| format!("{}?errand={seal}", paths::GOOGLE))
}

/// Returns the identity provider behind the button, and the redirect URI for it. `None` if the request's host is in no
/// configuration, because such a host has no redirect URI. A dialect that answers on every host lets such requests
/// through.
pub(super) fn offered<'a>(app: &'a App, page: &PageRequest<'_>) -> Option<(&'a Upstream, String)> {
    let upstream = app.upstream.as_ref().filter(|upstream| upstream.has_button())?;
    Some((upstream, callback(app, page)?))
}

/// Returns the redirect URI for Google. It has the host of the request, because the browser's cookies belong to that
/// host. Its text comes from the configuration (the issuer, or the `hosts` of a dialect) and never from the request.
fn callback(app: &App, page: &PageRequest<'_>) -> Option<String> {
    let (scheme, _) = app.settings.issuer.split_once("://")?;
    let host = app.dialects.configured_host(page.http.host()?)?;
    Some(format!("{scheme}://{host}{}{}", app.settings.base_path(), paths::GOOGLE_CALLBACK))
}
