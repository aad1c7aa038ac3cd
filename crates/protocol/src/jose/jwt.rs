//! A signed JWT of an issuer that this server is a client of: an ID token, OpenID Connect Core §2. It is read first, and
//! what it says counts only once it is verified.

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::{Number, Value};

use super::{Algorithm, KeySet};
use crate::person::upstream::IdToken;
use crate::refusal::No;
use crate::secret::Digest;
use crate::time::UnixTime;

/// The longest token that is looked at, in bytes. Those of Google have about 1,200.
pub(super) const JWT_BYTES_MAX: usize = 8 * 1024;
/// The clocks of two servers may differ so much. RFC 7519 §4.1.4: "Implementers MAY provide for some small leeway, usually
/// no more than a few minutes, to account for clock skew."
pub(crate) const LEEWAY_S: u64 = 30;
/// A token that was made longer ago is refused, whatever it says about its end. OpenID Connect Core §3.1.3.7: "The iat Claim
/// can be used to reject tokens that were issued too far away from the current time".
const AGE_S_MAX: u64 = 24 * 60 * 60;
/// The time of an authentication that was none.
const LONG_AGO: UnixTime = UnixTime(1);
/// OpenID Connect Core §2: "It MUST NOT exceed 255 ASCII characters in length."
const SUBJECT_BYTES_MAX: usize = 255;

/// A token that was read, and not yet verified.
#[derive(Clone)]
pub struct Jwt {
    text: String,
    /// Where the signature begins in `text`, behind the second dot.
    signature_at: usize,
    algorithm: Algorithm,
    kid: Option<String>,
    claims: Claims,
}

/// Neither the token nor what it says about a person.
impl std::fmt::Debug for Jwt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Jwt({:?}, {:?})", self.algorithm, self.kid)
    }
}

/// What a token must be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Who must have made it.
    pub issuer: &'a str,
    /// For whom: this server's own client identifier there.
    pub client_id: &'a str,
    /// Of which authentication request, where this server made one.
    pub nonce: Option<&'a str>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

#[derive(Clone, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: Number,
    iat: Number,
    nbf: Option<Number>,
    nonce: Option<String>,
    auth_time: Option<Value>,
    email: Option<String>,
    email_verified: Option<Value>,
    /// Google's word for the domain that the account is managed by.
    hd: Option<String>,
    name: Option<String>,
}

/// Does the issuer know whose the address is today? Google says that an address was verified once; whose it is now it knows
/// only of its own addresses, and of those of domains that it manages.
fn is_authority(issuer: &str, hd: Option<&str>, email: &str) -> bool {
    if issuer != "https://accounts.google.com" {
        return true;
    }
    let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain).to_ascii_lowercase();
    domain == "gmail.com" || hd.is_some_and(|hd| hd.eq_ignore_ascii_case(&domain))
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    /// OpenID Connect Core §3.1.3.7, 3: the token "MUST be rejected if the ID Token does not list the Client as a valid
    /// audience, or if it contains additional audiences not trusted by the Client." This client trusts no other.
    fn is_only(&self, client_id: &str) -> bool {
        match self {
            Self::One(own) => own == client_id,
            Self::Several(all) => !all.is_empty() && all.iter().all(|own| own == client_id),
        }
    }
}

