//! The frame of the pages for signed-in users.

use protocol::model::User;
use serde::Serialize;

use super::form::seal;
use crate::app::App;
use crate::browser::PageRequest;
use crate::pages::paths;
use crate::render::face::Person;

/// The notices of an area: the word of an action in the address, and the text on the page.
pub(crate) type Notices = [(&'static str, &'static str)];

/// Returns the text for the action `done`.
pub(crate) fn notice(notices: &Notices, done: Option<&str>) -> Option<&'static str> {
    notices.iter().find(|(word, _)| Some(*word) == done).map(|(_, sentence)| *sentence)
}

/// The frame of a page: the signed-in user, the navigation, and a notice about the last action.
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
    /// True if the tab stands apart from those before it.
    is_apart: bool,
}

impl Frame {
    /// The frame of a page. `path` is that of its tab in the navigation.
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
