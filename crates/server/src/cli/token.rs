//! `grantry token`: personal access tokens, which people make for scripts of their own.

use clap::{Args, Subcommand};
use protocol::crypto::keys::TokenKind;
use protocol::line::{Key, RefreshMatch, Rely, Wants, Write};
use protocol::model::{EventKind, Personal, PersonalId};
use protocol::resource::introspect::AnyToken;
use protocol::scope::Scope;
use protocol::time::UnixTime;
use serde_json::{Value, json};

use super::answer::{Answer, Stop};
use super::checked::checked_name;
use super::desk::{Desk, Draft};
use super::{input, show};
use crate::config::suggestion;

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
    pub(super) async fn run(self, desk: &Desk) -> Result<Answer, Stop> {
        match self {
            Self::Add(add) => add.run(desk).await,
            Self::List { user } => list(user.as_deref(), desk).await,
            Self::Revoke { token } => revoke(&token, desk).await,
        }
    }
}

impl Add {
    async fn run(self, desk: &Desk) -> Result<Answer, Stop> {
        let dialect = desk.dialect(self.dialect.as_deref())?.name.clone();
        let policy = desk.configuration.policy(&dialect).ok_or_else(|| Stop::no("the dialect has no policy"))?;
        let name = checked_name(&self.name)?;
        let known = || policy.scope.list.iter().map(|(word, _)| word.as_str());
        let scope = match &self.scope {
            None => protocol::client::registration::scope(policy),
            Some(text) => Scope::parse(text).map_err(|word| Stop::usage(format!("{word:?} cannot be a scope")))?,
        };
        if let Some(word) = scope.iter().find(|word| policy.scope.sentence(word).is_none()) {
            return Err(Stop::no(format!(
                "the dialect `{dialect}` has no scope `{word}`{}",
                suggestion(word, known())
            )));
        }
        let ttl_s = match self.expires.as_deref() {
            None => policy.personal.ttl_s,
            Some(text) => Some(
                crate::config::duration(text)
                    .filter(|seconds| *seconds > 0)
                    .ok_or_else(|| Stop::usage(format!("--expires is a duration such as 30d, not `{text}`")))?,
            ),
        };
        let keys = desk.keys().await?;
        let (row, text) = desk
            .change(async |draft: &mut Draft| {
                let user = desk.user(&self.user).await?;
                if user.is_disabled {
                    return Err(Stop::no(format!("`{}` is disabled: see `grantry user enable`", self.user)));
                }
                let minted = keys.mint(TokenKind::Personal, &policy.personal.spelling, &mut draft.entropy);
                let row = Personal {
                    id: PersonalId(minted.id),
                    digest: minted.digest,
                    user: user.key,
                    dialect: dialect.clone(),
                    name: name.clone(),
                    scope: scope.clone(),
                    is_by_operator: true,
                    created_at: draft.now,
                    expires_at: ttl_s.map_or(UnixTime::NEVER, |ttl_s| draft.now.plus(ttl_s)),
                    used_at: None,
                };
                // Somebody who is being disabled gets no new token.
                draft.rely(Rely::User(user.key, user.version));
                draft.write(Write::PutPersonal(Box::new(row.clone())));
                draft.note(EventKind::PersonalCreated, Some(user.key), None, &name);
                Ok((row, minted.text))
            })
            .await?;
        let document = json!({
            "token": text.reveal(),
            "id": row.id.0.to_string(),
            "user": self.user,
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

async fn list(user: Option<&str>, desk: &Desk) -> Result<Answer, Stop> {
    let user = match user {
        Some(name) => Some(desk.user(name).await?.key),
        None => None,
    };
    let rows: Vec<Value> = desk.store.personals(user).await?.iter().map(show::personal).collect();
    let columns = ["id", "user", "name", "dialect", "scope", "expires_at", "used_at"];
    let text = show::table(&rows, &columns, "There are no personal access tokens.");
    Ok(Answer::new(Value::Array(rows), text))
}

async fn revoke(token: &str, desk: &Desk) -> Result<Answer, Stop> {
    if let Ok(id) = token.parse::<i64>() {
        return revoke_personal(PersonalId(id), desk).await;
    }
    let text = if token == "-" { input::stdin("the token")? } else { protocol::secret::Secret::new(token) };
    let keys = desk.keys().await?;
    for policy in &desk.configuration.policies {
        let read = AnyToken::read(text.reveal(), policy, &keys);
        let mut wants = Wants::default();
        read.want(&mut wants);
        let facts = desk.store.load(wants).await?;
        let (change, kind, what, user) = match read {
            AnyToken::Foreign => continue,
            AnyToken::Personal(own) => match facts.personal(own) {
                Some(held) => return revoke_personal(held.row.id, desk).await,
                None => continue,
            },
            AnyToken::Access(own) => match facts.access(own) {
                Some(held) => {
                    (Write::RevokeAccess(held.row.id), EventKind::TokenRevoked, "access token", held.row.user)
                }
                None => continue,
            },
            AnyToken::Refresh(own) => match facts.grant(own) {
                Some((held, RefreshMatch::Current | RefreshMatch::Previous)) => {
                    let change = Write::RevokeGrant(held.row.id);
                    (
                        change,
                        EventKind::GrantRevoked,
                        "refresh token, with its grant",
                        Some(held.row.authorization.user),
                    )
                }
                Some((_, RefreshMatch::Neither)) | None => continue,
            },
        };
        desk.change(async |draft: &mut Draft| {
            draft.write(change.clone());
            draft.note(kind, user, None, "by the operator");
            Ok(())
        })
        .await?;
        return Ok(Answer::new(json!({"is_revoked": true, "kind": what}), format!("Revoked the {what}.")));
    }
    Err(Stop::no("no such token: it was never one of this server's, or is long gone"))
}

async fn revoke_personal(id: PersonalId, desk: &Desk) -> Result<Answer, Stop> {
    let found = desk.store.load(Wants::of([Key::Personal(id)])).await?;
    let held = found
        .personal_row(id)
        .ok_or_else(|| Stop::no(format!("no personal token `{}`: see `grantry token list`", id.0)))?;
    desk.change(async |draft: &mut Draft| {
        draft.write(Write::RevokePersonal(id));
        draft.note(EventKind::PersonalRevoked, Some(held.row.user), None, &held.row.name);
        Ok(())
    })
    .await?;
    let text = format!("Revoked the personal token {:?}.", held.row.name);
    Ok(Answer::new(json!({"is_revoked": true, "kind": "personal token", "id": id.0.to_string()}), text))
}
