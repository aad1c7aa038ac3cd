//! The pages on the way to an authorization, or to a page of the account: each takes an answer in, and the judge says what
//! comes next.

use ::http::Method;
use protocol::authorize::{Answer, Visit};
use protocol::person::browser::{Ask, Errand, Goal, Page as Question};
use protocol::person::sign_in::Proof;
use protocol::refusal::No;
use protocol::secret::Secret;
use protocol::wire::{Param, Params};

use super::account;
use super::consent::{self, Consent};
use super::google;
use super::second_factor::SecondFactor;
use super::sign_in::SignIn;
use crate::app::App;
use crate::browser::PageRequest;
use crate::http::Response;
use crate::surface;

pub(super) const SIGN_IN: &str = "/sign-in";
pub(super) const SECOND_FACTOR: &str = "/second-factor";
pub(super) const CONSENT: &str = "/consent";

/// The longest sealed errand in an address, in characters. RFC 9110 §4.1 recommends that URIs of 8,000 bytes are taken
/// everywhere; nginx takes a request line of 8 KiB.
const SEAL_BYTES_MAX: usize = 7_800;

/// Where somebody goes who came to sign in and said nothing about the rest.
pub(super) const USUAL: &str = account::profile::PATH;

/// The page that asks a question.
pub(super) fn asking(app: &App, page: &PageRequest<'_>, ask: &Ask) -> String {
    let csrf = ask.seal.clone();
    match &ask.page {
        Question::SignIn { client, login, problem, is_upstream_enough } => {
            let is_password_needed = problem.is_some_and(|own| own.no == No::PasswordNeeded);
            let is_in_vain = problem.is_some_and(|own| own.no == No::UpstreamNotFresh);
            let is_again = page.query("again").is_some() || page.field("again").is_some() || is_password_needed;
            let google = google::link(app, page, &csrf);
            let shown = SignIn::new(client.as_deref(), login.clone(), problem.as_ref(), csrf);
            let shown = shown.again(is_again).google(google, *is_upstream_enough).in_vain(is_in_vain);
            app.pages.render(&shown)
        }
        Question::SecondFactor { client, user, problem } => {
            let is_recovery = is_recovery(page);
            let shown = SecondFactor::new(client.as_deref(), user, problem.as_ref(), csrf).recovery(is_recovery);
            app.pages.render(&shown)
        }
        Question::Consent { client, user, scope, added, audience, redirect } => {
            let question = consent::Question { client, user, scope, added, audience, redirect };
            let dialect = app.dialects.named(&client.dialect);
            let policy = dialect.map_or(app.house_policy(), |dialect| &app.surface(dialect).policy);
            app.pages.render(&Consent::new(&question, policy, csrf))
        }
    }
}

fn is_recovery(page: &PageRequest<'_>) -> bool {
    let was_asked_by_it = page.query("by").is_some() || page.field("by") == Some("recovery");
    page.field("decision") == Some("use-recovery-code") || (was_asked_by_it && page.field("decision").is_none())
}

/// See [`super::address_after`].
pub(super) fn address_after(page: &PageRequest<'_>, ask: &Ask) -> Option<String> {
    let is_answer = match page.path {
        SIGN_IN | SECOND_FACTOR | CONSENT => page.method == Method::POST,
        path => path == google::CALLBACK,
    };
    let path = match &ask.page {
        // The errand itself tells these two again.
        Question::SignIn { problem: None, .. } => SIGN_IN,
        Question::SignIn { problem: Some(own), .. } if matches!(own.no, No::PasswordNeeded | No::UpstreamNotFresh) => {
            SIGN_IN
        }
        Question::SecondFactor { problem: None, .. } => SECOND_FACTOR,
        Question::Consent { .. } => CONSENT,
        Question::SignIn { .. } | Question::SecondFactor { .. } => return None,
    };
    let is_again = path == SIGN_IN && (page.query("again").is_some() || page.field("again").is_some());
    let more = match path {
        SIGN_IN if is_again => "&again=1",
        SECOND_FACTOR if page.path == SECOND_FACTOR && is_recovery(page) => "&by=recovery",
        _ => "",
    };
    // A seal is made of characters that need no encoding.
    (is_answer && ask.seal.len() <= SEAL_BYTES_MAX).then(|| format!("{path}?errand={}{more}", ask.seal))
}

/// Asks what the errand in the address has yet to ask; for a page that is loaded anew, or gone back to.
pub(super) async fn again(app: &App, page: &PageRequest<'_>) -> Response {
    let Some(seal) = page.query("errand") else { return page.go(app, USUAL) };
    match open(app, page, &seal).await {
        Ok((errand, dialect, _)) => go_on(app, page, &dialect, errand, None).await,
        Err(no) => surface::refused(app, page, None, &no.into()),
    }
}

