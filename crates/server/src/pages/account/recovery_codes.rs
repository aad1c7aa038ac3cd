//! The account page that shows new recovery codes, once.

use protocol::secret::Secret;
use serde::Serialize;

use crate::pages::paths;
use crate::pages::signed_in::frame::Frame;
use crate::render::page::Page;

/// The values for the template of the page.
#[derive(Serialize)]
pub(super) struct RecoveryCodes {
    account: Frame,
    codes: Vec<String>,
    /// True if they come with a new second factor, false if they replace older codes.
    is_first: bool,
}

impl RecoveryCodes {
    /// The page with these codes.
    pub(crate) fn new(account: Frame, codes: &[Secret], is_first: bool) -> Self {
        Self { account, codes: codes.iter().map(|code| code.reveal().to_owned()).collect(), is_first }
    }
}

impl Page for RecoveryCodes {
    const FILE: &'static str = "account_recovery_codes.html";

    fn samples() -> Vec<(&'static str, Self)> {
        let codes: Vec<Secret> = (0..10).map(|n| Secret::new(format!("abcde{n}-fghijk-lmnopq-rstuvw"))).collect();
        let account = || Frame::sample(paths::ACCOUNT_SECOND_FACTOR);
        vec![
            ("account_recovery_codes", Self::new(account(), &codes, true)),
            ("account_recovery_codes_new", Self::new(account(), &codes, false)),
        ]
    }
}
