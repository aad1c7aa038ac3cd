//! Registration of applications: default values, and the one check of proposed values. The operator's commands and the
//! developer pages both use it.

use data_encoding::BASE32_NOPAD;

use crate::client_setting::{self, Fault, Proposal, Setting};
use crate::crypto::entropy::Entropy;
use crate::model::Introspection;
use crate::model::{AuthMethod, Client, ClientKind, ClientSecret, GrantType, Pkce, RefreshMode, StoredSecret};
use crate::person::password;
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::scope::Scope;
use crate::secret::{Digest, Secret};
use crate::time::UnixTime;

/// Prefix of every generated secret, by which secret scanners recognise a leaked one.
pub const SECRET_PREFIX: &str = "gcs_";
/// Maximum number of secrets that a client has at the same time: the one in use, and its replacement.
pub const SECRETS_LIVE_MAX: usize = 2;

/// Minimum length of an imported secret in bytes. A shorter one can be guessed.
const IMPORTED_SECRET_BYTES_MIN: usize = 8;
/// Random bytes in a `client_id`. It is not secret, but it must be unique.
const CLIENT_ID_BYTES: usize = 16;
/// Random bytes in a generated secret: 256 bits.
const SECRET_BYTES: usize = 32;
/// Number of characters at the end of a secret that are shown later to tell two secrets apart.
const HINT_CHARACTERS: usize = 4;

/// The surface that spells OAuth as the RFCs do.
const STANDARD: &str = "standard";

/// Maximum number of redirect URIs of an application that its owner registers.
pub const REDIRECT_URIS_MAX: usize = 20;

/// The party that proposes values for an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// The operator, by a command.
    Operator,
    /// The user who owns or registers the application, on the developer pages.
    Owner,
}

/// The context of a proposal: the party that makes it, and the rules of the application's surface.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The party that makes the proposal.
    pub asker: Asker,
    /// The rules of the surface.
    pub policy: &'a Policy,
}

/// Returns the row of a new application with the proposed values, and the surface's defaults for the rest. Identifier,
/// key, secret and owner are still missing.
///
/// # Errors
/// Every fault of the proposal, in the order of the table of settings.
pub fn proposed(proposal: &Proposal, asked: Asked<'_>) -> Result<Client, Vec<Fault>> {
    let kind = proposed_kind(proposal, asked.policy).map_err(|fault| vec![fault])?;
    let mut client = client(kind, asked.policy);
    client.introspection = Some(Introspection::Own);
    client.accounts_api = Some(false);
    client.grants = usual_grants(kind, proposal, asked);
    write(&mut client, proposal, asked, true)?;
    Ok(client)
}

/// Returns the row of an application with the proposed values. Other values stay as they are and are not checked, so
/// that an application which is older than a rule can still be changed.
///
/// # Errors
/// Every fault of the proposal, in the order of the table of settings.
pub fn changed(client: &Client, proposal: &Proposal, asked: Asked<'_>) -> Result<Client, Vec<Fault>> {
    let mut client = client.clone();
    write(&mut client, proposal, asked, false)?;
    Ok(client)
}

/// Returns the refusal of a proposal: the first of its faults.
#[must_use]
pub fn refusal(faults: &[Fault]) -> Refusal {
    faults.first().map_or(No::SettingMalformed.into(), Refusal::from)
}

