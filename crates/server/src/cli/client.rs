//! `grantry client`: applications and APIs.

use std::sync::Arc;

use clap::{Args, Subcommand};
use protocol::model::ClientKey;
use protocol::operate::{ClientAct, ClientCall};
use serde_json::{Value, json};

use super::answer::{Answer, CommandError};
use super::confirm::{self, Sure};
use super::installation::{Installation, Rules};
use super::paging::Paging;
use super::{show, words};
use crate::render::words::PEOPLE_MAX;

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
  grantry client add --name Bank --redirect-uri https://bank.example/cb --auth-method private_key_jwt \\
      --jwks-uri https://bank.example/keys --require-par

Without --grant a client of the standard dialect gets authorization_code and refresh_token, which act for users who
allow it; an API with --resource alone gets none. A program that acts for itself says --grant client_credentials.
A client of another dialect gets all grants of its dialect that fit its kind. Without --scope a client may ask for all
scopes but those that only the operator gives (`operator_only` of its dialect): these must be named.
The secret is shown once. Grantry keeps a digest of it. For --auth-method client_secret_jwt it keeps the secret itself, encrypted
under the master key. A client with private_key_jwt alone has no secret.")]
    Add(Box<Add>),
    /// List all, in the order in which they were registered.
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// Only those that this person registered.
        #[arg(long, value_name = "USER")]
        owner: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one.
    Show(Which),
    /// Change what is said about one; what is not named stays.
    #[command(after_help = "\
Examples:
  grantry client set 4711 --name \"New name\" --redirect-uri https://a.example/cb --redirect-uri https://b.example/cb
  grantry client set 4711 --grant authorization_code --grant refresh_token --auth-method client_secret_post
  grantry client set 4711 --kind confidential      it gets a secret, which is shown once
  grantry client set 4711 --checked                you looked at the application: the consent page says so
  grantry client set 4711 --no-owner               it is your own from now on

Tokens that were issued stay as they are. A grant that you take away refuses the next request for a token.")]
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
    Disable(Gone),
    /// Let it in again. What was dead stays dead.
    Enable(Which),
    /// Delete it and everything that hangs on it. Asks first on a terminal.
    Delete(Gone),
}

const LIST_EXAMPLES: &str = "\
Examples:
  grantry client list --search importer
  grantry client list --limit 100 --json             each row has its `cursor`
  grantry client list --limit 100 --after CURSOR

A search reads all clients once and compares client_id, name, publisher, homepage and redirect URIs.";

#[derive(Debug, Args)]
pub(super) struct Which {
    /// The client_id.
    #[arg(value_name = "CLIENT")]
    client: String,
}

/// A client that loses what nothing brings back.
#[derive(Debug, Args)]
pub(super) struct Gone {
    /// The client_id.
    #[arg(value_name = "CLIENT")]
    client: String,
    #[command(flatten)]
    sure: Sure,
}

impl Gone {
    /// Asks whoever sits at a terminal, and says what hangs on the client.
    async fn ask(&self, verb: &str, how: &str, installation: &Installation) -> Result<(), CommandError> {
        if !self.sure.is_asked() {
            return Ok(());
        }
        let client = installation.client(&self.client).await?;
        let connected = installation.store.connected(client.key, installation.now(), PEOPLE_MAX).await?;
        let told = match connected {
            0 => "Nobody is connected with it.".to_owned(),
            1 => "1 person is connected with it and loses the connection.".to_owned(),
            _ => format!("{connected} people are connected with it and lose the connection."),
        };
        confirm::ask(&format!("{verb} {} ({}){how}? {told}", client.name, client.client_id))
    }
}

impl Client {
    pub(super) async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        match self {
            Self::Add(add) => add.run(installation).await,
            Self::List { owner, paging } => list(owner.as_deref(), &paging, installation).await,
            Self::Show(which) => {
                let client = installation.client(&which.client).await?;
                let document = with_owner(&client, installation).await?;
                Ok(Answer::new(document.clone(), show::lines(&document)))
            }
            Self::Set(set) => set.run(installation).await,
            Self::RotateSecret(rotate) => rotate.run(installation).await,
            Self::Disable(gone) => {
                gone.ask("Disable", "", installation).await?;
                disable(gone.client, installation).await
            }
            Self::Enable(which) => enable(which.client, installation).await,
            Self::Delete(gone) => {
                gone.ask("Delete", " for good", installation).await?;
                delete(gone.client, installation).await
            }
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

async fn list(owner: Option<&str>, paging: &Paging, installation: &Installation) -> Result<Answer, CommandError> {
    let owner = match owner {
        Some(name) => Some(installation.user(name).await?.key),
        None => None,
    };
    let after = match &paging.after {
        Some(word) => Some(after(word, installation).await?),
        None => None,
    };
    let found = installation.store.find_clients(paging.search.as_deref(), owner, after, paging.rows_max()).await?;
    let mut rows = Vec::new();
    for client in &found {
        let mut row = with_owner(client, installation).await?;
        if paging.is_paged() {
            row["cursor"] = json!(client.key.0.to_string());
        }
        rows.push(row);
    }
    let columns = ["client_id", "name", "dialect", "kind", "grants", "is_disabled"];
    let none = paging.none("There are no clients yet: grantry client add adds one.");
    let more = paging.more(rows.len(), found.last().map(|client| client.key.0));
    let text = show::table(&rows, &columns, none) + &more;
    Ok(Answer::new(Value::Array(rows), text))
}

/// The client behind which a page begins.
async fn after(word: &str, installation: &Installation) -> Result<ClientKey, CommandError> {
    match (installation.store.client_by_id(word.trim()).await?, word.trim().parse()) {
        (Some(client), _) => Ok(client.key),
        (None, Ok(key)) => Ok(ClientKey(key)),
        (None, Err(_)) => {
            Err(CommandError::usage(format!("--after is a client_id or the `cursor` of a row, not `{word}`")))
        }
    }
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
