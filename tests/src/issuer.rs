//! An issuer elsewhere, under the name that Google has, with a key that is always the same: its tokens are, too.

use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use data_encoding::BASE64URL_NOPAD;
use protocol::jose::KeySet;
use protocol::line::{Document, DocumentKey, Documents};
use protocol::person::upstream::{Issuer, ProviderMetadata, SignUp};
use protocol::time::UnixTime;
use serde_json::{Value, json};
use server::config::settings::Google;

/// By this name it is an authority for some addresses, and for others it is not.
pub const NAME: &str = "https://accounts.google.com";
const CLIENT_ID: &str = "1234.apps.googleusercontent.com";
const SEED: [u8; 32] = [3; 32];
const KID: &str = "first";
/// How long its tokens live, in seconds, as those of Google do.
const TTL_S: u64 = 3_600;

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&SEED).expect("32 bytes are a seed")
}

/// The configuration that trusts it, without a button on the pages.
#[must_use]
pub fn configuration() -> Google {
    Google { issuer: NAME.to_owned(), client_id: CLIENT_ID.to_owned(), client_secret: None, sign_up: SignUp::Anybody }
}

/// Its public keys.
///
/// # Panics
/// Never: the key is a constant.
#[must_use]
pub fn keys() -> KeySet {
    let x = BASE64URL_NOPAD.encode(key().public_key().as_ref());
    let published = json!({"keys": [{"kty": "OKP", "kid": KID, "crv": "Ed25519", "x": x}]});
    KeySet::parse(published.to_string().as_bytes()).expect("it is a set of keys")
}

/// The issuer as a judge is told of it.
#[must_use]
pub fn issuer() -> Arc<Issuer> {
    Arc::new(Issuer { name: NAME.to_owned(), client_id: CLIENT_ID.to_owned(), sign_up: SignUp::Anybody })
}

/// Its metadata and keys, as a judge of its tokens is given them.
#[must_use]
pub fn documents() -> Documents {
    let at = |path: &str| format!("{NAME}/{path}");
    let metadata = ProviderMetadata {
        issuer: NAME.to_owned(),
        authorization_endpoint: at("authorize"),
        token_endpoint: at("token"),
        jwks_uri: at("keys"),
        token_endpoint_auth_methods_supported: None,
        authorization_response_iss_parameter_supported: false,
    };
    let mut documents = Documents::default();
    let key = DocumentKey::ProviderMetadata { issuer: NAME.to_owned() };
    documents.add(key, Some(Document::ProviderMetadata(Arc::new(metadata))));
    let key = DocumentKey::KeySet { url: at("keys"), kid: Some(KID.to_owned()) };
    documents.add(key, Some(Document::KeySet(Arc::new(keys()))));
    documents
}

/// An ID token that is made at `now`, and says this and what every one says.
#[must_use]
pub fn token(now: UnixTime, said: &[(&str, Value)]) -> String {
    let mut claims = json!({
        "iss": NAME, "aud": CLIENT_ID, "azp": CLIENT_ID, "iat": now.0, "exp": now.plus(TTL_S).0, "email_verified": true,
    });
    for (name, value) in said {
        claims[*name] = value.clone();
    }
    let encode = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
    let message = format!("{}.{}", encode(&json!({"alg": "EdDSA", "kid": KID, "typ": "JWT"})), encode(&claims));
    let signature = key().sign(message.as_bytes());
    format!("{message}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
}
