//! Keys for tests, and tokens that they sign. The keys for ES256 and EdDSA come from RFC 7515 A.3 and RFC 8037 A. The
//! key for RS256 was generated.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKey, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding,
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::KeySet;
pub(crate) const ES_D: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
pub(crate) const ES_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
pub(crate) const ES_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
pub(crate) const ED_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
pub(crate) const ED_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

static RSA: LazyLock<RsaKey> = LazyLock::new(|| RsaKey::generate(KeySize::Rsa2048).unwrap());

/// The key that signs a token.
#[derive(Clone, Copy, Debug)]
pub(crate) enum With {
    Rs256,
    Ps256,
    Es256,
    EdDsa,
    /// HMAC under this secret.
    Hs256(&'static str),
}

fn bytes(text: &str) -> Vec<u8> {
    BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()
}

/// Returns the RSA key.
pub(crate) fn rsa() -> &'static RsaKey {
    &RSA
}

/// Returns the public part of the RSA key in base64url. A careless verifier would use its bytes as an HMAC key.
pub(crate) fn rsa_n() -> String {
    BASE64URL_NOPAD.encode(RSA.public_key().modulus().big_endian_without_leading_zero())
}

/// Returns the published key set.
pub(crate) fn published() -> Value {
    json!({"keys": [
        {"kty": "RSA", "kid": "rs", "use": "sig", "alg": "RS256", "n": rsa_n(), "e": "AQAB"},
        {"kty": "EC", "kid": "es", "crv": "P-256", "x": ES_X, "y": ES_Y},
        {"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": ED_X},
    ]})
}

pub(crate) fn keys() -> KeySet {
    KeySet::parse(published().to_string().as_bytes()).unwrap()
}

/// Returns a signed token with this header and these claims.
pub(crate) fn sign(header: &Value, claims: &Value, with: With) -> String {
    let message = unsigned(header, claims);
    let signature = signature(message.as_bytes(), with);
    format!("{message}.{}", BASE64URL_NOPAD.encode(&signature))
}

pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let encode = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
    format!("{}.{}", encode(header), encode(claims))
}

#[expect(clippy::disallowed_methods, reason = "signatures of ECDSA and RSA draw on it")]
fn signature(message: &[u8], with: With) -> Vec<u8> {
    let random = SystemRandom::new();
    match with {
        With::Rs256 | With::Ps256 => {
            let mut signature = vec![0; RSA.public_modulus_len()];
            let padding: &dyn RsaEncoding =
                if matches!(with, With::Rs256) { &RSA_PKCS1_SHA256 } else { &RSA_PSS_SHA256 };
            RSA.sign(padding, &random, message, &mut signature).unwrap();
            signature
        }
        With::Hs256(secret) => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            hmac::sign(&key, message).as_ref().to_vec()
        }
        With::Es256 => {
            let public = [&[4][..], &bytes(ES_X), &bytes(ES_Y)].concat();
            let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let key = EcdsaKeyPair::from_private_key_and_public_key(algorithm, &bytes(ES_D), &public).unwrap();
            key.sign(&random, message).unwrap().as_ref().to_vec()
        }
        With::EdDsa => Ed25519KeyPair::from_seed_unchecked(&bytes(ED_D)).unwrap().sign(message).as_ref().to_vec(),
    }
}
