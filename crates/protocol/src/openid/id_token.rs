//! The claims of an ID token, OpenID Connect Core §2.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{OPENID, level};
use crate::jose::Algorithm;
use crate::jose::sign::{ToSign, half_hash};
use crate::line::Turn;
use crate::model::{Authorization, Client, GrantType, User};
use crate::resource::userinfo::still_allowed;
use crate::scope::Scope;
use crate::secret::Secret;

/// The claims that an ID token can have beside the standard claims about its user.
pub const CLAIMS: &[&str] =
    &["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "sid"];

/// Lifetime of an ID token in seconds. An application checks an ID token once, when it gets it.
pub const TTL_S: u64 = 60 * 60;

/// What an ID token is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The client that gets the token.
    pub client: &'a Arc<Client>,
    /// The user.
    pub user: &'a Arc<User>,
    /// What the user authorized.
    pub authorization: &'a Authorization,
    /// True if the grant begins now; false for a refresh.
    pub is_first: bool,
}

impl Subject<'_> {
    /// Returns the ID token that goes with the access token `access` of this scope, to be signed. Returns `None` if none does: on a surface that is no OpenID provider, without the scope `openid`, and for a grant that did not begin with an
    /// authorization request for a code.
    #[must_use]
    pub fn id_token(&self, access: &Secret, scope: &Scope, turn: &Turn<'_>) -> Option<ToSign> {
        let Authorization { auth_time, circumstances, .. } = self.authorization;
        let is_by_code = circumstances.first_grant == Some(GrantType::AuthorizationCode);
        if !turn.policy.scope.is_openid || !scope.contains(OPENID) || !is_by_code {
            return None;
        }
        // OpenID Connect Registration §2, id_token_signed_response_alg: "The default, if omitted, is RS256."
        let algorithm = self.client.id_token_alg.unwrap_or(Algorithm::Rs256);
        let client_id = self.client.client_id.as_str();
        let mut claims = Map::new();
        let mut tell = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
        // OpenID Connect Core §2: the "iss" claim, "Issuer Identifier for the Issuer of the response."
        tell("iss", turn.policy.issuer.as_str().into());
        tell("sub", self.user.sub.as_str().into());
        // OpenID Connect Core §2: "It MUST contain the OAuth 2.0 client_id of the Relying Party as an audience value."
        tell("aud", client_id.into());
        // OpenID Connect Core §12.2: "if the ID Token contains an auth_time Claim, its value MUST represent the time of the
        // original authentication - not the time that the new ID token is issued". Zero or less stands for an unknown time.
        if auth_time.0 > 0 {
            tell("auth_time", auth_time.0.into());
        }
        // OpenID Connect Core §2: "If present in the Authentication Request, Authorization Servers MUST include a nonce Claim
        // in the ID Token with the Claim Value being the nonce value sent in the Authentication Request." OpenID Connect Core
        // §12.2: an ID token of a refresh "SHOULD NOT have a nonce Claim".
        if let Some(nonce) = circumstances.nonce.as_ref().filter(|_| self.is_first) {
            tell("nonce", nonce.as_str().into());
        }
        if let Some(acr) = level(&circumstances.amr) {
            tell("acr", acr.into());
            tell("amr", json!(circumstances.amr));
        }
        tell("azp", client_id.into());
        // OpenID Connect Core §3.1.3.6: the hash of the access token, by which it belongs to this ID token.
        tell("at_hash", half_hash(algorithm, access.reveal()).into());
        if let Some(session) = circumstances.session {
            tell("sid", turn.keys.session_name(session.0, self.client.key.0).into());
        }
        for claim in still_allowed(circumstances.claims.clone(), self.client, turn.policy).id_token {
            if let Some(value) = claim.value(self.user) {
                tell(claim.as_str(), value);
            }
        }
        Some(ToSign::new("JWT", algorithm, claims).lasting(turn.now, TTL_S))
    }
}

#[cfg(test)]
mod tests;
