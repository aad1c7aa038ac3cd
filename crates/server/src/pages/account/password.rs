//! Changing one's password.

use protocol::refusal::{No, Refusal};
use serde::Serialize;

use super::Frame;
use crate::pages::{Page, Problem};

pub(in crate::pages) const PATH: &str = "/account/password";

/// The page.
#[derive(Serialize)]
pub(in crate::pages) struct Password {
    account: Frame,
    /// Is there one to change? Who only ever came by an account elsewhere has none.
    has_password: bool,
    #[serde(skip)]
    problem: Option<Problem>,
}

impl Password {
    /// The page, after what was wrong with the last answer.
    pub(in crate::pages) fn new(account: Frame, has_password: bool, refusal: Option<&Refusal>) -> Self {
        Self { account, has_password, problem: refusal.map(Problem::new) }
    }
}

impl Page for Password {
    const FILE: &'static str = "account_password.html";

    fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    fn samples() -> Vec<(&'static str, Self)> {
        let locked = Refusal { retry_after_s: Some(100), ..No::LockedOut.into() };
        vec![
            ("account_password", Self::new(Frame::sample(PATH), true, None)),
            ("account_password_changed", Self::new(Frame::sample_after(PATH, "password"), true, None)),
            ("account_password_wrong", Self::new(Frame::sample(PATH), true, Some(&No::PasswordCurrentWrong.into()))),
            ("account_password_common", Self::new(Frame::sample(PATH), true, Some(&No::PasswordTooCommon.into()))),
            ("account_password_first", Self::new(Frame::sample(PATH), false, None)),
            ("account_password_locked", Self::new(Frame::sample(PATH), true, Some(&locked))),
        ]
    }
}
