//! `grantry client`: applications and APIs.

use clap::{ArgAction, Args, Subcommand, ValueEnum};
use protocol::client::rights::Introspection;
use protocol::line::Write;
use protocol::model::{AuthMethod, ClientKind, GrantType, Pkce, RefreshMode};
use serde_json::{Value, json};

use super::answer::{Answer, Stop};
use super::desk::{Desk, Draft};
use super::show;

mod add;
mod secret;

pub(crate) use add::{Add, Added};

#[derive(Debug, Subcommand)]
pub(super) enum Client {
    /// Register an application or an API.
    #[command(after_help = "\
Examples:
  grantry client add --name Importer --redirect-uri https://app.example/callback
  grantry client add --name \"Command line\" --kind public --redirect-uri http://127.0.0.1/callback
  grantry client add --name Nightly --grant client_credentials --scope links:read
  grantry client add --name \"Links API\" --resource https://api.example.com/      introspects tokens, and no more
  grantry client add --name Billing --grant client_credentials --accounts-api   reads and changes accounts
  grantry client add --name Old --id 4711 --secret-stdin --redirect-uri https://old.example/cb < secret

Without --grant a client gets all grants of its dialect that fit its kind, without --scope all scopes but
those that only the operator gives (`operator_only` of its dialect): these must be named.
The secret is shown once. Grantry keeps a digest of it.")]
    Add(Box<Add>),
    /// List all.
    List {
        /// Only those that this person registered.
        #[arg(long, value_name = "USER")]
        owner: Option<String>,
    },
    /// Show one.
    Show(Which),
    /// Change what is said about one; what is not named stays.
    #[command(
        after_help = "Example:\n  grantry client set 4711 --name \"New name\" --redirect-uri https://a.example/cb --redirect-uri https://b.example/cb"
    )]
    Set(Box<add::Set>),
    /// Give it a second secret; both work until the old one is retired.
    #[command(after_help = "\
The way of a secret that is replaced without an outage:
  grantry client rotate-secret 4711                 a new secret beside the old one
  (give it to the application)
  grantry client rotate-secret 4711 --retire-old    the old one is dead

At most two secrets live: another rotation drops the oldest.")]
    RotateSecret(secret::Rotate),
    /// Shut it out: all its tokens are dead from now on.
    Disable(Which),
    /// Let it in again. What was dead stays dead.
    Enable(Which),
    /// Delete it and everything that hangs on it.
    Delete(Which),
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// The client_id.
    #[arg(value_name = "CLIENT")]
    client: String,
}

/// Can it keep a secret?
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Runs in a browser or on somebody's device.
    Public,
    /// Runs on a server of its own.
    Confidential,
}

impl From<Kind> for ClientKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Public => Self::Public,
            Kind::Confidential => Self::Confidential,
        }
    }
}

/// Must it use PKCE?
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PkceWord {
    /// Every authorization request needs a challenge.
    Required,
    /// A challenge is honoured when it comes.
    Optional,
}

impl From<PkceWord> for Pkce {
    fn from(word: PkceWord) -> Self {
        match word {
            PkceWord::Required => Self::Required,
            PkceWord::Optional => Self::Optional,
        }
    }
}

/// What happens to its refresh tokens when they are used?
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RefreshWord {
    /// Each use gives a new one.
    Rotate,
    /// It stays the same.
    Reuse,
    /// None is issued.
    None,
}

impl From<RefreshWord> for RefreshMode {
    fn from(word: RefreshWord) -> Self {
        match word {
            RefreshWord::Rotate => Self::Rotate,
            RefreshWord::Reuse => Self::Reuse,
            RefreshWord::None => Self::None,
        }
    }
}

/// How it proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// It proves nothing: public clients.
    #[value(name = "none")]
    None,
    /// In the Authorization header.
    #[value(name = "client_secret_basic")]
    Basic,
    /// In the request body.
    #[value(name = "client_secret_post")]
    Post,
}

impl From<Method> for AuthMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::None => Self::None,
            Method::Basic => Self::ClientSecretBasic,
            Method::Post => Self::ClientSecretPost,
        }
    }
}

/// Which tokens introspection describes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IntrospectionWord {
    /// Tokens that were issued to it, and tokens for the resources that it answers for.
    Own,
    /// Every access token and personal access token of its dialect.
    Any,
}

