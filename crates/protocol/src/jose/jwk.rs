//! Public keys and key sets, RFC 7517. Keys that cannot verify a supported signature are left out.

use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use super::algorithm::Algorithm;

/// Maximum number of keys that are read from a set. An issuer usually has two or three.
const KEYS_MAX: usize = 32;

/// The public keys that an issuer or a client publishes.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
}

/// A key, bound to the one algorithm that it is for.
#[derive(Clone)]
pub(super) struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?}", self.algorithm, self.kid)
    }
}

/// A key in its JSON form, RFC 7517 §4.
#[derive(Deserialize)]
struct Written {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a JWK Set. RFC 7517 §5: "Implementations SHOULD ignore JWKs within a JWK Set that use "kty" (key type) values
    /// that are not understood by them, that are missing required members, or for which values are out of the supported
    /// ranges."
    ///
    /// # Errors
    /// If the text is not a JWK Set.
    pub fn parse(json: &[u8]) -> Result<Self, &'static str> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(json).map_err(|_| "this is not a JWK Set (RFC 7517 §5)")?;
        let written = set.keys.into_iter().take(KEYS_MAX).filter_map(|key| serde_json::from_value(key).ok());
        Ok(Self { keys: written.filter_map(Key::new).collect() })
    }

    /// Returns true if the set has the key `kid`. Without a `kid`, returns true if the set has any key.
    #[must_use]
    pub fn has(&self, kid: Option<&str>) -> bool {
        match kid {
            Some(kid) => self.keys.iter().any(|key| key.kid.as_deref() == Some(kid)),
            None => !self.keys.is_empty(),
        }
    }

    /// Returns the number of usable keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns true if the set has no usable key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the keys that may have signed a token with this header. A token without a `kid` is accepted only if the
    /// set has a single key.
    pub(super) fn candidates(&self, kid: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        // OpenID Connect Core §10.1: "If there are multiple keys in the referenced JWK Set document, a kid value MUST be
        // provided in the JOSE Header."
        let is_named = kid.is_some() || self.keys.len() == 1;
        let is_candidate =
            move |key: &&Key| is_named && key.algorithm == algorithm && (kid.is_none() || key.kid.as_deref() == kid);
        self.keys.iter().filter(is_candidate)
    }
}

impl Key {
    fn new(written: Written) -> Option<Self> {
        let Written { kty, kid, alg, purpose, key_ops, crv, n, e, x, y } = written;
        // RFC 7517 §4.2 and §4.3: a key for encryption signs nothing.
        let may_verify = purpose.is_none_or(|purpose| purpose == "sig")
            && key_ops.is_none_or(|own| own.iter().any(|operation| operation == "verify"));
        if !may_verify {
            return None;
        }
        // RFC 8725 §3.1: "each key MUST be used with exactly one algorithm". An RSA key that names none is for RS256.
        let of_rsa = if alg.as_deref() == Some("PS256") { Algorithm::Ps256 } else { Algorithm::Rs256 };
        let (algorithm, key) = match (kty.as_str(), crv.as_deref()) {
            ("RSA", None) => (of_rsa, DecodingKey::from_rsa_components(&n?, &e?)),
            ("EC", Some("P-256")) => (Algorithm::Es256, DecodingKey::from_ec_components(&x?, &y?)),
            ("OKP", Some("Ed25519")) => (Algorithm::EdDsa, DecodingKey::from_ed_components(&x?)),
            _ => return None,
        };
        if alg.is_some_and(|alg| Algorithm::from_name(&alg) != Some(algorithm)) {
            return None;
        }
        Some(Self { kid, algorithm, key: key.ok()? })
    }

    /// Returns true if this key made `signature` (in base64url) over `message`.
    pub(super) fn has_signed(&self, message: &[u8], signature: &str) -> bool {
        let verified = jsonwebtoken::crypto::verify(signature, message, &self.key, self.algorithm.of_library());
        // A key that the library cannot use verifies nothing.
        verified.unwrap_or(false)
    }
}
