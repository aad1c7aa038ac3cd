//! `grantry user`: accounts of users.

mod link;
mod second_factor;
mod unlock;

use std::sync::Arc;

use clap::{ArgGroup, Args, Subcommand};
use protocol::crypto::keys::Keys;
use protocol::model::User as Row;
use protocol::operate::{NewUser, UserAct, UserCall, UserDone};
use protocol::quoted::Quoted;
use protocol::refusal::{No, Refusal};
use serde_json::{Value, json};

pub(crate) use self::second_factor::{Enrolled, enrol};
use super::answer::{Answer, CommandError};
use super::checked::{attributes, checked_email, checked_id, checked_name, checked_username};
use super::input::{Password, PasswordFrom};
use super::installation::{Installation, Rules};
use super::{show, words};

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add a person.
    #[command(after_help = "\
Examples:
  echo \"$PASSWORD\" | grantry user add --email alice@example.com --name \"Alice Doe\" --username alice --password-stdin
  grantry user add --email bob@example.com --name Bob --password-generate
  grantry user add --username carol --name Carol --attribute 'limits={\"domains\":{\"used\":2,\"limit\":3}}'")]
    Add(Add),
    /// List everybody.
    List,
    /// Show one.
    Show(Who),
    /// Shut somebody out: all sessions end, all tokens are dead from now on.
    Disable(Who),
    /// Let somebody in again. What was dead stays dead: they sign in and allow again.
    Enable(Who),
    /// End every lockout of an account: wrong passwords and codes so far no longer count.
    #[command(after_help = "\
Example:
  grantry user unlock alice

`grantry event list --user alice --kind locked_out` shows when and from where the account was locked out. A lockout of a
network address is not the account's: it ends by itself.")]
    Unlock(Who),
    /// Delete an account and everything that hangs on it.
    Delete(Who),
    /// Set a password; all sessions end and all tokens are dead.
    #[command(after_help = "Example:\n  echo \"$PASSWORD\" | grantry user set-password alice --password-stdin")]
    SetPassword(SetPassword),
    /// Set or remove attributes: what you keep about the account, for dialects to show.
    #[command(after_help = "\
Examples:
  grantry user set-attribute alice 'limits={\"domains\":{\"used\":2,\"limit\":3}}' plan=pro
  grantry user set-attribute alice --remove plan")]
    SetAttribute(SetAttribute),
    /// Take away that an account elsewhere opens this one; all sessions end and all tokens are dead.
    #[command(after_help = "\
Examples:
  grantry user show alice                 lists the links
  grantry user unlink alice               when there is one
  grantry user unlink alice --issuer https://accounts.google.com")]
    Unlink(link::Unlink),
    /// Switch a second factor on or off.
    #[command(after_help = "\
Examples:
  grantry user totp alice --enable        shows the secret and the recovery codes, this once
  grantry user totp alice --disable       when the telephone and the codes are lost")]
    Totp(second_factor::SecondFactor),
}

#[derive(Debug, Args)]
pub(super) struct Who {
    /// An id, an e-mail address or a user name.
    #[arg(value_name = "USER")]
    user: String,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("login").args(["email", "username"]).required(true).multiple(true)))]
pub(super) struct Add {
    /// An e-mail address, also to sign in with.
    #[arg(long)]
    email: Option<String>,
    /// Somebody checked that the address is theirs.
    #[arg(long, requires = "email")]
    email_verified: bool,
    /// A name to sign in with.
    #[arg(long)]
    username: Option<String>,
    /// The name to show [default: the user name, or the e-mail address].
    #[arg(long)]
    name: Option<String>,
    /// Keep an id from elsewhere; without it a random one is made.
    #[arg(long, value_name = "SUB")]
    id: Option<String>,
    /// Something else to keep about the account; the value is JSON, or else a string. Repeatable.
    #[arg(long = "attribute", value_name = "NAME=VALUE")]
    attributes: Vec<String>,
    #[command(flatten)]
    password: PasswordFrom,
}

#[derive(Debug, Args)]
pub(super) struct SetPassword {
    /// An id, an e-mail address or a user name.
    #[arg(value_name = "USER")]
    user: String,
    #[command(flatten)]
    password: PasswordFrom,
}

#[derive(Debug, Args)]
pub(super) struct SetAttribute {
    /// An id, an e-mail address or a user name.
    #[arg(value_name = "USER")]
    user: String,
    /// A name and its value: JSON, or else text.
    #[arg(value_name = "NAME=VALUE", required_unless_present = "remove")]
    attributes: Vec<String>,
    /// A name to remove. Repeatable.
    #[arg(long, value_name = "NAME")]
    remove: Vec<String>,
}

impl SetAttribute {
    async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        let (set, remove) = (attributes(&self.attributes)?, self.remove);
        let act = UserAct::SetAttributes { set, remove: remove.clone() };
        let user = ask(&self.user, act, installation, None).await?.map_err(|refusal| match refusal.no {
            No::AttributeAbsent => {
                let own = |name: &&String| refusal.value == Some(Quoted::new(name));
                let name = remove.iter().find(own).map(String::as_str).unwrap_or_default();
                CommandError::no(format!("`{}` has no attribute `{name}`", self.user))
            }
            _ => words::of(&refusal, &self.user),
        })?;
        let document = show::user(&user.user);
        Ok(Answer::new(document.clone(), show::lines(&document)))
    }
}

