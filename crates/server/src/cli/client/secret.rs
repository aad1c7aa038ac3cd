//! Secrets of clients: made here, or kept from elsewhere; two at the same time, so that one can be replaced without an
//! outage.

use clap::Args;
use protocol::login::password;
use protocol::model::{ClientKind, ClientSecret, StoredSecret};
use protocol::registration::{self, SECRETS_LIVE_MAX};
use protocol::secret::Secret;
use serde_json::json;

use super::super::answer::{Answer, Stop};
use super::super::desk::{Desk, Draft};
use super::super::{input, show};
use super::with_owner;

/// Shorter secrets are guessed.
const IMPORTED_BYTES_MIN: usize = 8;

#[derive(Debug, Args)]
pub(in super::super) struct Rotate {
    /// The client_id.
    #[arg(value_name = "CLIENT")]
    client: String,
    /// End the older secret; makes no new one.
    #[arg(long, conflicts_with = "secret_stdin")]
    retire_old: bool,
    /// Keep an existing secret, from standard input, as the new one.
    #[arg(long)]
    secret_stdin: bool,
}

impl Rotate {
    pub(super) async fn run(self, desk: &Desk) -> Result<Answer, Stop> {
        if self.retire_old {
            return retire(&self.client, desk).await;
        }
        // Somebody who mistyped the client should not have to type the secret first.
        desk.client(&self.client).await?;
        let given = if self.secret_stdin { Some(input::stdin("the client secret")?) } else { None };
        let (client, shown) = desk
            .alter_client(&self.client, |client, draft| {
                if client.kind == ClientKind::Public {
                    return Err(Stop::no(format!("`{}` is a public client: it has no secret", client.client_id)));
                }
                let (kept, shown) = match &given {
                    Some(secret) => (imported(secret, draft)?, None),
                    None => {
                        let (kept, secret) = registration::secret(draft.now, &mut draft.entropy);
                        (kept, Some(secret))
                    }
                };
                client.secrets.push(kept);
                while client.secrets.len() > SECRETS_LIVE_MAX {
                    client.secrets.remove(0);
                }
                Ok(("secret added", shown))
            })
            .await?;
        let mut document = with_owner(&client, desk).await?;
        let mut text = show::lines(&document);
        if let Some(secret) = shown {
            document["client_secret"] = json!(secret.reveal());
            text = format!(
                "{text}\nThe new secret is shown here and never again:\n  {}\n\nThe one before it works until: grantry \
                 client rotate-secret {} --retire-old\n",
                secret.reveal(),
                client.client_id
            );
        }
        Ok(Answer::new(document, text))
    }
}

async fn retire(client_id: &str, desk: &Desk) -> Result<Answer, Stop> {
    let (client, ()) = desk
        .alter_client(client_id, |client, _| {
            if client.secrets.len() < 2 {
                let text = format!("`{}` has no older secret to retire", client.client_id);
                return Err(Stop::no(text));
            }
            client.secrets.drain(..client.secrets.len() - 1);
            Ok(("older secret retired", ()))
        })
        .await?;
    let document = with_owner(&client, desk).await?;
    let text = format!("The older secret is dead.\n\n{}", show::lines(&document));
    Ok(Answer::new(document, text))
}

/// Keeps a secret from elsewhere. Nobody here knows how it was made, so it is kept like a password.
pub(super) fn imported(secret: &Secret, draft: &mut Draft) -> Result<ClientSecret, Stop> {
    let length = secret.reveal().len();
    if !(IMPORTED_BYTES_MIN..=password::BYTES_MAX).contains(&length) {
        let max = password::BYTES_MAX;
        return Err(Stop::no(format!("the secret has {length} bytes, it must have {IMPORTED_BYTES_MIN} to {max}")));
    }
    let stored = StoredSecret::Argon2(password::hash(secret, &mut draft.entropy));
    Ok(ClientSecret { stored, hint: registration::hint(secret), created_at: draft.now })
}
