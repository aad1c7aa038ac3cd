//! A user's own applications: registration, change, deletion, and their client secrets.

use std::sync::Arc;

use serde_json::Value;

use super::done::{APPLICATIONS_MAX, Done};
use crate::client::assertion;
use crate::client::registration::{self, Asked, Asker, REDIRECT_URIS_MAX, SECRETS_LIVE_MAX};
use crate::client_setting::{self, Form, Given, Proposal, Row, Setting};
use crate::line::{Facts, Rely, Turn, Write};
use crate::model::{Client, ClientKey, ClientKind, ClientSecret, EventKind};
use crate::person::sign_in::Signed;
use crate::redirect;
use crate::refusal::{No, Refusal};

/// Number of hexadecimal digits in a reference to a secret: enough to tell the two secrets of a client apart.
const REFERENCE_DIGITS: usize = 16;

/// The submitted values of an application: one for each setting that owners can set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Particulars(Proposal);

impl Particulars {
    /// Reads a submitted form. `field` returns the text of the field with a given name, or `None` if the form lacks it.
    /// A field of several values has one on each line. A setting stays as it is if the form lacks its field and the
    /// field is optional.
    #[must_use]
    pub fn read<'t>(field: impl Fn(&str) -> Option<&'t str>) -> Self {
        let mut proposal = Proposal::default();
        for (row, own) in client_setting::of_owner() {
            let Some(typed) = field(row.name).or((!own.is_optional).then_some("")) else { continue };
            let given = match row.form {
                Form::Texts => Given::Texts(lines(typed)),
                _ => Given::Text(typed.to_owned()),
            };
            proposal.set(row.setting, given);
        }
        Self(proposal)
    }

    /// Returns the first redirect URI that a client of this kind cannot have, and the reason.
    #[must_use]
    pub fn faulty_redirect_uri(&self, kind: ClientKind) -> Option<(&str, No)> {
        let uris = self.0.texts(Setting::RedirectUris);
        uris.iter().find_map(|uri| Some((uri.as_str(), redirect::may_register(uri, kind).err()?)))
    }
}

/// The value of a setting as the owner of an application types it: several values stand one a line.
#[must_use]
pub fn typed_value(row: &Row, client: &Client) -> String {
    match (row.read)(client) {
        Value::String(text) => text,
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

/// Returns the distinct lines of a field, without empty ones.
fn lines(typed: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in typed.lines().map(str::trim).filter(|line| !line.is_empty()) {
        // One more than the limit is enough to refuse the form. The rest need not be compared.
        if lines.len() <= REDIRECT_URIS_MAX && !lines.iter().any(|own| own == line) {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// Returns the text by which a page names a client secret without revealing anything about it.
#[must_use]
pub fn secret_reference(secret: &ClientSecret) -> String {
    let mut digits = String::from(registration::secret_digest(secret));
    digits.truncate(REFERENCE_DIGITS);
    digits
}

/// Returns the application if the signed-in user owns it. OWASP ASVS 5.0 V8.2.2.
pub(super) fn own<'f>(signed: &Signed, client_id: &str, facts: &'f Facts) -> Result<&'f Arc<Client>, No> {
    let client = facts.client(client_id).filter(|client| client.owner == Some(signed.user.key));
    client.ok_or(No::ApplicationUnknown)
}

/// Returns the application if the signed-in user owns it and may change it. A first-party application belongs to the
/// operator, because users are not asked for consent: whoever could change its redirect URIs could sign in as each of
/// its users.
fn alterable<'f>(signed: &Signed, client_id: &str, facts: &'f Facts) -> Result<&'f Arc<Client>, Refusal> {
    let client = own(signed, client_id, facts)?;
    if client.is_first_party { Err(No::ApplicationOfOperator.into()) } else { Ok(client) }
}

fn asked<'a>(turn: &Turn<'a>) -> Asked<'a> {
    Asked { asker: Asker::Owner, policy: turn.policy }
}

pub(super) fn create(
    signed: &Signed,
    particulars: &Particulars,
    kind: &str,
    facts: &Facts,
    turn: &mut Turn<'_>,
) -> Result<Done, Refusal> {
    signed.check_recent(turn)?;
    if !turn.policy.client.is_self_service {
        return Err(No::DialectNotOffered.into());
    }
    let mut proposal = particulars.0.clone();
    if !kind.is_empty() {
        proposal.set(Setting::Kind, kind.into());
    }
    let mut client = registration::proposed(&proposal, asked(turn)).map_err(|faults| registration::refusal(&faults))?;
    let owner = signed.user.key;
    if facts.owned_counts().is_none_or(|own| own.clients >= APPLICATIONS_MAX) {
        return Err(No::ApplicationsTooMany.into());
    }
    let shown = (client.kind == ClientKind::Confidential).then(|| {
        let (kept, text) = registration::secret(turn.now, &mut turn.entropy);
        client.secrets.push(kept);
        text
    });
    client.client_id = registration::client_id(&mut turn.entropy);
    client.key = ClientKey(turn.entropy.next_id());
    client.owner = Some(owner);
    client.created_at = turn.now;
    signed.rely(turn);
    turn.rely(Rely::ClientsFewer { owner, than: APPLICATIONS_MAX });
    turn.write(Write::PutClient(Box::new(client.clone())));
    turn.note(EventKind::ClientAdded, Some(owner), Some(client.key), client.client_id.clone());
    Ok(Done::Application(Arc::new(client), shown))
}

