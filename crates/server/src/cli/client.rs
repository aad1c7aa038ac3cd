//! `grantry client`: applications and APIs.

use std::sync::Arc;

use clap::{Args, Subcommand};
use protocol::operate::{ClientAct, ClientCall};
use serde_json::{Value, json};

use super::answer::{Answer, CommandError};
use super::installation::{Installation, Rules};
use super::{show, words};

mod add;
mod options;
mod secret;

pub(crate) use add::{Add, Added};
pub(crate) use options::AddOptions;

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

impl Client {
    pub(super) async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        match self {
            Self::Add(add) => add.run(installation).await,
            Self::List { owner } => list(owner.as_deref(), installation).await,
            Self::Show(which) => {
                let client = installation.client(&which.client).await?;
                let document = with_owner(&client, installation).await?;
                Ok(Answer::new(document.clone(), show::lines(&document)))
            }
            Self::Set(set) => set.run(installation).await,
            Self::RotateSecret(rotate) => rotate.run(installation).await,
            Self::Disable(which) => disable(which.client, installation).await,
            Self::Enable(which) => enable(which.client, installation).await,
            Self::Delete(which) => delete(which.client, installation).await,
        }
    }
}

/// Returns a client as a JSON document, with the name of its owner and the last use of its secrets.
async fn with_owner(client: &protocol::model::Client, installation: &Installation) -> Result<Value, CommandError> {
    let owner = match client.owner {
        Some(key) => installation.store.user(key).await?,
        None => None,
    };
    let uses = installation.store.secret_uses(client.key).await?;
    Ok(show::client(client, owner.as_deref(), &uses))
}

async fn list(owner: Option<&str>, installation: &Installation) -> Result<Answer, CommandError> {
    let owner = match owner {
        Some(name) => Some(installation.user(name).await?.key),
        None => None,
    };
    let mut rows = Vec::new();
    for client in installation.clients(owner).await? {
        rows.push(with_owner(&client, installation).await?);
    }
    let columns = ["client_id", "name", "dialect", "kind", "grants", "is_disabled"];
    let text = show::table(&rows, &columns, "There are no clients yet: grantry client add adds one.");
    Ok(Answer::new(Value::Array(rows), text))
}

async fn disable(client_id: String, installation: &Installation) -> Result<Answer, CommandError> {
    let client = done(client_id, ClientAct::Disable, installation).await?;
    let text = format!("{} ({}) is disabled: all its tokens are dead.", client.name, client.client_id);
    Ok(Answer::new(with_owner(&client, installation).await?, text))
}

async fn enable(client_id: String, installation: &Installation) -> Result<Answer, CommandError> {
    let client = done(client_id, ClientAct::Enable, installation).await?;
    let text = format!("{} ({}) is enabled. Its earlier tokens stay dead.", client.name, client.client_id);
    Ok(Answer::new(with_owner(&client, installation).await?, text))
}

async fn delete(client_id: String, installation: &Installation) -> Result<Answer, CommandError> {
    let client = done(client_id, ClientAct::Delete, installation).await?;
    let text = format!("{} ({}) is deleted, with everything that hung on it.", client.name, client.client_id);
    Ok(Answer::new(json!({"client_id": client.client_id, "is_deleted": true}), text))
}

/// Runs a command that needs no policy of the client's surface. It works even if the surface is not enabled.
async fn done(
    client_id: String,
    act: ClientAct,
    installation: &Installation,
) -> Result<Arc<protocol::model::Client>, CommandError> {
    let call = ClientCall { client_id, act };
    let done = installation.ask(&call, Rules::of(&installation.house_policy())).await?;
    Ok(done.map_err(|refusal| words::of(&refusal, &call.client_id))?.client)
}
