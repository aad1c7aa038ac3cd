//! `/login/google`: the trip to Google and back. Nothing is stored meanwhile: the pending visit is sealed into the
//! `state`, bound to the browser. After any failure the browser is back at the sign-in page of the same visit.

use std::sync::Arc;

use ::http::Method;
use protocol::authorize::{Answer, Visit};
use protocol::person::browser::{Errand, Goal};
use protocol::person::sign_in::Proof;
use protocol::person::upstream::{Assertion, Departure, UnverifiedIdToken};
use protocol::refusal::No;
use protocol::secret::Secret;

use super::ask::browse;
use super::errand::open;
use super::google_button::offered;
use crate::answers;
use crate::app::App;
use crate::browser::PageRequest;
use crate::http::{Response, answer};
use crate::outside::upstream::{Returned, Upstream};
use crate::pages::paths;

/// Redirects the browser to Google, or handles its return.
pub(super) async fn answer(app: &App, page: &PageRequest<'_>) -> Response {
    let Some((upstream, redirect_uri)) = offered(app, page) else {
        return answers::refused(app, page, None, &No::AddressUnknown.into());
    };
    // A HEAD request would use up the code.
    if page.http.method != Method::GET {
        return answers::refused(app, page, None, &No::MethodUnknown.into());
    }
    if page.path == paths::GOOGLE {
        begin(app, page, upstream, &redirect_uri).await
    } else {
        end(app, page, upstream, &redirect_uri).await
    }
}

async fn begin(app: &App, page: &PageRequest<'_>, upstream: &Upstream, redirect_uri: &str) -> Response {
    let seal = page.query("errand").unwrap_or_default();
    let (errand, dialect, _) = match open(app, page, &seal).await {
        Ok(opened) => opened,
        Err(no) => return answers::refused(app, page, None, &no.into()),
    };
    let mut entropy = app.draw();
    let now = app.clock.now();
    let departure = Departure::new(errand, dialect, now, &mut entropy);
    let address = match departure.state(&page.caller.browser, now, &app.keys(), &mut entropy) {
        Ok(state) => upstream.address(&departure, &state, redirect_uri, now).await,
        Err(no) => Err(no),
    };
    match address {
        Ok(address) => match answer::redirect(&Method::GET, &address) {
            Some(response) => response,
            None => back(app, page, departure, Err(No::UpstreamUnreachable)).await,
        },
        Err(no) => back(app, page, departure, Err(no)).await,
    }
}

async fn end(app: &App, page: &PageRequest<'_>, upstream: &Upstream, redirect_uri: &str) -> Response {
    let state = page.query("state").unwrap_or_default();
    let departure = match app.open_departure(&state, &page.caller.browser).await {
        Ok(departure) => departure,
        Err(no) => {
            if let Some(response) = from_before(app, page, &state).await {
                return response;
            }
            // The pending visit is lost. The user can still sign in.
            let errand = app.errand(Goal::Page(paths::ACCOUNT.to_owned()));
            return show(
                app,
                page,
                &app.house_policy().dialect,
                errand,
                Answer::Proof(Proof::Upstream(Err(no.into()))),
            )
            .await;
        }
    };
    let returned =
        Returned { code: page.query("code").map(Secret::new), error: page.query("error"), iss: page.query("iss") };
    let now = app.clock.now();
    let said = match upstream.redeem(&returned, departure.verifier(), redirect_uri, now).await {
        Ok(id_token) => assertion(upstream, id_token, &departure),
        Err(no) => Err(no),
    };
    back(app, page, departure, said).await
}

/// Answers a browser that left for Google before a sign-in in another tab. The response of Google is dropped, because
/// whoever knew the browser's earlier cookie could have sent it. A signed-in user continues the visit. Any other user
/// must try again. `None` if the `state` belongs to no earlier cookie either.
async fn from_before(app: &App, page: &PageRequest<'_>, state: &str) -> Option<Response> {
    let Departure { errand, dialect, .. } = app.open_departure(state, page.before.as_ref()?).await.ok()?;
    let answer = page.caller.session.is_none().then(|| Answer::Proof(Proof::Upstream(Err(No::UpstreamRefused.into()))));
    let (caller, address) = (page.caller.clone(), page.address.clone());
    Some(browse(app, page, &dialect, Visit { errand: errand.anew(), caller, address, answer }).await)
}

fn assertion(upstream: &Upstream, id_token: String, departure: &Departure) -> Result<Assertion, No> {
    let (token, issuer) = (UnverifiedIdToken::read(id_token)?, Arc::clone(upstream.issuer()));
    Ok(Assertion::new(token, issuer, Some(departure.nonce().to_owned())).asked_at(departure.left_at))
}

/// Continues the visit with the verified response of Google, or with the reason why there is none.
async fn back(app: &App, page: &PageRequest<'_>, departure: Departure, said: Result<Assertion, No>) -> Response {
    let Departure { errand, dialect, .. } = departure;
    let proof = Proof::Upstream(said.map(Box::new).map_err(Into::into));
    show(app, page, &dialect, errand, Answer::Proof(proof)).await
}

async fn show(app: &App, page: &PageRequest<'_>, dialect: &str, errand: Errand, answer: Answer) -> Response {
    let (caller, address) = (page.caller.clone(), page.address.clone());
    browse(app, page, dialect, Visit { errand, caller, address, answer: Some(answer) }).await
}
