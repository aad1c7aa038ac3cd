//! `grantry token`: personal access tokens.

use clap::{Args, Subcommand};
use protocol::client::registration;
use protocol::developer::Lifetime;
use protocol::model::{Personal, PersonalId};
use protocol::operate::{MakePersonal, RevokePersonal, RevokeToken, Revoked};
use protocol::refusal::No;
use protocol::resource::any_token::AnyToken;
use serde_json::{Value, json};

use super::answer::{Answer, CommandError};
use super::installation::{Installation, Rules};
use super::{input, show, words};

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Make one for somebody.
    #[command(after_help = "Example:\n  grantry token add --user alice --name ci --scope links:read --expires 30d")]
    Add(Add),
    /// List them.
    List {
        /// Only this person's.
        #[arg(long, value_name = "USER")]
        user: Option<String>,
    },
    /// End one: a personal token, by its id or text; or any other token, by its text.
    #[command(after_help = "\
Examples:
  grantry token revoke 90071992547409920
  grantry token revoke - < leaked.txt         the text, without showing it to other processes")]
    Revoke {
        /// The id that `list` shows, or the token itself, or - to read the token from standard input.
        #[arg(value_name = "TOKEN")]
        token: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// Whose token: an id, an e-mail address or a user name.
    #[arg(long)]
    user: String,
    /// What its owner calls it.
    #[arg(long)]
    name: String,
    /// The dialect whose surface takes it [default: standard].
    #[arg(long, value_name = "NAME")]
    dialect: Option<String>,
    /// What it allows, separated by spaces [default: all but those that only the operator gives: these must be named].
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// It dies after so long, such as 30d [default: what the dialect says, mostly never].
    #[arg(long, value_name = "DURATION")]
    expires: Option<String>,
}

impl Token {
    pub(super) async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        match self {
            Self::Add(add) => add.run(installation).await,
            Self::List { user } => list(user.as_deref(), installation).await,
            Self::Revoke { token } => revoke(&token, installation).await,
        }
    }
}

impl Add {
    async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        let dialect = installation.dialect(self.dialect.as_deref())?.name.clone();
        let policy =
            installation.configuration.policy(&dialect).ok_or_else(|| CommandError::no("the dialect has no policy"))?;
        let lifetime = match self.expires.as_deref() {
            None => Lifetime::Usual,
            Some(text) => Lifetime::Seconds(
                crate::config::duration(text)
                    .filter(|seconds| *seconds > 0)
                    .ok_or_else(|| CommandError::usage(format!("--expires is a duration such as 30d, not `{text}`")))?,
            ),
        };
        // The judge checks the scope again. Here the error shows the whole word.
        if let Some(text) = &self.scope {
            registration::named_scope(text, policy).map_err(|(no, word)| match no {
                No::ScopeNotOffered => words::of_scope(&word, policy),
                _ => words::of_value(no, &word).unwrap_or_else(|| CommandError::usage(no.row().text)),
            })?;
        }
        let Self { user, name, scope, .. } = self;
        let call = MakePersonal { user, name, scope, lifetime };
        let keys = installation.keys().await?;
        let made = installation.ask(&call, Rules::of(policy).with_keys(&keys)).await?;
        let (row, text) = made.map_err(|refusal| words::of(&refusal, &call.user))?;
        let document = json!({
            "token": text.reveal(),
            "id": row.id.0.to_string(),
            "user": call.user,
            "name": row.name,
            "dialect": row.dialect,
            "scope": row.scope.as_str(),
            "created_at": show::time(row.created_at),
            "expires_at": show::time(row.expires_at),
        });
        let text = format!("The token is shown here and never again.\n\n{}", show::lines(&document));
        Ok(Answer::new(document, text))
    }
}

async fn list(user: Option<&str>, installation: &Installation) -> Result<Answer, CommandError> {
    let user = match user {
        Some(name) => Some(installation.user(name).await?.key),
        None => None,
    };
    let rows: Vec<Value> = installation.store.personals(user).await?.iter().map(show::personal).collect();
    let columns = ["id", "user", "name", "dialect", "scope", "expires_at", "used_at"];
    let text = show::table(&rows, &columns, "There are no personal access tokens.");
    Ok(Answer::new(Value::Array(rows), text))
}

async fn revoke(token: &str, installation: &Installation) -> Result<Answer, CommandError> {
    if let Ok(id) = token.parse::<i64>() {
        return revoke_personal(PersonalId(id), installation).await;
    }
    let text = if token == "-" { input::stdin("the token")? } else { protocol::secret::Secret::new(token) };
    let keys = installation.keys().await?;
    for policy in &installation.configuration.policies {
        let call = RevokeToken(AnyToken::read(text.reveal(), policy, &keys));
        // Another surface may know the token.
        let what = match installation.ask(&call, Rules::of(policy)).await? {
            Ok(Revoked::Personal(row)) => return Ok(revoked_personal(&row)),
            Ok(Revoked::Access) => "access token",
            Ok(Revoked::Grant) => "refresh token, with its grant",
            Err(_) => continue,
        };
        return Ok(Answer::new(json!({"is_revoked": true, "kind": what}), format!("Revoked the {what}.")));
    }
    Err(CommandError::no("no such token: it was never one of this server's, or is long gone"))
}

async fn revoke_personal(id: PersonalId, installation: &Installation) -> Result<Answer, CommandError> {
    let done = installation.ask(&RevokePersonal(id), Rules::of(&installation.house_policy())).await?;
    let row = done.map_err(|_| CommandError::no(format!("no personal token `{}`: see `grantry token list`", id.0)))?;
    Ok(revoked_personal(&row))
}

fn revoked_personal(row: &Personal) -> Answer {
    let text = format!("Revoked the personal token {:?}.", row.name);
    Answer::new(json!({"is_revoked": true, "kind": "personal token", "id": row.id.0.to_string()}), text)
}
