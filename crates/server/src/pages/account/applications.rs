//! The account page with the applications that have access to the account.

use protocol::account::Act;
use protocol::model::{Client, Consent};
use protocol::refusal::Refusal;
use protocol::time::UnixTime;
use serde::Serialize;

use super::form::{Form, text};
use super::visitor::{Visitor, sample_after};
use crate::fault::Fault;
use crate::pages::paths;
use crate::pages::signed_in::frame::Frame;
use crate::render::face::Application;
use crate::render::page::Page;
use crate::render::problem::Problem;
use crate::render::words::{self, Moment};

/// The forms of the page.
pub(super) const FORMS: &[Form] = &[Form {
    word: "disconnect",
    act: |page| Act::Disconnect(text(page, "client")),
    notice: Some("The application was disconnected. It can no longer use your account."),
}];

/// The values for the template of the page.
#[derive(Serialize)]
pub(super) struct Applications {
    account: Frame,
    applications: Vec<Line>,
    #[serde(skip)]
    problem: Option<Problem>,
}

/// An application that may act for the user.
#[derive(Serialize)]
pub(super) struct Line {
    face: Application,
    client_id: String,
    sentences: Vec<String>,
    since: Option<Moment>,
    renewed: Option<Moment>,
}

impl Applications {
    /// The page with these applications, and the refusal of the last action if there was one.
    pub(crate) fn new(account: Frame, applications: Vec<Line>, refusal: Option<&Refusal>) -> Self {
        Self { account, applications, problem: refusal.map(Problem::new) }
    }
}

impl Line {
    /// The line of a client. `sentences` describe its scopes. `consent` is absent for a first-party application, which
    /// needs none.
    pub(crate) fn new(client: &Client, sentences: Vec<String>, consent: Option<&Consent>, now: UnixTime) -> Self {
        let renewed = consent.filter(|consent| consent.renewed_at != consent.given_at);
        Self {
            face: Application::new(client),
            client_id: client.client_id.clone(),
            sentences,
            since: consent.map(|consent| Moment::new(consent.given_at, now)),
            renewed: renewed.map(|consent| Moment::new(consent.renewed_at, now)),
        }
    }
}

/// Renders the page, with the refusal of the last action if there was one.
pub(super) async fn show(visitor: &Visitor<'_>) -> Result<String, Fault> {
    let Visitor { app, user, refusal, .. } = visitor;
    let now = app.clock.now();
    let applications = app.store.applications(user.key, now).await?;
    let lines = applications.iter().map(|application| {
        let client = &application.client;
        let policy = app.policy_of(app.dialects.named(&client.dialect));
        // First-party applications have no consent. They may use every scope that they are registered for.
        let scope = application.consent.as_ref().map_or(&client.scope, |consent| &consent.permission.scope);
        let sentences = scope.iter().map(|word| words::scope(&policy.scope, word)).collect();
        Line::new(client, sentences, application.consent.as_ref(), now)
    });
    Ok(app.templates.render(&Applications::new(visitor.frame(), lines.collect(), *refusal)))
}

impl Page for Applications {
    const FILE: &'static str = "account_applications.html";

    fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    fn samples() -> Vec<(&'static str, Self)> {
        let now = UnixTime(1_795_600_000);
        let ago = |seconds| Some(Moment::new(UnixTime(now.0 - seconds), now));
        let line = |face, client_id: &str, sentences: &[&str], since, renewed| Line {
            face,
            client_id: client_id.to_owned(),
            sentences: sentences.iter().map(|sentence| (*sentence).to_owned()).collect(),
            since,
            renewed,
        };
        let all = vec![
            line(Application::sample(), "importer", &["See your name", "Read your links"], ago(9_000_000), ago(7_300)),
            line(Application::terse_sample(), "bold", &["See your name"], None, None),
        ];
        vec![
            ("account_applications", Self::new(Frame::sample(paths::ACCOUNT_APPLICATIONS), all, None)),
            (
                "account_applications_none",
                Self::new(sample_after(paths::ACCOUNT_APPLICATIONS, FORMS, "disconnect"), vec![], None),
            ),
        ]
    }
}
