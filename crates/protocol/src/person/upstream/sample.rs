//! Samples for tests: an upstream identity provider, and ID tokens that it signs.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Issuer, ProviderMetadata, SignUp};
use crate::jose::signed::{self, With, sign};
use crate::line::{Document, DocumentKey, Documents};

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const KEYS: &str = "https://issuer.example/keys";
pub(crate) const CLIENT_ID: &str = "grantry-there";

pub(crate) fn issuer() -> Arc<Issuer> {
    Arc::new(Issuer { name: ISSUER.into(), client_id: CLIENT_ID.into(), sign_up: SignUp::Anybody })
}

/// Adds the metadata of the issuer.
pub(crate) fn add_metadata(documents: &mut Documents) {
    let metadata = ProviderMetadata {
        issuer: ISSUER.into(),
        authorization_endpoint: "https://issuer.example/authorize".into(),
        token_endpoint: "https://issuer.example/token".into(),
        jwks_uri: KEYS.into(),
        token_endpoint_auth_methods_supported: None,
        authorization_response_iss_parameter_supported: false,
    };
    let key = DocumentKey::ProviderMetadata { issuer: ISSUER.into() };
    documents.add(key, Some(Document::ProviderMetadata(Arc::new(metadata))));
}

/// The metadata and keys of the issuer, for tokens as [`token`] makes them.
pub(crate) fn documents() -> Documents {
    let mut documents = Documents::default();
    add_metadata(&mut documents);
    let key = DocumentKey::KeySet { url: KEYS.into(), kid: Some("ed".into()) };
    documents.add(key, Some(Document::KeySet(Arc::new(signed::keys()))));
    documents
}

/// The claims about Alice at the time 1000.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "alice-there", "aud": CLIENT_ID, "azp": CLIENT_ID, "iat": 990, "exp": 1990,
        "email": "alice@example.com", "email_verified": true, "name": "Alice There",
    })
}

/// The claims about Alice with these changes. `null` removes a claim.
#[expect(clippy::needless_pass_by_value, reason = "tests write the changes in place")]
pub(crate) fn claims_with(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

/// An ID token that the identity provider signs.
pub(crate) fn token(claims: &Value) -> String {
    sign(&json!({"alg": "EdDSA", "kid": "ed", "typ": "JWT"}), claims, With::EdDsa)
}
