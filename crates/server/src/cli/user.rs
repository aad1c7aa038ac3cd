//! `grantry user`: people with an account.

mod link;
mod second_factor;
mod unlock;

use clap::{ArgGroup, Args, Subcommand};
use data_encoding::BASE32_NOPAD;
use protocol::crypto::entropy::Entropy;
use protocol::line::Write;
use protocol::model::{EventKind, User as Row, UserKey};
use protocol::person::password;
use protocol::secret::Secret;
use serde_json::{Map, Value, json};

pub(crate) use self::second_factor::{Enrolled, enrol};
use super::answer::{Answer, Stop};
use super::checked::{attributes, checked_email, checked_id, checked_name, checked_username, refused};
use super::desk::{Desk, Draft};
use super::input::{Password, PasswordFrom};
use super::show;

/// Random bytes of a `sub`: it is never reassigned and tells nothing.
const SUB_BYTES: usize = 16;

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
    async fn run(self, desk: &Desk) -> Result<Answer, Stop> {
        let set = attributes(&self.attributes)?;
        let (user, ()) = desk
            .alter_user(&self.user, EventKind::UserChanged, |user, _| {
                for name in &self.remove {
                    if user.attributes.remove(name).is_none() {
                        return Err(Stop::no(format!("`{}` has no attribute `{name}`", self.user)));
                    }
                }
                user.attributes.extend(set.clone());
                protocol::resource::attributes::check(&user.attributes).map_err(|no| refused(no.into()))?;
                Ok(("attributes", ()))
            })
            .await?;
        let document = show::user(&user);
        Ok(Answer::new(document.clone(), show::lines(&document)))
    }
}

impl User {
    pub(super) async fn run(self, desk: &Desk) -> Result<Answer, Stop> {
        match self {
            Self::Add(add) => add.run(desk).await,
            Self::List => list(desk).await,
            Self::Show(who) => link::show(&who.user, desk).await,
            Self::Disable(who) => disable(&who.user, desk).await,
            Self::Enable(who) => enable(&who.user, desk).await,
            Self::Unlock(who) => unlock::unlock(&who.user, desk).await,
            Self::Delete(who) => delete(&who.user, desk).await,
            Self::SetPassword(set) => set.run(desk).await,
            Self::SetAttribute(set) => set.run(desk).await,
            Self::Unlink(unlink) => unlink.run(desk).await,
            Self::Totp(factor) => factor.run(desk).await,
        }
    }
}

/// What is known of a person who gets an account.
#[derive(Debug, Default)]
pub(crate) struct NewUser {
    pub(crate) id: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) email_verified: bool,
    pub(crate) username: Option<String>,
    pub(crate) name: String,
    pub(crate) attributes: Map<String, Value>,
    pub(crate) password: Option<Secret>,
}

impl NewUser {
    /// Adds the person.
    pub(crate) async fn add(&self, desk: &Desk) -> Result<Row, Stop> {
        let names = [self.email.as_deref(), self.username.as_deref(), Some(self.name.as_str())];
        let names: Vec<&str> = names.into_iter().flatten().collect();
        let password = self.password.as_ref();
        let hash = password.map(|text| hash(text, &names, &mut desk.entropy())).transpose()?;
        desk.change(async |draft: &mut Draft| {
            let key = UserKey(draft.entropy.next_id());
            let sub = self.id.clone().unwrap_or_else(|| random_id(&mut draft.entropy));
            let user = Row {
                username: self.username.clone(),
                email: self.email.clone(),
                email_verified: self.email_verified,
                password: hash.clone(),
                attributes: self.attributes.clone(),
                ..Row::new(key, sub, &self.name, draft.now)
            };
            draft.write(Write::PutUser(Box::new(user.clone())));
            draft.note(EventKind::UserAdded, Some(user.key), None, "");
            Ok(user)
        })
        .await
    }
}

