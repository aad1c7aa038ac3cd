//! The page that asks for confirmation before the user is signed out. A link alone must not sign a user out (OWASP ASVS
//! 5.0 V10.6.2).

use protocol::model::User;
use serde::Serialize;

use crate::render::face::Person;
use crate::render::page::Page;

/// The values for the template of the page.
#[derive(Serialize)]
pub(crate) struct SignOut {
    person: Person,
    csrf: String,
}

impl SignOut {
    /// The page for a signed-in user.
    pub(super) fn new(user: &User, csrf: String) -> Self {
        Self { person: Person::new(user), csrf }
    }
}

impl Page for SignOut {
    const FILE: &'static str = "sign_out.html";

    fn samples() -> Vec<(&'static str, Self)> {
        vec![("sign_out", Self { person: Person::sample(), csrf: "seal".to_owned() })]
    }
}
