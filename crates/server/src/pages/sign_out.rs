//! Do you want to sign out? A link alone must not do it.

use protocol::model::User;
use serde::Serialize;

use super::Page;
use super::face::Person;

/// The page.
#[derive(Serialize)]
pub(super) struct SignOut {
    person: Person,
    csrf: String,
}

impl SignOut {
    /// The page for somebody who is signed in.
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
