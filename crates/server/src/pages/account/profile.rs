//! One's name, and the account at a glance.

use protocol::model::User;
use protocol::refusal::{No, Refusal};
use protocol::time::UnixTime;
use serde::Serialize;

use super::{Frame, Visitor, sessions};
use crate::fault::Fault;
use crate::pages::words::Moment;
use crate::pages::{Page, Problem};

pub(in crate::pages) const PATH: &str = "/account";

/// The page.
#[derive(Serialize)]
pub(in crate::pages) struct Profile {
    account: Frame,
    name: String,
    email: Option<String>,
    username: Option<String>,
    since: Moment,
    has_second_factor: bool,
    sessions: usize,
    applications: usize,
    #[serde(skip)]
    problem: Option<Problem>,
}

impl Profile {
    /// The page of a user with so many sessions and connected applications.
    pub(in crate::pages) fn new(account: Frame, user: &User, counts: (usize, usize), now: UnixTime) -> Self {
        Self {
            account,
            name: user.name.clone(),
            email: user.email.clone(),
            username: user.username.clone(),
            since: Moment::new(user.created_at, now),
            has_second_factor: user.totp.is_some(),
            sessions: counts.0,
            applications: counts.1,
            problem: None,
        }
    }

    /// The same page after a name that cannot be taken.
    pub(in crate::pages) fn refused(self, name: String, refusal: &Refusal) -> Self {
        Self { name, problem: Some(Problem::new(refusal)), ..self }
    }
}

/// The page for somebody who asked for it, or whose new name was refused.
pub(super) async fn show(visitor: &Visitor<'_>) -> Result<String, Fault> {
    let Visitor { app, page, user, refusal, .. } = visitor;
    let now = app.clock.now();
    let sessions = sessions::live(visitor).await?.len();
    let applications = app.store.applications(user.key, now).await?.len();
    let shown = Profile::new(visitor.frame(), user, (sessions, applications), now);
    Ok(app.pages.render(&match refusal {
        Some(refusal) => shown.refused(page.field("name").unwrap_or_default().to_owned(), refusal),
        None => shown,
    }))
}

impl Page for Profile {
    const FILE: &'static str = "account_profile.html";

    fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    fn samples() -> Vec<(&'static str, Self)> {
        let now = UnixTime(1_795_600_000);
        let page = |account| Self {
            account,
            name: "Alice Doe".to_owned(),
            email: Some("alice@example.com".to_owned()),
            username: Some("alice".to_owned()),
            since: Moment::new(UnixTime(1_760_000_000), now),
            has_second_factor: false,
            sessions: 2,
            applications: 1,
            problem: None,
        };
        let sparse =
            Self { email: None, username: None, has_second_factor: true, sessions: 1, ..page(Frame::sample(PATH)) };
        vec![
            ("account_profile", page(Frame::sample(PATH))),
            ("account_profile_saved", page(Frame::sample_after(PATH, "profile"))),
            ("account_profile_wrong", sparse.refused(String::new(), &No::NameMalformed.into())),
        ]
    }
}
