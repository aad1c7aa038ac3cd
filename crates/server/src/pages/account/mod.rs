//! The pages of one's own account: what they have in common, and how an act becomes a page.

pub(super) mod applications;
pub(super) mod enrol;
pub(super) mod password;
pub(super) mod profile;
pub(super) mod recovery_codes;
pub(super) mod second_factor;
pub(super) mod sessions;

use ::http::{Method, StatusCode};
use protocol::account::{self, Account, AccountCall, Act, Done};
use protocol::line::Turn;
use protocol::model::{IdentityName, SessionId, User, UserKey};
use protocol::person::browser::FormSeal;
use protocol::refusal::{ErrorKind, No, Refusal};
use protocol::secret::Secret;
use serde::Serialize;

use super::face::Person;
use crate::app::App;
use crate::browser::PageRequest;
use crate::fault::Fault;
use crate::http::answer::Form;
use crate::http::{Response, answer};

/// The pages that stand in the navigation: address and name.
const TABS: [(&str, &str); 5] = [
    ("/account", "Profile"),
    ("/account/password", "Password"),
    ("/account/second-factor", "Second factor"),
    ("/account/sessions", "Sessions"),
    ("/account/applications", "Applications"),
];

/// The page of the navigation that leads to what one makes oneself, where the operator lets people do so.
const DEVELOPER: (&str, &str) = (super::developer::PATH, "Developer");

/// What can have been done just before: the word in the address, and the sentence on the page.
const NOTICES: [(&str, &str); 8] = [
    ("profile", "Your name was saved."),
    ("password", "Your password was changed. All your other sessions were ended."),
    ("first-password", "Your password is set. All your other sessions were ended."),
    ("unlink", "The account elsewhere no longer opens this one. All your other sessions were ended."),
    ("remove-totp", "The second factor is off."),
    ("end-session", "The session was ended."),
    ("end-other-sessions", "All your other sessions were ended."),
    ("disconnect", "The application was disconnected. It can no longer use your account."),
];

/// Is this the path of a page of the account?
pub(super) fn is_page(path: &str) -> bool {
    TABS.iter().any(|(own, _)| *own == path)
}

/// Somebody who is signed in, at a page of the account.
struct Visitor<'a> {
    app: &'a App,
    page: &'a PageRequest<'a>,
    user: &'a User,
    session: SessionId,
    /// What was wrong with what they just did.
    refusal: Option<&'a Refusal>,
}

impl Visitor<'_> {
    /// The frame of the page that they asked for.
    fn frame(&self) -> Frame {
        let done = self.refusal.is_none().then(|| self.page.query("done")).flatten();
        Frame::new(self.app, self.page, self.user, self.page.path, notice(&NOTICES, done.as_deref()))
    }
}

/// Answers a request for a page of the account.
pub(super) async fn answer(app: &App, page: &PageRequest<'_>) -> Result<Response, Fault> {
    if page.method == Method::GET {
        return match turn(app, page, None, Act::View).await? {
            Ok(seen) => show(app, page, &seen, None).await,
            Err(refusal) => turn_away(app, page, &refusal).await,
        };
    }
    let word = page.field("action").unwrap_or_default();
    let verdict = match (open_seal(app, page).await, act(page, word)) {
        (Err(no), _) => Err(no.into()),
        (Ok(_), None) => Err(Refusal::from(No::PageStale)),
        (Ok(seal), Some(act)) => turn(app, page, Some(seal), act).await?,
    };
    match verdict {
        Ok(account) => show_done(app, page, word, &account),
        Err(refusal) => turn_away(app, page, &refusal).await,
    }
}

