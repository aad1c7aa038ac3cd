//! Signed messages (JWS) in compact form, RFC 7515 §7.1. Reading a message does not verify it. Its content must not be
//! trusted before [`Jws::check_signature`].

use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::algorithm::Algorithm;
use super::jwk::KeySet;
use crate::secret::{Digest, Secret};

/// Maximum length of a message in bytes. ID tokens of Google have about 1,200.
pub(crate) const JWS_BYTES_MAX: usize = 8 * 1024;

/// The supported algorithm of message authentication codes: HMAC with SHA-256, RFC 7518 §3.2. No key of a [`KeySet`] is for it.
pub const MAC_ALGORITHM: &str = "HS256";

/// The flaw of a signed message or token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The text is not a signed message, or lacks a required member.
    Malformed,
    /// The signature algorithm is not supported.
    AlgorithmRefused,
    /// No key of the set has the `kid` and the algorithm of the message.
    KeyUnknown,
    /// The key did not make the signature.
    Forged,
    /// The `iss` claim names another issuer.
    OtherIssuer,
    /// The `aud` claim names another audience.
    OtherAudience,
    /// The token has expired.
    Expired,
    /// The token is not valid yet.
    TooEarly,
}

/// A signed message that was parsed but not yet verified.
#[derive(Clone)]
pub struct Jws {
    text: String,
    /// The position of the signature in `text`, behind the second dot.
    signature_at: usize,
    /// The signature algorithm; `None` if the message has a message authentication code.
    algorithm: Option<Algorithm>,
    kid: Option<String>,
}

/// Shows the header alone: the payload may be personal data.
impl std::fmt::Debug for Jws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let algorithm: &dyn std::fmt::Debug = self.algorithm.as_ref().map_or(&MAC_ALGORITHM, |own| own);
        write!(f, "Jws({algorithm:?}, {:?})", self.kid)
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

impl Jws {
    /// Parses a message whose header has the media type `typ`, or none. It must be signed with a private key.
    ///
    /// # Errors
    /// [`Flaw::Malformed`], [`Flaw::AlgorithmRefused`].
    pub fn read(text: String, typ: &str) -> Result<Self, Flaw> {
        match Self::read_any(text, &[typ])? {
            own if own.has_mac() => Err(Flaw::AlgorithmRefused),
            own => Ok(own),
        }
    }

    /// Parses a message whose header has one of these media types, or none. It may have a message authentication code in
    /// the place of a signature: see [`Jws::has_mac`].
    ///
    /// # Errors
    /// [`Flaw::Malformed`], [`Flaw::AlgorithmRefused`].
    pub fn read_any(text: String, types: &[&str]) -> Result<Self, Flaw> {
        if text.len() > JWS_BYTES_MAX {
            return Err(Flaw::Malformed);
        }
        let signature_at = text.rfind('.').ok_or(Flaw::Malformed)? + 1;
        let (header, _) = text[..signature_at - 1].split_once('.').ok_or(Flaw::Malformed)?;
        let header: Header = part(header)?;
        // RFC 7515 §4.1.11: "If any of the listed extension Header Parameters are not understood and supported by the
        // recipient, then the JWS is invalid." None is understood here.
        if header.crit.is_some() {
            return Err(Flaw::Malformed);
        }
        // RFC 8725 §3.11: a token of another kind is refused, even if its signature is right.
        if header.typ.is_some_and(|own| !types.iter().any(|typ| own.eq_ignore_ascii_case(typ))) {
            return Err(Flaw::Malformed);
        }
        let algorithm = match header.alg.as_str() {
            MAC_ALGORITHM => None,
            name => Some(Algorithm::from_name(name).ok_or(Flaw::AlgorithmRefused)?),
        };
        Ok(Self { signature_at, algorithm, kid: header.kid, text })
    }

    /// Returns the `kid` of the unverified header.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Returns the digest of the signed part. The signature is left out, because some algorithms have more than one
    /// valid signature for a message.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.signed().as_bytes())
    }

    /// Parses the payload, a JSON object.
    ///
    /// # Errors
    /// [`Flaw::Malformed`].
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Flaw> {
        // A third dot would be part of the payload, where base64url does not allow it.
        let (_, payload) = self.signed().split_once('.').ok_or(Flaw::Malformed)?;
        part(payload)
    }

    /// Checks that one of the keys made the signature.
    ///
    /// # Errors
    /// [`Flaw::KeyUnknown`], [`Flaw::Forged`].
    pub fn check_signature(&self, keys: &KeySet) -> Result<(), Flaw> {
        let algorithm = self.algorithm.ok_or(Flaw::KeyUnknown)?;
        let mut candidates = keys.candidates(self.kid(), algorithm).peekable();
        candidates.peek().ok_or(Flaw::KeyUnknown)?;
        let (message, signature) = (self.signed().as_bytes(), &self.text[self.signature_at..]);
        if candidates.any(|key| key.has_signed(message, signature)) { Ok(()) } else { Err(Flaw::Forged) }
    }

    /// Returns true if the message has a message authentication code (HMAC), and no signature.
    #[must_use]
    pub fn has_mac(&self) -> bool {
        self.algorithm.is_none()
    }

    /// Checks that the message authentication code was made with this secret. The caller must make sure that the secret
    /// cannot be guessed: anybody who sees the message can try secrets.
    ///
    /// # Errors
    /// [`Flaw::AlgorithmRefused`] if the message has a signature, or [`Flaw::Forged`].
    pub fn check_mac(&self, secret: &Secret) -> Result<(), Flaw> {
        if !self.has_mac() {
            return Err(Flaw::AlgorithmRefused);
        }
        let tag = BASE64URL_NOPAD.decode(&self.text.as_bytes()[self.signature_at..]).map_err(|_| Flaw::Malformed)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
        hmac::verify(&key, self.signed().as_bytes(), &tag).map_err(|_| Flaw::Forged)
    }

    fn signed(&self) -> &str {
        &self.text[..self.signature_at - 1]
    }
}

/// Parses a part of a message: a JSON object in base64url without padding. RFC 7515 §4: "The Header Parameter names
/// within the JOSE Header MUST be unique"; those that are read here must be.
fn part<T: DeserializeOwned>(text: &str) -> Result<T, Flaw> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| Flaw::Malformed)?;
    // Refuse JSON arrays, which serde would accept as the members of a struct.
    if bytes.first() != Some(&b'{') {
        return Err(Flaw::Malformed);
    }
    serde_json::from_slice(&bytes).map_err(|_| Flaw::Malformed)
}
