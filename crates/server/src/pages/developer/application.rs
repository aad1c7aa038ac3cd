//! The page of a user's own application: its URLs, its secrets, and its registration.

use protocol::client::registration::{SECRETS_LIVE_MAX, secret_digest};
use protocol::client_setting::{Row, Setting};
use protocol::developer::{secret_reference, typed_value};
use protocol::endpoint::Endpoint;
use protocol::model::{Client, ClientKind, ClientSecret, Pkce};
use protocol::redirect;
use protocol::refusal::{No, Refusal};
use protocol::secret::Digest;
use protocol::time::UnixTime;
use serde::Serialize;

use super::offer::api_name;
use super::path::application_path;
use super::setting_form::SettingForm;
use super::visitor::{CONNECTED_MAX, NOTICES, Visitor, people, problem};
use crate::fault::Fault;
use crate::pages::paths;
use crate::pages::signed_in::frame::Frame;
use crate::render::face::{Logo, initial};
use crate::render::page::Page;
use crate::render::problem::Problem;
use crate::render::words::Moment;

/// The endpoints whose URLs the page shows, with their labels.
const ADDRESSES: [(Endpoint, &str); 7] = [
    (Endpoint::Authorize, "Authorize URL"),
    (Endpoint::Token, "Token URL"),
    (Endpoint::Userinfo, "User info URL"),
    (Endpoint::Revoke, "Revocation URL"),
    (Endpoint::Introspect, "Introspection URL"),
    (Endpoint::Metadata, "Metadata URL"),
    (Endpoint::Discovery, "OpenID Connect discovery URL"),
];

/// The values for the template of the page.
#[derive(Serialize)]
pub(super) struct OwnApplication {
    account: Frame,
    name: String,
    initial: String,
    logo: Option<Logo>,
    client_id: String,
    path: String,
    is_public: bool,
    is_disabled: bool,
    /// When the operator checked the application; `None` if they did not.
    checked: Option<Moment>,
    /// True if the consent page warns about the application.
    is_unchecked: bool,
    /// True if a redirect URI is on `localhost`. The page then recommends a loopback address.
    is_on_localhost: bool,
    /// The name of the application's surface; `None` if the surface is not served.
    api: Option<String>,
    since: Moment,
    connected: String,
    scopes: Vec<String>,
    is_pkce_needed: bool,
    secrets: Vec<SecretLine>,
    may_add_secret: bool,
    addresses: Vec<Address>,
    form: SettingForm,
    /// A new secret, which is shown only once.
    shown: Option<String>,
    #[serde(skip)]
    problem: Option<Problem>,
}

/// A client secret, without its text.
#[derive(Serialize)]
struct SecretLine {
    hint: String,
    since: Moment,
    /// The time of the last use, to the hour; `None` if no use was recorded.
    used: Option<Moment>,
    reference: String,
}

/// The URL of an endpoint.
#[derive(Serialize)]
struct Address {
    id: &'static str,
    label: &'static str,
    url: String,
}

/// Renders the page, with the refusal of the last action if there was one.
pub(super) async fn show(visitor: &Visitor<'_>, client: &Client) -> Result<String, Fault> {
    let Visitor { app, typed, refusal, once, .. } = visitor;
    let now = app.clock.now();
    let dialect = app.dialects.named(&client.dialect);
    let uses = app.store.secret_uses(client.key).await?;
    let connected = app.store.connected(client.key, now, CONNECTED_MAX).await?;
    let addresses = ADDRESSES.iter().filter_map(|(endpoint, label)| {
        // Only confidential clients can use introspection.
        let is_of_use = *endpoint != Endpoint::Introspect || client.kind == ClientKind::Confidential;
        let url = dialect.filter(|_| is_of_use)?.url(*endpoint)?;
        // A client that is no resource can introspect only its own tokens.
        let is_own_only = *endpoint == Endpoint::Introspect && !client.may_learn_of(None, &[]);
        let label = if is_own_only { "Introspection URL (own tokens only)" } else { *label };
        Some(Address { id: endpoint.row().name, label, url })
    });
    let policy = dialect.map(|dialect| &app.surface(dialect).policy);
    let scope = policy.map_or_else(|| client.scope.clone(), |policy| policy.scope.of_client(client));
    let value = |row: &Row| match (typed.value(row.name), typed.value("redirect_uri"), row.setting) {
        (Some(typed), ..) => typed.to_owned(),
        (None, Some(added), Setting::RedirectUris) => with_added(client, added),
        _ => typed_value(row, client),
    };
    Ok(app.templates.render(&OwnApplication {
        account: visitor.frame(),
        name: client.name.clone(),
        initial: initial(&client.name),
        logo: Logo::of(client),
        client_id: client.client_id.clone(),
        path: application_path(&client.client_id),
        is_public: client.kind == ClientKind::Public,
        is_disabled: client.is_disabled,
        checked: client.checked.as_ref().map(|checked| Moment::new(checked.at, now)),
        is_unchecked: client.is_unchecked(),
        is_on_localhost: client.redirect_uris.iter().any(|uri| redirect::is_on_localhost(uri, client.kind)),
        api: dialect.map(|dialect| api_name(app, dialect)),
        since: Moment::new(client.created_at, now),
        connected: people(connected),
        scopes: scope.iter().map(ToOwned::to_owned).collect(),
        is_pkce_needed: client.pkce == Pkce::Required,
        secrets: client.secrets.iter().map(|secret| SecretLine::new(secret, &uses, now)).collect(),
        may_add_secret: client.kind == ClientKind::Confidential && client.secrets.len() < SECRETS_LIVE_MAX,
        addresses: addresses.collect(),
        form: SettingForm::new(value),
        shown: once.as_ref().map(|secret| secret.reveal().to_owned()),
        problem: refusal.map(|refusal| problem(visitor, refusal, client.kind)),
    }))
}