/// What a form asks for.
fn act(page: &PageRequest<'_>, word: &str) -> Option<Act> {
    let text = |name: &str| page.field(name).unwrap_or_default().to_owned();
    let secret = |name: &str| Secret::new(page.field(name).unwrap_or_default());
    Some(match word {
        "profile" => Act::Rename(text("name")),
        "password" => Act::ChangePassword { current: secret("current_password"), new: secret("new_password") },
        "first-password" => Act::ChangePassword { current: Secret::new(""), new: secret("new_password") },
        "unlink" => Act::Unlink(IdentityName { issuer: text("issuer"), subject: text("subject") }),
        "enrol-totp" => Act::EnrolTotp,
        "confirm-totp" => Act::ConfirmTotp { sealed_seed: text("seed"), typed: secret("otp") },
        "remove-totp" => Act::RemoveTotp { password: secret("password") },
        "new-recovery-codes" => Act::RenewRecovery,
        "end-session" => Act::EndSession(text("session")),
        "end-other-sessions" => Act::EndOtherSessions,
        "disconnect" => Act::Disconnect(text("client")),
        _ => return None,
    })
}

/// The answer to an act that was done. What is shown this once is shown at once; after everything else the browser is sent
/// to a page, so that loading that anew does not do it again.
fn show_done(app: &App, page: &PageRequest<'_>, word: &str, account: &Account) -> Result<Response, Fault> {
    let visitor = Visitor { app, page, user: &account.user, session: account.session, refusal: None };
    let body = match &account.done {
        Done::Viewed | Done::Changed => {
            let to = page.go(app, &format!("{}?done={word}", page.path));
            return Ok(page.dressed(app, to, &account.cookie));
        }
        Done::SignedOut => return Ok(page.renewed(app, page.go(app, super::leaving::PATH), &account.cookie)),
        Done::Enrolling { base32, uri, sealed_seed } => {
            let key = enrol::Key { base32, uri, sealed_seed, digits: app.house_policy().otp_digits };
            app.pages.render(&enrol::Enrol::new(visitor.frame(), &key, None))
        }
        Done::Recovery(codes) => {
            let is_first = word == "confirm-totp";
            app.pages.render(&recovery_codes::RecoveryCodes::new(visitor.frame(), codes, is_first))
        }
    };
    let response = answer::html(StatusCode::OK, body, Form::Here);
    Ok(page.dressed(app, response, &account.cookie))
}

/// The answer to an act that was refused: the way to sign in, or the page again with what was wrong.
async fn turn_away(app: &App, page: &PageRequest<'_>, refusal: &Refusal) -> Result<Response, Fault> {
    match refusal.no {
        No::SignInNeeded => return Ok(page.go(app, &format!("/sign-in?next={}", page.path))),
        No::SignInAgain | No::PasswordNeeded => {
            return Ok(page.go(app, &format!("/sign-in?next={}&again=1", page.path)));
        }
        No::PageOfOther => return Ok(crate::surface::refused(app, page, None, refusal)),
        _ => {}
    }
    match turn(app, page, None, Act::View).await? {
        Ok(seen) => show(app, page, &seen, Some(refusal)).await,
        Err(refusal) if refusal.no == No::SignInNeeded => Ok(page.go(app, &format!("/sign-in?next={}", page.path))),
        Err(refusal) => Ok(crate::surface::refused(app, page, None, &refusal)),
    }
}

/// The page that was asked for, or from which something was done in vain.
async fn show(app: &App, page: &PageRequest<'_>, seen: &Account, refusal: Option<&Refusal>) -> Result<Response, Fault> {
    let visitor = Visitor { app, page, user: &seen.user, session: seen.session, refusal };
    let body = match page.path {
        password::PATH => {
            app.pages.render(&password::Password::new(visitor.frame(), seen.user.password.is_some(), refusal))
        }
        second_factor::PATH => enrol_again(&visitor).unwrap_or_else(|| second_factor::show(&visitor)),
        sessions::PATH => sessions::show(&visitor).await?,
        applications::PATH => applications::show(&visitor).await?,
        _ => profile::show(&visitor).await?,
    };
    let response = page.html(app, status(refusal), body);
    Ok(match refusal {
        Some(refusal) => crate::surface::marked(response, *refusal),
        None => response,
    })
}

