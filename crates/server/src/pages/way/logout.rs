//! `/logout`: asks for confirmation, then ends the session.

use ::http::{Method, StatusCode};
use protocol::account::Act;
use protocol::person::browser::Cookie;
use protocol::refusal::No;

use super::sign_out::SignOut;
use super::signed_out::SignedOut;
use crate::answers;
use crate::app::App;
use crate::browser::PageRequest;
use crate::fault::Fault;
use crate::http::Response;
use crate::pages::paths;
use crate::pages::signed_in::form::{account_turn, open_seal, seal};

/// Answers GET and POST requests.
pub(super) async fn answer(app: &App, page: &PageRequest<'_>) -> Result<Response, Fault> {
    if page.method == Method::POST && page.field("decision") == Some("sign-out") {
        let seal = match open_seal(app, page).await {
            Ok(seal) => seal,
            Err(no) => return Ok(answers::refused(app, page, None, &no.into())),
        };
        // If the session has ended already, the user is signed out as requested.
        return match account_turn(app, page, Some(seal), Act::SignOut).await? {
            Err(refusal) if matches!(refusal.no, No::PageStale | No::PageOfOther) => {
                Ok(answers::refused(app, page, None, &refusal))
            }
            _ => Ok(page.renewed(app, page.go(app, paths::SIGN_OUT), &Cookie::Clear)),
        };
    }
    let body = match account_turn(app, page, None, Act::View).await? {
        Ok(seen) => app.templates.render(&SignOut::new(&seen.user, seal(app, page, seen.user.key))),
        Err(_) => app.templates.render(&SignedOut {}),
    };
    Ok(page.html(app, StatusCode::OK, body))
}
