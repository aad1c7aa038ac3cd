//! Secrets of clients: made here, or kept from elsewhere; two at the same time, so that one can be replaced without an
//! outage.

use clap::Args;
use protocol::client::registration::{self, SECRETS_LIVE_MAX};
use protocol::model::{ClientKind, ClientSecret, StoredSecret};
use protocol::person::password;
use protocol::secret::Secret;
use serde_json::{Value, json};

use super::super::answer::{Answer, Stop};
use super::super::desk::{Desk, Draft};
use super::super::{input, show};
use super::with_owner;

/// Shorter secrets are guessed.
const IMPORTED_BYTES_MIN: usize = 8;

#[derive(Debug, Args)]
pub(crate) struct Rotate {
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
        warn(&warnings(None, given.as_ref()), &mut document, &mut text);
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
    // RFC 6749 appendix A.2: client-secret = *VSCHAR
    if let Some((at, odd)) = secret.reveal().chars().enumerate().find(|(_, own)| !(' '..='~').contains(own)) {
        let shown = if odd.is_control() { String::new() } else { format!(" `{odd}`") };
        return Err(Stop::no(format!(
            "the secret has the character U+{:04X}{shown} at position {}: no client can send it, because a client secret \
             consists of printable ASCII characters (RFC 6749 appendix A.2). Give the client another secret",
            u32::from(odd),
            at + 1
        )));
    }
    let stored = StoredSecret::Argon2(password::hash(secret, &mut draft.entropy));
    Ok(ClientSecret { stored, hint: registration::hint(secret), created_at: draft.now })
}

/// What may surprise about an identifier and a secret from elsewhere. RFC 6749 §2.3.1 wants both form-encoded in the header.
pub(super) fn warnings(client_id: Option<&str>, secret: Option<&Secret>) -> Vec<&'static str> {
    let is_ambiguous = |text: &str| text.contains(['+', '%']);
    let mut warnings = Vec::new();
    if client_id.is_some_and(|id| id.contains('%')) {
        warnings.push(
            "The client_id contains `%`. In the Authorization header it has to be form-encoded (`%25`), or the client has \
             to send it in the request body.",
        );
    }
    if secret.is_some_and(|secret| is_ambiguous(secret.reveal())) {
        warnings.push(
            "The secret contains `+` or `%`. Some libraries form-encode it in the Authorization header and some do not; \
             Grantry accepts both. Wrong attempts cost twice the time.",
        );
    }
    warnings
}

/// Adds warnings to an answer.
pub(super) fn warn(warnings: &[&str], document: &mut Value, text: &mut String) {
    if warnings.is_empty() {
        return;
    }
    document["warnings"] = json!(warnings);
    for warning in warnings {
        text.push_str(&format!("\nwarning: {warning}\n"));
    }
}
