//! Signed JWTs, RFC 7519: the registered claims, which are compared with what a caller expects, and the caller's own.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Number;

use super::jwk::KeySet;
use super::jws::{Flaw, Jws};
use crate::secret::Digest;
use crate::time::UnixTime;

/// A token that was read and not yet verified. `C` are the claims that the caller knows beside the registered ones.
#[derive(Clone)]
pub struct Jwt<C> {
    jws: Jws,
    registered: Registered,
    claims: C,
}

/// Shows the header alone: the claims may be personal data.
impl<C> std::fmt::Debug for Jwt<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Jwt({:?})", self.jws)
    }
}

/// The registered claims of RFC 7519 §4.1 that are read here. Which of them a token must have is for the caller to say.
#[derive(Clone, Debug, Deserialize)]
pub struct Registered {
    /// The issuer.
    pub iss: Option<String>,
    /// The subject.
    pub sub: Option<String>,
    /// The audience.
    pub aud: Option<Audience>,
    /// The end of the token's life.
    pub exp: Option<Number>,
    /// The time at which the token was made.
    pub iat: Option<Number>,
    /// The beginning of the token's life.
    pub nbf: Option<Number>,
}

/// The `aud` claim, RFC 7519 §4.1.3.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// One audience.
    One(String),
    /// A list.
    Several(Vec<String>),
}

/// What a caller expects of a token.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The issuer.
    pub issuer: &'a str,
    /// The only audience.
    pub audience: &'a str,
    /// By how many seconds the clocks of issuer and recipient may differ. RFC 7519 §4.1.4: "Implementers MAY provide for some
    /// small leeway, usually no more than a few minutes, to account for clock skew."
    pub leeway_s: u64,
    /// The greatest age of the token in seconds, whatever it says about its end.
    pub age_s_max: u64,
}

impl Audience {
    /// True if the list names `audience` and no other. OpenID Connect Core §3.1.3.7, 3: the token "MUST be rejected if the ID
    /// Token does not list the Client as a valid audience, or if it contains additional audiences not trusted by the Client."
    fn is_only(&self, audience: &str) -> bool {
        match self {
            Self::One(own) => own == audience,
            Self::Several(all) => !all.is_empty() && all.iter().all(|own| own == audience),
        }
    }
}

impl<C: DeserializeOwned> Jwt<C> {
    /// Reads a token whose header names the media type `typ`, or none.
    ///
    /// # Errors
    /// [`Flaw::Malformed`], [`Flaw::AlgorithmRefused`].
    pub fn read(text: String, typ: &str) -> Result<Self, Flaw> {
        let jws = Jws::read(text, typ)?;
        let (registered, claims) = (jws.payload()?, jws.payload()?);
        Ok(Self { jws, registered, claims })
    }
}

impl<C> Jwt<C> {
    /// The name of the key that signed the token, as the token says.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.jws.kid()
    }

    /// The digest of the signed part, as [`Jws::digest`].
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.jws.digest()
    }

    /// The registered claims. Before [`Jwt::verify`] they are worth no more than any other text of a stranger's.
    #[must_use]
    pub fn registered(&self) -> &Registered {
        &self.registered
    }

    /// The caller's own claims, of which the same holds.
    #[must_use]
    pub fn claims(&self) -> &C {
        &self.claims
    }

    /// Verifies the token, and gives the time from which on it is too old.
    ///
    /// # Errors
    /// The first flaw.
    pub fn verify(&self, keys: &KeySet, expected: &Expected<'_>, now: UnixTime) -> Result<UnixTime, Flaw> {
        // The signature comes first: what is not signed says nothing, not even who made it.
        self.jws.check_signature(keys)?;
        if self.registered.iss.as_deref() != Some(expected.issuer) {
            return Err(Flaw::OtherIssuer);
        }
        if !self.registered.aud.as_ref().is_some_and(|aud| aud.is_only(expected.audience)) {
            return Err(Flaw::OtherAudience);
        }
        self.check_time(expected, now)
    }

    fn check_time(&self, expected: &Expected<'_>, now: UnixTime) -> Result<UnixTime, Flaw> {
        let time = |number: &Option<Number>| match number {
            Some(number) => seconds(number).map(Some).ok_or(Flaw::Malformed),
            None => Ok(None),
        };
        let Registered { exp, iat, nbf, .. } = &self.registered;
        let (exp, iat) = (time(exp)?.ok_or(Flaw::Malformed)?, time(iat)?);
        // RFC 7519 §4.1.4: the "exp" claim is the time "on or after which the JWT MUST NOT be accepted for processing".
        let end = exp.plus(expected.leeway_s);
        let ends_at = iat.map_or(end, |iat| end.min(iat.plus(expected.age_s_max)));
        if now.is_past(ends_at) {
            return Err(Flaw::Expired);
        }
        // RFC 7519 §4.1.5: the "nbf" claim is the time "before which the JWT MUST NOT be accepted for processing".
        let begins = time(nbf)?.max(iat);
        let is_early = begins.is_some_and(|begins| begins > now.plus(expected.leeway_s));
        if is_early { Err(Flaw::TooEarly) } else { Ok(ends_at) }
    }
}

/// RFC 7519 §2, NumericDate: a number of seconds, which may have a fraction.
pub(crate) fn seconds(number: &Number) -> Option<UnixTime> {
    const LATEST: f64 = 1e12;
    let whole = number.as_i64().or_else(|| {
        let float = number.as_f64().filter(|float| (0.0..LATEST).contains(float))?;
        #[expect(clippy::cast_possible_truncation, reason = "it is between 0 and 10^12")]
        Some(float as i64)
    })?;
    (whole >= 0).then_some(UnixTime(whole))
}
