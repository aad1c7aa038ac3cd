//! `grantry client rotate-secret`: generated and imported client secrets. A client can have two at the same time, so
//! that one can be replaced without an outage.

use clap::Args;
use protocol::client::registration;
use protocol::operate::{ClientAct, ClientCall, ClientDone};
use protocol::refusal::No;
use protocol::secret::Secret;
use serde_json::{Value, json};

use super::super::answer::{Answer, CommandError};
use super::super::confirm::{self, Sure};
use super::super::installation::{Installation, Rules};
use super::super::{input, show, words};
use super::with_owner;

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
    #[command(flatten)]
    sure: Sure,
}

impl Rotate {
    pub(super) async fn run(self, installation: &Installation) -> Result<Answer, CommandError> {
        if self.retire_old {
            if self.sure.is_asked() {
                ask(&self.client, installation).await?;
            }
            return retire(self.client, installation).await;
        }
        // Report a mistyped client before reading the secret.
        installation.client(&self.client).await?;
        let given = if self.secret_stdin { Some(input::stdin("the client secret")?) } else { None };
        if let Some(secret) = &given {
            check(secret)?;
        }
        let warnings = warnings(None, given.as_ref());
        let call = ClientCall { client_id: self.client, act: ClientAct::AddSecret(given) };
        let done = installation.ask(&call, Rules::of(&installation.house_policy())).await?;
        let ClientDone { client, secret: shown } = done.map_err(|refusal| match refusal.no {
            No::SecretOfPublicClient => {
                CommandError::no(format!("`{}` is a public client: it has no secret", call.client_id))
            }
            _ => words::of(&refusal, &call.client_id),
        })?;
        let mut document = with_owner(&client, installation).await?;
        let mut text = show::lines(&document);
        warn(&warnings, &mut document, &mut text);
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

/// Asks before the older secret goes, and says when it was last used.
async fn ask(client_id: &str, installation: &Installation) -> Result<(), CommandError> {
    let client = installation.client(client_id).await?;
    let Some(oldest) = client.secrets.first().filter(|_| client.secrets.len() > 1) else { return Ok(()) };
    let uses = installation.store.secret_uses(client.key).await?;
    let own = registration::secret_digest(oldest);
    let used =
        uses.iter().find(|(digest, _)| *digest == own).and_then(|(_, at)| show::time(*at).as_str().map(str::to_owned));
    let used = used
        .map_or_else(|| "No use of it is noted.".to_owned(), |at| format!("It was last used at {at}, to the hour."));
    confirm::ask(&format!("End the older secret (…{}) of {} ({client_id})? {used}", oldest.hint, client.name))
}

async fn retire(client_id: String, installation: &Installation) -> Result<Answer, CommandError> {
    let call = ClientCall { client_id, act: ClientAct::RetireOlderSecrets };
    let done = installation.ask(&call, Rules::of(&installation.house_policy())).await?;
    let ClientDone { client, .. } = done.map_err(|refusal| match refusal.no {
        No::SecretNoneOlder => CommandError::no(format!("`{}` has no older secret to retire", call.client_id)),
        _ => words::of(&refusal, &call.client_id),
    })?;
    let document = with_owner(&client, installation).await?;
    let text = format!("The older secret is dead.\n\n{}", show::lines(&document));
    Ok(Answer::new(document, text))
}

/// Checks an imported secret before it is hashed. The error shows the whole fault.
pub(super) fn check(secret: &Secret) -> Result<(), CommandError> {
    let checked = registration::check_imported_secret(secret);
    checked.map_err(|(no, value)| words::of_value(no, &value).unwrap_or_else(|| CommandError::no(no.row().text)))
}

/// Returns warnings about an imported identifier or secret with characters that RFC 6749 §2.3.1 form-encodes in the
/// header.
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

/// Adds warnings to the output.
pub(super) fn warn(warnings: &[&str], document: &mut Value, text: &mut String) {
    if warnings.is_empty() {
        return;
    }
    document["warnings"] = json!(warnings);
    for warning in warnings {
        text.push_str(&format!("\nwarning: {warning}\n"));
    }
}
