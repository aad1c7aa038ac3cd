//! The user who views a developer page, and what several developer pages show.

use protocol::developer::Particulars;
use protocol::model::{ClientKind, User};
use protocol::refusal::Refusal;
use protocol::secret::Secret;

use crate::app::App;
use crate::browser::PageRequest;
use crate::pages::paths;
use crate::pages::signed_in::carried_form::Typed;
use crate::pages::signed_in::frame::{Frame, notice};
use crate::render::problem::Problem;
use crate::render::words;

/// Maximum number of connected users that are counted.
pub(super) const CONNECTED_MAX: u32 = 10_000;

/// The notices after an action on the developer pages: the word of the action, and the text.
pub(super) const NOTICES: [(&str, &str); 7] = [
    ("create", "The application is registered."),
    ("save", "Your changes were saved."),
    ("delete", "The application was deleted."),
    ("add-secret", "The application has a second secret. Both work until you retire one of them."),
    ("retire-secret", "The secret was retired. It no longer works."),
    ("create-token", "The token was created."),
    ("revoke", "The token was revoked. It no longer works."),
];

/// A signed-in user who views a developer page.
pub(super) struct Visitor<'a> {
    pub(super) app: &'a App,
    pub(super) page: &'a PageRequest<'a>,
    pub(super) user: &'a User,
    /// The values that the user typed.
    pub(super) typed: Typed,
    /// The refusal of the last action, if there was one.
    pub(super) refusal: Option<&'a Refusal>,
    /// A new secret, which is shown only once.
    pub(super) once: Option<Secret>,
}

impl Visitor<'_> {
    /// The frame of the page.
    pub(super) fn frame(&self) -> Frame {
        let done = self.refusal.is_none().then(|| self.page.query("done")).flatten();
        Frame::new(self.app, self.page, self.user, paths::DEVELOPER, notice(&NOTICES, done.as_deref()))
    }
}

/// The problem of a refusal. If it is about a redirect URI, the text names that URI.
pub(super) fn problem(refusal: &Refusal, typed: &Typed, kind: ClientKind) -> Problem {
    let particulars = Particulars::read(|field| typed.value(field).unwrap_or_default());
    match particulars.faulty_redirect_uri(kind) {
        Some((uri, no)) if no == refusal.no => Problem::new(refusal).with(uri),
        _ => Problem::new(refusal),
    }
}

/// Returns a number of users as text.
pub(super) fn people(count: u32) -> String {
    match count {
        0 => "Nobody".to_owned(),
        1 => "1 person".to_owned(),
        CONNECTED_MAX.. => format!("{} people or more", words::count(count)),
        _ => format!("{} people", words::count(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_counted_in_words() {
        assert_eq!([people(0), people(1), people(2)], ["Nobody", "1 person", "2 people"]);
        assert_eq!(people(CONNECTED_MAX), "10,000 people or more");
    }
}
