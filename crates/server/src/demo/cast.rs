//! The accounts and applications of the demo: two users, three applications of the standard dialect, and one of each
//! other dialect.

use protocol::client_setting::{Proposal, Setting};
use protocol::model::Client;
use protocol::operate::NewUser;
use protocol::secret::Secret;
use serde_json::json;

use super::ports::Ports;
use super::surfaces::{self, Example};
use crate::cli::client::{Add, AddOptions, Added};
use crate::cli::input::generated_password;
use crate::cli::user;
use crate::cli::{CommandError, Installation};

/// All accounts and applications of the demo.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) alice: Person,
    pub(super) bob: Person,
    /// The second factor of Bob.
    pub(super) factor: user::Enrolled,
    /// The sample site: a confidential web application.
    pub(super) web: Registered,
    /// The sample command line: a public client.
    pub(super) cli: Client,
    /// The sample API: a protected resource that introspects tokens.
    pub(super) api: Registered,
    /// An application of each other dialect.
    pub(super) surfaces: Vec<Example>,
}

/// A user of the demo.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) username: &'static str,
    pub(super) password: Secret,
}

/// A client with a secret.
#[derive(Debug)]
pub(super) struct Registered {
    pub(super) client: Client,
    pub(super) secret: Secret,
}

impl Cast {
    /// Adds the accounts and applications to a new store.
    pub(super) async fn create(installation: &Installation, ports: &Ports) -> Result<Self, CommandError> {
        let alice = person(installation, "alice", "Alice Doe").await?;
        let bob = person(installation, "bob", "Bob Roe").await?;
        let factor = user::enrol(installation, "bob", None).await?;
        let callback = format!("{}/callback", ports.site_url());
        let web = Add {
            settings: AddOptions(Proposal::of([
                (Setting::Name, "Sample site".into()),
                (Setting::RedirectUris, [callback.as_str()].into()),
                (Setting::Publisher, "Grantry's demo".into()),
                (Setting::Homepage, ports.site_url().as_str().into()),
                (Setting::Grants, ["authorization_code", "refresh_token"].into()),
                (Setting::Refresh, "rotate".into()),
            ])),
            id: Some("sample-site".to_owned()),
            ..Add::default()
        };
        let cli = Add {
            settings: AddOptions(Proposal::of([
                (Setting::Name, "Sample command line".into()),
                (Setting::Kind, "public".into()),
                (Setting::RedirectUris, ["http://127.0.0.1/callback"].into()),
            ])),
            id: Some("sample-cli".to_owned()),
            ..Add::default()
        };
        let api = Add {
            settings: AddOptions(Proposal::of([
                (Setting::Name, "Sample API".into()),
                (Setting::Resources, [ports.resource().as_str()].into()),
            ])),
            id: Some("sample-api".to_owned()),
            ..Add::default()
        };
        let (web, api) = (registered(web, installation).await?, registered(api, installation).await?);
        let (cli, surfaces) = (cli.add(installation).await?.client, surfaces::register(installation, ports).await?);
        Ok(Self { alice, bob, factor, web, cli, api, surfaces })
    }
}

async fn person(installation: &Installation, username: &'static str, name: &str) -> Result<Person, CommandError> {
    let password = generated_password(&mut installation.entropy());
    let links = json!([{"title": "RFC 6749", "url": "https://www.rfc-editor.org/rfc/rfc6749"}]);
    let user = NewUser {
        email: Some(format!("{username}@example.com")),
        email_verified: true,
        username: Some(username.to_owned()),
        name: name.to_owned(),
        password: Some(password.clone()),
        attributes: [("links".to_owned(), links)].into_iter().collect(),
        ..NewUser::default()
    };
    user::add(user, installation).await?;
    Ok(Person { username, password })
}

async fn registered(add: Add, installation: &Installation) -> Result<Registered, CommandError> {
    let Added { client, secret, .. } = add.add(installation).await?;
    let secret = secret.ok_or_else(|| CommandError::no("a confidential client has a secret"))?;
    Ok(Registered { client, secret })
}
