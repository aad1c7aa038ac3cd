//! Applications of one's own: registered, changed, deleted, and the coming and going of their secrets.

use std::sync::Arc;

use url::Url;

use super::done::{APPLICATIONS_MAX, Done, REDIRECT_URIS_MAX};
use crate::client::registration::{self, SECRETS_LIVE_MAX};
use crate::client::rights::Introspection;
use crate::line::{Facts, Rely, Turn, Write};
use crate::model::{Client, ClientKey, ClientKind, ClientSecret, EventKind};
use crate::names::display_name;
use crate::person::sign_in::Signed;
use crate::redirect::{self, REDIRECT_URI_BYTES_MAX};
use crate::refusal::{No, Refusal};
use crate::wire::Param;

/// Longest address of a logo, in bytes, as for a redirect URI.
const LOGO_URI_BYTES_MAX: usize = REDIRECT_URI_BYTES_MAX;
/// Digits of a reference to a secret: enough to tell the two of a client apart.
const REFERENCE_DIGITS: usize = 16;

/// What a person says about an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Particulars {
    name: String,
    logo_uri: Option<String>,
    redirect_uris: Vec<String>,
}

impl Particulars {
    /// Reads what was typed. Redirect URIs stand one a line.
    #[must_use]
    pub fn read(name: &str, logo_uri: &str, redirect_uris: &str) -> Self {
        let mut uris: Vec<String> = Vec::new();
        for uri in redirect_uris.lines().map(str::trim).filter(|line| !line.is_empty()) {
            // One more than allowed shows that there are too many; the rest need not be compared.
            if uris.len() <= REDIRECT_URIS_MAX && !uris.iter().any(|own| own == uri) {
                uris.push(uri.to_owned());
            }
        }
        let logo_uri = logo_uri.trim();
        Self {
            name: name.to_owned(),
            logo_uri: (!logo_uri.is_empty()).then(|| logo_uri.to_owned()),
            redirect_uris: uris,
        }
    }

    /// The first redirect URI that a client of this kind cannot have, and what is wrong with it.
    #[must_use]
    pub fn faulty_redirect_uri(&self, kind: ClientKind) -> Option<(&str, No)> {
        self.redirect_uris.iter().find_map(|uri| Some((uri.as_str(), redirect::may_register(uri, kind).err()?)))
    }

    /// Puts into a client what was said about it.
    fn fill(&self, client: &mut Client) -> Result<(), Refusal> {
        let name = display_name(&self.name)?;
        if self.logo_uri.as_deref().is_some_and(|uri| !is_logo_uri(uri)) {
            return Err(No::LogoUriMalformed.into());
        }
        let refused = |no| Refusal::of(no, Param::RedirectUri);
        if self.redirect_uris.is_empty() && client.grants.iter().any(|grant| grant.is_by_redirect()) {
            return Err(refused(No::RedirectUrisMissing));
        }
        if self.redirect_uris.len() > REDIRECT_URIS_MAX {
            return Err(refused(No::RedirectUrisTooMany));
        }
        if let Some((_, no)) = self.faulty_redirect_uri(client.kind) {
            return Err(refused(no));
        }
        name.clone_into(&mut client.name);
        client.logo_uri.clone_from(&self.logo_uri);
        client.redirect_uris.clone_from(&self.redirect_uris);
        Ok(())
    }
}

fn is_logo_uri(uri: &str) -> bool {
    let is_plain = uri.len() <= LOGO_URI_BYTES_MAX
        && uri.starts_with("https://")
        && uri.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\'));
    is_plain && Url::parse(uri).is_ok_and(|url| url.has_host() && url.username().is_empty() && url.password().is_none())
}

/// How a page refers to a secret of a client without telling anything about it.
#[must_use]
pub fn secret_reference(secret: &ClientSecret) -> String {
    let mut digits = String::from(registration::secret_digest(secret));
    digits.truncate(REFERENCE_DIGITS);
    digits
}

/// The application that was asked for, if it is the person's own. OWASP ASVS 5.0 V8.2.2.
pub(super) fn own<'f>(signed: &Signed, client_id: &str, facts: &'f Facts) -> Result<&'f Arc<Client>, No> {
    let client = facts.client(client_id).filter(|client| client.owner == Some(signed.user.key));
    client.ok_or(No::ApplicationUnknown)
}

/// The application, if its owner may change it. One that nobody is asked about is the operator's: whoever could change
/// where its users are sent could be let in as each of them.
fn alterable<'f>(signed: &Signed, client_id: &str, facts: &'f Facts) -> Result<&'f Arc<Client>, Refusal> {
    let client = own(signed, client_id, facts)?;
    if client.is_first_party { Err(No::ApplicationOfOperator.into()) } else { Ok(client) }
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
    let kind = match kind {
        "" => turn.policy.client.kind,
        word => ClientKind::from_name(word).ok_or(No::ClientKindUnknown)?,
    };
    let mut client = registration::client(kind, turn.policy);
    // What is a person's own acts for people who allow it. To act for itself, or to take passwords, an application needs
    // the operator.
    client.grants.retain(|grant| grant.row().is_open_to_self_registered);
    particulars.fill(&mut client)?;
    let owner = signed.user.key;
    if facts.owned_counts().is_none_or(|own| own.clients >= APPLICATIONS_MAX) {
        return Err(No::ApplicationsTooMany.into());
    }
    let shown = (kind == ClientKind::Confidential).then(|| {
        let (kept, text) = registration::secret(turn.now, &mut turn.entropy);
        client.secrets.push(kept);
        text
    });
    client.client_id = registration::client_id(&mut turn.entropy);
    client.key = ClientKey(turn.entropy.next_id());
    client.owner = Some(owner);
    client.introspection = Some(Introspection::Own);
    client.accounts_api = Some(false);
    client.created_at = turn.now;
    signed.rely(turn);
    turn.rely(Rely::ClientsFewer { owner, than: APPLICATIONS_MAX });
    turn.write(Write::PutClient(Box::new(client.clone())));
    turn.note(EventKind::ClientAdded, Some(owner), Some(client.key), client.client_id.clone());
    Ok(Done::Application(Arc::new(client), shown))
}

/// Replaces the application's row, if it is still the one that was seen.
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
    let mut client = (**seen).clone();
    particulars.fill(&mut client)?;
    if client == **seen {
        return Ok(Done::Application(Arc::clone(seen), None));
    }
    // Whoever can add an address where codes are sent to can be let in as every user of the application.
    if client.redirect_uris != seen.redirect_uris {
        signed.check_recent(turn)?;
    }
    let changed = [
        (client.name != seen.name, "name"),
        (client.logo_uri != seen.logo_uri, "logo_uri"),
        (client.redirect_uris != seen.redirect_uris, "redirect_uris"),
    ];
    let words: Vec<&str> = changed.iter().filter(|(is_changed, _)| *is_changed).map(|(_, word)| *word).collect();
    Ok(Done::Application(put(signed, client, &words.join(" "), turn), None))
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
    client.secrets.push(kept);
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