/// The status of a page from which something was done in vain.
pub(super) fn status(refusal: Option<&Refusal>) -> StatusCode {
    match refusal.map(|refusal| refusal.row().kind) {
        None => StatusCode::OK,
        Some(ErrorKind::NotFound) => StatusCode::NOT_FOUND,
        Some(ErrorKind::RateLimited) => StatusCode::TOO_MANY_REQUESTS,
        Some(ErrorKind::TemporarilyUnavailable) => StatusCode::SERVICE_UNAVAILABLE,
        Some(_) => StatusCode::BAD_REQUEST,
    }
}

/// The sentence about what was done just before, by the word for it in the address.
pub(super) fn notice(notices: &[(&str, &'static str)], done: Option<&str>) -> Option<&'static str> {
    notices.iter().find(|(word, _)| Some(*word) == done).map(|(_, sentence)| *sentence)
}

/// After a wrong first code: the same key again, so that nobody has to scan twice.
fn enrol_again(visitor: &Visitor<'_>) -> Option<String> {
    let Visitor { app, page, user, refusal, .. } = visitor;
    let refusal = refusal.filter(|refusal| refusal.no == No::SecondFactorWrong)?;
    let (keys, policy) = (app.keys(), app.house_policy());
    let mut turn = Turn::new(app.clock.now(), policy, &keys, app.draw(), &page.address);
    match account::enrolling_again(user, page.field("seed")?, &mut turn)? {
        Done::Enrolling { base32, uri, sealed_seed } => {
            let key = enrol::Key { base32: &base32, uri: &uri, sealed_seed: &sealed_seed, digits: policy.otp_digits };
            Some(app.pages.render(&enrol::Enrol::new(visitor.frame(), &key, Some(refusal))))
        }
        _ => None,
    }
}

/// Takes an act down the line.
pub(super) async fn turn(
    app: &App,
    page: &PageRequest<'_>,
    seal: Option<FormSeal>,
    act: Act,
) -> Result<Result<Account, Refusal>, Fault> {
    let call = AccountCall { caller: page.caller.clone(), address: page.address.clone(), seal, act };
    app.turn(app.house_policy(), &page.address, call).await
}

/// The seal of a form that `user` is shown.
pub(super) fn seal(app: &App, page: &PageRequest<'_>, user: UserKey) -> String {
    FormSeal::new(user, &page.caller.browser).seal(app.clock.now(), &app.keys(), &mut app.draw())
}

/// Opens the seal of a form that was sent. The judge says whether it comes from whom it was shown to.
pub(super) async fn open_seal(app: &App, page: &PageRequest<'_>) -> Result<FormSeal, No> {
    app.open_form(page.field("csrf").unwrap_or_default()).await
}

/// The frame of an account's page.
#[derive(Clone, Serialize)]
pub(super) struct Frame {
    person: Person,
    tabs: Vec<Tab>,
    notice: Option<&'static str>,
    csrf: String,
}

#[derive(Clone, Serialize)]
struct Tab {
    path: &'static str,
    name: &'static str,
    is_here: bool,
    /// Does it stand apart from those before it?
    is_apart: bool,
}

impl Frame {
    /// The frame of the page that the navigation has at `path`, after what the notice says.
    pub(super) fn new(
        app: &App,
        page: &PageRequest<'_>,
        user: &User,
        path: &str,
        notice: Option<&'static str>,
    ) -> Self {
        Self::of(Person::new(user), path, notice, app.settings.has_developer_pages, seal(app, page, user.key))
    }

    fn of(person: Person, path: &str, notice: Option<&'static str>, has_developer: bool, csrf: String) -> Self {
        let tabs = TABS.iter().chain(has_developer.then_some(&DEVELOPER));
        let tabs =
            tabs.map(|(own, name)| Tab { path: own, name, is_here: *own == path, is_apart: *own == DEVELOPER.0 });
        Self { person, tabs: tabs.collect(), notice, csrf }
    }

    pub(super) fn sample(path: &str) -> Self {
        Self::of(Person::sample(), path, None, true, "seal".to_owned())
    }

    pub(super) fn sample_after(path: &str, done: &str) -> Self {
        Self::sample_with(path, notice(&NOTICES, Some(done)))
    }

    pub(super) fn sample_with(path: &str, notice: Option<&'static str>) -> Self {
        Self { notice, ..Self::sample(path) }
    }
}
