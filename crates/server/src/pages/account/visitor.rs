//! The user who views an account page, and the notices that account pages show.

use protocol::model::{Session, SessionId, User};
use protocol::refusal::Refusal;

use crate::app::App;
use crate::browser::PageRequest;
use crate::fault::Fault;
use crate::pages::signed_in::frame::{Frame, notice};

/// The notices after an action on the account pages: the word of the action, and the text.
pub(super) const NOTICES: [(&str, &str); 8] = [
    ("profile", "Your name was saved."),
    ("password", "Your password was changed. All your other sessions were ended."),
    ("first-password", "Your password is set. All your other sessions were ended."),
    ("unlink", "The account elsewhere no longer opens this one. All your other sessions were ended."),
    ("remove-totp", "The second factor is off."),
    ("end-session", "The session was ended."),
    ("end-other-sessions", "All your other sessions were ended."),
    ("disconnect", "The application was disconnected. It can no longer use your account."),
];

/// A signed-in user who views an account page.
pub(super) struct Visitor<'a> {
    pub(super) app: &'a App,
    pub(super) page: &'a PageRequest<'a>,
    pub(super) user: &'a User,
    pub(super) session: SessionId,
    /// The refusal of the last action, if there was one.
    pub(super) refusal: Option<&'a Refusal>,
}

impl Visitor<'_> {
    /// Returns the frame of the requested page.
    pub(super) fn frame(&self) -> Frame {
        let done = self.refusal.is_none().then(|| self.page.query("done")).flatten();
        Frame::new(self.app, self.page, self.user, self.page.path, notice(&NOTICES, done.as_deref()))
    }

    /// Returns the user's live sessions.
    pub(super) async fn live_sessions(&self) -> Result<Vec<Session>, Fault> {
        let now = self.app.clock.now();
        let mut sessions = self.app.store.sessions(self.user.key).await?;
        sessions.retain(|session| {
            session.id.0 >= self.user.revoked_below
                && !now.is_past(session.idle_until)
                && !now.is_past(session.expires_at)
        });
        Ok(sessions)
    }
}

/// Returns the frame of a sample after the action `done`.
pub(super) fn sample_after(path: &str, done: &str) -> Frame {
    Frame::sample_with(path, notice(&NOTICES, Some(done)))
}
