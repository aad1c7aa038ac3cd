//! The user who views a developer page, and what several developer pages show.

use protocol::developer::Particulars;
use protocol::model::{ClientKind, User};
use protocol::refusal::{No, Refusal};
use protocol::secret::Secret;

use crate::app::App;
use crate::browser::PageRequest;
use crate::pages::paths;
use crate::pages::signed_in::carried_form::Typed;
use crate::pages::signed_in::frame::{Frame, notice};
use crate::render::problem::Problem;
pub(super) use crate::render::words::{PEOPLE_MAX as CONNECTED_MAX, people};

/// The notices after an action on the developer pages: the word of the action, and the text.
pub(super) const NOTICES: [(&str, &str); 8] = [
    ("create", "The application is registered."),
    ("save", "Your changes were saved."),
    ("delete", "The application was deleted."),
    ("add-secret", "The application has a second secret. Both work until you retire one of them."),
    ("retire-secret", "The secret was retired. It no longer works."),
    ("create-token", "The token was created."),
    ("revoke", "The token was revoked. It no longer works."),
    ("add-redirect-uri", "The redirect URI was added. Start again in the application."),
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
pub(super) fn problem(visitor: &Visitor<'_>, refusal: &Refusal, kind: ClientKind) -> Problem {
    let Visitor { app, typed, .. } = visitor;
    // A refusal quotes ASCII alone, and a reserved name may have other letters.
    let reserved = &app.house_policy().reserved_names;
    if let (No::NameReserved, Some(name)) = (refusal.no, typed.value("name").and_then(|name| reserved.imitated(name))) {
        return Problem::new(refusal).saying(&refusal.row().text.replace("{value}", name));
    }
    let particulars = Particulars::read(|field| typed.value(field));
    match particulars.faulty_redirect_uri(kind) {
        Some((uri, no)) if no == refusal.no => Problem::new(refusal).with(uri),
        _ => Problem::new(refusal),
    }
}
