//! The values that the user typed into a form: the one just submitted, or the one submitted before a sign-in was
//! needed.

use ::http::Method;
use protocol::carried_form::{self, Use};
use protocol::model::UserKey;

use crate::app::App;
use crate::browser::PageRequest;

/// The fields that hold secrets.
const SECRETS: [&str; 5] = ["password", "current_password", "new_password", "otp", "seed"];

/// Names and values of form fields.
#[derive(Debug, Default)]
pub(crate) struct Typed(Vec<(String, String)>);

impl Typed {
    /// Returns the values of these fields: those of a submitted form, or those that are sealed into the address for
    /// this user.
    pub(crate) fn of(app: &App, page: &PageRequest<'_>, names: &[&str], user: UserKey) -> Self {
        if page.method == Method::POST {
            let fields =
                names.iter().flat_map(|name| page.fields(name).map(|value| ((*name).to_owned(), value.to_owned())));
            return Self(fields.collect());
        }
        Self::open(app, Use::FillIn, &page.query("typed").unwrap_or_default(), user)
    }

    /// Returns all values of a submitted form, to be sent again after a confirmation. `None` if the form holds a secret,
    /// which must not be kept in an address.
    pub(crate) fn to_send_again(page: &PageRequest<'_>) -> Option<Self> {
        let fields = page.all_fields().iter().filter(|(name, _)| name != "csrf");
        let has_secret = fields.clone().any(|(name, value)| SECRETS.contains(&name.as_str()) && !value.is_empty());
        (!has_secret).then(|| Self(fields.cloned().collect()))
    }

    /// Returns the values that [`Typed::seal`] sealed for this user and this use.
    pub(crate) fn open(app: &App, kept_for: Use<'_>, sealed: &str, user: UserKey) -> Self {
        Self(carried_form::open(kept_for, sealed, user, app.clock.now(), &app.keys()))
    }

    /// Returns names and values of the fields.
    pub(crate) fn into_fields(self) -> Vec<(String, String)> {
        self.0
    }

    /// Seals the values for this user and this use, to be kept during a sign-in. `None` if there are none, or too many.
    pub(crate) fn seal(&self, app: &App, kept_for: Use<'_>, user: UserKey) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let values: Vec<(&str, &str)> = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        carried_form::seal(kept_for, &values, user, app.clock.now(), &app.keys(), &mut app.draw())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the value of a field; the first one if there are several.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// Returns all values of a field, such as those of checkboxes.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::SECRETS;

    #[test]
    fn every_password_field_of_the_pages_is_known_as_a_secret() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/templates");
        let mut names = Vec::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap_or_default();
            for line in text.lines().filter(|line| line.contains("type=\"password\"") && !line.contains("macro")) {
                let name = ["field(problem, \"", " name=\""].iter().find_map(|mark| line.split_once(mark));
                let name = name.and_then(|(_, rest)| rest.split('"').next());
                names.push(name.unwrap_or_else(|| panic!("a field without a name: {line}")).to_owned());
            }
        }
        assert!(names.len() > 3, "{names:?}");
        for name in names {
            assert!(SECRETS.contains(&name.as_str()), "{name}");
        }
    }
}