impl User {
    pub(super) async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        match self {
            Self::Add(add) => add.run(installation).await,
            Self::List => list(installation).await,
            Self::Show(who) => link::show(&who.user, installation).await,
            Self::Disable(who) => disable(&who.user, installation).await,
            Self::Enable(who) => enable(&who.user, installation).await,
            Self::Unlock(who) => unlock::unlock(&who.user, installation).await,
            Self::Delete(who) => delete(&who.user, installation).await,
            Self::SetPassword(set) => set.run(installation).await,
            Self::SetAttribute(set) => set.run(installation).await,
            Self::Unlink(unlink) => unlink.run(installation).await,
            Self::Totp(factor) => factor.run(installation).await,
        }
    }
}

/// Judges a command about an account, and commits what is decided.
pub(super) async fn ask(
    user: &str,
    act: UserAct,
    installation: &Installation,
    keys: Option<&Keys>,
) -> Result<Result<UserDone, Refusal>, CommandError> {
    let (call, policy) = (UserCall { user: user.to_owned(), act }, installation.house_policy());
    let rules = Rules::of(&policy);
    installation.ask(&call, keys.map_or(rules, |keys| rules.with_keys(keys))).await
}

/// As [`ask`], for a command that needs no keys. Returns the changed account.
async fn done(user: &str, act: UserAct, installation: &Installation) -> Result<Arc<Row>, CommandError> {
    Ok(ask(user, act, installation, None).await?.map_err(|refusal| words::of(&refusal, user))?.user)
}

/// Adds an account.
pub(crate) async fn add(user: NewUser, installation: &Installation) -> Result<Arc<Row>, CommandError> {
    done("", UserAct::Add(user), installation).await
}

impl Add {
    async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        let email = self.email.as_deref().map(checked_email).transpose()?;
        let username = self.username.as_deref().map(checked_username).transpose()?;
        let fallback = username.clone().or_else(|| email.clone()).unwrap_or_default();
        let mut user = NewUser {
            id: self.id.as_deref().map(checked_id).transpose()?,
            email_verified: self.email_verified,
            name: checked_name(self.name.as_deref().unwrap_or(&fallback))?,
            attributes: attributes(&self.attributes)?,
            password: None,
            email,
            username,
        };
        let password = self.password.read(&mut installation.entropy())?;
        let generated = password.as_ref().filter(|own| own.is_generated).map(|own| own.text.clone());
        user.password = password.map(|own| own.text);
        let user = add(user, installation).await?;
        let mut document = show::user(&user);
        let mut text = format!("Added {}.\n\n{}", show::name_of(&user), show::lines(&document));
        if let Some(password) = generated {
            document["password"] = json!(password.reveal());
            text.push_str(&format!("\nThe password is shown here and never again:\n  {}\n", password.reveal()));
        } else if user.password.is_none() {
            text.push_str("\nThere is no password yet: grantry user set-password sets one.\n");
        }
        Ok(Answer::new(document, text))
    }
}

async fn list(installation: &Installation) -> Result<Answer, CommandError> {
    let rows: Vec<Value> = installation.users().await?.iter().map(|user| show::user(user)).collect();
    let columns = ["username", "email", "name", "has_second_factor", "is_disabled", "id"];
    let text = show::table(&rows, &columns, "There are no users yet: grantry user add adds one.");
    Ok(Answer::new(Value::Array(rows), text))
}

async fn disable(name: &str, installation: &Installation) -> Result<Answer, CommandError> {
    let user = done(name, UserAct::Disable, installation).await?;
    let text = format!("{} is disabled: all sessions ended, all tokens are dead.", show::name_of(&user));
    Ok(Answer::new(show::user(&user), text))
}

async fn enable(name: &str, installation: &Installation) -> Result<Answer, CommandError> {
    let user = done(name, UserAct::Enable, installation).await?;
    let text = format!("{} may sign in again. Earlier sessions and tokens stay dead.", show::name_of(&user));
    Ok(Answer::new(show::user(&user), text))
}

async fn delete(name: &str, installation: &Installation) -> Result<Answer, CommandError> {
    let user = done(name, UserAct::Delete, installation).await?;
    let text = format!("{} is deleted, with everything that hung on the account.", show::name_of(&user));
    Ok(Answer::new(json!({"id": user.sub, "is_deleted": true}), text))
}

impl SetPassword {
    async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        // Report a mistyped name before reading the password.
        installation.user(&self.user).await?;
        let Some(Password { text: password, is_generated }) = self.password.read(&mut installation.entropy())? else {
            return Err(CommandError::usage(
                "say where the password comes from: --password-stdin, --password-file FILE or --password-generate",
            ));
        };
        let user = done(&self.user, UserAct::SetPassword(password.clone()), installation).await?;
        let mut document = show::user(&user);
        let mut text = format!("{} has a new password; all sessions ended, all tokens are dead.", show::name_of(&user));
        if is_generated {
            document["password"] = json!(password.reveal());
            text.push_str(&format!("\n\nThe password is shown here and never again:\n  {}\n", password.reveal()));
        }
        Ok(Answer::new(document, text))
    }
}
