//! Messages that this server signs. A judge decides [`ToSign`]: claims and an algorithm. The server signs after the decision
//! and before the commit, because a signature draws randomness and a judge has none to give.

#[cfg(test)]
mod tests;

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use aws_lc_rs::rand::SecureRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding,
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value, json};

use super::algorithm::Algorithm;
use super::jwk;
use crate::secret::Secret;
use crate::time::UnixTime;

/// Maximum lifetime of a signed token in seconds: a day. A retired key stays published for longer than that, so a token can be
/// verified until it expires.
pub const SIGNED_TTL_S_MAX: u64 = 24 * 60 * 60;

/// Minimum size of the modulus of an RSA key in bytes. RFC 7518 §3.3: "A key of size 2048 bits or larger MUST be used with
/// these algorithms."
const RSA_BYTES_MIN: usize = 256;

/// A message to be signed: its media type, its claims, and the algorithm. It names no key, because the server signs with the
/// key that is active at that moment.
#[derive(Clone, PartialEq)]
pub struct ToSign {
    typ: &'static str,
    algorithm: Algorithm,
    claims: Map<String, Value>,
}

/// Shows type and algorithm alone: the claims may be personal data.
impl std::fmt::Debug for ToSign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ToSign({}, {})", self.typ, self.algorithm)
    }
}

impl ToSign {
    /// A message with this media type (`typ` of RFC 7515 §4.1.9, such as `JWT` or `at+jwt`) and these claims.
    #[must_use]
    pub const fn new(typ: &'static str, algorithm: Algorithm, claims: Map<String, Value>) -> Self {
        Self { typ, algorithm, claims }
    }

    /// Returns the message with `iat` and `exp`: it is valid from `now` for `ttl_s` seconds, but at most for
    /// [`SIGNED_TTL_S_MAX`].
    #[must_use]
    pub fn lasting(mut self, now: UnixTime, ttl_s: u64) -> Self {
        self.claims.insert("iat".to_owned(), json!(now.0));
        self.claims.insert("exp".to_owned(), json!(now.plus(ttl_s.min(SIGNED_TTL_S_MAX)).0));
        self
    }

    /// The algorithm that the recipient expects.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The claims.
    #[must_use]
    pub const fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

/// Returns the value of `at_hash` or `c_hash` for a token or code, OpenID Connect Core §3.1.3.6: the left half of the digest
/// that belongs to the algorithm of the ID token.
#[must_use]
pub fn half_hash(algorithm: Algorithm, text: &str) -> String {
    let hash = match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 => digest(&SHA256, text.as_bytes()),
        // RFC 8032 §5.1: Ed25519 is defined with SHA-512.
        Algorithm::EdDsa => digest(&SHA512, text.as_bytes()),
    };
    let bytes = hash.as_ref();
    BASE64URL_NOPAD.encode(&bytes[..bytes.len() / 2])
}

/// A private key that was parsed once, bound to the one algorithm that it is for. It cannot be printed.
pub struct PrivateKey {
    algorithm: Algorithm,
    kid: String,
    pair: Pair,
    public: Value,
}

enum Pair {
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    Ecdsa(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivateKey({}, {})", self.algorithm, self.kid)
    }
}

impl PrivateKey {
    /// Parses a private key in PKCS#8. Returns `None` if the bytes are no key for this algorithm, or if the key is too small.
    #[must_use]
    pub fn parse(algorithm: Algorithm, pkcs8: &[u8]) -> Option<Self> {
        let (pair, mut public) = match algorithm {
            Algorithm::Rs256 => rsa(pkcs8, &RSA_PKCS1_SHA256)?,
            Algorithm::Ps256 => rsa(pkcs8, &RSA_PSS_SHA256)?,
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok()?;
                // SEC 1 §2.3.3: a byte 4, and then the coordinates.
                let (x, y) = pair.public_key().as_ref().get(1..)?.split_at_checked(32)?;
                let public = json!({"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)});
                (Pair::Ecdsa(Box::new(pair)), public)
            }
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
                let public = json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())});
                (Pair::Ed25519(Box::new(pair)), public)
            }
        };
        let kid = jwk::thumbprint(&public)?;
        public["kid"] = json!(kid);
        public["use"] = json!("sig");
        public["alg"] = json!(algorithm.as_str());
        Some(Self { algorithm, kid, pair, public })
    }

    /// The name of the key: its thumbprint by RFC 7638.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The algorithm that the key is for.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public part as a JWK, RFC 7517 §4.
    #[must_use]
    pub const fn public(&self) -> &Value {
        &self.public
    }

    /// Signs a message. Returns its compact form (RFC 7515 §7.1), or `None` if the message is for another algorithm or the
    /// library fails.
    #[must_use]
    pub fn sign(&self, message: &ToSign, random: &dyn SecureRandom) -> Option<Secret> {
        if message.algorithm != self.algorithm {
            return None;
        }
        let header = json!({"typ": message.typ, "alg": self.algorithm.as_str(), "kid": self.kid});
        let claims = serde_json::to_vec(&message.claims).ok()?;
        let mut compact = format!("{}.{}", text(header.to_string().as_bytes()), text(&claims));
        let signature = self.signature(compact.as_bytes(), random)?;
        compact.push('.');
        compact.push_str(&text(&signature));
        Some(Secret::new(compact))
    }

    fn signature(&self, message: &[u8], random: &dyn SecureRandom) -> Option<Vec<u8>> {
        match &self.pair {
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, random, message, &mut signature).ok()?;
                Some(signature)
            }
            Pair::Ecdsa(pair) => Some(pair.sign(random, message).ok()?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Some(pair.sign(message).as_ref().to_vec()),
        }
    }
}

fn rsa(pkcs8: &[u8], encoding: &'static dyn RsaEncoding) -> Option<(Pair, Value)> {
    let pair = RsaKeyPair::from_pkcs8(pkcs8).ok().filter(|pair| pair.public_modulus_len() >= RSA_BYTES_MIN)?;
    let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
    let (n, e) = (text(n.big_endian_without_leading_zero()), text(e.big_endian_without_leading_zero()));
    Some((Pair::Rsa(Box::new(pair), encoding), json!({"kty": "RSA", "n": n, "e": e})))
}

fn text(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}
