//! Setting up a second factor: a key to scan or to type, and the first code as proof.

use protocol::refusal::{No, Refusal};
use protocol::secret::Secret;
use qrcode::{Color, QrCode};
use serde::Serialize;

use crate::pages::paths;
use crate::pages::signed_in::frame::Frame;
use crate::render::page::Page;
use crate::render::problem::Problem;

/// Letters of the key that stand together.
const GROUP: usize = 4;
/// Light modules around a QR code that scanners need; ISO/IEC 18004.
const QUIET: usize = 4;

/// The page.
#[derive(Serialize)]
pub(super) struct Enrol {
    account: Frame,
    uri: String,
    qr: Qr,
    groups: Vec<String>,
    seed: String,
    digits: u32,
    #[serde(skip)]
    problem: Option<Problem>,
}

/// A QR code as one path, in modules.
#[derive(Serialize)]
struct Qr {
    size: usize,
    path: String,
}

/// The key that is being set up, [`protocol::account::Done::Enrolling`].
pub(super) struct Key<'a> {
    pub(crate) base32: &'a Secret,
    pub(crate) uri: &'a Secret,
    pub(crate) sealed_seed: &'a str,
    pub(crate) digits: u32,
}

impl Enrol {
    /// The page for a key, after what was wrong with the last answer.
    pub(crate) fn new(account: Frame, key: &Key<'_>, refusal: Option<&Refusal>) -> Self {
        let letters: Vec<char> = key.base32.reveal().chars().collect();
        Self {
            account,
            uri: key.uri.reveal().to_owned(),
            qr: Qr::new(key.uri.reveal()),
            groups: letters.chunks(GROUP).map(|group| group.iter().collect()).collect(),
            seed: key.sealed_seed.to_owned(),
            digits: key.digits,
            problem: refusal.map(Problem::new),
        }
    }
}

impl Qr {
    /// Names are cut to fit an authenticator's screen long before a QR code is full, so there is always room.
    fn new(text: &str) -> Self {
        let Ok(code) = QrCode::new(text) else { return Self { size: 2 * QUIET, path: String::new() } };
        let width = code.width();
        let dark = code.to_colors().into_iter().enumerate().filter(|(_, colour)| *colour == Color::Dark);
        let path = dark.map(|(at, _)| format!("M{} {}h1v1h-1z", at % width + QUIET, at / width + QUIET)).collect();
        Self { size: width + 2 * QUIET, path }
    }
}

impl Page for Enrol {
    const FILE: &'static str = "account_enrol.html";

    fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    fn samples() -> Vec<(&'static str, Self)> {
        let base32 = Secret::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let uri = Secret::new(format!(
            "otpauth://totp/Example:alice%40example%2Ecom?secret={}&issuer=Example&digits=6&period=30",
            base32.reveal()
        ));
        let key = Key { base32: &base32, uri: &uri, sealed_seed: "seed", digits: 6 };
        let account = || Frame::sample(paths::ACCOUNT_SECOND_FACTOR);
        vec![
            ("account_enrol", Self::new(account(), &key, None)),
            ("account_enrol_wrong", Self::new(account(), &key, Some(&No::SecondFactorWrong.into()))),
        ]
    }
}
