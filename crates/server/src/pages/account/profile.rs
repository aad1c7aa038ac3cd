//! The profile page: the user's name, and the account at a glance.

use protocol::account::Act;
use protocol::model::{Identity, IdentityName, User};
use protocol::refusal::{No, Refusal};
use protocol::time::UnixTime;
use serde::Serialize;
use url::Url;

use super::form::{Form, text};
use super::visitor::{Visitor, sample_after};
use crate::app::App;
use crate::fault::Fault;
use crate::pages::paths;
use crate::pages::signed_in::frame::Frame;
use crate::render::page::Page;
use crate::render::problem::Problem;
use crate::render::words::Moment;

/// The forms of the page.
pub(super) const FORMS: &[Form] = &[
    Form { word: "profile", act: |page| Act::Rename(text(page, "name")), notice: Some("Your name was saved.") },
    Form {
        word: "unlink",
        act: |page| Act::Unlink(IdentityName { issuer: text(page, "issuer"), subject: text(page, "subject") }),
        notice: Some("The account elsewhere no longer opens this one. All your other sessions were ended."),
    },
];

/// The values for the template of the page.
#[derive(Serialize)]
pub(super) struct Profile {
    account: Frame,
    name: String,
    email: Option<String>,
    username: Option<String>,
    since: Moment,
    has_second_factor: bool,
    sessions: usize,
    applications: usize,
    /// The upstream accounts that are linked to this one.
    links: Vec<Link>,
    /// True if a link can be removed. The last way to sign in cannot.
    may_unlink: bool,
    #[serde(skip)]
    problem: Option<Problem>,
}

/// A linked account at an upstream identity provider.
#[derive(Serialize)]
struct Link {
    /// The name of the identity provider that users know.
    place: String,
    since: Moment,
    issuer: String,
    subject: String,
}

impl Link {
    fn new(identity: &Identity, app: &App, now: UnixTime) -> Self {
        let IdentityName { issuer, subject } = identity.name.clone();
        // The button on the sign-in page says "Google", also if the operator configured another issuer.
        let is_google = app.settings.google.as_ref().is_some_and(|google| google.issuer == issuer);
        let host = Url::parse(&issuer).ok().and_then(|url| url.host_str().map(ToOwned::to_owned));
        let place = if is_google { "Google".to_owned() } else { host.unwrap_or_else(|| issuer.clone()) };
        Self { place, since: Moment::new(identity.linked_at, now), issuer, subject }
    }
}

impl Profile {
    /// The page of a user. `counts` are the numbers of sessions and of connected applications.
    fn new(account: Frame, user: &User, counts: (usize, usize), links: Vec<Link>, now: UnixTime) -> Self {
        Self {
            may_unlink: user.password.is_some() || links.len() > 1,
            links,
            account,
            name: user.name.clone(),
            email: user.email.clone().or_else(|| user.email_hint.clone()),
            username: user.username.clone(),
            since: Moment::new(user.created_at, now),
            has_second_factor: user.totp.is_some(),
            sessions: counts.0,
            applications: counts.1,
            problem: None,
        }
    }

    /// The same page after a refused change of the name.
    pub(crate) fn refused(self, name: String, refusal: &Refusal) -> Self {
        Self { name, problem: Some(Problem::new(refusal)), ..self }
    }
}

/// Renders the page, with the refusal of the last action if there was one.
pub(super) async fn show(visitor: &Visitor<'_>) -> Result<String, Fault> {
    let Visitor { app, page, user, refusal, .. } = visitor;
    let now = app.clock.now();
    let sessions = visitor.live_sessions().await?.len();
    let applications = app.store.applications(user.key, now).await?.len();
    let links = app.store.identities(user.key).await?.iter().map(|identity| Link::new(identity, app, now)).collect();
    let shown = Profile::new(visitor.frame(), user, (sessions, applications), links, now);
    Ok(app.templates.render(&match refusal {
        Some(refusal) => shown.refused(page.field("name").unwrap_or(&user.name).to_owned(), refusal),
        None => shown,
    }))
}

impl Page for Profile {
    const FILE: &'static str = "account_profile.html";
    const FEW_FIELDS: &'static [&'static str] = &["name"];

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
            links: vec![],
            may_unlink: true,
            problem: None,
        };
        let link = |place: &str| Link {
            place: place.to_owned(),
            since: Moment::new(UnixTime(1_780_000_000), now),
            issuer: "https://accounts.google.com".to_owned(),
            subject: "110169484474386276334".to_owned(),
        };
        let linked = |links| Self { links, ..page(Frame::sample(paths::ACCOUNT)) };
        let sparse = Self {
            email: None,
            username: None,
            has_second_factor: true,
            sessions: 1,
            ..page(Frame::sample(paths::ACCOUNT))
        };
        vec![
            ("account_profile", page(Frame::sample(paths::ACCOUNT))),
            ("account_profile_saved", page(sample_after(paths::ACCOUNT, FORMS, "profile"))),
            ("account_profile_linked", linked(vec![link("Google"), link("id.example.com")])),
            ("account_profile_linked_only", Self { may_unlink: false, ..linked(vec![link("Google")]) }),
            ("account_profile_wrong", sparse.refused(String::new(), &No::NameMalformed.into())),
        ]
    }
}