fn write(client: &mut Client, proposal: &Proposal, asked: Asked<'_>, is_new: bool) -> Result<(), Vec<Fault>> {
    let mut faults = Vec::new();
    for (setting, given) in proposal.iter() {
        let row = setting.row();
        // An owner chooses the kind when registering the application, and cannot change it later.
        let may_set = asked.asker == Asker::Operator || row.owner.is_some() || (is_new && setting == Setting::Kind);
        let written = if may_set {
            (row.write)(client, given, asked)
        } else {
            Err(Fault::with(setting, No::SettingOfOperator, row.name))
        };
        faults.extend(written.err());
    }
    if !is_new && proposal.get(Setting::Kind).is_some() && !faults.iter().any(|fault| fault.setting == Setting::Kind) {
        let kept = client_setting::unfit(client);
        faults.extend(kept.into_iter().filter(|fault| proposal.get(fault.setting).is_none()));
    }
    let is_proposed = |settings: &[Setting]| settings.iter().any(|own| proposal.get(*own).is_some());
    let of_keys = [Setting::AuthMethods, Setting::Jwks, Setting::JwksUri];
    if is_proposed(&of_keys) && !faults.iter().any(|fault| of_keys.contains(&fault.setting)) {
        faults.extend(client_setting::keys_fault(client, proposal));
    }
    let is_counted = is_new || is_proposed(&[Setting::RedirectUris, Setting::Grants]);
    // Without valid grant types it is unknown whether the application needs a redirect URI.
    if is_counted && !faults.iter().any(|fault| fault.setting == Setting::Grants) {
        // Report the number of URIs before the faults of single URIs.
        faults.splice(..0, redirect_uris_fault(client, proposal, asked.asker));
    }
    faults.sort_by_key(|fault| fault.setting);
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Returns the fault if there are too few or too many redirect URIs.
fn redirect_uris_fault(client: &Client, proposal: &Proposal, asker: Asker) -> Option<Fault> {
    let given = proposal
        .get(Setting::RedirectUris)
        .map_or(client.redirect_uris.len(), |_| proposal.texts(Setting::RedirectUris).len());
    // RFC 6749 §3.1.2.2: "The authorization server MUST require the following clients to register their redirection
    // endpoint". Here it is every client whose users come back.
    if given == 0 && client.grants.iter().any(|grant| grant.is_by_redirect()) {
        return Some(Fault::new(Setting::RedirectUris, No::RedirectUrisMissing));
    }
    let is_too_many = asker == Asker::Owner && given > REDIRECT_URIS_MAX;
    is_too_many.then(|| Fault::new(Setting::RedirectUris, No::RedirectUrisTooMany))
}

/// Returns the kind of a new application: the proposed one, or public if `none` is among its authentication methods, or
/// the surface's default.
fn proposed_kind(proposal: &Proposal, policy: &Policy) -> Result<ClientKind, Fault> {
    let is_public_by_method = proposal.texts(Setting::AuthMethods).iter().any(|own| own == AuthMethod::None.as_str());
    match proposal.text(Setting::Kind) {
        Some(word) => ClientKind::from_name(word).ok_or(Fault::new(Setting::Kind, No::ClientKindUnknown)),
        None if is_public_by_method => Ok(ClientKind::Public),
        None => Ok(policy.client.kind),
    }
}

/// Returns the default grant types of a new application. An API (resources but no redirect URI) gets none.
///
/// On the standard surface, the application gets the least that serves its users, as on the developer pages. The operator names
/// `client_credentials` for an application that acts for itself. On every other surface it gets all grants of the surface,
/// because the documents of those surfaces promise them.
fn usual_grants(kind: ClientKind, proposal: &Proposal, asked: Asked<'_>) -> Vec<GrantType> {
    let is_api = !proposal.texts(Setting::Resources).is_empty() && proposal.texts(Setting::RedirectUris).is_empty();
    let is_refreshed = proposal.text(Setting::Refresh) != Some(RefreshMode::None.as_str());
    let giver = if asked.policy.dialect == STANDARD { Asker::Owner } else { asked.asker };
    let fits =
        |grant: &GrantType| !is_api && (*grant != GrantType::RefreshToken || is_refreshed) && is_open(*grant, giver);
    grants(kind, asked.policy).into_iter().filter(fits).collect()
}

/// Returns true if the asker may give an application this grant type. Only the operator can let an application act for
/// itself or take passwords.
fn is_open(grant: GrantType, asker: Asker) -> bool {
    asker == Asker::Operator || grant.row().is_open_to_self_registered
}

/// Parses the names of grant types.
///
/// # Errors
/// The first grant type that does not exist, that the surface does not offer, that the asker cannot give, or that a
/// client of this kind cannot have.
pub(crate) fn named_grants(words: &[String], kind: ClientKind, asked: Asked<'_>) -> Result<Vec<GrantType>, Fault> {
    let grants = client_setting::grant_types(words)?;
    let fault = |no, grant: &GrantType| Err(Fault::with(Setting::Grants, no, grant.as_str()));
    if let Some(grant) = grants.iter().find(|grant| !asked.policy.grants.contains(grant)) {
        return fault(No::GrantNotOffered, grant);
    }
    if let Some(grant) = grants.iter().find(|grant| !is_open(**grant, asked.asker)) {
        return fault(No::GrantOfOperator, grant);
    }
    if let Some(grant) = grants.iter().find(|grant| !grant.fits(kind)) {
        return fault(No::GrantOfConfidentialClient, grant);
    }
    Ok(grants)
}

/// Parses a scope: words of the surface, separated by spaces.
///
/// # Errors
/// [`No::ScopeMalformed`] or [`No::ScopeNotOffered`], with the faulty word.
pub fn named_scope(text: &str, policy: &Policy) -> Result<Scope, (No, String)> {
    let scope = Scope::parse(text).map_err(|word| (No::ScopeMalformed, word))?;
    if let Some(word) = scope.iter().find(|word| policy.scope.sentence(word).is_none()) {
        return Err((No::ScopeNotOffered, word.to_owned()));
    }
    Ok(scope)
}

/// Makes the stored form of an imported secret. It may be weak, so `hash` hashes it like a password.
///
/// # Errors
/// As [`check_imported_secret`].
pub(crate) fn imported_secret(
    secret: &Secret,
    now: UnixTime,
    hash: impl FnOnce(&Secret) -> String,
) -> Result<ClientSecret, (No, String)> {
    check_imported_secret(secret)?;
    Ok(ClientSecret { stored: StoredSecret::Argon2(hash(secret)), hint: hint(secret), created_at: now })
}

/// Checks the length and the characters of an imported secret.
///
/// # Errors
/// [`No::SecretLength`] with the length in bytes, or [`No::SecretCharacter`] with the character and its position.
pub fn check_imported_secret(secret: &Secret) -> Result<(), (No, String)> {
    let length = secret.reveal().len();
    if !(IMPORTED_SECRET_BYTES_MIN..=password::BYTES_MAX).contains(&length) {
        return Err((No::SecretLength, length.to_string()));
    }
    // RFC 6749 appendix A.2: client-secret = *VSCHAR
    if let Some((at, odd)) = secret.reveal().chars().enumerate().find(|(_, own)| !(' '..='~').contains(own)) {
        let shown = if odd.is_control() { String::new() } else { format!(" `{odd}`") };
        return Err((No::SecretCharacter, format!("U+{:04X}{shown} at position {}", u32::from(odd), at + 1)));
    }
    Ok(())
}

/// Returns a client of this kind with the surface's defaults: every grant type that fits the kind, and every scope.
/// Name, redirect URIs, identifier and key are still missing.
#[must_use]
pub fn client(kind: ClientKind, policy: &Policy) -> Client {
    Client {
        auth_methods: auth_methods(kind),
        grants: grants(kind, policy),
        scope: scope(policy),
        pkce: pkce(policy.client.pkce, kind, policy),
        refresh: policy.refresh_mode,
        ..Client::new(policy.dialect.clone(), kind)
    }
}

/// Returns the default authentication methods of a client of this kind.
#[must_use]
pub fn auth_methods(kind: ClientKind) -> Vec<AuthMethod> {
    match kind {
        ClientKind::Public => vec![AuthMethod::None],
        ClientKind::Confidential => vec![AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost],
    }
}

/// Returns the grant types of the surface that a client of this kind may use.
#[must_use]
pub fn grants(kind: ClientKind, policy: &Policy) -> Vec<GrantType> {
    policy.grants.iter().copied().filter(|grant| grant.fits(kind)).collect()
}

/// Returns all scopes of the surface except those that only the operator can give.
#[must_use]
pub fn scope(policy: &Policy) -> Scope {
    policy.scope.of_anybody(&policy.scope.offered())
}

/// Returns the PKCE setting of a client that proposes `wish`. A public client always needs PKCE, and some surfaces
/// require it of every client.
#[must_use]
pub fn pkce(wish: Pkce, kind: ClientKind, policy: &Policy) -> Pkce {
    let may_be_optional = policy.is_pkce_waivable && kind == ClientKind::Confidential;
    if may_be_optional { wish } else { Pkce::Required }
}

/// Makes a client public or confidential, and derives again what depends on its kind. A client that becomes public loses its
/// secrets. One that becomes confidential needs a secret, which the caller makes.
pub(crate) fn change_kind(client: &mut Client, kind: ClientKind, policy: &Policy) {
    client.kind = kind;
    client.auth_methods = auth_methods(kind);
    client.pkce = pkce(client.pkce, kind, policy);
    if kind == ClientKind::Public {
        client.secrets.clear();
        client.sealed_secrets.clear();
    }
}

/// Draws a new `client_id`.
#[must_use]
pub fn client_id(entropy: &mut Entropy) -> String {
    BASE32_NOPAD.encode(&entropy.bytes::<CLIENT_ID_BYTES>()).to_lowercase()
}

/// Draws a new secret. Returns its stored form and its text. A digest is enough to store, because 256 bits cannot be
/// guessed.
#[must_use]
pub fn secret(now: UnixTime, entropy: &mut Entropy) -> (ClientSecret, Secret) {
    let body = BASE32_NOPAD.encode(&entropy.bytes::<SECRET_BYTES>()).to_lowercase();
    let secret = Secret::new(format!("{SECRET_PREFIX}{body}"));
    (ClientSecret { stored: StoredSecret::Sha256(secret.digest()), hint: hint(&secret), created_at: now }, secret)
}

/// Returns the key under which the last use of a secret is stored. It is not the digest of the secret itself.
#[must_use]
pub fn secret_digest(secret: &ClientSecret) -> Digest {
    match &secret.stored {
        StoredSecret::Sha256(digest) => Digest::of(&digest.0),
        StoredSecret::Argon2(hash) => Digest::of(hash.as_bytes()),
    }
}

/// Returns the last characters of a secret, to tell it from another one. Empty for a short secret, of which they would
/// reveal too much.
#[must_use]
pub fn hint(secret: &Secret) -> String {
    let characters: Vec<char> = secret.reveal().chars().collect();
    if characters.len() < 4 * HINT_CHARACTERS {
        return String::new();
    }
    characters[characters.len() - HINT_CHARACTERS..].iter().collect()
}

#[cfg(test)]
mod tests;
