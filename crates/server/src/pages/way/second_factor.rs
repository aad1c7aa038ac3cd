//! The second-factor page, for [`protocol::person::browser::Page::SecondFactor`].

use protocol::model::{Client, User};
use protocol::refusal::{No, Refusal};
use serde::Serialize;

use crate::render::face::{Application, Person};
use crate::render::page::Page;
use crate::render::problem::Problem;

/// The values for the template of the page.
#[derive(Serialize)]
pub(crate) struct SecondFactor {
    application: Option<Application>,
    person: Person,
    digits: u32,
    /// True if the page asks for a recovery code, which has letters that a numeric keyboard lacks.
    is_recovery: bool,
    csrf: String,
    #[serde(skip)]
    problem: Option<Problem>,
}

impl SecondFactor {
    /// The page for a user who has proven the first factor. `client` is the application that asks, if any.
    pub(super) fn new(client: Option<&Client>, user: &User, problem: Option<&Refusal>, csrf: String) -> Self {
        Self {
            application: client.map(Application::new),
            person: Person::new(user),
            digits: user.totp.as_ref().map_or(6, |own| own.digits),
            is_recovery: false,
            csrf,
            problem: problem.map(Problem::new),
        }
    }

    /// The same page, asking for a recovery code.
    pub(super) fn recovery(self, is_recovery: bool) -> Self {
        Self { is_recovery, ..self }
    }
}

impl Page for SecondFactor {
    const FILE: &'static str = "second_factor.html";
    const FEW_FIELDS: &'static [&'static str] = &["otp"];

    fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    fn samples() -> Vec<(&'static str, Self)> {
        let page = |application, no: Option<No>| Self {
            application,
            person: Person::sample(),
            digits: 6,
            is_recovery: false,
            csrf: "seal".to_owned(),
            problem: no.map(|no| Problem::new(&no.into())),
        };
        vec![
            ("second_factor", page(Some(Application::sample()), None)),
            ("second_factor_account", page(None, None)),
            ("second_factor_wrong", page(None, Some(No::SecondFactorWrong))),
            ("second_factor_recovery", page(None, None).recovery(true)),
        ]
    }
}
