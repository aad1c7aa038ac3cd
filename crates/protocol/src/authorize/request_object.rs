//! Request objects by value, RFC 9101: an authorization request as a JWT that the client signed. It comes in the parameter
//! `request`, at the authorization endpoint or in a pushed request (RFC 9126 §3).
//!
//! The keys are those by which the client authenticates, by value or by URL. Anybody can send an object with an unknown `kid`, so
//! the bounds of [`crate::client::assertion`] for keys at a URL hold here as well.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::return_path::known_client;
use crate::client::keys;
use crate::endpoint::Endpoint;
use crate::jose::{Flaw, Jws, Jwt};
use crate::line::{Call, Facts, Key, Turn, Wants};
use crate::model::Client;
use crate::refusal::{No, Refusal};
use crate::wire::{Param, Params};

/// The media types that the header may name, RFC 9101 §10.8.
const MEDIA_TYPES: &[&str] = &["JWT", "oauth-authz-req+jwt"];
/// Accepted difference between the clocks of the client and this server, in seconds.
const LEEWAY_S: u64 = 30;

/// A request object that was not yet verified, with the client that the request names beside it.
#[derive(Debug)]
pub struct RequestObject {
    client_id: Option<String>,
    text: String,
}

impl RequestObject {
    /// Takes the request object out of an authorization request; `None` if the request has none.
    #[must_use]
    pub fn take(params: &mut Params) -> Option<Self> {
        let text = params.take(Param::Request)?;
        Some(Self { client_id: params.value(Param::ClientId).map(ToOwned::to_owned), text })
    }

    /// Verifies the object of a known client. Returns the parameters of the request, and no others.
    pub(super) fn open(&self, client: &Arc<Client>, turn: &mut Turn<'_>) -> Result<Params, Refusal> {
        let no = |no| Refusal::of(no, Param::Request);
        let of_flaw = |flaw| match flaw {
            Flaw::AlgorithmRefused => no(No::RequestObjectAlgorithm),
            Flaw::Expired | Flaw::TooEarly => no(No::RequestObjectExpired),
            _ => no(No::RequestObjectMalformed),
        };
        let jws = Jws::read_any(self.text.clone(), MEDIA_TYPES).map_err(of_flaw)?;
        // RFC 9101 §6.2: "The authorization server MUST validate the signature of the JWS-signed [RFC7515] Request Object."
        if jws.has_mac() {
            return Err(no(No::RequestObjectAlgorithm));
        }
        let jwt = Jwt::<Map<String, Value>>::of(jws).map_err(of_flaw)?;
        check_claims(&jwt, client, turn)?;
        jwt.registered().check_time_if_said(LEEWAY_S, turn.now).map_err(of_flaw)?;
        // RFC 9101 §6.2: "If the key is not associated with the client or if signature validation fails, the authorization server
        // MUST return an invalid_request_object error".
        let keys = keys::find(client, jwt.kid(), turn).ok_or(no(No::RequestObjectUntrusted))?;
        jwt.jws().check_signature(&keys).map_err(|_| no(No::RequestObjectUntrusted))?;
        let mut params = parameters(jwt.claims()).ok_or(no(No::RequestObjectMalformed))?;
        params.is_signed = true;
        Ok(params)
    }
}

impl Call for RequestObject {
    /// The parameters in the object. RFC 9101 §6.3: "The authorization server MUST only use the parameters in the Request
    /// Object, even if the same parameter is provided in the query parameter."
    type Yes = Params;

    fn wants(&self) -> Wants {
        Wants::of(self.client_id.clone().map(Key::Client))
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<Params, Refusal> {
        let client = known_client(self.client_id.as_deref(), facts, turn)?;
        self.open(client, turn)
    }
}

/// Checks that the object is of this client, and for this server.
fn check_claims(jwt: &Jwt<Map<String, Value>>, client: &Client, turn: &Turn<'_>) -> Result<(), Refusal> {
    let no = |no| Refusal::of(no, Param::Request);
    let claims = jwt.claims();
    // RFC 9101 §6.3: "The client ID values in the client_id request parameter and in the Request Object client_id claim MUST be
    // identical."
    let is_theirs = claims.get("client_id").and_then(Value::as_str) == Some(client.client_id.as_str())
        && jwt.registered().iss.as_ref().is_none_or(|own| *own == client.client_id);
    if !is_theirs {
        return Err(no(No::RequestObjectOfOther));
    }
    // RFC 9101 §4: "The value of aud should be the value of the authorization server (AS) issuer". OpenID Connect Core §6.1 lets it
    // be one of several.
    let issuer = turn.policy.issuer.as_str();
    if jwt.registered().aud.as_ref().is_some_and(|aud| !aud.includes(issuer)) {
        return Err(no(No::RequestObjectForOther).with_choices([issuer]));
    }
    Ok(())
}

/// The claims that are parameters of an authorization request; `None` if the object contains another object, or a value that is
/// no parameter.
fn parameters(claims: &Map<String, Value>) -> Option<Params> {
    let mut params = Params::default();
    for param in Endpoint::Authorize.row().params {
        let Some(value) = claims.get(param.as_str()) else { continue };
        // RFC 9101 §4: the object must not contain the parameters `request` and `request_uri`.
        if matches!(param, Param::Request | Param::RequestUri) {
            return None;
        }
        let values = match value {
            Value::Array(several) if *param == Param::Resource => several.iter().collect(),
            one => vec![one],
        };
        for value in values {
            let text = match value {
                Value::String(text) => text.clone(),
                // RFC 9101 §4: numbers are JSON numbers, and OpenID Connect Core §5.5 has an object.
                Value::Number(_) | Value::Bool(_) | Value::Object(_) => value.to_string(),
                Value::Null | Value::Array(_) => return None,
            };
            params.push(*param, text).ok()?;
        }
    }
    Some(params)
}
