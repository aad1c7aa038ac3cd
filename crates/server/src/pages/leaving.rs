//! `/logout`: asks first, for a link alone must not sign anybody out (OWASP ASVS 5.0 V10.6.2); then ends the session.

use ::http::{Method, StatusCode};
use protocol::account::Act;
use protocol::person::browser::Cookie;
use protocol::refusal::No;

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
        let seal = match account::open_seal(app, page).await {
            Ok(seal) => seal,
            Err(no) => return Ok(surface::refused(app, page, None, &no.into())),
        };
        // Whoever is not signed in any more has what they want already.
        return match account::turn(app, page, Some(seal), Act::SignOut).await? {
            Err(refusal) if matches!(refusal.no, No::PageStale | No::PageOfOther) => {
                Ok(surface::refused(app, page, None, &refusal))
            }
            _ => Ok(page.renewed(app, page.go(app, PATH), &Cookie::Clear)),
        };
    }
    let body = match account::turn(app, page, None, Act::View).await? {
        Ok(seen) => app.pages.render(&SignOut::new(&seen.user, account::seal(app, page, seen.user.key))),
        Err(_) => app.pages.render(&SignedOut {}),
    };
    Ok(page.html(app, StatusCode::OK, body))
}
