//! The grant types of the token endpoint: one file each, and none knows another. A grant does not write to the store;
//! it decides changes.

use std::sync::Arc;

use super::{assertion, authorization_code, client_credentials, password, refresh_token};
use crate::crypto::keys::Keys;
use crate::line::Reply;
use crate::line::{Facts, Turn, Wants};
use crate::model::{Client, GrantType};
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::wire::{Param, Params};

/// The part of a token request that belongs to its grant type.
#[derive(Debug)]
pub(crate) enum GrantRequest {
    AuthorizationCode(authorization_code::Request),
    RefreshToken(refresh_token::Request),
    ClientCredentials(client_credentials::Request),
    Password(password::Request),
    Assertion(Box<assertion::Request>),
}

impl GrantRequest {
    pub(crate) fn parse(
        word: &str,
        params: Params,
        policy: &Policy,
        keys: &Keys,
        address: &str,
    ) -> Result<Self, Refusal> {
        let unknown = Refusal::of(No::GrantTypeUnknown, Param::GrantType);
        let kind = GrantType::from_name(word).filter(|kind| policy.grants.contains(kind)).ok_or(unknown)?;
        match kind {
            GrantType::AuthorizationCode => {
                authorization_code::Request::parse(params, policy, keys).map(Self::AuthorizationCode)
            }
            GrantType::RefreshToken => refresh_token::Request::parse(params, policy, keys).map(Self::RefreshToken),
            GrantType::ClientCredentials => Ok(Self::ClientCredentials(client_credentials::Request::parse(params))),
            GrantType::Password => password::Request::parse(params, address).map(Self::Password),
            GrantType::Assertion => {
                assertion::Request::parse(params, policy, address).map(|request| Self::Assertion(Box::new(request)))
            }
            // RFC 6749 §4.2 uses the implicit grant only at the authorization endpoint.
            GrantType::Implicit => Err(unknown),
        }
    }

    pub(crate) fn kind(&self) -> GrantType {
        match self {
            Self::AuthorizationCode(_) => GrantType::AuthorizationCode,
            Self::RefreshToken(_) => GrantType::RefreshToken,
            Self::ClientCredentials(_) => GrantType::ClientCredentials,
            Self::Password(_) => GrantType::Password,
            Self::Assertion(_) => GrantType::Assertion,
        }
    }

    pub(crate) fn want(&self, wants: &mut Wants) {
        match self {
            Self::AuthorizationCode(request) => request.want(wants),
            Self::RefreshToken(request) => request.want(wants),
            Self::Password(request) => request.want(wants),
            Self::Assertion(request) => request.want(wants),
            Self::ClientCredentials(_) => {}
        }
    }

    /// Returns true if judging the request includes hashing a password.
    pub(crate) fn is_slow(&self) -> bool {
        matches!(self, Self::Password(_))
    }

    pub(crate) fn decide(&self, client: &Arc<Client>, facts: &Facts, turn: &mut Turn<'_>) -> Result<Reply, Refusal> {
        match self {
            Self::AuthorizationCode(request) => request.decide(client, facts, turn),
            Self::RefreshToken(request) => request.decide(client, facts, turn),
            Self::ClientCredentials(request) => request.decide(client, turn),
            Self::Password(request) => request.decide(client, facts, turn),
            Self::Assertion(request) => request.decide(client, facts, turn),
        }
    }
}
