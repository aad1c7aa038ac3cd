//! Judges a visit, and answers with the page of the next question, or with the redirect to the application.

use ::http::{Method, StatusCode};
use dialect::{Dialect, Redirect};
use protocol::account::Act;
use protocol::authorize::Visit;
use protocol::endpoint::Endpoint;
use protocol::model::User;
use protocol::person::browser::{Ask, Browse, Goal, Page as Question, Return, Step};
use protocol::refusal::{No, Refusal};

use super::consent::{self, Behind, Consent};
use super::form_post::FormPost;
use super::google_button;
use super::redirect_fault;
use super::second_factor::SecondFactor;
use super::sign_in::SignIn;
use crate::answers::{self, Refused};
use crate::app::App;
use crate::browser::PageRequest;
use crate::fault::Fault;
use crate::http::answer::Form;
use crate::http::{Response, answer};
use crate::pages::paths;
use crate::pages::signed_in::form::account_turn;

/// Maximum length of a sealed visit in an address, in bytes. RFC 9110 §4.1 recommends that recipients accept URIs of at
/// least 8,000 bytes. nginx accepts a request line of 8 KiB.
const SEAL_BYTES_MAX: usize = 7_800;

/// Judges a visit, and returns the response that tells the browser what to do next. `dialect` is the name of the
/// dialect in which the visit began.
pub(crate) async fn browse(app: &App, page: &PageRequest<'_>, dialect: &str, visit: Visit) -> Response {
    let dialect = app.dialects.named(dialect);
    let policy = app.policy_of(dialect);
    let spoken = dialect.map(|dialect| (dialect, dialect.at(Endpoint::Authorize)));
    let client_id = match &visit.pending.goal {
        Goal::Authorize(params) => answers::claimed_client(params).map(ToOwned::to_owned),
        Goal::Page(_) => None,
    };
    let asked = redirect_fault::asked(&visit.pending.goal);
    let cancel = match &visit.pending.goal {
        Goal::Page(path) => path.split('?').next().map(ToOwned::to_owned),
        Goal::Authorize(_) => None,
    };
    let of = |response, refusal: &Refusal| answers::marked_of(response, *refusal, client_id.as_deref());
    let browse = match app.turn(policy, &page.http.found, &page.address, visit).await {
        Ok(Ok(browse)) => browse,
        Ok(Err(refusal)) => {
            let told = match asked {
                Some(asked) => redirect_fault::answer(app, page, policy, asked, &refusal).await,
                None => None,
            };
            let response = told.unwrap_or_else(|| answers::refused(app, page, spoken, &refusal));
            return of(response, &refusal);
        }
        Err(fault) => return answers::refused(app, page, spoken, &answers::broken(page.http, &fault)),
    };
    let Browse { step, cookie } = browse;
    let response = match (step, dialect) {
        (Step::Ask(ask), _) if let Some(address) = address_after(page, &ask) => page.go(app, &address),
        (Step::Ask(ask), _) => {
            let known = Known { user: confirming(app, page, &ask).await, cancel };
            let html = match asking(app, page, &ask, known).await {
                Ok(html) => html,
                Err(fault) => return answers::refused(app, page, spoken, &answers::broken(page.http, &fault)),
            };
            let mut response = answer::html(asking_status(&ask), html, Form::Away);
            if let Question::Consent { client, .. } = &ask.page {
                answers::allow_logo(&mut response, client);
            }
            match problem(&ask) {
                Some(refusal) => of(response, refusal),
                None => response,
            }
        }
        (Step::Go(path), _) => page.go(app, &path),
        (Step::Return(back), Some(dialect)) => {
            let response = bring_back(app, page, dialect, &back);
            match &back.answer {
                Ok(_) => response,
                // A browser is only redirected to an application that exists, so its client ID may be logged.
                Err(refusal) => Refused::new(*refusal, client_id).mark(response),
            }
        }
        // A visit for an application always names its dialect.
        (Step::Return(_), None) => return answers::refused(app, page, None, &No::PageStale.into()),
    };
    page.renewed(app, response, &cookie)
}

fn bring_back(app: &App, page: &PageRequest<'_>, dialect: &Dialect, back: &Return) -> Response {
    let response = match dialect.redirect(back) {
        Redirect::Location(location) => answer::redirect(&page.http.method, &location),
        Redirect::FormPost { inputs, .. } => {
            let body = app.templates.render(&FormPost::new(&back.to, inputs));
            Some(answer::html(StatusCode::OK, body, Form::Away))
        }
    };
    response.unwrap_or_else(|| answer::plain(StatusCode::INTERNAL_SERVER_ERROR, ""))
}

/// Returns the refusal of the last answer, if the page asks the same question again.
fn problem(ask: &Ask) -> Option<&Refusal> {
    match &ask.page {
        Question::SignIn { problem, .. } | Question::SecondFactor { problem, .. } => problem.as_ref(),
        Question::Consent { .. } => None,
    }
    // `PasswordNeeded` asks for a password after another proof. It is a question and not a refusal.
    .filter(|refusal| refusal.no != No::PasswordNeeded)
}

