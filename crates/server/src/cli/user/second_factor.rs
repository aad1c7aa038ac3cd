//! `grantry user totp`: the second factor.

use clap::{ArgGroup, Args};
use protocol::line::Write;
use protocol::model::{EventKind, Totp};
use protocol::person::{recovery, totp};
use protocol::policy::Policy;
use protocol::secret::Secret;
use serde_json::json;

use super::cut_off;
use crate::cli::answer::{Answer, Stop};
use crate::cli::desk::Desk;
use crate::cli::show;

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
    pub(super) async fn run(self, desk: &Desk) -> Result<Answer, Stop> {
        if self.disable {
            return self.disable(desk).await;
        }
        if self.renew_recovery {
            return self.renew(desk).await;
        }
        let enrolled = enrol(desk, &self.user, self.digits.map(u32::from)).await?;
        let codes: Vec<&str> = enrolled.recovery.iter().map(Secret::reveal).collect();
        let document = json!({"secret": enrolled.base32, "uri": enrolled.uri, "recovery_codes": codes});
        let text = format!(
            "The second factor is on. All of this is shown here and never again.\n\nsecret  {}\nuri     {}\n\n\
             Recovery codes, each of which works once:\n  {}\n",
            enrolled.base32,
            enrolled.uri,
            codes.join("\n  ")
        );
        Ok(Answer::new(document, text))
    }

    async fn disable(self, desk: &Desk) -> Result<Answer, Stop> {
        let (user, ()) = desk
            .alter_user(&self.user, EventKind::TotpDisabled, |user, draft| {
                user.totp.take().ok_or_else(|| Stop::no(format!("`{}` has no second factor", self.user)))?;
                // As on the account page: sessions end, tokens stay.
                draft.write(Write::EndSessions { user: user.key, but: None });
                Ok(("by the operator", ()))
            })
            .await?;
        Ok(Answer::new(show::user(&user), format!("{} has no second factor any more.", show::name_of(&user))))
    }

    async fn renew(self, desk: &Desk) -> Result<Answer, Stop> {
        let (_, codes) = desk
            .alter_user(&self.user, EventKind::RecoveryRenewed, |user, draft| {
                let Some(totp) = &mut user.totp else {
                    return Err(Stop::no(format!("`{}` has no second factor: --enable switches it on", self.user)));
                };
                let (texts, digests) = recovery::codes(&mut draft.entropy);
                totp.recovery = digests;
                Ok(("by the operator", texts))
            })
            .await?;
        let codes: Vec<&str> = codes.iter().map(Secret::reveal).collect();
        let text =
            format!("New recovery codes, shown here and never again; the old ones are dead:\n  {}", codes.join("\n  "));
        Ok(Answer::new(json!({"recovery_codes": codes}), text))
    }
}

/// A second factor that was just switched on.
#[derive(Debug)]
pub(crate) struct Enrolled {
    pub(crate) base32: String,
    pub(crate) uri: String,
    pub(crate) recovery: Vec<Secret>,
}

/// Switches on a second factor, whose codes have so many digits: 6, 7 or 8.
pub(crate) async fn enrol(desk: &Desk, name: &str, digits: Option<u32>) -> Result<Enrolled, Stop> {
    let keys = desk.keys().await?;
    let issuer_name = desk.configuration.settings.brand.name.clone();
    let digits = digits.unwrap_or_else(|| desk.configuration.otp_digits());
    let (_, enrolled) = desk
        .alter_user(name, EventKind::TotpEnabled, |user, draft| {
            if user.totp.is_some() {
                return Err(Stop::no(format!("`{name}` has a second factor already: --disable switches it off first")));
            }
            let seed = totp::seed(&mut draft.entropy);
            let (texts, digests) = recovery::codes(&mut draft.entropy);
            user.totp = Some(Totp {
                sealed_seed: keys.keep("totp", user.sub.as_bytes(), &seed, &mut draft.entropy),
                digits,
                last_step: 0,
                recovery: digests,
                enabled_at: draft.now,
            });
            // As on the account page: where applications take passwords, what was issued before may have come of the password
            // alone. OWASP ASVS 5.0 V6.3.4.
            if Policy::is_password_taken_by(&desk.configuration.policies) {
                cut_off(user, draft);
            }
            let account = user.email.as_deref().or(user.username.as_deref()).unwrap_or(&user.name);
            let uri = totp::uri(&seed, &issuer_name, account, digits);
            Ok(("by the operator", Enrolled { base32: totp::base32(&seed), uri, recovery: texts }))
        })
        .await?;
    Ok(enrolled)
}
