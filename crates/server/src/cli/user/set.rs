//! Changes what a person is called.

use clap::Args;
use clap::builder::BoolishValueParser;
use protocol::operate::{UserAct, UserChange};

use super::done;
use crate::cli::answer::{Answer, CommandError};
use crate::cli::checked::{checked_email, checked_name, checked_username};
use crate::cli::installation::Installation;
use crate::cli::show;

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// An id, an e-mail address or a user name.
    #[arg(value_name = "USER")]
    user: String,
    /// The e-mail address. A new one is unverified, unless --email-verified says otherwise.
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Take the e-mail address away.
    #[arg(long, conflicts_with_all = ["email", "email_verified"])]
    no_email: bool,
    /// Somebody checked that the address is theirs; `false` takes that back.
    #[arg(
        long,
        value_name = "YES_OR_NO",
        num_args = 0..=1,
        default_missing_value = "true",
        value_parser = BoolishValueParser::new()
    )]
    email_verified: Option<bool>,
    /// The name to sign in with.
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Take the user name away.
    #[arg(long, conflicts_with = "username")]
    no_username: bool,
    /// The name to show.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

impl Set {
    pub(crate) async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        let absent = |is_wanted: bool| is_wanted.then(String::new);
        let change = UserChange {
            email: self.email.as_deref().map(checked_email).transpose()?.or(absent(self.no_email)),
            email_verified: self.email_verified,
            username: self.username.as_deref().map(checked_username).transpose()?.or(absent(self.no_username)),
            name: self.name.as_deref().map(checked_name).transpose()?,
        };
        if change == UserChange::default() {
            return Err(CommandError::usage(
                "say what to change: --email, --email-verified, --username or --name. `grantry user set-attribute` and \
                 `grantry user set-password` change the rest",
            ));
        }
        let user = done(&self.user, UserAct::Set(change), installation).await?;
        let document = show::user(&user);
        Ok(Answer::new(document.clone(), show::lines(&document)))
    }
}
