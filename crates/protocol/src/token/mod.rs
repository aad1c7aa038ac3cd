//! The token endpoint, RFC 6749 §3.2: the steps that all grant types share. Before the code of a grant type runs, the
//! client is authenticated and its right to use the grant type is checked.

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
use crate::model::{Client, GrantType};
use crate::person::upstream::{Issuer, UnverifiedIdToken};
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::token::grant::GrantRequest;
use crate::wire::{Param, Params};

/// A token request: client credentials, and the parameters of one grant type.
#[derive(Debug)]
pub struct TokenRequest {
    applicant: Applicant,
    grant: GrantRequest,
}

/// The client of a token request, and the grant type that it asks for. A request with an assertion is judged by this
/// part first, so that nothing is fetched for a client that may not ask.
#[derive(Clone, Debug)]
pub struct Applicant {
    credentials: Credentials,
    grant: GrantType,
}

impl Applicant {
    fn verify<'f>(&self, facts: &'f Facts, turn: &mut Turn<'_>) -> Result<&'f Arc<Client>, Refusal> {
        let client = self.credentials.verify(facts, turn)?;
        if client.grants.contains(&self.grant) { Ok(client) } else { Err(No::GrantTypeNotAllowed.into()) }
    }
}

impl Call for Applicant {
    type Yes = ();

    fn wants(&self) -> Wants {
        Wants::of([Key::Client(self.credentials.client_id.clone())])
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<(), Refusal> {
        self.verify(facts, turn).map(drop)
    }

    fn credentials(&self) -> Option<&Credentials> {
        Some(&self.credentials)
    }
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
        Ok(Self { applicant: Applicant { credentials, grant: grant.kind() }, grant })
    }

    /// Returns the ID token of an assertion grant. The caller must call [`TokenRequest::trust`] with its identity
    /// provider before the request is judged.
    #[must_use]
    pub fn assertion(&self) -> Option<&UnverifiedIdToken> {
        self.grant.assertion()
    }

    /// Returns the client of the request, to be judged before anything is fetched.
    #[must_use]
    pub fn applicant(&self) -> &Applicant {
        &self.applicant
    }

    /// Hands over the trusted identity provider with its keys, or the reason why there is none.
    pub fn trust(&mut self, issuer: Result<Arc<Issuer>, No>) {
        self.grant.trust(issuer);
    }
}

impl Call for TokenRequest {
    type Yes = Reply;

    fn wants(&self) -> Wants {
        let mut wants = self.applicant.wants();
        self.grant.want(&mut wants);
        wants
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<Reply, Refusal> {
        let client = self.applicant.verify(facts, turn)?;
        self.grant.decide(client, facts, turn)
    }

    fn credentials(&self) -> Option<&Credentials> {
        Some(&self.applicant.credentials)
    }

    fn is_slow(&self, _facts: &Facts) -> bool {
        self.grant.is_slow()
    }
}
