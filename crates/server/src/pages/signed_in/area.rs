//! An area is a group of pages for a signed-in user with one judge behind them, such as the account.
//! [`answer`] is the same for all: it opens the seal of a form, asks the judge, and answers with the page, with the page again
//! and what was wrong, or with the way to sign in first.

use std::future::Future;

use ::http::{Method, StatusCode};
use protocol::person::browser::FormSeal;
use protocol::refusal::{ErrorKind, No, Refusal};

use super::form::open_seal;
use crate::answers;
use crate::app::App;
use crate::browser::PageRequest;
use crate::fault::Fault;
use crate::http::Response;

/// A page of an area that a browser asked for, or from which a form came.
pub(crate) trait Area: Sync {
    /// What the judge answers when it allows something.
    type Seen: Send + Sync;

    /// The request.
    fn request(&self) -> (&App, &PageRequest<'_>);

    /// Asks the judge for what the page shows. `is_begun` is true after a form was refused.
    fn look(&self, is_begun: bool) -> impl Future<Output = Verdict<Self::Seen>> + Send;

    /// Asks the judge for the act that the form names.
    fn act(&self, word: &str, seal: FormSeal) -> impl Future<Output = Verdict<Self::Seen>> + Send;

    /// The page; with a refusal, the page that says what was wrong. The status is the one for that refusal.
    fn show(
        &self,
        status: StatusCode,
        seen: &Self::Seen,
        refusal: Option<&Refusal>,
    ) -> impl Future<Output = Result<Response, Fault>> + Send;

    /// The answer to an act that was done: another page, or what is shown once.
    fn done(&self, word: &str, seen: &Self::Seen) -> Response;

    /// The address of the page, with what was typed or asked, as the value of a parameter of another address.
    fn way_back(&self) -> impl Future<Output = String> + Send;

    /// The answer to a form that was shown to another user.
    fn refuse_other(&self, refusal: &Refusal) -> impl Future<Output = Response> + Send;
}

/// The outer error is a fault; the inner one is the judge's no.
pub(crate) type Verdict<Seen> = Result<Result<Seen, Refusal>, Fault>;

/// Answers a request for a page of the area.
pub(crate) async fn answer(area: &impl Area) -> Result<Response, Fault> {
    let (app, page) = area.request();
    if page.method == Method::GET {
        return match area.look(false).await? {
            Ok(seen) => show(area, &seen, None).await,
            Err(refusal) => turn_away(area, &refusal).await,
        };
    }
    let word = page.field("action").unwrap_or_default();
    let verdict = match open_seal(app, page).await {
        Err(no) => Err(no.into()),
        Ok(seal) => area.act(word, seal).await?,
    };
    match verdict {
        Ok(seen) => Ok(area.done(word, &seen)),
        Err(refusal) => turn_away(area, &refusal).await,
    }
}

/// The answer to something that was refused: the way to sign in, or the page again with what was wrong.
async fn turn_away(area: &impl Area, refusal: &Refusal) -> Result<Response, Fault> {
    let (app, page) = area.request();
    match refusal.no {
        No::SignInNeeded | No::SignInAgain | No::PasswordNeeded => return Ok(sign_in_first(area, refusal.no).await),
        No::PageOfOther => return Ok(area.refuse_other(refusal).await),
        _ => {}
    }
    match area.look(true).await? {
        Ok(seen) => show(area, &seen, Some(refusal)).await,
        Err(no) if no.no == No::SignInNeeded => Ok(sign_in_first(area, no.no).await),
        Err(refusal) => Ok(answers::refused(app, page, None, &refusal)),
    }
}

/// The way over the sign-in page and back. A session that must be confirmed asks for the password again.
async fn sign_in_first(area: &impl Area, no: No) -> Response {
    let (app, page) = area.request();
    let again = if no == No::SignInNeeded { "" } else { "&again=1" };
    page.go(app, &format!("/sign-in?next={}{again}", area.way_back().await))
}

async fn show<A: Area>(area: &A, seen: &A::Seen, refusal: Option<&Refusal>) -> Result<Response, Fault> {
    let response = area.show(status(refusal), seen, refusal).await?;
    Ok(match refusal {
        Some(refusal) => answers::marked(response, *refusal),
        None => response,
    })
}

/// The status of a page that says why an act was refused.
fn status(refusal: Option<&Refusal>) -> StatusCode {
    match refusal.map(|refusal| refusal.row().kind) {
        None => StatusCode::OK,
        Some(ErrorKind::NotFound) => StatusCode::NOT_FOUND,
        Some(ErrorKind::RateLimited) => StatusCode::TOO_MANY_REQUESTS,
        Some(ErrorKind::TemporarilyUnavailable) => StatusCode::SERVICE_UNAVAILABLE,
        Some(_) => StatusCode::BAD_REQUEST,
    }
}
