//! The pages on the way to an authorization: sign-in, second factor, consent, the trip to Google and back, and
//! sign-out.

mod ask;
mod consent;
mod flow;
mod form_post;
mod google;
mod google_button;
mod logout;
mod pending_visit;
mod second_factor;
mod sign_in;
mod sign_out;
pub(super) mod signed_out;

use ::http::Method;

use super::paths;
use crate::app::App;
use crate::browser::PageRequest;
use crate::fault::Fault;
use crate::http::Response;
use crate::render::page::{Row, row};
use crate::render::refused::Refused;

pub(crate) use ask::browse;

/// The table of the pages on the way to an authorization.
pub(super) const TABLE: &[Row] = &[
    row::<sign_in::SignIn>(include_str!("../../templates/sign_in.html")),
    row::<second_factor::SecondFactor>(include_str!("../../templates/second_factor.html")),
    row::<consent::Consent>(include_str!("../../templates/consent.html")),
    row::<form_post::FormPost>(include_str!("../../templates/form_post.html")),
    row::<Refused>(include_str!("../../templates/refused.html")),
    row::<sign_out::SignOut>(include_str!("../../templates/sign_out.html")),
    row::<signed_out::SignedOut>(include_str!("../../templates/signed_out.html")),
];

/// Answers a request for one of these pages; `None` if the path belongs to none. `next` is the page that a sign-in
/// leads to, if the address of the sign-in page names one.
pub(super) async fn route(app: &App, page: &PageRequest<'_>, next: Option<String>) -> Option<Result<Response, Fault>> {
    let is_post = page.method == Method::POST;
    Some(match page.path {
        paths::SIGN_IN => Ok(flow::sign_in(app, page, next).await),
        paths::SECOND_FACTOR if is_post => Ok(flow::second_factor(app, page).await),
        paths::CONSENT if is_post => Ok(flow::decide(app, page).await),
        paths::SECOND_FACTOR | paths::CONSENT => Ok(flow::again(app, page).await),
        paths::GOOGLE | paths::GOOGLE_CALLBACK => Ok(Box::pin(google::answer(app, page)).await),
        paths::SIGN_OUT => logout::answer(app, page).await,
        _ => return None,
    })
}
