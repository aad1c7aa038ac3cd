//! The frame around every page for a signed-in user.

use protocol::model::User;
use serde::Serialize;

use super::form::seal;
use crate::app::App;
use crate::browser::PageRequest;
use crate::pages::paths;
use crate::render::face::Person;

/// What can have been done just before: the word in the address, and the sentence on the page.
pub(crate) type Notices = [(&'static str, &'static str)];

/// The sentence for the word in the address.
pub(crate) fn notice(notices: &Notices, done: Option<&str>) -> Option<&'static str> {
    notices.iter().find(|(word, _)| Some(*word) == done).map(|(_, sentence)| *sentence)
}

/// The frame of a page: who is signed in, the navigation, and a notice about what was done just before.
#[derive(Clone, Serialize)]
pub(crate) struct Frame {
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
    pub(crate) fn new(
        app: &App,
        page: &PageRequest<'_>,
        user: &User,
        path: &str,
        notice: Option<&'static str>,
    ) -> Self {
        Self::of(Person::new(user), path, notice, app.settings.has_developer_pages, seal(app, page, user.key))
    }

    fn of(person: Person, path: &str, notice: Option<&'static str>, has_developer: bool, csrf: String) -> Self {
        let tabs = paths::TABS.iter().chain(has_developer.then_some(&paths::DEVELOPER_TAB));
        let tabs =
            tabs.map(|(own, name)| Tab { path: own, name, is_here: *own == path, is_apart: *own == paths::DEVELOPER });
        Self { person, tabs: tabs.collect(), notice, csrf }
    }

    pub(crate) fn sample(path: &str) -> Self {
        Self::of(Person::sample(), path, None, true, "seal".to_owned())
    }

    pub(crate) fn sample_with(path: &str, notice: Option<&'static str>) -> Self {
        Self { notice, ..Self::sample(path) }
    }
}
