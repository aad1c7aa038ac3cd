//! A form that a user sent, and that waits until the user has confirmed their identity.
//!
//! The form travels through the sign-in in the address, sealed for the user and for the path that it was sent to. The
//! redirect after the sign-in leads back to this address, and the form is then judged as if it was sent again. The answer
//! is another redirect, so the address stays in no history. This happens only if the browser says that each step of its
//! way was on this origin (`Sec-Fetch-Site: same-origin`). A browser that says nothing, that comes from another site such
//! as the upstream identity provider, or into which the address was typed, gets a page with the form and a button.

use ::http::Method;
use protocol::account::Act;
use protocol::carried_form::Use;
use protocol::model::UserKey;
use serde::Serialize;

use super::carried_form::Typed;
use super::form::{account_turn, seal};
use crate::app::App;
use crate::browser::PageRequest;
use crate::render::page::Page;

/// The parameter of an address that holds the sealed form.
pub(super) const PARAMETER: &str = "resume";

/// The values for the template of the page.
#[derive(Serialize)]
pub(crate) struct Resume {
    /// The path that the form is sent to, below that of the issuer.
    path: String,
    fields: Vec<Field>,
    csrf: String,
}

/// A field of the form.
#[derive(Serialize)]
struct Field {
    name: String,
    value: String,
}

/// Renders the page for the sealed form in the address; `None` if the address has none that belongs to this user.
pub(super) fn show(app: &App, page: &PageRequest<'_>, user: UserKey) -> Option<String> {
    let fields = Typed::open(app, Use::SendAgain(page.path), &page.query(PARAMETER)?, user).into_fields();
    let fields: Vec<Field> = fields.into_iter().map(|(name, value)| Field { name, value }).collect();
    let csrf = || seal(app, page, user);
    (!fields.is_empty()).then(|| app.templates.render(&Resume { path: page.path.to_owned(), fields, csrf: csrf() }))
}

/// Returns the request that sends the form in the address. `None` without such a form, or if the browser may
/// come from elsewhere.
pub(crate) async fn sent_again<'a>(app: &App, page: &PageRequest<'a>) -> Option<PageRequest<'a>> {
    // A HEAD request changes nothing.
    if page.http.method != Method::GET || !page.is_from_here() {
        return None;
    }
    let sealed = page.query(PARAMETER)?;
    let user = account_turn(app, page, None, Act::View).await.ok()?.ok()?.user.key;
    let mut fields = Typed::open(app, Use::SendAgain(page.path), &sealed, user).into_fields();
    if fields.is_empty() {
        return None;
    }
    fields.push(("csrf".to_owned(), seal(app, page, user)));
    Some(page.submitting(fields))
}

/// Returns the address of this page with the submitted form, sealed for `user`. `None` if the form cannot be kept.
pub(super) fn address(app: &App, page: &PageRequest<'_>, user: UserKey) -> Option<String> {
    let sealed = Typed::to_send_again(page)?.seal(app, Use::SendAgain(page.path), user)?;
    Some(format!("{}?{PARAMETER}={sealed}", page.path))
}

/// True if a query is what [`address`] makes: the sealed form and nothing else.
pub(crate) fn is_query(query: &str) -> bool {
    let sealed = query.strip_prefix(PARAMETER).and_then(|rest| rest.strip_prefix('='));
    sealed.is_some_and(|sealed| {
        sealed.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    })
}

impl Page for Resume {
    const FILE: &'static str = "resume.html";

    fn samples() -> Vec<(&'static str, Self)> {
        let field = |name: &str, value: &str| Field { name: name.to_owned(), value: value.to_owned() };
        let fields = vec![field("name", "Importer \"2\""), field("action", "create")];
        vec![("resume", Self { path: "/developer/applications/new".to_owned(), fields, csrf: "seal".to_owned() })]
    }
}
