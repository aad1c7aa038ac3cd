//! The page with the user's own applications and personal access tokens.

use dialect::Dialect;
use protocol::developer::TokenReference;
use protocol::endpoint::Endpoint;
use protocol::model::{Client, Personal, WithOwners};
use protocol::refusal::Refusal;
use protocol::secret::Secret;
use protocol::time::UnixTime;
use serde::Serialize;

use super::offer::{api_name, may_have_tokens, may_register, offered};
use super::path::{NEW_APPLICATION, NEW_TOKEN, application_path};
use super::visitor::{CONNECTED_MAX, NOTICES, Visitor, people};
use crate::fault::Fault;
use crate::pages::paths;
use crate::pages::signed_in::frame::Frame;
use crate::render::face::initial;
use crate::render::page::Page;
use crate::render::problem::Problem;
use crate::render::words::{self, Moment};

/// Maximum number of applications on the page. Users cannot register that many; the operator can add more for them.
const ROWS_MAX: usize = 100;

/// The values for the template of the page.
#[derive(Serialize)]
pub(super) struct Overview {
    account: Frame,
    applications: Vec<ApplicationLine>,
    tokens: Vec<TokenLine>,
    /// The path of the form for a new application; `None` if users may not register any.
    new_application: Option<&'static str>,
    /// The path of the form for a new token; `None` if users may not make any.
    new_token: Option<&'static str>,
    shown: Option<ShownToken>,
    #[serde(skip)]
    problem: Option<Problem>,
}

/// An application of the user.
#[derive(Serialize)]
struct ApplicationLine {
    name: String,
    initial: String,
    path: String,
    kind: &'static str,
    client_id: String,
    connected: String,
    is_disabled: bool,
}

/// A personal access token of the user.
#[derive(Serialize)]
struct TokenLine {
    name: String,
    /// The dialect of the token, if there are several.
    api: Option<String>,
    sentences: Vec<String>,
    since: Moment,
    used: Option<Moment>,
    ends: Option<Moment>,
    is_over: bool,
    reference: String,
}

/// A new token, which is shown only once.
#[derive(Serialize)]
struct ShownToken {
    text: String,
    /// The URL of an endpoint to try the token at.
    url: Option<String>,
}

/// Renders the page, with the refusal of the last action if there was one.
pub(super) async fn show(visitor: &Visitor<'_>) -> Result<String, Fault> {
    let Visitor { app, user, refusal, once, .. } = visitor;
    let now = app.clock.now();
    let mut applications = Vec::new();
    for client in app.store.clients(Some(user.key), None, ROWS_MAX).await? {
        let connected = app.store.connected(client.key, now, CONNECTED_MAX).await?;
        applications.push(ApplicationLine::new(&client, connected));
    }
    let rows = app.store.personals(Some(user.key)).await?;
    let newest = rows.first().and_then(|held| app.dialects.named(&held.row.dialect));
    Ok(app.templates.render(&Overview {
        account: visitor.frame(),
        applications,
        tokens: rows.iter().map(|held| TokenLine::new(visitor, held, now)).collect(),
        new_application: (!offered(app, may_register).is_empty()).then_some(NEW_APPLICATION),
        new_token: (!offered(app, may_have_tokens).is_empty()).then_some(NEW_TOKEN),
        shown: once.as_ref().map(|token| ShownToken::new(token, newest)),
        problem: refusal.map(Problem::new),
    }))
}

impl ApplicationLine {
    fn new(client: &Client, connected: u32) -> Self {
        Self {
            name: client.name.clone(),
            initial: initial(&client.name),
            path: application_path(&client.client_id),
            kind: client.kind.as_str(),
            client_id: client.client_id.clone(),
            connected: people(connected),
            is_disabled: client.is_disabled,
        }
    }
}