/// The redirect URIs of an application, one a line, with one that its owner wanted to add before they had to sign in again.
fn with_added(client: &Client, added: &str) -> String {
    let added = Some(added).filter(|added| !client.redirect_uris.iter().any(|own| own == added));
    client.redirect_uris.iter().map(String::as_str).chain(added).collect::<Vec<_>>().join("\n")
}

impl SecretLine {
    fn new(secret: &ClientSecret, uses: &[(Digest, UnixTime)], now: UnixTime) -> Self {
        let own = secret_digest(secret);
        let used = uses.iter().find(|(digest, _)| *digest == own).map(|(_, used_at)| Moment::new(*used_at, now));
        Self {
            used,
            hint: secret.hint.clone(),
            since: Moment::new(secret.created_at, now),
            reference: secret_reference(secret),
        }
    }
}

impl Page for OwnApplication {
    const FILE: &'static str = "developer_application.html";

    fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    fn samples() -> Vec<(&'static str, Self)> {
        let secret = |hint: &str, seconds| SecretLine {
            hint: hint.to_owned(),
            since: sample_moment(seconds),
            used: (hint == "abcd").then(|| sample_moment(7_200)),
            reference: format!("reference-{seconds}"),
        };
        let page = sample;
        let frame = || Frame::sample(paths::DEVELOPER);
        let after = |at: usize| Frame::sample_with(paths::DEVELOPER, Some(NOTICES[at].1));
        let text = "gcs_nb2hi4dthixs63lzojqw4y3poixgk6dbnvygyzi5mfzgkmrq".to_owned();
        let wrong = |no: No| Some(Problem::new(&Refusal::from(no)));
        let public = Self {
            is_public: true,
            is_disabled: true,
            logo: None,
            api: None,
            may_add_secret: false,
            checked: None,
            is_unchecked: true,
            connected: people(0),
            scopes: vec![],
            addresses: vec![],
            form: SettingForm::sample(&[("name", "Importer"), ("redirect_uris", "com.example.app:/cb")]),
            ..page(frame(), vec![])
        };
        let localhost = Self {
            is_public: true,
            is_on_localhost: true,
            may_add_secret: false,
            form: SettingForm::sample(&[("name", "Importer"), ("redirect_uris", "http://localhost:3000/cb")]),
            ..page(after(0), vec![])
        };
        vec![
            ("developer_application_localhost", localhost),
            ("developer_application", page(frame(), vec![secret("mzrq", 9_000_000)])),
            ("developer_application_new", Self { shown: Some(text), ..page(after(0), vec![secret("mzrq", 5)]) }),
            ("developer_application_two", page(after(3), vec![secret("abcd", 9_000_000), secret("", 7_300)])),
            ("developer_application_public", public),
            (
                "developer_application_wrong",
                Self { problem: wrong(No::RedirectUrisMissing), ..page(frame(), vec![secret("mzrq", 5)]) },
            ),
            (
                "developer_application_last",
                Self { problem: wrong(No::SecretLast), ..page(frame(), vec![secret("mzrq", 5)]) },
            ),
        ]
    }
}

fn sample_moment(ago_s: i64) -> Moment {
    let now = UnixTime(1_795_600_000);
    Moment::new(UnixTime(now.0 - ago_s), now)
}

/// Returns a sample with these secrets.
fn sample(account: Frame, secrets: Vec<SecretLine>) -> OwnApplication {
    let address = |id, label, path: &str| Address { id, label, url: format!("https://auth.example.com/oauth/{path}") };
    OwnApplication {
        account,
        name: "Importer".to_owned(),
        initial: "I".to_owned(),
        logo: Some(Logo::sample()),
        client_id: "mzxw6ytboi4dcmrtgq2tmnzyhe".to_owned(),
        path: application_path("mzxw6ytboi4dcmrtgq2tmnzyhe"),
        is_public: false,
        is_disabled: false,
        checked: Some(sample_moment(900_000)),
        is_unchecked: false,
        is_on_localhost: false,
        api: Some("Example API".to_owned()),
        since: sample_moment(9_000_000),
        connected: people(1_204),
        scopes: vec!["profile".to_owned(), "links:read".to_owned()],
        is_pkce_needed: true,
        may_add_secret: secrets.len() < SECRETS_LIVE_MAX,
        secrets,
        addresses: vec![address("authorize", "Authorize URL", "authorize"), address("token", "Token URL", "token")],
        form: SettingForm::sample(&[
            ("name", "Importer"),
            ("redirect_uris", "https://importer.example/cb\nhttps://beta.importer.example/cb"),
            ("homepage", "https://importer.example/"),
            ("privacy_policy", "https://importer.example/privacy"),
            ("terms", "https://importer.example/terms"),
            ("logo_uri", "https://importer.example/logo.png"),
        ]),
        shown: None,
        problem: None,
    }
}
