//! Registering an application: what it gets where nobody says otherwise, and the one check of what is proposed for it,
//! whoever proposes it. The command line and the developer pages register through this one place.

use data_encoding::BASE32_NOPAD;
use serde_json::Map;

use crate::client_setting::{self, Fault, Proposal, Setting};
use crate::crypto::entropy::Entropy;
use crate::model::Introspection;
use crate::model::{
    AuthMethod, Client, ClientKey, ClientKind, ClientSecret, GrantType, Pkce, RefreshMode, StoredSecret,
};
use crate::person::password;
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::scope::Scope;
use crate::secret::{Digest, Secret};
use crate::time::UnixTime;

/// What a secret that was made here begins with, so that scanners of source code recognise a leaked one.
pub const SECRET_PREFIX: &str = "gcs_";
/// How many secrets a client can have at the same time: the one that works, and the one that takes its place.
pub const SECRETS_LIVE_MAX: usize = 2;

/// Shortest secret from elsewhere, in bytes: a shorter one is guessed.
const IMPORTED_SECRET_BYTES_MIN: usize = 8;
/// Random bytes of a client_id. It is no secret; nobody shall meet somebody else's by chance.
const CLIENT_ID_BYTES: usize = 16;
/// Random bytes of a secret: 256 bits.
const SECRET_BYTES: usize = 32;
/// The last characters that are shown again, to tell two secrets apart.
const HINT_CHARACTERS: usize = 4;

/// The surface that spells OAuth as the RFCs do.
const STANDARD: &str = "standard";

/// How many redirect URIs an application can have that its owner registers.
pub const REDIRECT_URIS_MAX: usize = 20;

/// Who proposes something for an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// The operator, by a command.
    Operator,
    /// The person who owns it, or is about to, in the developer area.
    Owner,
}

/// Who asks, and the rules of the surface to which the application belongs.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Who asks.
    pub asker: Asker,
    /// The rules of the surface.
    pub policy: &'a Policy,
}

/// The row of a new application: what is proposed, and what the surface gives for the rest. It has no identifier, no key, no
/// secret and no owner yet.
///
/// # Errors
/// All that is wrong with the proposal, in the order of the table of settings.
pub fn proposed(proposal: &Proposal, asked: Asked<'_>) -> Result<Client, Vec<Fault>> {
    let kind = proposed_kind(proposal, asked.policy).map_err(|fault| vec![fault])?;
    let mut client = client(kind, asked.policy);
    client.introspection = Some(Introspection::Own);
    client.accounts_api = Some(false);
    client.grants = usual_grants(kind, proposal, asked);
    write(&mut client, proposal, asked, true)?;
    Ok(client)
}

/// The row of an application with what is proposed. What is not named stays as it is, and is not checked: an application
/// from before a rule can be changed in all that the rule is not about.
///
/// # Errors
/// All that is wrong with the proposal, in the order of the table of settings.
pub fn changed(client: &Client, proposal: &Proposal, asked: Asked<'_>) -> Result<Client, Vec<Fault>> {
    let mut client = client.clone();
    write(&mut client, proposal, asked, false)?;
    Ok(client)
}

/// The refusal for a proposal with faults: the first of them.
#[must_use]
pub fn refusal(faults: &[Fault]) -> Refusal {
    faults.first().map_or(No::SettingMalformed.into(), Refusal::from)
}

