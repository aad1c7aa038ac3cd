//! Who is calling: client authentication, RFC 6749 §2.3. It comes before any look at a code or token, so that a wrong
//! secret, or a library's probe by another method, burns nothing.

use std::sync::Arc;

use crate::login::password;
use crate::model::{AuthMethod, Client, ClientKind, StoredSecret};
use crate::refusal::{No, Refusal};
use crate::secret::Secret;
use crate::turn::{Facts, Turn};
use crate::wire::{Param, Params};

/// Who a request says it comes from, and the proof.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The claimed identifier.
    pub client_id: String,
    secret: Option<Secret>,
    method: AuthMethod,
}

impl Credentials {
    /// Reads credentials from the header or the parameters.
    ///
    /// # Errors
    /// [`No::ClientAuthTwice`] or [`No::ClientMissing`].
    pub fn parse(params: &mut Params) -> Result<Self, Refusal> {
        let in_body = params.take(Param::ClientSecret);
        let named = params.take(Param::ClientId);
        let Some(basic) = params.basic.take() else {
            let client_id = named.ok_or(No::ClientMissing)?;
            let method = if in_body.is_some() { AuthMethod::ClientSecretPost } else { AuthMethod::None };
            return Ok(Self { client_id, secret: in_body.map(Secret::new), method });
        };
        // RFC 6749 §2.3: "The client MUST NOT use more than one authentication method in each request."
        if in_body.is_some() || named.is_some_and(|named| named != basic.client_id) {
            return Err(No::ClientAuthTwice.into());
        }
        // A header with a name and no password is how some libraries say who a public client is.
        let is_empty = basic.secret.reveal().is_empty();
        let method = if is_empty { AuthMethod::None } else { AuthMethod::ClientSecretBasic };
        Ok(Self { client_id: basic.client_id, secret: (!is_empty).then_some(basic.secret), method })
    }

    /// Is it the client that it claims to be?
    ///
    /// # Errors
    /// One of the `Client…` refusals; they share a text, so that nobody learns which clients exist.
    pub fn verify<'f>(&self, facts: &'f Facts, turn: &Turn<'_>) -> Result<&'f Arc<Client>, Refusal> {
        let client = facts.client.as_ref().ok_or(No::ClientUnknown)?;
        if client.dialect != turn.policy.dialect {
            return Err(No::ClientUnknown.into());
        }
        if client.is_disabled {
            return Err(No::ClientDisabled.into());
        }
        if !client.auth_methods.contains(&self.method) {
            let is_missing = client.kind == ClientKind::Confidential && self.method == AuthMethod::None;
            return Err(if is_missing { No::ClientSecretMissing } else { No::ClientAuthMethodRefused }.into());
        }
        match &self.secret {
            None if client.kind == ClientKind::Public => Ok(client),
            None => Err(No::ClientSecretMissing.into()),
            Some(secret) if is_one_of(client, secret) => Ok(client),
            Some(_) => Err(No::ClientSecretWrong.into()),
        }
    }

    /// Does the check need a password hash? Only imported secrets do.
    #[must_use]
    pub fn is_slow(&self, facts: &Facts) -> bool {
        self.secret.is_some()
            && facts.client.as_ref().is_some_and(|client| {
                client.secrets.iter().any(|secret| matches!(secret.stored, StoredSecret::Argon2(_)))
            })
    }
}

fn is_one_of(client: &Client, secret: &Secret) -> bool {
    let digest = secret.digest();
    client.secrets.iter().any(|own| match &own.stored {
        StoredSecret::Sha256(stored) => *stored == digest,
        StoredSecret::Argon2(stored) => password::is_right(stored, secret),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{self, World};
    use crate::wire::Basic;

    fn params(client_id: Option<&str>, secret: Option<&str>, basic: Option<(&str, &str)>) -> Params {
        let mut params = Params::default();
        params.push(Param::ClientId, client_id.unwrap_or_default().into()).unwrap();
        params.push(Param::ClientSecret, secret.unwrap_or_default().into()).unwrap();
        params.basic =
            basic.map(|(client_id, secret)| Basic { client_id: client_id.into(), secret: Secret::new(secret) });
        params
    }

    fn outcome(client: Client, mut params: Params) -> Result<(), No> {
        let world = World::new();
        let facts = Facts { client: Some(Arc::new(client)), ..Facts::default() };
        let credentials = Credentials::parse(&mut params).map_err(|refusal| refusal.no)?;
        credentials.verify(&facts, &world.turn()).map(drop).map_err(|refusal| refusal.no)
    }

    #[test]
    fn a_confidential_client_proves_itself_by_header_or_by_parameters() {
        assert_eq!(outcome(sample::client(), params(None, None, Some(("web", sample::SECRET)))), Ok(()));
        assert_eq!(outcome(sample::client(), params(Some("web"), Some(sample::SECRET), None)), Ok(()));
    }

    #[test]
    fn two_methods_at_once_are_refused_rfc_6749_2_3() {
        let twice = params(Some("web"), Some(sample::SECRET), Some(("web", sample::SECRET)));
        assert_eq!(outcome(sample::client(), twice), Err(No::ClientAuthTwice));
        let other_name = params(Some("other"), None, Some(("web", sample::SECRET)));
        assert_eq!(outcome(sample::client(), other_name), Err(No::ClientAuthTwice));
        let same_name = params(Some("web"), None, Some(("web", sample::SECRET)));
        assert_eq!(outcome(sample::client(), same_name), Ok(()));
    }

    #[test]
    fn a_wrong_or_missing_secret_is_refused() {
        assert_eq!(outcome(sample::client(), params(Some("web"), Some("no"), None)), Err(No::ClientSecretWrong));
        assert_eq!(outcome(sample::client(), params(Some("web"), None, None)), Err(No::ClientSecretMissing));
        assert_eq!(outcome(sample::client(), params(None, None, None)), Err(No::ClientMissing));
    }

    #[test]
    fn both_of_two_live_secrets_work() {
        let mut client = sample::client();
        client.secrets.push(sample::secret("second"));
        assert_eq!(outcome(client.clone(), params(Some("web"), Some("second"), None)), Ok(()));
        assert_eq!(outcome(client, params(Some("web"), Some(sample::SECRET), None)), Ok(()));
    }

    #[test]
    fn a_public_client_names_itself_and_may_send_an_empty_password() {
        assert_eq!(outcome(sample::public_client(), params(Some("spa"), None, None)), Ok(()));
        assert_eq!(outcome(sample::public_client(), params(None, None, Some(("spa", "")))), Ok(()));
        let secret = params(Some("spa"), Some("x"), None);
        assert_eq!(outcome(sample::public_client(), secret), Err(No::ClientAuthMethodRefused));
    }

    #[test]
    fn a_client_of_another_dialect_is_unknown_and_a_disabled_one_is_refused() {
        let foreign = Client { dialect: "paced".into(), ..sample::client() };
        assert_eq!(outcome(foreign, params(Some("web"), Some(sample::SECRET), None)), Err(No::ClientUnknown));
        let disabled = Client { is_disabled: true, ..sample::client() };
        assert_eq!(outcome(disabled, params(Some("web"), Some(sample::SECRET), None)), Err(No::ClientDisabled));
    }

    #[test]
    fn an_unregistered_method_is_refused() {
        let client = Client { auth_methods: vec![AuthMethod::ClientSecretPost], ..sample::client() };
        let basic = params(None, None, Some(("web", sample::SECRET)));
        assert_eq!(outcome(client, basic), Err(No::ClientAuthMethodRefused));
    }
}