impl From<IntrospectionWord> for Introspection {
    fn from(word: IntrospectionWord) -> Self {
        match word {
            IntrospectionWord::Own => Self::Own,
            IntrospectionWord::Any => Self::Any,
        }
    }
}

impl Client {
    pub(super) async fn run(self, desk: &Desk) -> Result<Answer, Stop> {
        match self {
            Self::Add(add) => add.run(desk).await,
            Self::List { owner } => list(owner.as_deref(), desk).await,
            Self::Show(which) => {
                let client = desk.client(&which.client).await?;
                let document = with_owner(&client, desk).await?;
                Ok(Answer::new(document.clone(), show::lines(&document)))
            }
            Self::Set(set) => set.run(desk).await,
            Self::RotateSecret(rotate) => rotate.run(desk).await,
            Self::Disable(which) => disable(&which.client, desk).await,
            Self::Enable(which) => enable(&which.client, desk).await,
            Self::Delete(which) => delete(&which.client, desk).await,
        }
    }
}

/// A client as a document, with the name of its owner and the last use of its secrets.
async fn with_owner(client: &protocol::model::Client, desk: &Desk) -> Result<Value, Stop> {
    let owner = match client.owner {
        Some(key) => desk.store.user(key).await?,
        None => None,
    };
    let uses = desk.store.secret_uses(client.key).await?;
    Ok(show::client(client, owner.as_deref(), &uses))
}

async fn list(owner: Option<&str>, desk: &Desk) -> Result<Answer, Stop> {
    let owner = match owner {
        Some(name) => Some(desk.user(name).await?.key),
        None => None,
    };
    let mut rows = Vec::new();
    for client in desk.clients(owner).await? {
        rows.push(with_owner(&client, desk).await?);
    }
    let columns = ["client_id", "name", "dialect", "kind", "grants", "is_disabled"];
    let text = show::table(&rows, &columns, "There are no clients yet: grantry client add adds one.");
    Ok(Answer::new(Value::Array(rows), text))
}

async fn disable(client_id: &str, desk: &Desk) -> Result<Answer, Stop> {
    let (client, ()) = desk
        .alter_client(client_id, |client, draft| {
            client.is_disabled = true;
            client.revoked_below = draft.revoked_below;
            Ok(("disabled", ()))
        })
        .await?;
    let text = format!("{} ({}) is disabled: all its tokens are dead.", client.name, client.client_id);
    Ok(Answer::new(with_owner(&client, desk).await?, text))
}

async fn enable(client_id: &str, desk: &Desk) -> Result<Answer, Stop> {
    let (client, ()) = desk
        .alter_client(client_id, |client, _| {
            client.is_disabled = false;
            Ok(("enabled", ()))
        })
        .await?;
    let text = format!("{} ({}) is enabled. Its earlier tokens stay dead.", client.name, client.client_id);
    Ok(Answer::new(with_owner(&client, desk).await?, text))
}

async fn delete(client_id: &str, desk: &Desk) -> Result<Answer, Stop> {
    let client = desk
        .change(async |draft: &mut Draft| {
            let client = desk.client(client_id).await?;
            draft.write(Write::DeleteClient(client.key));
            draft.note(protocol::model::EventKind::ClientDeleted, None, Some(client.key), "");
            Ok(client)
        })
        .await?;
    let text = format!("{} ({}) is deleted, with everything that hung on it.", client.name, client.client_id);
    Ok(Answer::new(json!({"client_id": client.client_id, "is_deleted": true}), text))
}

/// A lifetime as an argument.
fn lifetime(text: &str) -> Result<u64, String> {
    let seconds = crate::config::duration(text).filter(|seconds| *seconds > 0);
    seconds.ok_or_else(|| "a duration such as 90s, 10m, 2h or 30d".to_owned())
}

/// A grant as an argument.
fn grant_type(text: &str) -> Result<GrantType, String> {
    GrantType::from_name(text).ok_or_else(|| {
        let near = crate::config::suggestion(text, GrantType::ALL.iter().map(|grant| grant.as_str()));
        format!("there is no such grant{near}")
    })
}

/// A list that may be given several times, or once with spaces in it.
const APPEND: ArgAction = ArgAction::Append;
