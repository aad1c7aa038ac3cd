//! `grantry user`: accounts of users.

mod link;
mod second_factor;
mod set;
mod unlock;

use std::sync::Arc;

use clap::{ArgGroup, Args, Subcommand};
use protocol::crypto::keys::Keys;
use protocol::model::{User as Row, UserKey};
use protocol::operate::{NewUser, UserAct, UserCall, UserDone};
use protocol::quoted::Quoted;
use protocol::refusal::{No, Refusal};
use serde_json::{Value, json};

pub(crate) use self::second_factor::{Enrolled, enrol};
use super::answer::{Answer, CommandError};
use super::checked::{attributes, checked_email, checked_id, checked_name, checked_username};
use super::confirm::{self, Sure, counted};
use super::input::{Password, PasswordFrom};
use super::installation::{Installation, Rules};
use super::paging::Paging;
use super::{show, words};

/// More applications than a person can register.
const OWNED_MAX: usize = 1000;

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add a person.
    #[command(after_help = "\
Examples:
  echo \"$PASSWORD\" | grantry user add --email alice@example.com --name \"Alice Doe\" --username alice --password-stdin
  grantry user add --email bob@example.com --name Bob --password-generate
  grantry user add --username carol --name Carol --attribute 'limits={\"domains\":{\"used\":2,\"limit\":3}}'")]
    Add(Add),
    /// List everybody, in the order in which they were added.
    #[command(after_help = "\
Examples:
  grantry user list --search alice
  grantry user list --limit 100 --json             each row has its `cursor`
  grantry user list --limit 100 --after CURSOR

A search reads all users once and compares ids, user names, e-mail addresses and names.")]
    List(Paging),
    /// Show one.
    Show(Who),
    /// Change the e-mail address, the user name and the name; what is not named stays.
    #[command(after_help = "\
Examples:
  grantry user set alice --email alice@new.example               unverified until somebody checks it
  grantry user set alice --email alice@new.example --email-verified
  grantry user set alice --username allie --name \"Allie Doe\"

The id, sessions, grants, tokens and the password stay. `grantry event list --user USER` shows what the names were before.")]
    Set(set::Set),
    /// Shut somebody out: all sessions end, all tokens are dead from now on.
    Disable(Gone),
    /// Let somebody in again. What was dead stays dead: they sign in and allow again.
    Enable(Who),
    /// End every lockout of an account: wrong passwords and codes so far no longer count.
    #[command(after_help = "\
Example:
  grantry user unlock alice

`grantry event list --user alice --kind locked_out` shows when and from where the account was locked out. A lockout of a
network address is not the account's: it ends by itself.")]
    Unlock(Who),
    /// Delete an account and everything that hangs on it. Asks first on a terminal.
    Delete(Gone),
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

/// A person who loses what nothing brings back.
#[derive(Debug, Args)]
pub(super) struct Gone {
    /// An id, an e-mail address or a user name.
    #[arg(value_name = "USER")]
    user: String,
    #[command(flatten)]
    sure: Sure,
}

impl Gone {
    /// Asks whoever sits at a terminal, and says what hangs on the account.
    async fn ask(&self, verb: &str, how: &str, installation: &Installation) -> Result<(), CommandError> {
        if !self.sure.is_asked() {
            return Ok(());
        }
        let user = installation.user(&self.user).await?;
        let applications = installation.store.applications(user.key, installation.now()).await?.len();
        let (sessions, tokens) = (
            installation.store.sessions(user.key).await?.len(),
            installation.store.personals(Some(user.key)).await?.len(),
        );
        let owned = installation.store.clients(Some(user.key), None, OWNED_MAX).await?.len();
        confirm::ask(&format!(
            "{verb} {} ({}){how}? The account has {}, {}, {} and {} of its own.",
            show::name_of(&user),
            user.name,
            counted(sessions, "session"),
            counted(applications, "connected application"),
            counted(tokens, "personal token"),
            counted(owned, "application"),
        ))
    }
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
            Self::List(paging) => list(&paging, installation).await,
            Self::Set(set) => set.run(installation).await,
            Self::Show(who) => link::show(&who.user, installation).await,
            Self::Disable(gone) => {
                gone.ask("Disable", "", installation).await?;
                disable(&gone.user, installation).await
            }
            Self::Enable(who) => enable(&who.user, installation).await,
            Self::Unlock(who) => unlock::unlock(&who.user, installation).await,
            Self::Delete(gone) => {
                gone.ask("Delete", " for good", installation).await?;
                delete(&gone.user, installation).await
            }
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

async fn list(paging: &Paging, installation: &Installation) -> Result<Answer, CommandError> {
    let after = match &paging.after {
        Some(word) => Some(after(word, installation).await?),
        None => None,
    };
    let found = installation.store.find_users(paging.search.as_deref(), after, paging.rows_max()).await?;
    let row = |user: &Arc<Row>| {
        let mut row = show::user(user);
        if paging.is_paged() {
            row["cursor"] = json!(user.key.0.to_string());
        }
        row
    };
    let rows: Vec<Value> = found.iter().map(row).collect();
    let columns = ["username", "email", "name", "has_second_factor", "is_disabled", "id"];
    let more = paging.more(rows.len(), found.last().map(|user| user.key.0));
    let none = paging.none("There are no users yet: grantry user add adds one.");
    let text = show::table(&rows, &columns, none) + &more;
    Ok(Answer::new(Value::Array(rows), text))
}

/// The user behind whom a page begins.
async fn after(word: &str, installation: &Installation) -> Result<UserKey, CommandError> {
    match (installation.store.user_by_name(word.trim()).await?, word.trim().parse()) {
        (Some(user), _) => Ok(user.key),
        (None, Ok(key)) => Ok(UserKey(key)),
        (None, Err(_)) => Err(CommandError::usage(format!("--after is an id or the `cursor` of a row, not `{word}`"))),
    }
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
