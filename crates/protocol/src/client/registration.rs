//! What a new application gets where nobody says otherwise, its identifier and its secrets. The command line and the
//! developer pages register through this one place.

use data_encoding::BASE32_NOPAD;
use serde_json::Map;

use crate::crypto::entropy::Entropy;
use crate::model::{AuthMethod, Client, ClientKey, ClientKind, ClientSecret, GrantType, Pkce, StoredSecret};
use crate::policy::Policy;
use crate::scope::Scope;
use crate::secret::{Digest, Secret};
use crate::time::UnixTime;

/// What a secret that was made here begins with, so that scanners of source code recognise a leaked one.
pub const SECRET_PREFIX: &str = "gcs_";
/// How many secrets a client can have at the same time: the one that works, and the one that takes its place.
pub const SECRETS_LIVE_MAX: usize = 2;

/// Random bytes of a client_id. It is no secret; nobody shall meet somebody else's by chance.
const CLIENT_ID_BYTES: usize = 16;
/// Random bytes of a secret: 256 bits.
const SECRET_BYTES: usize = 32;
/// The last characters that are shown again, to tell two secrets apart.
const HINT_CHARACTERS: usize = 4;

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
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_public_client_gets_no_grant_that_needs_a_secret_rfc_6749_4_4() {
        let client = client(ClientKind::Public, &sample::policy());
        assert!(!client.grants.contains(&GrantType::ClientCredentials));
        assert_eq!((client.auth_methods, client.pkce), (vec![AuthMethod::None], Pkce::Required));
    }

    #[test]
    fn pkce_is_optional_only_where_the_surface_and_the_kind_allow_it() {
        let mut policy = sample::policy();
        policy.client.pkce = Pkce::Optional;
        assert_eq!(client(ClientKind::Confidential, &policy).pkce, Pkce::Optional);
        assert_eq!(client(ClientKind::Public, &policy).pkce, Pkce::Required);
        policy.is_pkce_waivable = false;
        assert_eq!(client(ClientKind::Confidential, &policy).pkce, Pkce::Required);
    }

    #[test]
    fn a_hint_gives_away_the_end_of_a_long_secret_and_nothing_of_a_short_one() {
        assert_eq!(hint(&Secret::new("gcs_abcdefghijklmnop")), "mnop");
        assert_eq!(hint(&Secret::new("short-secret")), "");
    }

    #[test]
    fn two_secrets_and_two_ids_differ() {
        let mut entropy = Entropy::seeded([3; 32], 1);
        let (one, other) = (secret(UnixTime(1), &mut entropy), secret(UnixTime(1), &mut entropy));
        assert_ne!(one.1, other.1);
        assert_ne!(client_id(&mut entropy), client_id(&mut entropy));
    }
}
