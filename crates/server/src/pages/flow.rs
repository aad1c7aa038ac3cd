//! The pages on the way to an authorization, or to a page of the account: each takes an answer in, and the judge says what
//! comes next.

use ::http::Method;
use protocol::authorize::{Answer, Visit};
use protocol::browser::{Ask, Errand, Goal, Page as Question};
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

/// Where somebody goes who came to sign in and said nothing about the rest.
pub(super) const USUAL: &str = account::profile::PATH;

/// The page that asks a question.
pub(super) fn asking(app: &App, page: &PageRequest<'_>, ask: &Ask) -> String {
    let csrf = ask.seal.clone();
    match &ask.page {
        Question::SignIn { client, login, problem, is_upstream_enough } => {
            let is_password_needed = problem.is_some_and(|own| own.no == No::PasswordNeeded);
            let is_again = page.query("again").is_some() || page.field("again").is_some() || is_password_needed;
            let google = google::link(app, page, &csrf);
            let shown = SignIn::new(client.as_deref(), login.clone(), problem.as_ref(), csrf);
            let shown = shown.again(is_again).google(google, *is_upstream_enough);
            app.pages.render(&shown)
        }
        Question::SecondFactor { client, user, problem } => {
            let is_recovery = page.field("decision") == Some("use-recovery-code")
                || (page.field("by") == Some("recovery") && page.field("decision").is_none());
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

/// `/sign-in`: asks who is there, and takes in the answer.
pub(super) async fn sign_in(app: &App, page: &PageRequest<'_>) -> Response {
    if page.method == Method::GET {
        let next =
            page.query("next").filter(|next| super::is_destination(app, next)).unwrap_or_else(|| USUAL.to_owned());
        let is_again = page.query("again").is_some();
        let errand = Errand { is_fresh_wanted: is_again, is_confirmation: is_again, ..app.errand(Goal::Page(next)) };
        return go_on(app, page, &app.house_policy().dialect, errand, None).await;
    }
    let login = page.field("username").unwrap_or_default().to_owned();
    let password = Secret::new(page.field("password").unwrap_or_default());
    answered(app, page, Some(Answer::SignIn { login, password })).await
}

/// `/second-factor`: takes in a code, or another wish.
pub(super) async fn second_factor(app: &App, page: &PageRequest<'_>) -> Response {
    match page.field("decision") {
        Some("switch") => switch_account(app, page).await,
        Some(_) => answered(app, page, None).await,
        None => {
            let typed = Secret::new(page.field("otp").unwrap_or_default());
            answered(app, page, Some(Answer::SecondFactor(typed))).await
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

async fn answered(app: &App, page: &PageRequest<'_>, answer: Option<Answer>) -> Response {
    match open(app, page).await {
        Ok((errand, dialect)) => go_on(app, page, &dialect, errand, answer).await,
        Err(no) => surface::refused(app, page, None, &no.into()),
    }
}

/// Begins the errand anew, with somebody else at the browser.
async fn switch_account(app: &App, page: &PageRequest<'_>) -> Response {
    let (errand, dialect) = match open(app, page).await {
        Ok(opened) => opened,
        Err(no) => return surface::refused(app, page, None, &no.into()),
    };
    let errand = match errand.goal {
        Goal::Page(path) => Errand { is_fresh_wanted: true, ..app.errand(Goal::Page(path)) },
        Goal::Authorize(params) => app.errand(Goal::Authorize(with_login(params))),
    };
    go_on(app, page, &dialect, errand, None).await
}

/// The same request, asking for a sign-in: `prompt=login` of OpenID Connect Core §3.1.2.1.
fn with_login(mut params: Params) -> Params {
    let prompt = params.take(Param::Prompt).unwrap_or_default();
    let words: Vec<&str> =
        prompt.split(' ').filter(|word| !word.is_empty() && *word != "login").chain(["login"]).collect();
    // The name that the application suggested is not the one that is wanted now.
    params.take(Param::LoginHint);
    params.push(Param::Prompt, words.join(" ")).expect("it was just taken out");
    params
}

async fn open(app: &App, page: &PageRequest<'_>) -> Result<(Errand, String), No> {
    app.open_errand(page.field("csrf").unwrap_or_default(), &page.caller.browser).await
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
        let params = with_login(params);
        assert_eq!(params.value(Param::LoginHint), None);
        params.value(Param::Prompt).unwrap().to_owned()
    }

    #[test]
    fn another_account_is_asked_for_by_prompt_login() {
        assert_eq!([switched(""), switched("consent"), switched("login")], ["login", "consent login", "login"]);
    }
}
