//! An area is a group of pages for a signed-in user with one judge, such as the account pages. [`answer`] serves all
//! areas. It opens the seal of a form and asks the judge. Then it answers with the page, with the page and a refusal,
//! or with a redirect to the sign-in page.

use std::future::Future;

use ::http::{Method, StatusCode};
use protocol::model::User;
use protocol::person::browser::FormSeal;
use protocol::refusal::{ErrorKind, No, Refusal};

use super::form::open_seal;
use super::resume;
use crate::answers;
use crate::app::App;
use crate::browser::PageRequest;
use crate::fault::Fault;
use crate::http::Response;

/// A request for a page of an area, or from a form on it.
pub(crate) trait Area: Sync {
    /// The result of the judge when it allows an action.
    type Seen: Send + Sync;

    /// Returns the application state and the request.
    fn request(&self) -> (&App, &PageRequest<'_>);

    /// Asks the judge for the values of the page. `is_begun` is true after a form was refused.
    fn look(&self, is_begun: bool) -> impl Future<Output = Verdict<Self::Seen>> + Send;

    /// Judges the action that the form requests. `word` is its name.
    fn act(&self, word: &str, seal: FormSeal) -> impl Future<Output = Verdict<Self::Seen>> + Send;

    /// Returns the signed-in user.
    fn user<'s>(&self, seen: &'s Self::Seen) -> &'s User;

    /// Returns the page, with the refusal of the last action if there was one. `status` is the HTTP status for it.
    fn show(
        &self,
        status: StatusCode,
        seen: &Self::Seen,
        refusal: Option<&Refusal>,
    ) -> impl Future<Output = Result<Response, Fault>> + Send;

    /// Returns the response after a successful action: a redirect, or a page with secrets that are shown once.
    fn done(&self, word: &str, seen: &Self::Seen) -> Response;

    /// Returns the address of the page with its query or typed values, encoded as the value of a parameter.
    fn way_back(&self) -> impl Future<Output = String> + Send;

    /// Returns the response to a form that was shown to another user.
    fn refuse_other(&self, refusal: &Refusal) -> impl Future<Output = Response> + Send;
}

/// The verdict of a judge. The outer error is a fault, the inner one a refusal.
pub(crate) type Verdict<Seen> = Result<Result<Seen, Refusal>, Fault>;

/// Answers a request for a page of the area.
pub(crate) async fn answer(area: &impl Area) -> Result<Response, Fault> {
    let (app, page) = area.request();
    if page.method == Method::GET {
        return match area.look(false).await? {
            Ok(seen) => match resume::show(app, page, area.user(&seen).key) {
                Some(body) => Ok(page.html(app, StatusCode::OK, body)),
                None => show(area, &seen, None).await,
            },
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

/// Returns the response after a refusal: a redirect to the sign-in page, or the page with the refusal.
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

/// Redirects to the sign-in page, which leads back to this page. `again=1` makes a signed-in user confirm their
/// identity. A form that this user sent is then sent again.
async fn sign_in_first(area: &impl Area, no: No) -> Response {
    let (app, page) = area.request();
    if no == No::SignInNeeded {
        return page.go(app, &format!("/sign-in?next={}", area.way_back().await));
    }
    let form = open_seal(app, page).await.ok().filter(|_| page.method == Method::POST);
    let next = match form.and_then(|seal| resume::address(app, page, seal.user)) {
        Some(address) => form_urlencoded::byte_serialize(address.as_bytes()).collect(),
        None => area.way_back().await,
    };
    page.go(app, &format!("/sign-in?next={next}&again=1"))
}

async fn show<A: Area>(area: &A, seen: &A::Seen, refusal: Option<&Refusal>) -> Result<Response, Fault> {
    let response = area.show(status(refusal), seen, refusal).await?;
    Ok(match refusal {
        Some(refusal) => answers::marked(response, *refusal),
        None => response,
    })
}

/// Returns the HTTP status of a page that shows a refusal.
fn status(refusal: Option<&Refusal>) -> StatusCode {
    match refusal.map(|refusal| refusal.row().kind) {
        None => StatusCode::OK,
        Some(ErrorKind::NotFound) => StatusCode::NOT_FOUND,
        Some(ErrorKind::RateLimited) => StatusCode::TOO_MANY_REQUESTS,
        Some(ErrorKind::TemporarilyUnavailable) => StatusCode::SERVICE_UNAVAILABLE,
        Some(_) => StatusCode::BAD_REQUEST,
    }
}
