//! The sign-in page, for [`protocol::person::browser::Page::SignIn`].

use protocol::model::{Client, User};
use protocol::refusal::{No, Refusal};
use serde::Serialize;

use crate::render::face::{Application, Person};
use crate::render::page::Page;
use crate::render::problem::Problem;

/// The values for the template of the page.
#[derive(Serialize)]
pub(crate) struct SignIn {
    application: Option<Application>,
    login: String,
    /// The signed-in user who must confirm their identity. The page then asks for the password only.
    person: Option<Person>,
    /// The path of the page that the user came from, below that of the issuer.
    cancel: Option<String>,
    /// True if the user is signed in and must confirm their identity.
    is_again: bool,
    /// True if only the password is enough, although the page could offer Google.
    is_password_needed: bool,
    /// True if the upstream identity provider was asked for a recent sign-in and did not confirm one.
    is_in_vain: bool,
    /// The address of the button "Sign in with Google", below the path of the issuer; `None` without the button.
    google: Option<String>,
    csrf: String,
    #[serde(skip)]
    problem: Option<Problem>,
}

impl SignIn {
    /// The page. `client` is the application that asks, if any. `login` is the text of the name field.
    pub(super) fn new(client: Option<&Client>, login: String, problem: Option<&Refusal>, csrf: String) -> Self {
        Self {
            application: client.map(Application::new),
            login,
            person: None,
            cancel: None,
            is_again: false,
            is_password_needed: false,
            is_in_vain: false,
            google: None,
            csrf,
            problem: problem.map(Problem::new),
        }
    }

    /// The same page for a signed-in user who must confirm their identity, if `is_again`.
    pub(super) fn again(self, is_again: bool) -> Self {
        Self { is_again, ..self }
    }

    /// The same page for a user who is known, with the path of the page that they came from. A user without an e-mail
    /// address and a user name must be asked for the login as well.
    pub(super) fn known(self, user: Option<&User>, cancel: Option<String>) -> Self {
        let login = user.and_then(|user| user.email.as_ref().or(user.username.as_ref())).cloned();
        let person = login.is_some().then(|| user.map(Person::new)).flatten();
        Self { login: login.unwrap_or(self.login), person, cancel: cancel.filter(|_| self.is_again), ..self }
    }

    /// The same page with the address of the button "Sign in with Google". The button is left out if a sign-in there is
    /// not enough.
    pub(super) fn google(self, google: Option<String>, is_enough: bool) -> Self {
        Self { is_password_needed: google.is_some() && !is_enough, google: google.filter(|_| is_enough), ..self }
    }

    /// The same page for a user who came back from the identity provider without a recent `auth_time`, if `is_in_vain`.
    pub(super) fn in_vain(self, is_in_vain: bool) -> Self {
        Self { is_in_vain, ..self }
    }
}

impl Page for SignIn {
    const FILE: &'static str = "sign_in.html";
    const FEW_FIELDS: &'static [&'static str] = &["password"];

    fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    fn samples() -> Vec<(&'static str, Self)> {
        let page = |application, login: &str, refusal: Option<Refusal>| {
            let problem = refusal.as_ref().map(Problem::new);
            let (login, csrf) = (login.to_owned(), "seal".to_owned());
            let (is_again, is_password_needed, is_in_vain) = (false, false, false);
            let (person, cancel) = (None, None);
            Self {
                application,
                login,
                person,
                cancel,
                is_again,
                is_password_needed,
                is_in_vain,
                google: None,
                csrf,
                problem,
            }
        };
        let known = |page: Self| Self {
            login: "alice@example.com".to_owned(),
            person: Some(Person::sample()),
            cancel: Some("/developer/applications/new".to_owned()),
            ..page.again(true)
        };
        let to_google = || Some("/login/google?errand=seal".to_owned());
        let locked = Refusal { retry_after_s: Some(850), ..No::LockedOut.into() };
        vec![
            ("sign_in", page(Some(Application::sample()), "", None)),
            ("sign_in_account", page(None, "", None)),
            ("sign_in_google", page(Some(Application::sample()), "", None).google(to_google(), true)),
            ("sign_in_google_unknown", page(None, "", Some(No::UpstreamEmailTaken.into())).google(to_google(), true)),
            ("sign_in_again", known(page(None, "", None))),
            ("sign_in_again_wrong", known(page(None, "", Some(No::CredentialsWrong.into())))),
            (
                "sign_in_password",
                page(None, "alice@example.com", Some(No::PasswordNeeded.into())).again(true).google(to_google(), false),
            ),
            (
                "sign_in_not_fresh",
                page(Some(Application::sample()), "", Some(No::UpstreamNotFresh.into()))
                    .google(to_google(), false)
                    .in_vain(true),
            ),
            ("sign_in_wrong", page(Some(Application::sample()), "alice\"><script>", Some(No::CredentialsWrong.into()))),
            ("sign_in_locked", page(Some(Application::terse_sample()), "alice@example.com", Some(locked))),
        ]
    }
}
