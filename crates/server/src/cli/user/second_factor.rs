//! `grantry user totp`: enables and disables second factors, and renews recovery codes.

use clap::{ArgGroup, Args};
use protocol::operate::{Shown, UserAct};
use protocol::refusal::No;
use protocol::secret::Secret;
use serde_json::json;

use super::ask;
use crate::cli::answer::{Answer, CommandError};
use crate::cli::installation::Installation;
use crate::cli::{show, words};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("act").args(["enable", "disable", "renew_recovery"]).required(true)))]
pub(crate) struct SecondFactor {
    /// An id, an e-mail address or a user name.
    #[arg(value_name = "USER")]
    user: String,
    /// Switch it on at once, with a fresh secret.
    #[arg(long)]
    enable: bool,
    /// How many digits its codes have, where it is not the number that the standard dialect has.
    #[arg(long, value_name = "6|7|8", requires = "enable", value_parser = clap::value_parser!(u8).range(6..=8))]
    digits: Option<u8>,
    /// Switch it off.
    #[arg(long)]
    disable: bool,
    /// Replace all recovery codes.
    #[arg(long)]
    renew_recovery: bool,
}

impl SecondFactor {
    pub(super) async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        if self.disable {
            return self.disable(installation).await;
        }
        if self.renew_recovery {
            return self.renew(installation).await;
        }
        let enrolled = enrol(installation, &self.user, self.digits.map(u32::from)).await?;
        let codes: Vec<&str> = enrolled.recovery.iter().map(Secret::reveal).collect();
        let document =
            json!({"secret": enrolled.base32.reveal(), "uri": enrolled.uri.reveal(), "recovery_codes": codes});
        let text = format!(
            "The second factor is on. All of this is shown here and never again.\n\nsecret  {}\nuri     {}\n\n\
             Recovery codes, each of which works once:\n  {}\n",
            enrolled.base32.reveal(),
            enrolled.uri.reveal(),
            codes.join("\n  ")
        );
        Ok(Answer::new(document, text))
    }

    async fn disable(self, installation: &Installation) -> Result<Answer, CommandError> {
        let done = ask(&self.user, UserAct::DisableTotp, installation, None).await?;
        let user = done.map_err(|refusal| match refusal.no {
            No::TotpAbsent => CommandError::no(format!("`{}` has no second factor", self.user)),
            _ => words::of(&refusal, &self.user),
        })?;
        let user = user.user;
        Ok(Answer::new(show::user(&user), format!("{} has no second factor any more.", show::name_of(&user))))
    }

    async fn renew(self, installation: &Installation) -> Result<Answer, CommandError> {
        let done = ask(&self.user, UserAct::RenewRecovery, installation, None).await?;
        let done = done.map_err(|refusal| match refusal.no {
            No::TotpAbsent => {
                CommandError::no(format!("`{}` has no second factor: --enable switches it on", self.user))
            }
            _ => words::of(&refusal, &self.user),
        })?;
        let Shown::Recovery(codes) = done.shown else {
            return Err(CommandError::no("there are no new recovery codes"));
        };
        let codes: Vec<&str> = codes.iter().map(Secret::reveal).collect();
        let text =
            format!("New recovery codes, shown here and never again; the old ones are dead:\n  {}", codes.join("\n  "));
        Ok(Answer::new(json!({"recovery_codes": codes}), text))
    }
}

/// A second factor that has just been enabled.
#[derive(Debug)]
pub(crate) struct Enrolled {
    pub(crate) base32: Secret,
    pub(crate) uri: Secret,
    pub(crate) recovery: Vec<Secret>,
}

/// Enables a second factor. `digits` is 6, 7 or 8; `None` for the default.
pub(crate) async fn enrol(
    installation: &Installation,
    name: &str,
    digits: Option<u32>,
) -> Result<Enrolled, CommandError> {
    let keys = installation.keys().await?;
    let done = ask(name, UserAct::EnableTotp(digits), installation, Some(&keys)).await?;
    let done = done.map_err(|refusal| match refusal.no {
        No::TotpPresent => {
            CommandError::no(format!("`{name}` has a second factor already: --disable switches it off first"))
        }
        _ => words::of(&refusal, name),
    })?;
    match done.shown {
        Shown::Enrolled { base32, uri, recovery } => Ok(Enrolled { base32, uri, recovery }),
        Shown::Nothing | Shown::Recovery(_) => Err(CommandError::no("there is no new second factor")),
    }
}