impl Jwt {
    /// Takes a token apart.
    ///
    /// # Errors
    /// [`No::AssertionMalformed`] when it is no JWT with the claims that it must have, [`No::AssertionAlgorithmRefused`].
    pub fn read(text: String) -> Result<Self, No> {
        let malformed = No::AssertionMalformed;
        if text.len() > JWT_BYTES_MAX {
            return Err(malformed);
        }
        let signature_at = text.rfind('.').ok_or(malformed)? + 1;
        let (header, claims) = text[..signature_at - 1].split_once('.').ok_or(malformed)?;
        // A third dot would be in the claims, where base64url has none.
        let header: Header = part(header)?;
        let claims: Claims = part(claims)?;
        // RFC 7515 §4.1.11: "If any of the listed extension Header Parameters are not understood and supported by the
        // recipient, then the JWS is invalid." None is understood here.
        if header.crit.is_some() {
            return Err(malformed);
        }
        // RFC 8725 §3.11: a token of another kind is not an ID token, though its signature may be right.
        if header.typ.is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
            return Err(malformed);
        }
        if claims.sub.is_empty() || claims.sub.len() > SUBJECT_BYTES_MAX || !claims.sub.is_ascii() {
            return Err(malformed);
        }
        let algorithm = Algorithm::from_name(&header.alg).ok_or(No::AssertionAlgorithmRefused)?;
        Ok(Self { signature_at, algorithm, kid: header.kid, claims, text })
    }

    /// The name of the key that signed it, as it says itself.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The digest of what is signed. The signature is left out: some kinds have more than one that is right.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.signed().as_bytes())
    }

    fn signed(&self) -> &str {
        &self.text[..self.signature_at - 1]
    }

    /// About whom it is, as it says itself: a key to look for a row, and nothing to rely on.
    #[must_use]
    pub fn unverified_subject(&self) -> &str {
        &self.claims.sub
    }

    /// The e-mail address, as it says itself: a key to look for a row, and nothing to rely on. An address that nobody can be
    /// found by is none: the store compares names in lower case, and there `\u{212a}` (the Kelvin sign) is a `k`.
    #[must_use]
    pub fn unverified_email(&self) -> Option<&str> {
        self.claims.email.as_deref().filter(|email| is_address(email))
    }

    /// Verifies it, OpenID Connect Core §3.1.3.7, and says what it says.
    ///
    /// # Errors
    /// One of the `Assertion…` refusals, all of which tell the client the same.
    pub fn verify(&self, keys: &KeySet, expected: &Expected<'_>, now: UnixTime) -> Result<IdToken, No> {
        let claims = &self.claims;
        let mut candidates = keys.candidates(self.kid(), self.algorithm).peekable();
        candidates.peek().ok_or(No::AssertionKeyUnknown)?;
        let (message, signature) = (self.signed().as_bytes(), &self.text[self.signature_at..]);
        // The signature comes first: what is not signed says nothing, not even who made it.
        if !candidates.any(|key| key.has_signed(message, signature)) {
            return Err(No::AssertionForged);
        }
        // OpenID Connect Core §3.1.3.7, 2: "The Issuer Identifier for the OpenID Provider […] MUST exactly match the value
        // of the iss (issuer) Claim."
        if claims.iss != expected.issuer {
            return Err(No::AssertionOfOtherIssuer);
        }
        // 5: "if an azp (authorized party) Claim is present, the Client SHOULD verify that its client_id is the Claim Value".
        let is_authorized = claims.azp.as_ref().is_none_or(|azp| azp == expected.client_id);
        if !claims.aud.is_only(expected.client_id) || !is_authorized {
            return Err(No::AssertionForOther);
        }
        let ends_at = self.check_time(now)?;
        // 11: "If a nonce value was sent in the Authentication Request, a nonce Claim MUST be present and its value checked".
        if expected.nonce.is_some_and(|nonce| claims.nonce.as_deref() != Some(nonce)) {
            return Err(No::AssertionNonceWrong);
        }
        let email = claims.email.clone().filter(|email| is_address(email));
        let is_email_foreign = claims.email.as_deref().is_some_and(|email| !email.is_ascii());
        let email_verified = email.is_some() && claims.email_verified == Some(Value::Bool(true));
        let has_authority =
            email.as_deref().is_some_and(|email| is_authority(&claims.iss, claims.hd.as_deref(), email));
        Ok(IdToken {
            issuer: claims.iss.clone(),
            subject: claims.sub.clone(),
            email_verified,
            is_email_current: email_verified && has_authority,
            is_email_foreign,
            email,
            hosted_domain: claims.hd.clone(),
            auth_time: self.auth_time(now),
            ends_at,
            name: claims.name.as_deref().and_then(crate::names::cleaned),
        })
    }

    /// When the issuer authenticated the person, OpenID Connect Core §2; `None` if it does not say so. What is no time that has
    /// been counts as long ago: whoever says it proves nothing.
    fn auth_time(&self, now: UnixTime) -> Option<UnixTime> {
        let said = match self.claims.auth_time.as_ref()? {
            Value::Number(said) => seconds(said),
            _ => None,
        };
        // A clock that is a little ahead is no lie; here nothing was ever proven later than now.
        let at = said.filter(|at| at.0 > 0 && *at <= now.plus(LEEWAY_S)).map(|at| at.min(now));
        Some(at.unwrap_or(LONG_AGO))
    }

    /// Gives the time from which on it is too old.
    fn check_time(&self, now: UnixTime) -> Result<UnixTime, No> {
        let claims = &self.claims;
        let time = |number: &Number| seconds(number).ok_or(No::AssertionMalformed);
        let (exp, iat) = (time(&claims.exp)?, time(&claims.iat)?);
        // RFC 7519 §4.1.4: the "exp" claim is the time "on or after which the JWT MUST NOT be accepted for processing".
        let ends_at = exp.plus(LEEWAY_S).min(iat.plus(AGE_S_MAX));
        if now.is_past(ends_at) {
            return Err(No::AssertionExpired);
        }
        // RFC 7519 §4.1.5: the "nbf" claim is the time "before which the JWT MUST NOT be accepted for processing".
        let begins = claims.nbf.as_ref().map(time).transpose()?.map_or(iat, |nbf| nbf.max(iat));
        if begins > now.plus(LEEWAY_S) { Err(No::AssertionTooEarly) } else { Ok(ends_at) }
    }
}

