//! The pages that users see: plain HTML forms that work without scripts.
//!
//! Each page is one `.rs` file with the values for its template, one template, and one row in the table of its area:
//! `way`, `account` or `developer`. No page knows another page. What several pages need is in lower layers: `paths`,
//! `signed_in` and [`crate::render`].

mod account;
mod developer;
mod home;
mod paths;
mod signed_in;
pub(crate) mod way;

use ::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use ::http::{Method, StatusCode};
use protocol::refusal::{No, Refusal};

use crate::answers;
use crate::app::App;
use crate::browser::PageRequest;
use crate::config::settings::Brand;
use crate::fault::Fault;
use crate::http::{Request, Response, answer};
use crate::render::page::{Row, row};
use crate::render::templates::{Asset, Templates};

/// Every page, by area.
static TABLES: [&[Row]; 4] = [
    &[
        row::<home::Home>(include_str!("../templates/home.html")),
        row::<signed_in::resume::Resume>(include_str!("../templates/resume.html")),
    ],
    way::TABLE,
    account::TABLE,
    developer::TABLE,
];

/// The templates of all pages for a brand. `base` is the path of the issuer: empty, or such as `/auth`.
#[must_use]
pub fn templates(brand: &Brand, base: &str) -> Templates {
    Templates::new(brand, base, &TABLES)
}

/// Answers a request for a page or a static file; `None` if the path has none.
pub async fn route(app: &App, page: &PageRequest<'_>) -> Option<Response> {
    if page.method != Method::GET && page.method != Method::POST {
        let refusal = Refusal::from(No::MethodUnknown).with_value(page.method.as_str()).with_choices(["GET", "POST"]);
        return Some(answers::refused(app, page, None, &refusal));
    }
    let next = (page.path == paths::SIGN_IN).then(|| destination(app, page)).flatten();
    let answered = if matches!(page.path, "/" | "") {
        Ok(page.html(app, StatusCode::OK, app.templates.render(&home::Home {})))
    } else if let Some(answered) = way::route(app, page, next).await {
        answered
    } else if paths::is_account_page(page.path) {
        account::answer(app, page).await
    } else if let Some(path) = developer::DeveloperPath::find(app, page.path) {
        developer::answer(app, page, &path).await
    } else {
        return asset(app.templates.asset(page.path)?);
    };
    let broken = |fault: Fault| answers::refused(app, page, None, &answers::broken(page.http, &fault));
    Some(answered.unwrap_or_else(broken))
}

/// Returns the page that a sign-in leads to, if the parameter `next` names one. It must be a page for signed-in users.
/// Its query is kept. A page of the account has no query but a form that is sent again.
fn destination(app: &App, page: &PageRequest<'_>) -> Option<String> {
    let is_destination = |path: &String| {
        let (bare, query) = path.split_once('?').map_or((path.as_str(), None), |(bare, query)| (bare, Some(query)));
        let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic());
        let is_of_account = || paths::is_account_page(bare) && query.is_none_or(signed_in::resume::is_query);
        is_plain && (is_of_account() || developer::DeveloperPath::find(app, bare).is_some())
    };
    page.query("next").filter(is_destination)
}

/// The static file that a request is for.
pub(crate) fn asset_at(app: &App, request: &Request) -> Option<Response> {
    let is_read = matches!(request.method, Method::GET | Method::HEAD);
    asset(app.templates.asset(request.uri.path()).filter(|_| is_read)?)
}

fn asset(asset: &Asset) -> Option<Response> {
    let mut response = answer::plain(StatusCode::OK, asset.bytes.clone());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(&asset.content_type).ok()?);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(Asset::CACHE_CONTROL));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(Asset::CSP));
    Some(response)
}

#[cfg(test)]
mod tests;
