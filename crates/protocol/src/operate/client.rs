//! The operator's commands about clients: registration, change, disabling, deletion, and client secrets.

use std::sync::Arc;

use super::{BY_OPERATOR, client, user, want_user};
use crate::client::assertion;
use crate::client::registration::{self, Asked, Asker, SECRETS_LIVE_MAX};
use crate::client_setting::{self, Proposal};
use crate::crypto::keys::Keys;
use crate::identifiers;
use crate::line::{Call, Facts, Key, Turn, Wants, Write};
use crate::model::{Checked, Client, ClientKey, ClientKind, EventKind, UserKey};
use crate::refusal::{No, Refusal};
use crate::secret::Secret;

/// A command of the operator about a client. It is judged by the policy of the client's surface.
#[derive(Debug)]
pub struct ClientCall {
    /// The `client_id`. Empty for a new client that gets a random one.
    pub client_id: String,
    /// The action.
    pub act: ClientAct,
}

/// The operator's actions on a client.
#[derive(Debug)]
pub enum ClientAct {
    /// Register the client.
    Add {
        /// The values of the new client.
        proposal: Proposal,
        /// The user who owns the application: an id, an e-mail address or a user name.
        owner: Option<String>,
        /// A secret to import. Without it, a confidential client gets a generated one.
        secret: Option<Secret>,
    },
    /// Change the values of the client.
    Change {
        /// The new values. Others stay.
        proposal: Proposal,
        /// The user who owns the application from now on.
        owner: Ownership,
        /// True if the operator checked the application, false if the check ends, `None` if that does not change.
        is_checked: Option<bool>,
    },
    /// Disable the client, and revoke all that was issued to it.
    Disable,
    /// Enable the client again. What was revoked stays revoked.
    Enable,
    /// Delete the client, with every row that depends on it.
    Delete,
    /// Add a secret: this imported one, or a generated one. Beyond [`SECRETS_LIVE_MAX`] the oldest is removed.
    AddSecret(Option<Secret>),
    /// Remove all secrets of the client except the newest.
    RetireOlderSecrets,
    /// Encrypt the kept texts of the client's secrets with the keys of another master key.
    Reseal {
        /// The keys of the old master key.
        before: Box<Keys>,
        /// The keys of the new master key.
        after: Box<Keys>,
    },
}

/// The new owner of a client.
#[derive(Debug, Default)]
pub enum Ownership {
    /// The owner stays.
    #[default]
    Stays,
    /// This user: an id, an e-mail address or a user name.
    Of(String),
    /// The operator.
    Operator,
}

/// The outcome of a command about a client.
#[derive(Debug)]
pub struct ClientDone {
    /// The client after the change, or before its deletion.
    pub client: Arc<Client>,
    /// A generated secret, which is shown only now.
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
            | ClientAct::RetireOlderSecrets
            | ClientAct::Reseal { .. } => {}
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
            ClientAct::Reseal { before, after } => {
                let mut client = (**seen()?).clone();
                assertion::reseal(&mut client, before, after, turn);
                Ok(put(client, "secrets sealed with the new master key", None, turn))
            }
        }
    }

    /// Returns true if an imported secret must be hashed.
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
    if needs_secret(&client) || secret.is_some() {
        shown = new_secret(&mut client, secret, turn)?;
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
    // The policy of another surface does not apply to this client.
    if seen.dialect != turn.policy.dialect {
        return Err(No::DialectNotOffered.into());
    }
    let mut client =
        registration::changed(seen, proposal, asked(turn)).map_err(|faults| registration::refusal(&faults))?;
    if client.owner.is_none() && client.operator_scope.is_empty() {
        // An application without an owner got all its scopes from the operator.
        client.operator_scope = client.scope.clone();
    }
    client.owner = owner;
    client.checked = match is_checked {
        Some(true) => Some(Checked { at: turn.now, by: turn.actor().unwrap_or(BY_OPERATOR).to_owned() }),
        Some(false) => None,
        // The operator checked the application of another owner.
        None if owner != seen.owner => None,
        None => client.checked,
    };
    // A client that becomes confidential has no secret yet. Neither has one that signed with its private key so far.
    let mut shown = None;
    if needs_secret(&client) && client.secrets.is_empty() {
        shown = new_secret(&mut client, None, turn)?;
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
    let mut client = seen.clone();
    let shown = new_secret(&mut client, given, turn)?;
    Ok(put(client, "secret added", shown, turn))
}

/// Returns true if the client authenticates by a method that needs a client secret.
fn needs_secret(client: &Client) -> bool {
    client.kind == ClientKind::Confidential && client.auth_methods.iter().any(|own| own.needs_secret())
}

/// Adds an imported or generated secret to the client, and returns the text of a generated one. Beyond [`SECRETS_LIVE_MAX`] the
/// oldest is removed.
fn new_secret(client: &mut Client, given: Option<&Secret>, turn: &mut Turn<'_>) -> Result<Option<Secret>, Refusal> {
    let now = turn.now;
    let (kept, shown) = match given {
        None => {
            let (kept, text) = registration::secret(now, &mut turn.entropy);
            (kept, Some(text))
        }
        Some(given) => {
            let kept = registration::imported_secret(given, now, |secret| turn.hash_password(secret));
            (kept.map_err(|(no, value)| Refusal::from(no).with_value(&value))?, None)
        }
    };
    client.secrets.push(kept.clone());
    while client.secrets.len() > SECRETS_LIVE_MAX {
        client.secrets.remove(0);
    }
    if let Some(text) = given.or(shown.as_ref()) {
        assertion::keep_text(client, &kept, text, turn)?;
    }
    Ok(shown)
}

/// Writes the changed client, with the precondition that its row is unchanged.
fn put(client: Client, detail: &str, secret: Option<Secret>, turn: &mut Turn<'_>) -> ClientDone {
    let client = Client { version: client.version + 1, ..client };
    turn.write(Write::PutClient(Box::new(client.clone())));
    turn.note(EventKind::ClientChanged, None, Some(client.key), detail);
    ClientDone { client: Arc::new(client), secret }
}
