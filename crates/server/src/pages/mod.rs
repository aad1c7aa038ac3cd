//! The pages that people see: plain HTML forms that work without scripts. Each page is one `.rs` (what fills it), one
//! template, and one line of [`TABLE`]; no page knows another.

mod account;
mod assets;
mod consent;
mod developer;
mod face;
mod flow;
mod form_post;
mod google;
mod home;
mod leaving;
mod problem;
mod refused;
mod second_factor;
mod shades;
mod sign_in;
mod sign_out;
mod signed_out;
mod templates;
mod words;

use ::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use ::http::{Method, StatusCode};
use minijinja::Value;
use minijinja::value::Serde;
use protocol::model::Client;
use protocol::person::browser::Ask;
use protocol::redirect::VerifiedRedirect;
use protocol::refusal::{No, Refusal};
use serde::Serialize;

use crate::app::App;
use crate::browser::PageRequest;
use crate::fault::Fault;
use crate::http::{Response, answer};
use crate::surface;

pub use assets::Asset;
pub use templates::Pages;

use problem::Problem;

/// Answers a request for one of this server's own pages; `None` when there is none at its path.
pub async fn route(app: &App, page: &PageRequest<'_>) -> Option<Response> {
    if page.method != Method::GET && page.method != Method::POST {
        return Some(surface::refused(app, page, None, &No::MethodUnknown.into()));
    }
    let is_post = page.method == Method::POST;
    let answered = match page.path {
        "/" | "" => Ok(page.html(app, StatusCode::OK, app.pages.render(&home::Home {}))),
        flow::SIGN_IN => Ok(flow::sign_in(app, page).await),
        flow::SECOND_FACTOR if is_post => Ok(flow::second_factor(app, page).await),
        flow::CONSENT if is_post => Ok(flow::decide(app, page).await),
        flow::SECOND_FACTOR | flow::CONSENT => Ok(flow::again(app, page).await),
        google::BEGIN | google::CALLBACK => Ok(Box::pin(google::answer(app, page)).await),
        leaving::PATH => leaving::answer(app, page).await,
        path if account::is_page(path) => account::answer(app, page).await,
        path => match developer::Place::find(app, path) {
            Some(place) => developer::answer(app, page, &place).await,
            None => return asset(app.pages.asset(path)?),
        },
    };
    Some(answered.unwrap_or_else(|fault: Fault| surface::refused(app, page, None, &surface::broken(page.http, &fault))))
}

/// May a sign-in lead to this path? Only to a page of the person's own; what follows a question mark is the page's.
fn is_destination(app: &App, path: &str) -> bool {
    let bare = path.split_once('?').map_or(path, |(bare, _)| bare);
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain && (account::is_page(path) || developer::Place::find(app, bare).is_some())
}

fn asset(asset: &Asset) -> Option<Response> {
    let mut response = answer::plain(StatusCode::OK, asset.bytes.clone());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(&asset.content_type).ok()?);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(Asset::CACHE_CONTROL));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(Asset::CSP));
    Some(response)
}

/// The page that asks a person something on the way to an authorization.
#[must_use]
pub fn ask(app: &App, page: &PageRequest<'_>, ask: &Ask) -> String {
    flow::asking(app, page, ask)
}

/// Lets a page show the logo of an application: from its origin, and from nowhere else.
pub fn allow_logo(response: &mut Response, client: &Client) {
    if let Some(logo) = face::Logo::of(client) {
        answer::allow_images(response, &logo.origin);
    }
}

/// The page that says no, with a way on where there is a better one than to the account.
#[must_use]
pub fn refusal(app: &App, page: &PageRequest<'_>, way: Option<&str>, refusal: &Refusal) -> String {
    app.pages.render(&refused::Refused::new(refusal, page.http.id.as_str()).with_way(way))
}

/// The address of the page that asks a question after an answer to another one, below the path of the issuer.
///
/// A page that is itself the answer to a form cannot be loaded anew, nor gone back to, without sending the form again, with
/// the password in it. `None` for the answer to an address, for a form that comes back with what was wrong in it, and for an
/// errand that does not fit into an address.
#[must_use]
pub fn address_after(page: &PageRequest<'_>, ask: &Ask) -> Option<String> {
    flow::address_after(page, ask)
}

/// The page whose form carries an answer to the application; a script posts it, and a button for those without.
#[must_use]
pub fn form_post(app: &App, _page: &PageRequest<'_>, to: &VerifiedRedirect, inputs: Vec<(String, String)>) -> String {
    app.pages.render(&form_post::FormPost::new(to, inputs))
}

/// What fills a template.
trait Page: Serialize + Sized {
    /// The template's file.
    const FILE: &'static str;

    /// What was wrong with the last answer, if it was one.
    fn problem(&self) -> Option<&Problem> {
        None
    }

    /// The page as people meet it, under the names of the cases.
    fn samples() -> Vec<(&'static str, Self)>;
}

/// A page of the table.
struct Row {
    file: &'static str,
    source: &'static str,
    samples: fn() -> Vec<(&'static str, Filled)>,
}

/// A page with everything that its template is given.
struct Filled {
    page: Value,
    problem: Option<Problem>,
}

impl Filled {
    fn new<P: Page>(page: &P) -> Self {
        Self { page: Value::from(Serde(page)), problem: page.problem().cloned() }
    }
}

const fn row<P: Page>(source: &'static str) -> Row {
    Row {
        file: P::FILE,
        source,
        samples: || P::samples().iter().map(|(name, page)| (*name, Filled::new(page))).collect(),
    }
}

/// Every page.
const TABLE: &[Row] = &[
    row::<home::Home>(include_str!("../templates/home.html")),
    row::<sign_in::SignIn>(include_str!("../templates/sign_in.html")),
    row::<second_factor::SecondFactor>(include_str!("../templates/second_factor.html")),
    row::<consent::Consent>(include_str!("../templates/consent.html")),
    row::<form_post::FormPost>(include_str!("../templates/form_post.html")),
    row::<refused::Refused>(include_str!("../templates/refused.html")),
    row::<sign_out::SignOut>(include_str!("../templates/sign_out.html")),
    row::<signed_out::SignedOut>(include_str!("../templates/signed_out.html")),
    row::<account::profile::Profile>(include_str!("../templates/account_profile.html")),
    row::<account::password::Password>(include_str!("../templates/account_password.html")),
    row::<account::second_factor::SecondFactor>(include_str!("../templates/account_second_factor.html")),
    row::<account::enrol::Enrol>(include_str!("../templates/account_enrol.html")),
    row::<account::recovery_codes::RecoveryCodes>(include_str!("../templates/account_recovery_codes.html")),
    row::<account::sessions::Sessions>(include_str!("../templates/account_sessions.html")),
    row::<account::applications::Applications>(include_str!("../templates/account_applications.html")),
    row::<developer::overview::Overview>(include_str!("../templates/developer.html")),
    row::<developer::new_application::NewApplication>(include_str!("../templates/developer_new_application.html")),
    row::<developer::application::OwnApplication>(include_str!("../templates/developer_application.html")),
    row::<developer::delete::Delete>(include_str!("../templates/developer_delete.html")),
    row::<developer::new_token::NewToken>(include_str!("../templates/developer_new_token.html")),
];

#[cfg(test)]
mod tests;
