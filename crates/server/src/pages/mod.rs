//! The pages that people see: plain HTML forms that work without scripts. Each page is one `.rs` (what fills it), one
//! template, and one line of [`TABLE`]; no page knows another.

mod account;
mod assets;
mod brand;
mod colour;
mod consent;
mod face;
mod form_post;
mod home;
mod problem;
mod refused;
mod second_factor;
mod sign_in;
mod sign_out;
mod signed_out;
mod templates;
mod words;

use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;

pub use assets::Asset;
pub use brand::{Brand, Logo, Support};
pub use colour::Colour;
pub use templates::Pages;

use problem::Problem;

/// What fills a template.
trait Page: Serialize + Sized {
    /// The template's file.
    const FILE: &'static str;

    /// What was wrong with the last answer, if it was one.
    fn problem(&self) -> Option<&Problem> {
        None
    }

    /// The page as people meet it, under the names of the cases.
    fn samples() -> Vec<(&'static str, Self)>;
}

/// A page of the table.
struct Row {
    file: &'static str,
    source: &'static str,
    samples: fn() -> Vec<(&'static str, Filled)>,
}

/// A page with everything that its template is given.
struct Filled {
    page: Value,
    problem: Option<Problem>,
}

impl Filled {
    fn new<P: Page>(page: &P) -> Self {
        Self {
            page: Value::from(Serde(page)),
            problem: page.problem().cloned(),
        }
    }
}

const fn row<P: Page>(source: &'static str) -> Row {
    Row {
        file: P::FILE,
        source,
        samples: || P::samples().iter().map(|(name, page)| (*name, Filled::new(page))).collect(),
    }
}

/// Every page.
const TABLE: &[Row] = &[
    row::<home::Home>(include_str!("../templates/home.html")),
    row::<sign_in::SignIn>(include_str!("../templates/sign_in.html")),
    row::<second_factor::SecondFactor>(include_str!("../templates/second_factor.html")),
    row::<consent::Consent>(include_str!("../templates/consent.html")),
    row::<form_post::FormPost>(include_str!("../templates/form_post.html")),
    row::<refused::Refused>(include_str!("../templates/refused.html")),
    row::<sign_out::SignOut>(include_str!("../templates/sign_out.html")),
    row::<signed_out::SignedOut>(include_str!("../templates/signed_out.html")),
    row::<account::profile::Profile>(include_str!("../templates/account_profile.html")),
    row::<account::password::Password>(include_str!("../templates/account_password.html")),
    row::<account::second_factor::SecondFactor>(include_str!("../templates/account_second_factor.html")),
    row::<account::enrol::Enrol>(include_str!("../templates/account_enrol.html")),
    row::<account::recovery_codes::RecoveryCodes>(include_str!("../templates/account_recovery_codes.html")),
    row::<account::sessions::Sessions>(include_str!("../templates/account_sessions.html")),
    row::<account::applications::Applications>(include_str!("../templates/account_applications.html")),
];

#[cfg(test)]
mod tests;