/// Writes the changed application, with the precondition that its row is unchanged.
fn put(signed: &Signed, client: Client, detail: &str, turn: &mut Turn<'_>) -> Arc<Client> {
    let client = Client { version: client.version + 1, ..client };
    signed.rely(turn);
    turn.write(Write::PutClient(Box::new(client.clone())));
    turn.note(EventKind::ClientChanged, Some(signed.user.key), Some(client.key), detail);
    Arc::new(client)
}

pub(super) fn save(
    signed: &Signed,
    client_id: &str,
    particulars: &Particulars,
    facts: &Facts,
    turn: &mut Turn<'_>,
) -> Result<Done, Refusal> {
    let seen = alterable(signed, client_id, facts)?;
    change(signed, seen, &particulars.0, turn)
}

/// Adds a redirect URI to those of the application.
pub(super) fn add_redirect_uri(
    signed: &Signed,
    client_id: &str,
    uri: &str,
    facts: &Facts,
    turn: &mut Turn<'_>,
) -> Result<Done, Refusal> {
    let seen = alterable(signed, client_id, facts)?;
    let mut uris = seen.redirect_uris.clone();
    if !uris.iter().any(|own| own == uri) {
        uris.push(uri.to_owned());
    }
    let mut proposal = Proposal::default();
    proposal.set(Setting::RedirectUris, Given::Texts(uris));
    change(signed, seen, &proposal, turn)
}

fn change(signed: &Signed, seen: &Arc<Client>, proposal: &Proposal, turn: &mut Turn<'_>) -> Result<Done, Refusal> {
    let mut client =
        registration::changed(seen, proposal, asked(turn)).map_err(|faults| registration::refusal(&faults))?;
    if client == **seen {
        return Ok(Done::Application(Arc::clone(seen), None));
    }
    // The operator checked the application as it was before. Its owner could otherwise turn it into another one.
    client.checked = None;
    // Whoever can add a redirect URI receives codes, and can sign in as every user of the application.
    if client.redirect_uris != seen.redirect_uris {
        signed.check_recent(turn)?;
    }
    let words = client_setting::differences(seen, &client).join(" ");
    Ok(Done::Application(put(signed, client, &words, turn), None))
}

pub(super) fn delete(signed: &Signed, client_id: &str, facts: &Facts, turn: &mut Turn<'_>) -> Result<Done, Refusal> {
    let client = alterable(signed, client_id, facts)?;
    signed.check_recent(turn)?;
    signed.rely(turn);
    turn.rely(Rely::Client(client.key, client.version));
    turn.write(Write::DeleteClient(client.key));
    turn.note(EventKind::ClientDeleted, Some(signed.user.key), Some(client.key), client.client_id.clone());
    Ok(Done::Deleted)
}

pub(super) fn add_secret(
    signed: &Signed,
    client_id: &str,
    facts: &Facts,
    turn: &mut Turn<'_>,
) -> Result<Done, Refusal> {
    let mut client = (**alterable(signed, client_id, facts)?).clone();
    if client.kind == ClientKind::Public {
        return Err(No::SecretOfPublicClient.into());
    }
    signed.check_recent(turn)?;
    if client.secrets.len() >= SECRETS_LIVE_MAX {
        return Err(No::SecretsTooMany.into());
    }
    let (kept, text) = registration::secret(turn.now, &mut turn.entropy);
    client.secrets.push(kept.clone());
    assertion::keep_text(&mut client, &kept, &text, turn)?;
    Ok(Done::Application(put(signed, client, "secret added", turn), Some(text)))
}

pub(super) fn retire_secret(
    signed: &Signed,
    client_id: &str,
    reference: Option<&str>,
    facts: &Facts,
    turn: &mut Turn<'_>,
) -> Result<Done, Refusal> {
    let mut client = (**alterable(signed, client_id, facts)?).clone();
    if client.kind == ClientKind::Public {
        return Err(No::SecretOfPublicClient.into());
    }
    signed.check_recent(turn)?;
    let at = match reference {
        Some(wanted) => client.secrets.iter().position(|secret| secret_reference(secret) == wanted),
        None => (!client.secrets.is_empty()).then_some(0),
    };
    let at = at.ok_or(No::SecretUnknown)?;
    if client.secrets.len() < 2 {
        return Err(No::SecretLast.into());
    }
    client.secrets.remove(at);
    Ok(Done::Application(put(signed, client, "secret retired", turn), None))
}