impl Add {
    async fn run(self, desk: &Desk) -> Result<Answer, Stop> {
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
        let password = self.password.read(&mut desk.entropy())?;
        let generated = password.as_ref().filter(|own| own.is_generated).map(|own| own.text.clone());
        user.password = password.map(|own| own.text);
        let user = user.add(desk).await?;
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

async fn list(desk: &Desk) -> Result<Answer, Stop> {
    let rows: Vec<Value> = desk.users().await?.iter().map(|user| show::user(user)).collect();
    let columns = ["username", "email", "name", "has_second_factor", "is_disabled", "id"];
    let text = show::table(&rows, &columns, "There are no users yet: grantry user add adds one.");
    Ok(Answer::new(Value::Array(rows), text))
}

async fn disable(name: &str, desk: &Desk) -> Result<Answer, Stop> {
    let (user, ()) = desk
        .alter_user(name, EventKind::UserChanged, |user, draft| {
            user.is_disabled = true;
            cut_off(user, draft);
            Ok(("disabled", ()))
        })
        .await?;
    let text = format!("{} is disabled: all sessions ended, all tokens are dead.", show::name_of(&user));
    Ok(Answer::new(show::user(&user), text))
}

async fn enable(name: &str, desk: &Desk) -> Result<Answer, Stop> {
    let (user, ()) = desk
        .alter_user(name, EventKind::UserChanged, |user, _| {
            user.is_disabled = false;
            Ok(("enabled", ()))
        })
        .await?;
    let text = format!("{} may sign in again. Earlier sessions and tokens stay dead.", show::name_of(&user));
    Ok(Answer::new(show::user(&user), text))
}

async fn delete(name: &str, desk: &Desk) -> Result<Answer, Stop> {
    let user = desk
        .change(async |draft: &mut Draft| {
            let user = desk.user(name).await?;
            draft.write(Write::DeleteUser(user.key));
            draft.note(EventKind::UserDeleted, Some(user.key), None, "");
            Ok(user)
        })
        .await?;
    let text = format!("{} is deleted, with everything that hung on the account.", show::name_of(&user));
    Ok(Answer::new(json!({"id": user.sub, "is_deleted": true}), text))
}

impl SetPassword {
    async fn run(self, desk: &Desk) -> Result<Answer, Stop> {
        // Somebody who mistyped the name should not have to type the password first.
        desk.user(&self.user).await?;
        let Some(Password { text: password, is_generated }) = self.password.read(&mut desk.entropy())? else {
            return Err(Stop::usage(
                "say where the password comes from: --password-stdin, --password-file FILE or --password-generate",
            ));
        };
        // Hashed once, however often the change is attempted.
        let mut hashed = None;
        let (user, ()) = desk
            .alter_user(&self.user, EventKind::PasswordChanged, |user, draft| {
                let names = [user.username.as_deref(), user.email.as_deref(), Some(user.name.as_str())];
                let names: Vec<&str> = names.into_iter().flatten().collect();
                check_password(&password, &names)?;
                let hash = || password::hash(&password, &mut draft.entropy);
                user.password = Some(hashed.get_or_insert_with(hash).clone());
                cut_off(user, draft);
                Ok(("by the operator", ()))
            })
            .await?;
        let mut document = show::user(&user);
        let mut text = format!("{} has a new password; all sessions ended, all tokens are dead.", show::name_of(&user));
        if is_generated {
            document["password"] = json!(password.reveal());
            text.push_str(&format!("\n\nThe password is shown here and never again:\n  {}\n", password.reveal()));
        }
        Ok(Answer::new(document, text))
    }
}

/// Ends all sessions of a user and kills all that was issued on their behalf.
pub(super) fn cut_off(user: &mut Row, draft: &mut Draft) {
    user.revoked_below = draft.revoked_below;
    draft.write(Write::EndSessions { user: user.key, but: None });
}

fn hash(text: &Secret, names: &[&str], entropy: &mut Entropy) -> Result<String, Stop> {
    check_password(text, names)?;
    Ok(password::hash(text, entropy))
}

fn check_password(text: &Secret, names: &[&str]) -> Result<(), Stop> {
    password::may_be(text, names).map_err(|no| Stop::no(no.row().text))
}

/// A public identifier that tells nothing.
pub(super) fn random_id(entropy: &mut Entropy) -> String {
    BASE32_NOPAD.encode(&entropy.bytes::<SUB_BYTES>()).to_lowercase()
}
