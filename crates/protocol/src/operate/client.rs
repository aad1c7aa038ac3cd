//! Clients: registered, changed, switched off and on, deleted, and the coming and going of their secrets.

use std::sync::Arc;

use super::{BY_OPERATOR, client, user, want_user};
use crate::client::registration::{self, Asked, Asker, SECRETS_LIVE_MAX};
use crate::client_setting::{self, Proposal};
use crate::identifiers;
use crate::line::{Call, Facts, Key, Turn, Wants, Write};
use crate::model::{Checked, Client, ClientKey, ClientKind, ClientSecret, EventKind, UserKey};
use crate::refusal::{No, Refusal};
use crate::secret::Secret;

/// Something that the operator does with a client. It is judged by the rules of the client's surface.
#[derive(Debug)]
pub struct ClientCall {
    /// The client_id. Empty for a new client that gets a random one.
    pub client_id: String,
    /// What is done.
    pub act: ClientAct,
}

/// What can be done with a client.
#[derive(Debug)]
pub enum ClientAct {
    /// Register it.
    Add {
        /// What is said about it.
        proposal: Proposal,
        /// The person whose application it is.
        owner: Option<String>,
        /// A secret from elsewhere; without one, a confidential client gets a new one.
        secret: Option<Secret>,
    },
    /// Change what is said about it.
    Change {
        /// What is said from now on. What is not named stays.
        proposal: Proposal,
        /// Whose application it is from now on.
        owner: Ownership,
        /// True if the operator checked it, false if the check ends.
        is_checked: Option<bool>,
    },
    /// Shut it out, with all that was issued to it.
    Disable,
    /// Let it in again. What was dead stays dead.
    Enable,
    /// Delete it, with everything that hangs on it.
    Delete,
    /// Give it a secret: this one from elsewhere, or a new one. Beyond [`SECRETS_LIVE_MAX`] the oldest goes.
    AddSecret(Option<Secret>),
    /// End all of its secrets but the newest.
    RetireOlderSecrets,
}

/// Whose application a client is from now on.
#[derive(Debug, Default)]
pub enum Ownership {
    /// Nothing changes.
    #[default]
    Stays,
    /// It belongs to this person.
    Of(String),
    /// It is the operator's own.
    Operator,
}

/// What came of it.
#[derive(Debug)]
pub struct ClientDone {
    /// The client as it is now, or was before it was deleted.
    pub client: Arc<Client>,
    /// A new secret, shown this once.
    pub secret: Option<Secret>,
}

impl Call for ClientCall {
    type Yes = ClientDone;

    fn wants(&self) -> Wants {
        let mut wants = Wants::default();
        match &self.act {
            ClientAct::Add { owner: Some(owner), .. } | ClientAct::Change { owner: Ownership::Of(owner), .. } => {
                want_user(owner, &mut wants);
            }
            ClientAct::Add { owner: None, .. }
            | ClientAct::Change { owner: Ownership::Stays | Ownership::Operator, .. }
            | ClientAct::Disable
            | ClientAct::Enable
            | ClientAct::Delete
            | ClientAct::AddSecret(_)
            | ClientAct::RetireOlderSecrets => {}
        }
        if !matches!(self.act, ClientAct::Add { .. }) {
            wants.add(Key::Client(self.client_id.trim().to_owned()));
        }
        wants
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<ClientDone, Refusal> {
        let seen = || client(&self.client_id, facts);
        match &self.act {
            ClientAct::Add { proposal, owner, secret } => {
                let owner = owner.as_deref().map(|name| user(name, facts)).transpose()?.map(|user| user.key);
                add(&self.client_id, proposal, owner, secret.as_ref(), turn)
            }
            ClientAct::Change { proposal, owner, is_checked } => {
                let seen = seen()?;
                let owner = match owner {
                    Ownership::Stays => seen.owner,
                    Ownership::Of(name) => Some(user(name, facts)?.key),
                    Ownership::Operator => None,
                };
                change(seen, proposal, owner, *is_checked, turn)
            }
            ClientAct::Disable => {
                let revoked_below = turn.entropy.next_id();
                let client = Client { is_disabled: true, revoked_below, ..(**seen()?).clone() };
                Ok(put(client, "disabled", None, turn))
            }
            ClientAct::Enable => Ok(put(Client { is_disabled: false, ..(**seen()?).clone() }, "enabled", None, turn)),
            ClientAct::Delete => {
                let client = Arc::clone(seen()?);
                turn.write(Write::DeleteClient(client.key));
                turn.note(EventKind::ClientDeleted, None, Some(client.key), "");
                Ok(ClientDone { client, secret: None })
            }
            ClientAct::AddSecret(given) => add_secret(seen()?, given.as_ref(), turn),
            ClientAct::RetireOlderSecrets => {
                let mut client = (**seen()?).clone();
                if client.secrets.len() < 2 {
                    return Err(No::SecretNoneOlder.into());
                }
                client.secrets.drain(..client.secrets.len() - 1);
                Ok(put(client, "older secret retired", None, turn))
            }
        }
    }

    /// True if a secret from elsewhere is hashed like a password.
    fn is_slow(&self, _facts: &Facts) -> bool {
        matches!(self.act, ClientAct::Add { secret: Some(_), .. } | ClientAct::AddSecret(Some(_)))
    }
}

fn asked<'a>(turn: &Turn<'a>) -> Asked<'a> {
    Asked { asker: Asker::Operator, policy: turn.policy }
}

