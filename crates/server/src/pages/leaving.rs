//! `/logout`: asks first, for a link alone must not sign anybody out (OWASP ASVS 5.0 V10.6.2); then ends the session.

use ::http::{Method, StatusCode};
use protocol::account::Act;
use protocol::browser::Cookie;

use super::account;
use super::sign_out::SignOut;
use super::signed_out::SignedOut;
use crate::app::App;
use crate::browser::PageRequest;
use crate::fault::Fault;
use crate::http::Response;
use crate::surface;

/// The address.
pub(super) const PATH: &str = "/logout";

/// Answers both methods.
pub(super) async fn answer(app: &App, page: &PageRequest<'_>) -> Result<Response, Fault> {
    if page.method == Method::POST && page.field("decision") == Some("sign-out") {
        if let Err(no) = account::check_seal(app, page).await {
            return Ok(surface::refused(app, page, None, &no.into()));
        }
        // Whoever is not signed in any more has what they want already.
        drop(account::turn(app, page, Act::SignOut).await?);
        return Ok(page.dressed(app, page.go(app, PATH), &Cookie::Clear));
    }
    let body = match account::turn(app, page, Act::View).await? {
        Ok(seen) => app.pages.render(&SignOut::new(&seen.user, account::seal(app, page))),
        Err(_) => app.pages.render(&SignedOut {}),
    };
    Ok(page.html(app, StatusCode::OK, body))
}
