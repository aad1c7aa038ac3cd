//! The account page about the second factor: on or off, and how many recovery codes are left.

use protocol::account::Act;
use protocol::model::User;
use protocol::refusal::{No, Refusal};
use protocol::time::UnixTime;
use serde::Serialize;

use super::form::{Form, secret, text};
use super::visitor::{Visitor, sample_after};
use crate::pages::paths;
use crate::pages::signed_in::frame::Frame;
use crate::render::page::Page;
use crate::render::problem::Problem;
use crate::render::words::Moment;

/// The forms of the page, and of those that are shown in its place: the key to scan, and the recovery codes.
pub(super) const FORMS: &[Form] = &[
    Form { word: "enrol-totp", act: |_| Act::EnrolTotp, notice: None },
    Form {
        word: "confirm-totp",
        act: |page| Act::ConfirmTotp { sealed_seed: text(page, "seed"), typed: secret(page, "otp") },
        notice: None,
    },
    Form {
        word: "remove-totp",
        act: |page| Act::RemoveTotp { password: secret(page, "password") },
        notice: Some("The second factor is off."),
    },
    Form { word: "new-recovery-codes", act: |_| Act::RenewRecovery, notice: None },
];

/// The values for the template of the page.
#[derive(Serialize)]
pub(super) struct SecondFactor {
    account: Frame,
    factor: Option<Factor>,
    /// True if the user has a password. The page then asks for it before the second factor is disabled.
    has_password: bool,
    #[serde(skip)]
    problem: Option<Problem>,
}

/// An enabled second factor.
#[derive(Clone, Serialize)]
struct Factor {
    since: Moment,
    recovery_left: usize,
}

impl SecondFactor {
    /// The page of a user, with the refusal of the last action if there was one.
    pub(crate) fn new(account: Frame, user: &User, now: UnixTime, refusal: Option<&Refusal>) -> Self {
        let factor = user.totp.as_ref();
        Self {
            account,
            has_password: user.password.is_some(),
            factor: factor
                .map(|own| Factor { since: Moment::new(own.enabled_at, now), recovery_left: own.recovery.len() }),
            problem: refusal.map(|refusal| Problem::new(refusal).at("password")),
        }
    }
}

/// Renders the page, with the refusal of the last action if there was one.
pub(super) fn show(visitor: &Visitor<'_>) -> String {
    let Visitor { app, user, refusal, .. } = visitor;
    app.templates.render(&SecondFactor::new(visitor.frame(), user, app.clock.now(), *refusal))
}

impl Page for SecondFactor {
    const FILE: &'static str = "account_second_factor.html";
    const FEW_FIELDS: &'static [&'static str] = &["password"];

    fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    fn samples() -> Vec<(&'static str, Self)> {
        let since = Moment::new(UnixTime(1_795_000_000), UnixTime(1_795_600_000));
        let page = |account, recovery_left: Option<usize>| Self {
            account,
            has_password: true,
            factor: recovery_left.map(|recovery_left| Factor { since: since.clone(), recovery_left }),
            problem: None,
        };
        let problem = Some(Problem::new(&No::PasswordCurrentWrong.into()).at("password"));
        let elsewhere = |recovery_left| Self {
            has_password: false,
            ..page(Frame::sample(paths::ACCOUNT_SECOND_FACTOR), recovery_left)
        };
        vec![
            ("account_second_factor_elsewhere", elsewhere(Some(9))),
            ("account_second_factor_elsewhere_off", elsewhere(None)),
            ("account_second_factor", page(Frame::sample(paths::ACCOUNT_SECOND_FACTOR), Some(9))),
            ("account_second_factor_last", page(Frame::sample(paths::ACCOUNT_SECOND_FACTOR), Some(1))),
            ("account_second_factor_none_left", page(Frame::sample(paths::ACCOUNT_SECOND_FACTOR), Some(0))),
            ("account_second_factor_off", page(sample_after(paths::ACCOUNT_SECOND_FACTOR, FORMS, "remove-totp"), None)),
            (
                "account_second_factor_wrong",
                Self { problem, ..page(Frame::sample(paths::ACCOUNT_SECOND_FACTOR), Some(9)) },
            ),
        ]
    }
}