fn add(
    client_id: &str,
    proposal: &Proposal,
    owner: Option<UserKey>,
    secret: Option<&Secret>,
    turn: &mut Turn<'_>,
) -> Result<ClientDone, Refusal> {
    if !client_id.is_empty() {
        identifiers::id(client_id)?;
    }
    let mut client = registration::proposed(proposal, asked(turn)).map_err(|faults| registration::refusal(&faults))?;
    if secret.is_some() && client.kind == ClientKind::Public {
        return Err(No::SecretOfPublicClient.into());
    }
    client.key = ClientKey(turn.entropy.next_id());
    client.client_id = match client_id {
        "" => registration::client_id(&mut turn.entropy),
        kept => kept.to_owned(),
    };
    client.owner = owner;
    client.created_at = turn.now;
    let mut shown = None;
    if client.kind == ClientKind::Confidential {
        let (kept, text) = new_secret(secret, turn)?;
        client.secrets.push(kept);
        shown = text;
    }
    turn.write(Write::PutClient(Box::new(client.clone())));
    turn.note(EventKind::ClientAdded, client.owner, Some(client.key), client.client_id.clone());
    Ok(ClientDone { client: Arc::new(client), secret: shown })
}

fn change(
    seen: &Client,
    proposal: &Proposal,
    owner: Option<UserKey>,
    is_checked: Option<bool>,
    turn: &mut Turn<'_>,
) -> Result<ClientDone, Refusal> {
    // The rules of another surface say nothing about this client.
    if seen.dialect != turn.policy.dialect {
        return Err(No::DialectNotOffered.into());
    }
    let mut client =
        registration::changed(seen, proposal, asked(turn)).map_err(|faults| registration::refusal(&faults))?;
    if client.owner.is_none() && client.operator_scope.is_empty() {
        // Until now all of its scopes came from the operator.
        client.operator_scope = client.scope.clone();
    }
    client.owner = owner;
    client.checked = match is_checked {
        Some(true) => Some(Checked { at: turn.now, by: turn.actor().unwrap_or(BY_OPERATOR).to_owned() }),
        Some(false) => None,
        // Whoever it belongs to now is not whom the operator looked at.
        None if owner != seen.owner => None,
        None => client.checked,
    };
    // One that just became confidential has no secret yet.
    let mut shown = None;
    if client.kind == ClientKind::Confidential && seen.kind == ClientKind::Public {
        let (kept, text) = new_secret(None, turn)?;
        client.secrets.push(kept);
        shown = text;
    }
    let mut words: Vec<&str> = client_setting::differences(seen, &client);
    words.extend((owner != seen.owner).then_some("owner"));
    words.extend(is_checked.map(|is_checked| if is_checked { "checked" } else { "unchecked" }));
    let detail = if words.is_empty() { BY_OPERATOR.to_owned() } else { format!("{BY_OPERATOR}: {}", words.join(" ")) };
    Ok(put(client, &detail, shown, turn))
}

fn add_secret(seen: &Client, given: Option<&Secret>, turn: &mut Turn<'_>) -> Result<ClientDone, Refusal> {
    if seen.kind == ClientKind::Public {
        return Err(No::SecretOfPublicClient.into());
    }
    let (kept, shown) = new_secret(given, turn)?;
    let mut client = seen.clone();
    client.secrets.push(kept);
    while client.secrets.len() > SECRETS_LIVE_MAX {
        client.secrets.remove(0);
    }
    Ok(put(client, "secret added", shown, turn))
}

/// What is kept of a secret from elsewhere, or of a new one, and the text of a new one.
fn new_secret(given: Option<&Secret>, turn: &mut Turn<'_>) -> Result<(ClientSecret, Option<Secret>), Refusal> {
    let now = turn.now;
    let Some(given) = given else {
        let (kept, text) = registration::secret(now, &mut turn.entropy);
        return Ok((kept, Some(text)));
    };
    let kept = registration::imported_secret(given, now, |secret| turn.hash_password(secret));
    Ok((kept.map_err(|(no, value)| Refusal::from(no).with_value(&value))?, None))
}

/// Replaces the client's row, if it is still the one that was seen.
fn put(client: Client, detail: &str, secret: Option<Secret>, turn: &mut Turn<'_>) -> ClientDone {
    let client = Client { version: client.version + 1, ..client };
    turn.write(Write::PutClient(Box::new(client.clone())));
    turn.note(EventKind::ClientChanged, None, Some(client.key), detail);
    ClientDone { client: Arc::new(client), secret }
}