impl TokenLine {
    fn new(visitor: &Visitor<'_>, held: &WithOwners<Personal>, now: UnixTime) -> Self {
        let Visitor { app, user, .. } = visitor;
        let row = &held.row;
        let dialect = app.dialects.named(&row.dialect);
        let policy = app.policy_of(dialect);
        let has_several = app.dialects.iter().nth(1).is_some();
        let is_dead = dialect.is_none() || row.id.0 < user.revoked_below;
        Self {
            name: row.name.clone(),
            api: has_several.then(|| dialect.map_or_else(|| row.dialect.clone(), |dialect| api_name(app, dialect))),
            sentences: row.scope.iter().map(|word| words::scope(&policy.scope, word)).collect(),
            since: Moment::new(row.created_at, now),
            used: row.used_at.map(|used_at| Moment::new(used_at, now)),
            ends: (row.expires_at != UnixTime::NEVER).then(|| Moment::ahead(row.expires_at, now)),
            is_over: is_dead || now.is_past(row.expires_at),
            reference: TokenReference::seal(row.id, &app.keys(), &mut app.draw()),
        }
    }
}

impl ShownToken {
    fn new(token: &Secret, dialect: Option<&Dialect>) -> Self {
        Self { text: token.reveal().to_owned(), url: dialect.and_then(|dialect| dialect.url(Endpoint::Userinfo)) }
    }
}

impl Page for Overview {
    const FILE: &'static str = "developer.html";

    fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    fn samples() -> Vec<(&'static str, Self)> {
        let now = UnixTime(1_795_600_000);
        let ago = |seconds: i64| Moment::new(UnixTime(now.0 - seconds), now);
        let application = |name: &str, kind, client_id: &str, connected, is_disabled| ApplicationLine {
            name: name.to_owned(),
            initial: initial(name),
            path: application_path(client_id),
            kind,
            client_id: client_id.to_owned(),
            connected: people(connected),
            is_disabled,
        };
        let token = |name: &str, sentences: &[&str], used, ends, is_over| TokenLine {
            name: name.to_owned(),
            api: None,
            sentences: sentences.iter().map(|sentence| (*sentence).to_owned()).collect(),
            since: ago(9_000_000),
            used,
            ends,
            is_over,
            reference: "reference".to_owned(),
        };
        let page = |account, applications, tokens| Self {
            account,
            applications,
            tokens,
            new_application: Some(NEW_APPLICATION),
            new_token: Some(NEW_TOKEN),
            shown: None,
            problem: None,
        };
        let applications = || {
            vec![
                application("Importer", "confidential", "mzxw6ytboi4dcmrtgq2tmnzyhe", 1_204, false),
                application("<b>Bold</b>", "public", "old/client?1", 0, true),
            ]
        };
        let tokens = || {
            let later = Some(Moment::ahead(now.plus(7_000_000), now));
            let over = Some(Moment::ahead(now, now));
            vec![
                token("Nightly export", &["Read your links", "See your name"], Some(ago(7_300)), later, false),
                token("Laptop", &[], None, None, false),
                token("Old job", &["Read your links"], Some(ago(900_000)), over, true),
            ]
        };
        let frame = || Frame::sample(paths::DEVELOPER);
        let made = ShownToken {
            text: "pt_secret_0Hn9xAvk4YbEo7Qq8sM2Zt5Wd1Lr6Ju3Gc0PfKi9TeVy".to_owned(),
            url: Some("https://auth.example.com/oauth/userinfo".to_owned()),
        };
        let gone = Refusal::from(protocol::refusal::No::PersonalUnknown);
        vec![
            ("developer", page(frame(), applications(), tokens())),
            ("developer_none", page(Frame::sample_with(paths::DEVELOPER, Some(NOTICES[2].1)), vec![], vec![])),
            ("developer_closed", Self { new_application: None, new_token: None, ..page(frame(), vec![], vec![]) }),
            ("developer_token", Self { shown: Some(made), ..page(frame(), vec![], tokens()) }),
            ("developer_gone", Self { problem: Some(Problem::new(&gone)), ..page(frame(), applications(), vec![]) }),
        ]
    }
}
