//! Signed messages in the compact form, RFC 7515 §7.1. A message is read first, and what it says counts only once its
//! signature is verified.

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::algorithm::Algorithm;
use super::jwk::KeySet;
use crate::secret::Digest;

/// The longest message that is read, in bytes. ID tokens of Google have about 1,200.
pub(crate) const JWS_BYTES_MAX: usize = 8 * 1024;

/// What is wrong with a signed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The text is no signed message, or lacks what it must have.
    Malformed,
    /// The signature algorithm does not exist here.
    AlgorithmRefused,
    /// No key of the set has the name and the algorithm of the message.
    KeyUnknown,
    /// The signature is not the key's.
    Forged,
    /// The `iss` claim names another issuer.
    OtherIssuer,
    /// The `aud` claim names another audience.
    OtherAudience,
    /// The token is too old.
    Expired,
    /// The token is not valid yet.
    TooEarly,
}

/// A signed message that was read and not yet verified.
#[derive(Clone)]
pub struct Jws {
    text: String,
    /// Where the signature begins in `text`, behind the second dot.
    signature_at: usize,
    algorithm: Algorithm,
    kid: Option<String>,
}

/// Shows the header alone: the payload may be personal data.
impl std::fmt::Debug for Jws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Jws({:?}, {:?})", self.algorithm, self.kid)
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
    /// Reads a message whose header names the media type `typ`, or none.
    ///
    /// # Errors
    /// [`Flaw::Malformed`], [`Flaw::AlgorithmRefused`].
    pub fn read(text: String, typ: &str) -> Result<Self, Flaw> {
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
        // RFC 8725 §3.11: a token of another kind is not taken for this one, though its signature may be right.
        if header.typ.is_some_and(|own| !own.eq_ignore_ascii_case(typ)) {
            return Err(Flaw::Malformed);
        }
        let algorithm = Algorithm::from_name(&header.alg).ok_or(Flaw::AlgorithmRefused)?;
        Ok(Self { signature_at, algorithm, kid: header.kid, text })
    }

    /// The name of the key that signed the message, as the message says.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The digest of the signed part. The signature is left out: some algorithms have more than one right signature.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.signed().as_bytes())
    }

    /// The payload, a JSON object.
    ///
    /// # Errors
    /// [`Flaw::Malformed`].
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Flaw> {
        // A third dot of the text would be in the payload, where base64url has none.
        let (_, payload) = self.signed().split_once('.').ok_or(Flaw::Malformed)?;
        part(payload)
    }

    /// Checks that one of the keys made the signature.
    ///
    /// # Errors
    /// [`Flaw::KeyUnknown`], [`Flaw::Forged`].
    pub fn check_signature(&self, keys: &KeySet) -> Result<(), Flaw> {
        let mut candidates = keys.candidates(self.kid(), self.algorithm).peekable();
        candidates.peek().ok_or(Flaw::KeyUnknown)?;
        let (message, signature) = (self.signed().as_bytes(), &self.text[self.signature_at..]);
        if candidates.any(|key| key.has_signed(message, signature)) { Ok(()) } else { Err(Flaw::Forged) }
    }

    fn signed(&self) -> &str {
        &self.text[..self.signature_at - 1]
    }
}

/// A part of a message: base64url without padding, and in it a JSON object. RFC 7515 §4: "The Header Parameter names within
/// the JOSE Header MUST be unique"; those that are read here must be.
fn part<T: DeserializeOwned>(text: &str) -> Result<T, Flaw> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| Flaw::Malformed)?;
    // A list would fit the members of a struct in their order.
    if bytes.first() != Some(&b'{') {
        return Err(Flaw::Malformed);
    }
    serde_json::from_slice(&bytes).map_err(|_| Flaw::Malformed)
}