/// A part of a token: base64url without padding, and in it a JSON object. RFC 7515 §4: "The Header Parameter names within
/// the JOSE Header MUST be unique"; those that are read here must be.
fn part<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, No> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| No::AssertionMalformed)?;
    // A list would fit the members of a struct in their order.
    if bytes.first() != Some(&b'{') {
        return Err(No::AssertionMalformed);
    }
    serde_json::from_slice(&bytes).map_err(|_| No::AssertionMalformed)
}

/// RFC 7519 §2, NumericDate: a number of seconds, which may have a fraction.
fn seconds(number: &Number) -> Option<UnixTime> {
    const LATEST: f64 = 1e12;
    let whole = number.as_i64().or_else(|| {
        let float = number.as_f64().filter(|float| (0.0..LATEST).contains(float))?;
        #[expect(clippy::cast_possible_truncation, reason = "it is between 0 and 10^12")]
        Some(float as i64)
    })?;
    (whole >= 0).then_some(UnixTime(whole))
}

/// Returns true if this can be somebody's e-mail address here. RFC 5321 §4.5.3.1.3 ends it after 254 bytes.
///
/// Addresses outside of ASCII (RFC 6531) are not taken, and nothing is normalised before that is decided. Several of them
/// become the ASCII address of somebody else in lower case or in a normal form: `\u{212a}`, `\u{17f}`, full-width letters.
fn is_address(text: &str) -> bool {
    text.len() <= 254
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
}

#[cfg(test)]
mod authority_tests {
    use super::is_authority;

    #[test]
    fn google_is_no_authority_for_addresses_of_others() {
        let google = "https://accounts.google.com";
        assert!(is_authority(google, None, "alice@gmail.com"));
        assert!(is_authority(google, Some("corp.example"), "alice@Corp.example"));
        assert!(!is_authority(google, None, "alice@corp.example"));
        assert!(!is_authority(google, Some("other.example"), "alice@corp.example"));
        assert!(is_authority("https://id.corp.example", None, "alice@corp.example"));
    }
}
