//! The page about a redirect URI that is not registered.

use std::sync::Arc;

use protocol::developer::{RedirectFault, RedirectFaultCall};
use protocol::person::browser::Goal;
use protocol::policy::Policy;
use protocol::refusal::{No, Refusal};
use protocol::wire::Param;

use crate::answers;
use crate::app::App;
use crate::browser::PageRequest;
use crate::http::Response;
use crate::pages::paths;
use crate::pages::signed_in::form::seal;
use crate::render::refused::{OwnRedirects, RedirectFacts};

/// Maximum length of a redirect URI that the page shows, in characters. A longer one cannot be registered.
const SHOWN_MAX: usize = 2000;

/// The client ID and the redirect URI of an authorization request.
pub(super) fn asked(goal: &Goal) -> Option<(String, String)> {
    let Goal::Authorize(params) = goal else { return None };
    Some((params.value(Param::ClientId)?.to_owned(), params.value(Param::RedirectUri)?.to_owned()))
}

/// The page, if the refusal is about a redirect URI and the browser takes pages.
pub(super) async fn answer(
    app: &App,
    page: &PageRequest<'_>,
    policy: &Arc<Policy>,
    (client_id, sent): (String, String),
    refusal: &Refusal,
) -> Option<Response> {
    if refusal.no != No::RedirectUriUnregistered || !page.http.wants_html() {
        return None;
    }
    let call = RedirectFaultCall { caller: page.caller.clone(), client_id };
    let fault = app.turn(policy, &page.http.found, &page.address, call).await.ok()?.ok()?;
    Some(answers::refused_redirect(app, page, refusal, told(app, page, &fault, &sent)))
}

fn told(app: &App, page: &PageRequest<'_>, fault: &RedirectFault, sent: &str) -> RedirectFacts {
    let has_area = app.settings.has_developer_pages;
    let own = fault.owner.as_ref().filter(|_| has_area).map(|owner| {
        let (nearest, difference) = fault.difference(sent).unzip();
        OwnRedirects {
            registered: fault.client.redirect_uris.clone(),
            nearest: nearest.map(ToOwned::to_owned),
            difference,
            path: paths::application(&fault.client.client_id),
            obstacle: fault.may_add(sent).err().map(|no| no.row().text.to_owned()),
            csrf: seal(app, page, owner.key),
        }
    });
    RedirectFacts {
        application: fault.client.name.clone(),
        sent: sent.chars().take(SHOWN_MAX).collect(),
        developer: has_area.then_some(paths::DEVELOPER),
        own,
    }
}
