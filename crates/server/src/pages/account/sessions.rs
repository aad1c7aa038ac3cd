//! Where one is signed in.

use protocol::account::session_reference;
use protocol::model::Session;
use protocol::refusal::Refusal;
use protocol::time::UnixTime;
use serde::Serialize;

use super::{Frame, Visitor};
use crate::fault::Fault;
use crate::pages::words::{self, Moment};
use crate::pages::{Page, Problem};

pub(in crate::pages) const PATH: &str = "/account/sessions";

/// The page.
#[derive(Serialize)]
pub(in crate::pages) struct Sessions {
    account: Frame,
    sessions: Vec<Line>,
    #[serde(skip)]
    problem: Option<Problem>,
}

/// A session.
#[derive(Serialize)]
pub(in crate::pages) struct Line {
    browser: String,
    address: String,
    since: Moment,
    seen: Moment,
    reference: String,
    is_current: bool,
}

impl Sessions {
    /// The page with these sessions.
    pub(in crate::pages) fn new(account: Frame, mut sessions: Vec<Line>, refusal: Option<&Refusal>) -> Self {
        // One's own comes first: it is what the others are compared with.
        sessions.sort_by_key(|session| !session.is_current);
        Self { account, sessions, problem: refusal.map(Problem::new) }
    }
}

impl Line {
    /// The line of a session, with the reference by which it is ended.
    pub(in crate::pages) fn new(session: &Session, reference: String, is_current: bool, now: UnixTime) -> Self {
        Self {
            browser: words::browser(&session.agent),
            address: session.address.clone(),
            since: Moment::new(session.created_at, now),
            seen: Moment::new(session.seen_at, now),
            reference,
            is_current,
        }
    }
}

/// The sessions of a visitor that are alive.
pub(super) async fn live(visitor: &Visitor<'_>) -> Result<Vec<Session>, Fault> {
    let Visitor { app, user, .. } = visitor;
    let now = app.clock.now();
    let mut sessions = app.store.sessions(user.key).await?;
    sessions.retain(|session| {
        session.id.0 >= user.revoked_below && !now.is_past(session.idle_until) && !now.is_past(session.expires_at)
    });
    Ok(sessions)
}

/// The page for somebody who asked for it, or to whom something was refused.
pub(super) async fn show(visitor: &Visitor<'_>) -> Result<String, Fault> {
    let Visitor { app, user, session: own, refusal, .. } = visitor;
    let (keys, now, mut entropy) = (app.keys(), app.clock.now(), app.draw());
    let sessions = live(visitor).await?;
    let lines = sessions.iter().map(|session| {
        let reference = session_reference(session.id, user, &keys, &mut entropy);
        Line::new(session, reference, session.id == *own, now)
    });
    Ok(app.pages.render(&Sessions::new(visitor.frame(), lines.collect(), *refusal)))
}

impl Page for Sessions {
    const FILE: &'static str = "account_sessions.html";

    fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    fn samples() -> Vec<(&'static str, Self)> {
        let now = UnixTime(1_795_600_000);
        let line = |browser: &str, address: &str, since_s, seen_s, is_current| Line {
            browser: browser.to_owned(),
            address: address.to_owned(),
            since: Moment::new(UnixTime(now.0 - since_s), now),
            seen: Moment::new(UnixTime(now.0 - seen_s), now),
            reference: format!("reference-{seen_s}"),
            is_current,
        };
        let own = || line("Firefox on Windows", "203.0.113.7", 7_200, 10, true);
        let others = [
            line("Safari on iPhone", "2001:db8:85a3:1234:5678:8a2e:370:7334", 1_000_000, 5_400, false),
            line("An unknown browser", "198.51.100.99", 90_000, 86_000, false),
        ];
        let all = others.into_iter().chain([own()]).collect();
        vec![
            ("account_sessions", Self::new(Frame::sample(PATH), all, None)),
            ("account_sessions_one", Self::new(Frame::sample_after(PATH, "end-other-sessions"), vec![own()], None)),
        ]
    }
}
