//! `grantry user unlink`: links to accounts at upstream identity providers.

use clap::Args;
use protocol::model::Identity;
use protocol::operate::UserAct;
use protocol::refusal::No;
use serde_json::{Value, json};

use super::ask;
use crate::cli::answer::{Answer, CommandError};
use crate::cli::installation::Installation;
use crate::cli::{show, words};

#[derive(Debug, Args)]
pub(crate) struct Unlink {
    /// An id, an e-mail address or a user name.
    #[arg(value_name = "USER")]
    user: String,
    /// The issuer of the account elsewhere; needed where there are several.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Who they are there; needed where one issuer has several.
    #[arg(long, value_name = "SUB")]
    subject: Option<String>,
}

/// Runs `grantry user show`: a user with the links.
pub(super) async fn show(name: &str, installation: &Installation) -> Result<Answer, CommandError> {
    let user = installation.user(name).await?;
    let mut document = show::user(&user);
    let links = installation.store.identities(user.key).await?;
    document["linked"] = links.iter().map(one).collect();
    Ok(Answer::new(document.clone(), show::lines(&document)))
}

fn one(identity: &Identity) -> Value {
    let name = &identity.name;
    json!({"issuer": name.issuer, "subject": name.subject, "linked_at": show::time(identity.linked_at)})
}

impl Unlink {
    pub(super) async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        let links = installation.store.identities(installation.user(&self.user).await?.key).await?;
        let gone = self.choose(&links)?.clone();
        let left = links.len() - 1;
        let done = ask(&self.user, UserAct::Unlink(gone.name.clone()), installation, None).await?;
        let user = done.map_err(|refusal| match refusal.no {
            No::IdentityUnknown => self.absent(),
            _ => words::of(&refusal, &self.user),
        })?;
        let user = user.user;
        let name = show::name_of(&user);
        let mut text = format!(
            "{name} is no longer linked to {} at {}; all sessions ended, all tokens are dead.",
            gone.name.subject, gone.name.issuer
        );
        let is_shut = left == 0 && user.password.is_none();
        if is_shut {
            text.push_str(&format!(
                "\n\nThere is no way into the account now but a sign-in there that links it anew: grantry user set-password \
                 {name} sets a password."
            ));
        }
        Ok(Answer::new(
            json!({"id": user.sub, "unlinked": one(&gone), "links_left": left, "has_password": user.password.is_some()}),
            text,
        ))
    }

    fn absent(&self) -> CommandError {
        CommandError::no(format!("`{0}` has no such link: see `grantry user show {0}`", self.user))
    }

    /// Returns the link that the options name.
    fn choose<'l>(&self, links: &'l [Identity]) -> Result<&'l Identity, CommandError> {
        let is_meant = |own: &&Identity| {
            self.issuer.as_ref().is_none_or(|issuer| *issuer == own.name.issuer)
                && self.subject.as_ref().is_none_or(|subject| *subject == own.name.subject)
        };
        let meant: Vec<&Identity> = links.iter().filter(is_meant).collect();
        match meant[..] {
            [one] => Ok(one),
            [] => Err(self.absent()),
            _ => Err(CommandError::usage(format!(
                "`{0}` has several such links: say which by --issuer and --subject, as in `grantry user show {0}`",
                self.user
            ))),
        }
    }
}
