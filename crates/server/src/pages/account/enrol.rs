//! The account page on which users set up a second factor: a shared secret to scan or to type, and the first code as
//! proof.

use protocol::refusal::{No, Refusal};
use protocol::secret::Secret;
use qrcode::{Color, QrCode};
use serde::Serialize;

use crate::pages::paths;
use crate::pages::signed_in::frame::Frame;
use crate::render::page::Page;
use crate::render::problem::Problem;

/// Number of letters in a group of the shown key.
const GROUP: usize = 4;
/// Width of the quiet zone around a QR code, in modules; ISO/IEC 18004.
const QUIET: usize = 4;

/// The values for the template of the page.
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

/// A QR code as an SVG path. The unit is one module.
#[derive(Serialize)]
struct Qr {
    size: usize,
    path: String,
}

/// The shared secret that is being set up, from [`protocol::account::Done::Enrolling`].
pub(super) struct Key<'a> {
    pub(crate) base32: &'a Secret,
    pub(crate) uri: &'a Secret,
    pub(crate) sealed_seed: &'a str,
    pub(crate) digits: u32,
}

impl Enrol {
    /// The page for a shared secret, with the refusal of the last code if there was one.
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
    /// Makes the QR code of a text. A text that is too long gives an empty one; names are limited, so that does not
    /// happen.
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
    const FEW_FIELDS: &'static [&'static str] = &["otp"];

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