fn write(client: &mut Client, proposal: &Proposal, asked: Asked<'_>, is_new: bool) -> Result<(), Vec<Fault>> {
    let mut faults = Vec::new();
    for (setting, given) in proposal.iter() {
        let row = setting.row();
        // An owner chooses the kind of a new application, and it stays.
        let may_set = asked.asker == Asker::Operator || row.is_for_owner || (is_new && setting == Setting::Kind);
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
    let is_counted = is_new || [Setting::RedirectUris, Setting::Grants].iter().any(|own| proposal.get(*own).is_some());
    // Without good grant types nobody knows whether users come back.
    if is_counted && !faults.iter().any(|fault| fault.setting == Setting::Grants) {
        // Before the faults of single URIs.
        faults.splice(..0, redirect_uris_fault(client, proposal, asked.asker));
    }
    faults.sort_by_key(|fault| fault.setting);
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// What is wrong with the number of redirect URIs.
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

/// The kind of a new application. One that says that it proves nothing is public.
fn proposed_kind(proposal: &Proposal, policy: &Policy) -> Result<ClientKind, Fault> {
    let is_public_by_method = proposal.texts(Setting::AuthMethods).iter().any(|own| own == AuthMethod::None.as_str());
    match proposal.text(Setting::Kind) {
        Some(word) => ClientKind::from_name(word).ok_or(Fault::new(Setting::Kind, No::ClientKindUnknown)),
        None if is_public_by_method => Ok(ClientKind::Public),
        None => Ok(policy.client.kind),
    }
}

/// The grant types of a new application for which none is named.
///
/// On the standard surface it gets the least that fits an application with users: what the developer area gives as well. To act
/// for itself it must be told so. The documents of every other surface promise all of its grants.
fn usual_grants(kind: ClientKind, proposal: &Proposal, asked: Asked<'_>) -> Vec<GrantType> {
    let is_api = !proposal.texts(Setting::Resources).is_empty() && proposal.texts(Setting::RedirectUris).is_empty();
    let is_refreshed = proposal.text(Setting::Refresh) != Some(RefreshMode::None.as_str());
    let giver = if asked.policy.dialect == STANDARD { Asker::Owner } else { asked.asker };
    let fits =
        |grant: &GrantType| !is_api && (*grant != GrantType::RefreshToken || is_refreshed) && is_open(*grant, giver);
    grants(kind, asked.policy).into_iter().filter(fits).collect()
}

/// True if whoever asks may give an application this grant type. What is a person's own acts for people who allow it: to
/// act for itself, or to take passwords, an application needs the operator.
fn is_open(grant: GrantType, asker: Asker) -> bool {
    asker == Asker::Operator || grant.row().is_open_to_self_registered
}

/// The grant types with these names.
///
/// # Errors
/// The first one that the surface does not have, that the asker cannot give, or that the kind cannot have.
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

/// The scope with these words, separated by spaces.
///
/// # Errors
/// [`No::ScopeMalformed`] or [`No::ScopeNotOffered`], with the word.
pub fn named_scope(text: &str, policy: &Policy) -> Result<Scope, (No, String)> {
    let scope = Scope::parse(text).map_err(|word| (No::ScopeMalformed, word))?;
    if let Some(word) = scope.iter().find(|word| policy.scope.sentence(word).is_none()) {
        return Err((No::ScopeNotOffered, word.to_owned()));
    }
    Ok(scope)
}

/// Keeps a secret from elsewhere. Nobody here knows how it was made, so it is hashed like a password.
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

/// Checks a secret from elsewhere.
///
/// # Errors
/// [`No::SecretLength`] with the length in bytes, or [`No::SecretCharacter`] with the character and its place.
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

/// A client of this kind with all that the surface gives when nobody says otherwise: every grant that fits the kind, every
/// scope. It has no name, no address and no identifier yet, and no row has its key.
#[must_use]
pub fn client(kind: ClientKind, policy: &Policy) -> Client {
    Client {
        key: ClientKey(0),
        client_id: String::new(),
        dialect: policy.dialect.clone(),
        name: String::new(),
        publisher: None,
        homepage: None,
        privacy_policy: None,
        terms: None,
        logo_uri: None,
        kind,
        auth_methods: auth_methods(kind),
        secrets: Vec::new(),
        redirect_uris: Vec::new(),
        grants: grants(kind, policy),
        scope: scope(policy),
        operator_scope: Scope::default(),
        audience: Vec::new(),
        pkce: pkce(policy.client.pkce, kind, policy),
        refresh: policy.refresh_mode,
        access_ttl_s: None,
        refresh_ttl_s: None,
        is_first_party: false,
        introspection: None,
        accounts_api: None,
        owner: None,
        checked: None,
        is_disabled: false,
        revoked_below: 0,
        created_at: UnixTime(0),
        version: 1,
        rest: Map::new(),
    }
}

/// The ways in which a client of this kind proves who it is.
#[must_use]
pub fn auth_methods(kind: ClientKind) -> Vec<AuthMethod> {
    match kind {
        ClientKind::Public => vec![AuthMethod::None],
        ClientKind::Confidential => vec![AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost],
    }
}

/// The grants of the surface that a client of this kind may use.
#[must_use]
pub fn grants(kind: ClientKind, policy: &Policy) -> Vec<GrantType> {
    policy.grants.iter().copied().filter(|grant| grant.fits(kind)).collect()
}

/// All scopes of the surface but those that only the operator gives: these must be named.
#[must_use]
pub fn scope(policy: &Policy) -> Scope {
    policy.scope.of_anybody(&Scope::of(policy.scope.list.iter().map(|(word, _)| word.as_str())))
}

/// What a client of this kind gets that wishes for `wish`: a public client always needs PKCE, and some surfaces ask it of
/// all.
#[must_use]
pub fn pkce(wish: Pkce, kind: ClientKind, policy: &Policy) -> Pkce {
    let may_be_optional = policy.is_pkce_waivable && kind == ClientKind::Confidential;
    if may_be_optional { wish } else { Pkce::Required }
}

/// Makes a client public or confidential. All that follows from its kind is as for a new client. A client that becomes public
/// has no secret any more; one that becomes confidential needs one.
pub(crate) fn change_kind(client: &mut Client, kind: ClientKind, policy: &Policy) {
    client.kind = kind;
    client.auth_methods = auth_methods(kind);
    client.pkce = pkce(client.pkce, kind, policy);
    if kind == ClientKind::Public {
        client.secrets.clear();
    }
}

/// A new public identifier.
#[must_use]
pub fn client_id(entropy: &mut Entropy) -> String {
    BASE32_NOPAD.encode(&entropy.bytes::<CLIENT_ID_BYTES>()).to_lowercase()
}

/// A new secret: what is kept of it, and its text. Its digest is enough to recognise it, for nobody guesses 256 bits.
#[must_use]
pub fn secret(now: UnixTime, entropy: &mut Entropy) -> (ClientSecret, Secret) {
    let body = BASE32_NOPAD.encode(&entropy.bytes::<SECRET_BYTES>()).to_lowercase();
    let secret = Secret::new(format!("{SECRET_PREFIX}{body}"));
    (ClientSecret { stored: StoredSecret::Sha256(secret.digest()), hint: hint(&secret), created_at: now }, secret)
}

/// The digest under which uses of a secret are noted. It is not the secret's own.
#[must_use]
pub fn secret_digest(secret: &ClientSecret) -> Digest {
    match &secret.stored {
        StoredSecret::Sha256(digest) => Digest::of(&digest.0),
        StoredSecret::Argon2(hash) => Digest::of(hash.as_bytes()),
    }
}

/// The last characters of a secret; of a short one none, since they would be too much of it.
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
