//! The page of a user's own application: its URLs, its secrets, and its registration.

use protocol::client::registration::{SECRETS_LIVE_MAX, secret_digest};
use protocol::developer::secret_reference;
use protocol::endpoint::Endpoint;
use protocol::model::{Client, ClientKind, ClientSecret, Pkce};
use protocol::redirect;
use protocol::refusal::{No, Refusal};
use protocol::secret::Digest;
use protocol::time::UnixTime;
use serde::Serialize;

use super::offer::api_name;
use super::path::application_path;
use super::visitor::{CONNECTED_MAX, NOTICES, Visitor, people, problem};
use crate::fault::Fault;
use crate::pages::paths;
use crate::pages::signed_in::frame::Frame;
use crate::render::face::{Logo, initial};
use crate::render::page::Page;
use crate::render::problem::Problem;
use crate::render::words::Moment;

/// The addresses that a developer copies, and what they are called.
const ADDRESSES: [(Endpoint, &str); 6] = [
    (Endpoint::Authorize, "Authorize URL"),
    (Endpoint::Token, "Token URL"),
    (Endpoint::Userinfo, "User info URL"),
    (Endpoint::Revoke, "Revocation URL"),
    (Endpoint::Introspect, "Introspection URL"),
    (Endpoint::Metadata, "Metadata URL"),
];

/// The page.
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
    /// When the operator checked it; absent while the consent page warns about it.
    checked: Option<Moment>,
    /// True if the consent page warns about it.
    is_unchecked: bool,
    /// True if a redirect URI is on `localhost`, for which there is a better choice.
    is_on_localhost: bool,
    /// Of which surface; absent when it is switched off.
    api: Option<String>,
    since: Moment,
    connected: String,
    scopes: Vec<String>,
    is_pkce_needed: bool,
    secrets: Vec<SecretLine>,
    may_add_secret: bool,
    addresses: Vec<Address>,
    form: Form,
    /// A secret that is shown this once.
    shown: Option<String>,
    #[serde(skip)]
    problem: Option<Problem>,
}

/// A secret, without its text.
#[derive(Serialize)]
struct SecretLine {
    hint: String,
    since: Moment,
    /// When it was last used, to the hour; absent when no use was noted.
    used: Option<Moment>,
    reference: String,
}

/// An address to copy.
#[derive(Serialize)]
struct Address {
    id: &'static str,
    label: &'static str,
    url: String,
}

/// What can be changed.
#[derive(Serialize)]
struct Form {
    name: String,
    redirect_uris: String,
    homepage: String,
    privacy_policy: String,
    terms: String,
    logo_uri: String,
}

/// Renders the page, with the refusal of the last act if there was one.
pub(super) async fn show(visitor: &Visitor<'_>, client: &Client) -> Result<String, Fault> {
    let Visitor { app, typed, refusal, once, .. } = visitor;
    let now = app.clock.now();
    let dialect = app.dialects.named(&client.dialect);
    let uses = app.store.secret_uses(client.key).await?;
    let connected = app.store.connected(client.key, now, CONNECTED_MAX).await?;
    let addresses = ADDRESSES.iter().filter_map(|(endpoint, label)| {
        // Introspection is for clients that can prove who they are.
        let is_of_use = *endpoint != Endpoint::Introspect || client.kind == ClientKind::Confidential;
        let url = dialect.filter(|_| is_of_use)?.url(*endpoint)?;
        // An application that answers for no resource learns of its own tokens only.
        let is_own_only = *endpoint == Endpoint::Introspect && !client.may_learn_of(None, &[]);
        let label = if is_own_only { "Introspection URL (own tokens only)" } else { *label };
        Some(Address { id: endpoint.row().name, label, url })
    });
    let policy = dialect.map(|dialect| &app.surface(dialect).policy);
    let scope = policy.map_or_else(|| client.scope.clone(), |policy| policy.scope.of_client(client));
    let text = |name, own: &str| typed.value(name).unwrap_or(own).to_owned();
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
        api: dialect.map(api_name),
        since: Moment::new(client.created_at, now),
        connected: people(connected),
        scopes: scope.iter().map(ToOwned::to_owned).collect(),
        is_pkce_needed: client.pkce == Pkce::Required,
        secrets: client.secrets.iter().map(|secret| SecretLine::new(secret, &uses, now)).collect(),
        may_add_secret: client.kind == ClientKind::Confidential && client.secrets.len() < SECRETS_LIVE_MAX,
        addresses: addresses.collect(),
        form: Form {
            name: text("name", &client.name),
            redirect_uris: text("redirect_uris", &client.redirect_uris.join("\n")),
            homepage: text("homepage", client.homepage.as_deref().unwrap_or_default()),
            privacy_policy: text("privacy_policy", client.privacy_policy.as_deref().unwrap_or_default()),
            terms: text("terms", client.terms.as_deref().unwrap_or_default()),
            logo_uri: text("logo_uri", client.logo_uri.as_deref().unwrap_or_default()),
        },
        shown: once.as_ref().map(|secret| secret.reveal().to_owned()),
        problem: refusal.map(|refusal| problem(visitor, refusal, client.kind)),
    }))
}

impl Form {
    fn sample(redirect_uris: &str) -> Self {
        Self {
            name: "Importer".to_owned(),
            redirect_uris: redirect_uris.to_owned(),
            homepage: String::new(),
            privacy_policy: String::new(),
            terms: String::new(),
            logo_uri: String::new(),
        }
    }
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
            form: Form::sample("com.example.app:/cb"),
            ..page(frame(), vec![])
        };
        let localhost = Self {
            is_public: true,
            is_on_localhost: true,
            may_add_secret: false,
            form: Form::sample("http://localhost:3000/cb"),
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

/// A page with these secrets, for the samples.
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
        api: Some("standard (auth.example.com)".to_owned()),
        since: sample_moment(9_000_000),
        connected: people(1_204),
        scopes: vec!["profile".to_owned(), "links:read".to_owned()],
        is_pkce_needed: true,
        may_add_secret: secrets.len() < SECRETS_LIVE_MAX,
        secrets,
        addresses: vec![address("authorize", "Authorize URL", "authorize"), address("token", "Token URL", "token")],
        form: Form {
            name: "Importer".to_owned(),
            redirect_uris: "https://importer.example/cb\nhttps://beta.importer.example/cb".to_owned(),
            homepage: "https://importer.example/".to_owned(),
            privacy_policy: "https://importer.example/privacy".to_owned(),
            terms: "https://importer.example/terms".to_owned(),
            logo_uri: "https://importer.example/logo.png".to_owned(),
        },
        shown: None,
        problem: None,
    }
}
