//! `grantry grant`: lists and revokes grants.

use clap::{Args, Subcommand};
use protocol::model::GrantId;
use protocol::operate::{RevokeGrant, WithdrawConsent};
use protocol::refusal::No;
use serde_json::{Value, json};

use super::answer::{Answer, CommandError};
use super::installation::{Installation, Rules};
use super::{show, words};

/// Maximum number of listed grants.
const ROWS_MAX: usize = 1000;

#[derive(Debug, Subcommand)]
pub(super) enum Grant {
    /// List them, the newest first.
    List(List),
    /// End one, or all of a user to a client together with the remembered consent.
    #[command(after_help = "\
Examples:
  grantry grant revoke 90071992547409920
  grantry grant revoke --user alice --client 4711")]
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only this person's.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only this application's.
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
    /// Also those that are revoked or over.
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// The id that `list` shows.
    #[arg(value_name = "GRANT", required_unless_present = "user", conflicts_with_all = ["user", "client"])]
    grant: Option<String>,
    /// Whose.
    #[arg(long, value_name = "USER", requires = "client")]
    user: Option<String>,
    /// To which application.
    #[arg(long, value_name = "CLIENT", requires = "user")]
    client: Option<String>,
}

impl Grant {
    pub(super) async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        match self {
            Self::List(list) => list.run(installation).await,
            Self::Revoke(revoke) => revoke.run(installation).await,
        }
    }
}

impl List {
    async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        let user = match &self.user {
            Some(name) => Some(installation.user(name).await?.key),
            None => None,
        };
        let client = match &self.client {
            Some(client_id) => Some(installation.client(client_id).await?.key),
            None => None,
        };
        let now = installation.now();
        let grants = installation.store.grants(user, client, (!self.all).then_some(now), ROWS_MAX).await?;
        let rows: Vec<Value> = grants.iter().map(|held| show::grant(held, now)).collect();
        let columns = ["id", "user", "client", "scope", "created_at", "is_live"];
        let text = show::table(&rows, &columns, "There are no grants.");
        Ok(Answer::new(Value::Array(rows), text))
    }
}

impl Revoke {
    async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        if let (Some(user), Some(client)) = (&self.user, &self.client) {
            return withdraw(user, client, installation).await;
        }
        let word = self.grant.unwrap_or_default();
        let id = word
            .parse()
            .map(GrantId)
            .map_err(|_| CommandError::usage(format!("`{word}` is no id: see `grantry grant list`")))?;
        let done = installation.ask(&RevokeGrant(id), Rules::of(&installation.house_policy())).await?;
        done.map_err(|_| CommandError::no(format!("no grant `{}`: see `grantry grant list`", id.0)))?;
        let text = "The grant is revoked and all its tokens are dead. The consent is remembered; --user and --client forget it too.";
        Ok(Answer::new(json!({"id": id.0.to_string(), "is_revoked": true}), text))
    }
}

async fn withdraw(user: &str, client: &str, installation: &Installation) -> Result<Answer, CommandError> {
    let call = WithdrawConsent { user: user.to_owned(), client_id: client.to_owned() };
    let done = installation.ask(&call, Rules::of(&installation.house_policy())).await?;
    let (user, client) = done.map_err(|refusal| {
        let is_about_client = refusal.no == No::ClientAbsent;
        words::of(&refusal, if is_about_client { client } else { user })
    })?;
    let text = format!("{} may not act for {} any more.", client.name, show::name_of(&user));
    let document = json!({"user": show::name_of(&user), "client_id": client.client_id, "is_revoked": true});
    Ok(Answer::new(document, text))
}
