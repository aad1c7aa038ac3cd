//! The paths of the developer pages.

use protocol::developer::Act;

use super::offer::{may_have_tokens, may_register, offered};
use crate::app::App;
use crate::pages::paths;

/// The path of the form for a new application.
pub(super) const NEW_APPLICATION: &str = "/developer/applications/new";
/// The path of the form for a new personal access token.
pub(super) const NEW_TOKEN: &str = "/developer/tokens/new";
/// The path of an application's page, up to the `client_id`.
const APPLICATIONS: &str = "/developer/applications/";
/// The purpose to which a new personal access token is sealed on its way to the page that shows it.
const ABOUT_TOKEN: &str = "personal token";
/// A developer page, by its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeveloperPath {
    /// The list of applications and tokens.
    Overview,
    /// The path of the form for a new application.
    NewApplication,
    /// The path of the form for a new personal access token.
    NewToken,
    /// The page of an application, by its `client_id`.
    Application(String),
}

impl DeveloperPath {
    /// Returns the page at this path; `None` if there is none, or if the operator does not offer it.
    pub(crate) fn find(app: &App, path: &str) -> Option<Self> {
        let found = Self::read(path).filter(|_| app.settings.has_developer_pages)?;
        let is_of_use = match found {
            Self::NewApplication => !offered(app, may_register).is_empty(),
            Self::NewToken => !offered(app, may_have_tokens).is_empty(),
            Self::Overview | Self::Application(_) => true,
        };
        is_of_use.then_some(found)
    }

    fn read(path: &str) -> Option<Self> {
        match path {
            paths::DEVELOPER => Some(Self::Overview),
            NEW_APPLICATION => Some(Self::NewApplication),
            NEW_TOKEN => Some(Self::NewToken),
            _ => {
                let name = path.strip_prefix(APPLICATIONS)?;
                let is_one = !name.is_empty() && !name.contains(['/', '&', '=']);
                let (name, _) = form_urlencoded::parse(name.as_bytes()).next().filter(|_| is_one)?;
                Some(Self::Application(name.into_owned()))
            }
        }
    }

    pub(super) fn path(&self) -> String {
        match self {
            Self::Overview => paths::DEVELOPER.to_owned(),
            Self::NewApplication => NEW_APPLICATION.to_owned(),
            Self::NewToken => NEW_TOKEN.to_owned(),
            Self::Application(client_id) => application_path(client_id),
        }
    }

    /// Returns the purpose to which a secret is sealed that this page will show; `None` if the page shows no secrets.
    pub(super) fn about(&self) -> Option<&str> {
        match self {
            Self::Overview => Some(ABOUT_TOKEN),
            Self::Application(client_id) => Some(client_id),
            Self::NewApplication | Self::NewToken => None,
        }
    }

    /// Returns the action that the judge must allow before the page is shown. `is_begun` is true after a form was
    /// refused.
    pub(super) fn look(&self, is_begun: bool) -> Act {
        match self {
            Self::Application(client_id) => Act::See(client_id.clone()),
            Self::NewApplication | Self::NewToken if !is_begun => Act::Begin,
            _ => Act::View,
        }
    }
}

/// Returns the path of an application's page. It encodes the `client_id`, which may hold every printable ASCII
/// character.
pub(super) fn application_path(client_id: &str) -> String {
    let name: String = form_urlencoded::byte_serialize(client_id.as_bytes()).collect();
    format!("{APPLICATIONS}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_the_application_that_it_was_made_for() {
        for client_id in ["web", "4711", "a/b?c#d%2e&e=f+g", "../account", "new\u{e9}"] {
            let place = DeveloperPath::Application(client_id.to_owned());
            assert_eq!(DeveloperPath::read(&place.path()), Some(place), "{client_id}");
        }
        for path in [
            "/developer/",
            "/developer/applications/",
            "/developer/applications/a/b",
            "/developer/applications/a=b",
            "/developer/x",
        ] {
            assert_eq!(DeveloperPath::read(path), None, "{path}");
        }
    }
}
