//! The frame around every page of somebody who is signed in.

use protocol::model::User;
use serde::Serialize;

use super::form::seal;
use crate::app::App;
use crate::browser::PageRequest;
use crate::pages::paths;
use crate::render::face::Person;

/// The pages that stand in the navigation: address and name.
const TABS: [(&str, &str); 5] = [
    (paths::ACCOUNT, "Profile"),
    (paths::ACCOUNT_PASSWORD, "Password"),
    (paths::ACCOUNT_SECOND_FACTOR, "Second factor"),
    (paths::ACCOUNT_SESSIONS, "Sessions"),
    (paths::ACCOUNT_APPLICATIONS, "Applications"),
];

/// The tab of the developer area, where the operator lets people register applications.
const DEVELOPER: (&str, &str) = (paths::DEVELOPER, "Developer");

/// True if this is the path of a page of the account.
pub(in crate::pages) fn is_account_page(path: &str) -> bool {
    TABS.iter().any(|(own, _)| *own == path)
}

/// What can have been done just before: the word in the address, and the sentence on the page.
pub(in crate::pages) type Notices = [(&'static str, &'static str)];

/// The sentence for the word in the address.
pub(in crate::pages) fn notice(notices: &Notices, done: Option<&str>) -> Option<&'static str> {
    notices.iter().find(|(word, _)| Some(*word) == done).map(|(_, sentence)| *sentence)
}

/// The frame of a page: who is signed in, the navigation, and a notice about what was done just before.
#[derive(Clone, Serialize)]
pub(in crate::pages) struct Frame {
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
    /// True if it stands apart from those before it.
    is_apart: bool,
}

impl Frame {
    /// The frame of the page that the navigation has at `path`, after what the notice says.
    pub(in crate::pages) fn new(
        app: &App,
        page: &PageRequest<'_>,
        user: &User,
        path: &str,
        notice: Option<&'static str>,
    ) -> Self {
        Self::of(Person::new(user), path, notice, app.settings.has_developer_pages, seal(app, page, user.key))
    }

    fn of(person: Person, path: &str, notice: Option<&'static str>, has_developer: bool, csrf: String) -> Self {
        let tabs = TABS.iter().chain(has_developer.then_some(&DEVELOPER));
        let tabs =
            tabs.map(|(own, name)| Tab { path: own, name, is_here: *own == path, is_apart: *own == DEVELOPER.0 });
        Self { person, tabs: tabs.collect(), notice, csrf }
    }

    pub(in crate::pages) fn sample(path: &str) -> Self {
        Self::of(Person::sample(), path, None, true, "seal".to_owned())
    }

    pub(in crate::pages) fn sample_with(path: &str, notice: Option<&'static str>) -> Self {
        Self { notice, ..Self::sample(path) }
    }
}
