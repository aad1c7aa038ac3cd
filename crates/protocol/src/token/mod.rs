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
use crate::model::{Client, GrantType};
use crate::person::upstream::{Issuer, UnverifiedIdToken};
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::token::grant::GrantRequest;
use crate::wire::{Param, Params};

/// A request to turn a grant into tokens.
#[derive(Debug)]
pub struct TokenRequest {
    applicant: Applicant,
    grant: GrantRequest,
}

/// Who asks for tokens, and by which grant. A turn of its own for a request with an assertion: nothing is fetched for
/// somebody who may not ask.
#[derive(Clone, Debug)]
pub struct Applicant {
    credentials: Credentials,
    grant: GrantType,
}

impl Applicant {
    fn verify<'f>(&self, facts: &'f Facts, turn: &mut Turn<'_>) -> Result<&'f Arc<Client>, Refusal> {
        let client = self.credentials.verify(facts, turn)?;
        if client.grants.contains(&self.grant) { Ok(client) } else { Err(grant_refusal(self.grant, client, turn)) }
    }
}

/// The refusal of a grant type that the client may not use, with those that it may use at the token endpoint.
fn grant_refusal(grant: GrantType, client: &Client, turn: &Turn<'_>) -> Refusal {
    let usable = |own: &&GrantType| **own != grant && **own != GrantType::Implicit && turn.policy.grants.contains(own);
    let others = client.grants.iter().filter(usable).map(|own| own.as_str());
    Refusal::of(No::GrantTypeNotAllowed, Param::GrantType).with_value(grant.as_str()).with_choices(others)
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
    /// Reads a token request. `address` is the caller's network address, as it is counted for brute force.
    ///
    /// # Errors
    /// A missing or malformed parameter, or a grant that the surface does not offer.
    pub fn parse(mut params: Params, policy: &Policy, keys: &Keys, address: &str) -> Result<Self, Refusal> {
        let word = params.take(Param::GrantType).ok_or(Refusal::of(No::ParameterMissing, Param::GrantType))?;
        let credentials = Credentials::parse(&mut params)?;
        let grant = GrantRequest::parse(&word, params, policy, keys, address)?;
        Ok(Self { applicant: Applicant { credentials, grant: grant.kind() }, grant })
    }

    /// The ID token that this request cannot be judged without the keys of its issuer for.
    #[must_use]
    pub fn assertion(&self) -> Option<&UnverifiedIdToken> {
        self.grant.assertion()
    }

    /// Who asks.
    #[must_use]
    pub fn applicant(&self) -> &Applicant {
        &self.applicant
    }

    /// Hands over the issuer whose assertions are taken, with its keys; or why there is none.
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
