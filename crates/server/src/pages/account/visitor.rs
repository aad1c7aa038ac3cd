//! The user who views an account page.

use protocol::model::{Session, SessionId, User};
use protocol::refusal::Refusal;

use super::form::{self, Form, Forms};
use crate::app::App;
use crate::browser::PageRequest;
use crate::fault::Fault;
use crate::pages::signed_in::frame::Frame;

/// A signed-in user who views an account page.
pub(super) struct Visitor<'a> {
    pub(super) app: &'a App,
    pub(super) page: &'a PageRequest<'a>,
    pub(super) user: &'a User,
    pub(super) session: SessionId,
    /// The forms of all account pages, one of which the user may have sent just before.
    pub(super) forms: &'static Forms,
    /// The refusal of the last action, if there was one.
    pub(super) refusal: Option<&'a Refusal>,
}

impl Visitor<'_> {
    /// Returns the frame of the requested page.
    pub(super) fn frame(&self) -> Frame {
        let done = self.refusal.is_none().then(|| self.page.query("done")).flatten();
        let notice = done.and_then(|word| form::find(self.forms, &word)?.notice);
        Frame::new(self.app, self.page, self.user, self.page.path, notice)
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

/// Returns the frame of a sample after the form with this word was sent.
pub(super) fn sample_after(path: &str, forms: &'static [Form], word: &str) -> Frame {
    Frame::sample_with(path, form::find(&[forms], word).and_then(|form| form.notice))
}