/// Returns the HTTP status of the page. A wrong password is an error, so that monitoring can see it. Browsers show the
/// page in any case.
fn asking_status(ask: &Ask) -> StatusCode {
    match &ask.page {
        Question::SignIn { problem: Some(problem), .. } | Question::SecondFactor { problem: Some(problem), .. } => {
            match problem.no {
                No::LockedOut => StatusCode::TOO_MANY_REQUESTS,
                // The answer was correct, and another one is needed.
                No::PasswordNeeded | No::UpstreamNotFresh => StatusCode::OK,
                _ => StatusCode::BAD_REQUEST,
            }
        }
        _ => StatusCode::OK,
    }
}

/// What the page about a confirmation shows of a signed-in user.
struct Known {
    /// The user who must confirm their identity.
    user: Option<User>,
    /// The path of the page that the user came from.
    cancel: Option<String>,
}

/// True if the page asks a signed-in user to confirm their identity.
fn is_again(page: &PageRequest<'_>, problem: Option<&Refusal>) -> bool {
    let is_password_needed = problem.is_some_and(|own| own.no == No::PasswordNeeded);
    page.query("again").is_some() || page.field("again").is_some() || is_password_needed
}

/// Returns the signed-in user who must confirm their identity; `None` for other questions.
async fn confirming(app: &App, page: &PageRequest<'_>, ask: &Ask) -> Option<User> {
    let Question::SignIn { problem, .. } = &ask.page else { return None };
    if !is_again(page, problem.as_ref()) {
        return None;
    }
    let account = account_turn(app, page, None, Act::View).await.ok()?.ok()?;
    Some(User::clone(&account.user))
}

/// Renders the page that asks a question.
async fn asking(app: &App, page: &PageRequest<'_>, ask: &Ask, known: Known) -> Result<String, Fault> {
    let csrf = ask.seal.clone();
    Ok(match &ask.page {
        Question::SignIn { client, login, problem, is_upstream_enough } => {
            let is_in_vain = problem.is_some_and(|own| own.no == No::UpstreamNotFresh);
            let is_again = is_again(page, problem.as_ref());
            let google = google_button::link(app, page, &csrf);
            let shown = SignIn::new(client.as_deref(), login.clone(), problem.as_ref(), csrf);
            let shown = shown.again(is_again).google(google, *is_upstream_enough).in_vain(is_in_vain);
            let shown = shown.known(known.user.as_ref(), known.cancel);
            app.templates.render(&shown)
        }
        Question::SecondFactor { client, user, problem } => {
            let is_recovery = is_recovery(page);
            let shown = SecondFactor::new(client.as_deref(), user, problem.as_ref(), csrf).recovery(is_recovery);
            app.templates.render(&shown)
        }
        Question::Consent { client, user, scope, added, audience, redirect } => {
            let question = consent::Question { client, user, scope, added, audience, redirect };
            let policy = app.policy_of(app.dialects.named(&client.dialect));
            let behind = Behind::find(app, client).await?;
            app.templates.render(&Consent::new(&question, behind, policy, csrf))
        }
    })
}

fn is_recovery(page: &PageRequest<'_>) -> bool {
    let was_asked_by_it = page.query("by").is_some() || page.field("by") == Some("recovery");
    page.field("decision") == Some("use-recovery-code") || (was_asked_by_it && page.field("decision").is_none())
}

/// Returns the address of the page for the next question, below the path of the issuer. The browser is redirected there
/// after an answer.
///
/// A page that is the response to a form cannot be reloaded without submitting the form again, with the password in it.
/// Returns `None` if the request was no answer, if the page shows a refusal, or if the sealed visit does not fit into
/// an address.
fn address_after(page: &PageRequest<'_>, ask: &Ask) -> Option<String> {
    let is_answer = match page.path {
        paths::SIGN_IN | paths::SECOND_FACTOR | paths::CONSENT => page.method == Method::POST,
        path => path == paths::GOOGLE_CALLBACK,
    };
    let path = match &ask.page {
        // The page finds out these two refusals again from the visit.
        Question::SignIn { problem: None, .. } => paths::SIGN_IN,
        Question::SignIn { problem: Some(own), .. } if matches!(own.no, No::PasswordNeeded | No::UpstreamNotFresh) => {
            paths::SIGN_IN
        }
        Question::SecondFactor { problem: None, .. } => paths::SECOND_FACTOR,
        Question::Consent { .. } => paths::CONSENT,
        Question::SignIn { .. } | Question::SecondFactor { .. } => return None,
    };
    let is_again = path == paths::SIGN_IN && (page.query("again").is_some() || page.field("again").is_some());
    let more = match path {
        paths::SIGN_IN if is_again => "&again=1",
        paths::SECOND_FACTOR if page.path == paths::SECOND_FACTOR && is_recovery(page) => "&by=recovery",
        _ => "",
    };
    // A seal has only characters that need no encoding.
    (is_answer && ask.seal.len() <= SEAL_BYTES_MAX).then(|| format!("{path}?errand={}{more}", ask.seal))
}
