//! The pages of one's own account, and what they have in common.

pub(super) mod applications;
pub(super) mod enrol;
pub(super) mod password;
pub(super) mod profile;
pub(super) mod recovery_codes;
pub(super) mod second_factor;
pub(super) mod sessions;

use protocol::model::User;
use serde::Serialize;

use super::face::Person;

/// The pages that stand in the navigation: address and name.
const TABS: [(&str, &str); 5] = [
    ("/account", "Profile"),
    ("/account/password", "Password"),
    ("/account/second-factor", "Second factor"),
    ("/account/sessions", "Sessions"),
    ("/account/applications", "Applications"),
];

/// What can have been done just before: the word in the address, and the sentence on the page.
const NOTICES: [(&str, &str); 6] = [
    ("profile", "Your name was saved."),
    ("password", "Your password was changed. All your other sessions were ended."),
    ("remove-totp", "The second factor is off."),
    ("end-session", "The session was ended."),
    ("end-other-sessions", "All your other sessions were ended."),
    ("disconnect", "The application was disconnected. It can no longer use your account."),
];

/// The frame of an account's page.
#[derive(Clone, Serialize)]
pub(super) struct Frame {
    person: Person,
    tabs: Vec<Tab>,
    notice: Option<&'static str>,
    csrf: String,
}

#[derive(Clone, Serialize)]
struct Tab {
    path: &'static str,
    name: &'static str,
    is_here: bool,
}

impl Frame {
    /// The frame of the page at `path`, after what the word `done` stands for.
    pub(super) fn new(user: &User, path: &str, done: Option<&str>, csrf: String) -> Self {
        Self::of(Person::new(user), path, done, csrf)
    }

    fn of(person: Person, path: &str, done: Option<&str>, csrf: String) -> Self {
        let tabs = TABS.map(|(own, name)| Tab { path: own, name, is_here: own == path });
        let notice = NOTICES.iter().find(|(word, _)| Some(*word) == done).map(|(_, sentence)| *sentence);
        Self { person, tabs: tabs.into(), notice, csrf }
    }

    fn sample(path: &str) -> Self {
        Self::of(Person::sample(), path, None, "seal".to_owned())
    }

    fn sample_after(path: &str, done: &str) -> Self {
        Self::of(Person::sample(), path, Some(done), "seal".to_owned())
    }
}
