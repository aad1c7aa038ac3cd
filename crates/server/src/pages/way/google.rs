//! `/login/google`: the trip to Google and back. Nothing is stored meanwhile: the pending visit is sealed into the
//! `state`, bound to the browser. After any failure the browser is back at the sign-in page of the same visit.

use std::sync::Arc;

use ::http::Method;
use protocol::authorize::{Answer, Visit};
use protocol::person::browser::{Goal, PendingVisit};
use protocol::person::sign_in::Proof;
use protocol::person::upstream::{Assertion, UnverifiedIdToken, UpstreamTrip};
use protocol::refusal::No;
use protocol::secret::Secret;

use super::ask::browse;
use super::google_button::offered;
use super::pending_visit::open;
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
    let (pending, dialect, _) = match open(app, page, &seal).await {
        Ok(opened) => opened,
        Err(no) => return answers::refused(app, page, None, &no.into()),
    };
    let mut entropy = app.draw();
    let now = app.clock.now();
    let trip = UpstreamTrip::new(pending, dialect, now, &mut entropy);
    let address = match trip.state(&page.caller.browser, now, &app.keys(), &mut entropy) {
        Ok(state) => upstream.address(&trip, &state, redirect_uri, now).await,
        Err(no) => Err(no),
    };
    match address {
        Ok(address) => match answer::redirect(&Method::GET, &address) {
            Some(response) => response,
            None => back(app, page, trip, Err(No::UpstreamUnreachable)).await,
        },
        Err(no) => back(app, page, trip, Err(no)).await,
    }
}

async fn end(app: &App, page: &PageRequest<'_>, upstream: &Upstream, redirect_uri: &str) -> Response {
    let state = page.query("state").unwrap_or_default();
    let trip = match app.open_trip(&state, &page.caller.browser).await {
        Ok(trip) => trip,
        Err(no) => {
            if let Some(response) = from_before(app, page, &state).await {
                return response;
            }
            // The pending visit is lost. The user can still sign in.
            let pending = app.pending_visit(Goal::Page(paths::ACCOUNT.to_owned()));
            return show(
                app,
                page,
                &app.house_policy().dialect,
                pending,
                Answer::Proof(Proof::Upstream(Err(no.into()))),
            )
            .await;
        }
    };
    let returned =
        Returned { code: page.query("code").map(Secret::new), error: page.query("error"), iss: page.query("iss") };
    let now = app.clock.now();
    let said = match upstream.redeem(&returned, trip.verifier(), redirect_uri, now).await {
        Ok(id_token) => assertion(upstream, id_token, &trip),
        Err(no) => Err(no),
    };
    back(app, page, trip, said).await
}

/// Answers a browser that left for Google before a sign-in in another tab. The response of Google is dropped, because
/// whoever knew the browser's earlier cookie could have sent it. A signed-in user continues the visit. Any other user
/// must try again. `None` if the `state` belongs to no earlier cookie either.
async fn from_before(app: &App, page: &PageRequest<'_>, state: &str) -> Option<Response> {
    let UpstreamTrip { pending, dialect, .. } = app.open_trip(state, page.before.as_ref()?).await.ok()?;
    let answer = page.caller.session.is_none().then(|| Answer::Proof(Proof::Upstream(Err(No::UpstreamRefused.into()))));
    let (caller, address) = (page.caller.clone(), page.address.clone());
    Some(browse(app, page, &dialect, Visit { pending: pending.anew(), caller, address, answer }).await)
}

fn assertion(upstream: &Upstream, id_token: String, trip: &UpstreamTrip) -> Result<Assertion, No> {
    let (token, issuer) = (UnverifiedIdToken::read(id_token)?, Arc::clone(upstream.issuer()));
    Ok(Assertion::new(token, issuer, Some(trip.nonce().to_owned())).asked_at(trip.left_at))
}

/// Continues the visit with the verified response of Google, or with the reason why there is none.
async fn back(app: &App, page: &PageRequest<'_>, trip: UpstreamTrip, said: Result<Assertion, No>) -> Response {
    let UpstreamTrip { pending, dialect, .. } = trip;
    let proof = Proof::Upstream(said.map(Box::new).map_err(Into::into));
    show(app, page, &dialect, pending, Answer::Proof(proof)).await
}

async fn show(app: &App, page: &PageRequest<'_>, dialect: &str, pending: PendingVisit, answer: Answer) -> Response {
    let (caller, address) = (page.caller.clone(), page.address.clone());
    browse(app, page, dialect, Visit { pending, caller, address, answer: Some(answer) }).await
}
