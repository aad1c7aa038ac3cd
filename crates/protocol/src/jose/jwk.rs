//! Public keys and key sets, RFC 7517. Keys that cannot verify a supported signature are left out.

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use super::algorithm::Algorithm;
use crate::secret::Digest;

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

/// Returns the thumbprint of a key, RFC 7638 §3: the SHA-256 of its required members in lexicographic order, without white
/// space. Returns `None` for a key of another type than RSA, EC and OKP, or one that lacks a member.
#[must_use]
pub fn thumbprint(key: &Value) -> Option<String> {
    // RFC 7638 §3.2 and RFC 8037 §2.
    let members: &[&str] = match key.get("kty")?.as_str()? {
        "EC" => &["crv", "kty", "x", "y"],
        "RSA" => &["e", "kty", "n"],
        "OKP" => &["crv", "kty", "x"],
        _ => return None,
    };
    let written = members.iter().map(|name| {
        let value = key.get(*name)?.as_str()?;
        Some(format!("{}:{}", Value::from(*name), Value::from(value)))
    });
    let written: Vec<String> = written.collect::<Option<_>>()?;
    Some(BASE64URL_NOPAD.encode(&Digest::of(format!("{{{}}}", written.join(",")).as_bytes()).0))
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
        // RFC 8725 §3.1: "each key MUST be used with exactly one algorithm".
        let named = alg.as_deref().map(Algorithm::from_name);
        let (algorithm, key) = match (kty.as_str(), crv.as_deref()) {
            // An RSA key that names no algorithm is for RS256, the default of OpenID Connect.
            ("RSA", None) => {
                let algorithm = if named == Some(Some(Algorithm::Ps256)) { Algorithm::Ps256 } else { Algorithm::Rs256 };
                (algorithm, DecodingKey::from_rsa_components(&n?, &e?))
            }
            ("EC", Some("P-256")) => (Algorithm::Es256, DecodingKey::from_ec_components(&x?, &y?)),
            ("OKP", Some("Ed25519")) => (Algorithm::EdDsa, DecodingKey::from_ed_components(&x?)),
            _ => return None,
        };
        if named.is_some_and(|named| named != Some(algorithm)) {
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
