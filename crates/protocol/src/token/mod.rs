//! The token endpoint, RFC 6749 §3.2: the phases that all grants share. A grant fills in only what is its own, and cannot
//! forget a shared step: the client is authenticated, and allowed to use the grant, before a grant sees anything.

mod assertion;
mod authorization_code;
mod client_credentials;
mod grant;
pub mod issue;
mod password;
mod refresh_token;

use std::sync::Arc;

use crate::client::authenticate::Credentials;
use crate::crypto::keys::Keys;
use crate::line::{Call, Reply};
use crate::line::{Facts, Key, Turn, Wants};
use crate::model::Client;
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::token::grant::GrantRequest;
use crate::wire::{Param, Params};

/// A request to turn a grant into tokens.
#[derive(Debug)]
pub struct TokenRequest {
    credentials: Credentials,
    grant: GrantRequest,
}

impl TokenRequest {
    /// Reads a token request. `address` is the caller's network address, as it is counted for brute force.
    ///
    /// # Errors
    /// A missing or malformed parameter, or a grant that the surface does not offer.
    pub fn parse(mut params: Params, policy: &Policy, keys: &Keys, address: &str) -> Result<Self, Refusal> {
        let word = params.take(Param::GrantType).ok_or(Refusal::of(No::ParameterMissing, Param::GrantType))?;
        let credentials = Credentials::parse(&mut params)?;
        let grant = GrantRequest::parse(&word, params, policy, keys, address)?;
        Ok(Self { credentials, grant })
    }

    /// Authenticates the client, and checks that it may use the grant. Outside documents are asked for only after that, so
    /// nobody else makes this server fetch.
    fn verify<'f>(&self, facts: &'f Facts, turn: &mut Turn<'_>) -> Result<&'f Arc<Client>, Refusal> {
        let client = self.credentials.verify(facts, turn)?;
        if client.grants.contains(&self.grant.kind()) { Ok(client) } else { Err(No::GrantTypeNotAllowed.into()) }
    }
}

impl Call for TokenRequest {
    type Yes = Reply;

    fn wants(&self) -> Wants {
        let mut wants = Wants::of([Key::Client(self.credentials.client_id.clone())]);
        self.grant.want(&mut wants);
        wants
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
