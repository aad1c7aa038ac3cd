//! The account page on which users set or change their password.

use protocol::account::Act;
use protocol::refusal::{No, Refusal};
use protocol::secret::Secret;
use serde::Serialize;

use super::form::{Form, secret};
use super::visitor::{Visitor, sample_after};
use crate::pages::paths;
use crate::pages::signed_in::frame::Frame;
use crate::render::page::Page;
use crate::render::problem::Problem;

/// The forms of the page.
pub(super) const FORMS: &[Form] = &[
    Form {
        word: "password",
        act: |page| Act::ChangePassword {
            current: secret(page, "current_password"),
            new: secret(page, "new_password"),
        },
        notice: Some("Your password was changed. All your other sessions were ended."),
    },
    Form {
        word: "first-password",
        act: |page| Act::ChangePassword { current: Secret::new(""), new: secret(page, "new_password") },
        notice: Some("Your password is set. All your other sessions were ended."),
    },
];

/// The values for the template of the page.
#[derive(Serialize)]
pub(super) struct Password {
    account: Frame,
    /// True if the user has a password to change. A user who only signs in upstream has none.
    has_password: bool,
    #[serde(skip)]
    problem: Option<Problem>,
}

impl Password {
    /// The page, with the refusal of the last action if there was one.
    pub(crate) fn new(account: Frame, has_password: bool, refusal: Option<&Refusal>) -> Self {
        Self { account, has_password, problem: refusal.map(Problem::new) }
    }
}

/// Renders the page, with the refusal of the last action if there was one.
pub(super) fn show(visitor: &Visitor<'_>) -> String {
    let Visitor { app, user, refusal, .. } = visitor;
    app.templates.render(&Password::new(visitor.frame(), user.password.is_some(), *refusal))
}

impl Page for Password {
    const FILE: &'static str = "account_password.html";
    const FEW_FIELDS: &'static [&'static str] = &["current_password", "new_password"];

    fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    fn samples() -> Vec<(&'static str, Self)> {
        let locked = Refusal { retry_after_s: Some(100), ..No::LockedOut.into() };
        vec![
            ("account_password", Self::new(Frame::sample(paths::ACCOUNT_PASSWORD), true, None)),
            (
                "account_password_changed",
                Self::new(sample_after(paths::ACCOUNT_PASSWORD, FORMS, "password"), true, None),
            ),
            (
                "account_password_wrong",
                Self::new(Frame::sample(paths::ACCOUNT_PASSWORD), true, Some(&No::PasswordCurrentWrong.into())),
            ),
            (
                "account_password_common",
                Self::new(Frame::sample(paths::ACCOUNT_PASSWORD), true, Some(&No::PasswordTooCommon.into())),
            ),
            ("account_password_first", Self::new(Frame::sample(paths::ACCOUNT_PASSWORD), false, None)),
            ("account_password_locked", Self::new(Frame::sample(paths::ACCOUNT_PASSWORD), true, Some(&locked))),
        ]
    }
}
