//! The token endpoint, RFC 6749 §3.2: the steps that all grant types share. Before the code of a grant type runs, the
//! client is authenticated and its right to use the grant type is checked.

mod assertion;
mod authorization_code;
mod client_credentials;
mod grant;
pub mod issue;
mod password;
mod refresh_token;
mod unallowed_grant;

use std::sync::Arc;

use crate::client::authenticate::Credentials;
use crate::crypto::keys::Keys;
use crate::line::{Call, Reply};
use crate::line::{Facts, Key, Turn, Wants};
use crate::model::Client;
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::secret::Secret;
use crate::token::grant::GrantRequest;
use crate::wire::{Field, Param, Params};

/// A token request: client credentials, and the parameters of one grant type.
#[derive(Debug)]
pub struct TokenRequest {
    credentials: Credentials,
    grant: GrantRequest,
}

impl TokenRequest {
    /// Parses a token request. `address` is the client's network address, in the form in which failed attempts are
    /// counted.
    ///
    /// # Errors
    /// A parameter is missing or malformed, or the surface does not offer the grant type.
    pub fn parse(mut params: Params, policy: &Policy, keys: &Keys, address: &str) -> Result<Self, Refusal> {
        let word = params.take(Param::GrantType).ok_or(Refusal::of(No::ParameterMissing, Param::GrantType))?;
        let credentials = Credentials::parse(&mut params)?;
        let grant = GrantRequest::parse(&word, params, policy, keys, address)?;
        Ok(Self { credentials, grant })
    }

    /// Authenticates the client and checks that it may use the grant type. Outside documents are asked for only after that,
    /// so that only such clients make this server fetch.
    fn verify<'f>(&self, facts: &'f Facts, turn: &mut Turn<'_>) -> Result<&'f Arc<Client>, Refusal> {
        let client = self.credentials.verify(facts, turn)?;
        let grant = self.grant.kind();
        if client.grants.contains(&grant) { Ok(client) } else { Err(unallowed_grant::refusal(grant, client, turn)) }
    }
}

impl Call for TokenRequest {
    type Yes = Reply;

    fn wants(&self) -> Wants {
        let mut wants = Wants::of([Key::Client(self.credentials.client_id.clone())]);
        self.grant.want(&mut wants);
        wants
    }

    fn take_signed(yes: &mut Reply, field: Field, text: &Secret) -> bool {
        yes.take_signed(field, text)
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<Reply, Refusal> {
        let client = self.verify(facts, turn)?;
        self.grant.decide(client, facts, turn)
    }

    fn credentials(&self) -> Option<&Credentials> {
        Some(&self.credentials)
    }

    fn is_slow(&self, _facts: &Facts) -> bool {
        self.grant.is_slow()
    }
}
