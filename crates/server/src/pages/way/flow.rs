//! Reads the user's answers on the pages on the way to an authorization, or to a page for signed-in users. The judge
//! decides which page comes next.

use ::http::Method;
use protocol::authorize::{Answer, Visit};
use protocol::person::browser::{Goal, PendingVisit};
use protocol::person::sign_in::Proof;
use protocol::secret::Secret;
use protocol::wire::{Param, Params};

use super::ask::browse;
use super::pending_visit::open;
use crate::answers;
use crate::app::App;
use crate::browser::PageRequest;
use crate::http::Response;
use crate::pages::paths;

/// Shows the next question of the visit in the address, when a page is reloaded or gone back to.
pub(super) async fn again(app: &App, page: &PageRequest<'_>) -> Response {
    let Some(seal) = page.query("errand") else { return page.go(app, paths::ACCOUNT) };
    match open(app, page, &seal).await {
        Ok((pending, dialect, _)) => go_on(app, page, &dialect, pending, None).await,
        Err(no) => answers::refused(app, page, None, &no.into()),
    }
}

/// `/sign-in`: shows the sign-in page, and reads its answer. `next` is the page that the sign-in leads to.
pub(super) async fn sign_in(app: &App, page: &PageRequest<'_>, next: Option<String>) -> Response {
    if page.method == Method::GET && page.query("errand").is_some() {
        return again(app, page).await;
    }
    if page.method == Method::GET {
        let next = next.unwrap_or_else(|| paths::ACCOUNT.to_owned());
        let is_again = page.query("again").is_some();
        let is_fresh_wanted = is_again || page.query("switch").is_some();
        let pending =
            PendingVisit { is_fresh_wanted, is_confirmation: is_again, ..app.pending_visit(Goal::Page(next)) };
        return go_on(app, page, &app.house_policy().dialect, pending, None).await;
    }
    let login = page.field("username").unwrap_or_default().to_owned();
    let password = Secret::new(page.field("password").unwrap_or_default());
    answered(app, page, Some(Answer::Proof(Proof::Password { login, password }))).await
}

/// `/second-factor`: reads a code, or the choice of a recovery code or another account.
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

/// `/consent`: reads the decision.
pub(super) async fn decide(app: &App, page: &PageRequest<'_>) -> Response {
    match page.field("decision") {
        Some("approve") => answered(app, page, Some(Answer::Consent { is_approved: true })).await,
        Some("deny") => answered(app, page, Some(Answer::Consent { is_approved: false })).await,
        Some("switch") => switch_account(app, page).await,
        // Without a decision, show the page again.
        _ => answered(app, page, None).await,
    }
}

/// The value of `prompt` that lets the user choose an account, OpenID Connect Core §3.1.2.1.
const CHOICE: &str = "select_account";

async fn answered(app: &App, page: &PageRequest<'_>, answer: Option<Answer>) -> Response {
    match open(app, page, page.field("csrf").unwrap_or_default()).await {
        // A user has signed in in another tab since. Drop the answer of this tab, and continue the visit.
        Ok((pending, dialect, is_old)) => go_on(app, page, &dialect, pending, answer.filter(|_| !is_old)).await,
        Err(no) => answers::refused(app, page, None, &no.into()),
    }
}

/// Starts the visit from the beginning, to let the user choose another account.
async fn switch_account(app: &App, page: &PageRequest<'_>) -> Response {
    let (pending, dialect, _) = match open(app, page, page.field("csrf").unwrap_or_default()).await {
        Ok(opened) => opened,
        Err(no) => return answers::refused(app, page, None, &no.into()),
    };
    let pending = match pending.goal {
        Goal::Page(path) => PendingVisit { is_fresh_wanted: true, ..app.pending_visit(Goal::Page(path)) },
        Goal::Authorize(params) => app.pending_visit(Goal::Authorize(Box::new(with_choice(*params)))),
    };
    go_on(app, page, &dialect, pending, None).await
}

/// Returns the same request with `prompt=select_account`, OpenID Connect Core §3.1.2.1.
fn with_choice(mut params: Params) -> Params {
    let prompt = params.take(Param::Prompt).unwrap_or_default();
    let words: Vec<&str> =
        prompt.split(' ').filter(|word| !word.is_empty() && *word != CHOICE).chain([CHOICE]).collect();
    // The user does not want the account that the application suggested.
    params.take(Param::LoginHint);
    params.push(Param::Prompt, words.join(" ")).expect("it was just taken out");
    params
}

async fn go_on(
    app: &App,
    page: &PageRequest<'_>,
    dialect: &str,
    pending: PendingVisit,
    answer: Option<Answer>,
) -> Response {
    let visit = Visit { pending, caller: page.caller.clone(), address: page.address.clone(), answer };
    browse(app, page, dialect, visit).await
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