/// `/sign-in`: asks who is there, and takes in the answer.
pub(super) async fn sign_in(app: &App, page: &PageRequest<'_>) -> Response {
    if page.method == Method::GET && page.query("errand").is_some() {
        return again(app, page).await;
    }
    if page.method == Method::GET {
        let next =
            page.query("next").filter(|next| super::is_destination(app, next)).unwrap_or_else(|| USUAL.to_owned());
        let is_again = page.query("again").is_some();
        let is_fresh_wanted = is_again || page.query("switch").is_some();
        let errand = Errand { is_fresh_wanted, is_confirmation: is_again, ..app.errand(Goal::Page(next)) };
        return go_on(app, page, &app.house_policy().dialect, errand, None).await;
    }
    let login = page.field("username").unwrap_or_default().to_owned();
    let password = Secret::new(page.field("password").unwrap_or_default());
    answered(app, page, Some(Answer::Proof(Proof::Password { login, password }))).await
}

/// `/second-factor`: takes in a code, or another wish.
pub(super) async fn second_factor(app: &App, page: &PageRequest<'_>) -> Response {
    match page.field("decision") {
        Some("switch") => switch_account(app, page).await,
        Some(_) => answered(app, page, None).await,
        None => {
            let typed = Secret::new(page.field("otp").unwrap_or_default());
            answered(app, page, Some(Answer::Proof(Proof::SecondFactor(typed)))).await
        }
    }
}

/// `/consent`: takes in a decision.
pub(super) async fn decide(app: &App, page: &PageRequest<'_>) -> Response {
    match page.field("decision") {
        Some("approve") => answered(app, page, Some(Answer::Consent { is_approved: true })).await,
        Some("deny") => answered(app, page, Some(Answer::Consent { is_approved: false })).await,
        Some("switch") => switch_account(app, page).await,
        // No decision is no yes: the question is asked again.
        _ => answered(app, page, None).await,
    }
}

/// The word of OpenID Connect Core §3.1.2.1 for another account.
const CHOICE: &str = "select_account";

async fn answered(app: &App, page: &PageRequest<'_>, answer: Option<Answer>) -> Response {
    match open(app, page, page.field("csrf").unwrap_or_default()).await {
        // Somebody signed in in another tab since: nothing is taken from this one, and it goes on from there.
        Ok((errand, dialect, is_old)) => go_on(app, page, &dialect, errand, answer.filter(|_| !is_old)).await,
        Err(no) => surface::refused(app, page, None, &no.into()),
    }
}

/// Begins the errand anew, with somebody else at the browser.
async fn switch_account(app: &App, page: &PageRequest<'_>) -> Response {
    let (errand, dialect, _) = match open(app, page, page.field("csrf").unwrap_or_default()).await {
        Ok(opened) => opened,
        Err(no) => return surface::refused(app, page, None, &no.into()),
    };
    let errand = match errand.goal {
        Goal::Page(path) => Errand { is_fresh_wanted: true, ..app.errand(Goal::Page(path)) },
        Goal::Authorize(params) => app.errand(Goal::Authorize(Box::new(with_choice(*params)))),
    };
    go_on(app, page, &dialect, errand, None).await
}

/// The same request, asking for a sign-in: `prompt=select_account` of OpenID Connect Core §3.1.2.1.
fn with_choice(mut params: Params) -> Params {
    let prompt = params.take(Param::Prompt).unwrap_or_default();
    let words: Vec<&str> =
        prompt.split(' ').filter(|word| !word.is_empty() && *word != CHOICE).chain([CHOICE]).collect();
    // The name that the application suggested is not the one that is wanted now.
    params.take(Param::LoginHint);
    params.push(Param::Prompt, words.join(" ")).expect("it was just taken out");
    params
}

/// Opens a seal: the errand, its dialect, and whether it is from before somebody signed in to this browser. That one begins
/// anew, as if the browser had just come with it.
pub(super) async fn open(app: &App, page: &PageRequest<'_>, seal: &str) -> Result<(Errand, String, bool), No> {
    match (app.open_errand(seal, &page.caller.browser).await, &page.before) {
        (Ok((errand, dialect)), _) => Ok((errand, dialect, false)),
        (Err(_), Some(before)) => {
            let (errand, dialect) = app.open_errand(seal, before).await?;
            Ok((errand.anew(), dialect, true))
        }
        (Err(no), None) => Err(no),
    }
}

async fn go_on(app: &App, page: &PageRequest<'_>, dialect: &str, errand: Errand, answer: Option<Answer>) -> Response {
    let visit = Visit { errand, caller: page.caller.clone(), address: page.address.clone(), answer };
    surface::browse(app, page, dialect, visit).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switched(prompt: &str) -> String {
        let mut params = Params::default();
        params.push(Param::Prompt, prompt.to_owned()).unwrap();
        params.push(Param::LoginHint, "alice".to_owned()).unwrap();
        let params = with_choice(params);
        assert_eq!(params.value(Param::LoginHint), None);
        params.value(Param::Prompt).unwrap().to_owned()
    }

    #[test]
    fn another_account_is_asked_for_by_prompt_select_account() {
        let expected = ["select_account", "consent select_account", "login select_account", "select_account"];
        assert_eq!(["", "consent", "login", "select_account"].map(switched), expected);
    }
}
