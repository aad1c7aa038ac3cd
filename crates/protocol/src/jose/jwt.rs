//! Signed JWTs, RFC 7519. The registered claims are compared with the values that the caller expects. Other claims are
//! for the caller to check.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Number;

use super::jwk::KeySet;
use super::jws::{Flaw, Jws};
use crate::secret::Digest;
use crate::time::UnixTime;

/// A token that was parsed but not yet verified. `C` are the claims that the caller reads besides the registered ones.
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

/// The registered claims of RFC 7519 §4.1 that are read. The caller decides which of them are required.
#[derive(Clone, Debug, Deserialize)]
pub struct Registered {
    /// The issuer (`iss`).
    pub iss: Option<String>,
    /// The subject.
    pub sub: Option<String>,
    /// The audience.
    pub aud: Option<Audience>,
    /// The expiry time (`exp`).
    pub exp: Option<Number>,
    /// The time at which the token was issued (`iat`).
    pub iat: Option<Number>,
    /// The time before which the token is not valid (`nbf`).
    pub nbf: Option<Number>,
}

/// The `aud` claim, RFC 7519 §4.1.3.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// A single audience.
    One(String),
    /// A list of audiences.
    Several(Vec<String>),
}

/// The values that a caller expects of a token.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The issuer (`iss`).
    pub issuer: &'a str,
    /// The only audience (`aud`).
    pub audience: &'a str,
    /// Accepted difference between the clocks of issuer and recipient, in seconds. RFC 7519 §4.1.4: "Implementers MAY
    /// provide for some small leeway, usually no more than a few minutes, to account for clock skew."
    pub leeway_s: u64,
    /// Maximum age of the token by its `iat` claim, in seconds, whatever its `exp` claim says.
    pub age_s_max: u64,
}

impl Audience {
    /// Returns true if the claim names `audience` and no other. OpenID Connect Core §3.1.3.7, 3: the token "MUST be
    /// rejected if the ID Token does not list the Client as a valid audience, or if it contains additional audiences
    /// not trusted by the Client."
    #[must_use]
    pub fn is_only(&self, audience: &str) -> bool {
        self.is_among(|own| own == audience)
    }

    /// Returns true if the claim names `audience`, perhaps beside others.
    #[must_use]
    pub fn includes(&self, audience: &str) -> bool {
        match self {
            Self::One(own) => own == audience,
            Self::Several(all) => all.iter().any(|own| own == audience),
        }
    }

    /// Returns true if the claim names at least one audience, and `is_ours` returns true for each.
    #[must_use]
    pub fn is_among(&self, is_ours: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::One(own) => is_ours(own),
            Self::Several(all) => !all.is_empty() && all.iter().all(|own| is_ours(own)),
        }
    }
}

impl<C: DeserializeOwned> Jwt<C> {
    /// Parses a token whose header has the media type `typ`, or none.
    ///
    /// # Errors
    /// [`Flaw::Malformed`], [`Flaw::AlgorithmRefused`].
    pub fn read(text: String, typ: &str) -> Result<Self, Flaw> {
        Self::of(Jws::read(text, typ)?)
    }

    /// Parses the claims of a message.
    ///
    /// # Errors
    /// [`Flaw::Malformed`].
    pub fn of(jws: Jws) -> Result<Self, Flaw> {
        let (registered, claims) = (jws.payload()?, jws.payload()?);
        Ok(Self { jws, registered, claims })
    }
}

impl<C> Jwt<C> {
    /// Returns the `kid` of the unverified header.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.jws.kid()
    }

    /// Returns the message, to check its signature.
    #[must_use]
    pub fn jws(&self) -> &Jws {
        &self.jws
    }

    /// Returns the digest of the signed part, as [`Jws::digest`] does.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.jws.digest()
    }

    /// Returns the registered claims. Do not trust them before [`Jwt::verify`].
    #[must_use]
    pub fn registered(&self) -> &Registered {
        &self.registered
    }

    /// Returns the caller's own claims. Do not trust them before [`Jwt::verify`].
    #[must_use]
    pub fn claims(&self) -> &C {
        &self.claims
    }

    /// Verifies the token. Returns the time from which it has expired, including the leeway.
    ///
    /// # Errors
    /// The first flaw.
    pub fn verify(&self, keys: &KeySet, expected: &Expected<'_>, now: UnixTime) -> Result<UnixTime, Flaw> {
        // Check the signature first. Without it, not even the issuer is known.
        self.jws.check_signature(keys)?;
        if self.registered.iss.as_deref() != Some(expected.issuer) {
            return Err(Flaw::OtherIssuer);
        }
        if !self.registered.aud.as_ref().is_some_and(|aud| aud.is_only(expected.audience)) {
            return Err(Flaw::OtherAudience);
        }
        self.registered.check_time(expected.leeway_s, expected.age_s_max, now)
    }
}

impl Registered {
    /// As [`Registered::check_time`], for a message that need not expire.
    ///
    /// # Errors
    /// As [`Registered::check_time`].
    pub fn check_time_if_said(&self, leeway_s: u64, now: UnixTime) -> Result<(), Flaw> {
        let exp = self.exp.clone().or_else(|| Some(Number::from(u32::MAX)));
        Self { exp, ..self.clone() }.check_time(leeway_s, u64::MAX, now).map(drop)
    }

    /// Compares the claims `exp`, `iat` and `nbf` with the current time. Returns the time from which the token has expired,
    /// including the leeway. `leeway_s` and `age_s_max` are as in [`Expected`].
    ///
    /// # Errors
    /// [`Flaw::Malformed`], [`Flaw::Expired`], [`Flaw::TooEarly`].
    pub fn check_time(&self, leeway_s: u64, age_s_max: u64, now: UnixTime) -> Result<UnixTime, Flaw> {
        let time = |number: &Option<Number>| match number {
            Some(number) => seconds(number).map(Some).ok_or(Flaw::Malformed),
            None => Ok(None),
        };
        let Self { exp, iat, nbf, .. } = self;
        let (exp, iat) = (time(exp)?.ok_or(Flaw::Malformed)?, time(iat)?);
        // RFC 7519 §4.1.4: the "exp" claim is the time "on or after which the JWT MUST NOT be accepted for processing".
        let end = exp.plus(leeway_s);
        let ends_at = iat.map_or(end, |iat| end.min(iat.plus(age_s_max)));
        if now.is_past(ends_at) {
            return Err(Flaw::Expired);
        }
        // RFC 7519 §4.1.5: the "nbf" claim is the time "before which the JWT MUST NOT be accepted for processing".
        let begins = time(nbf)?.max(iat);
        let is_early = begins.is_some_and(|begins| begins > now.plus(leeway_s));
        if is_early { Err(Flaw::TooEarly) } else { Ok(ends_at) }
    }
}

/// Converts a NumericDate of RFC 7519 §2: a number of seconds, which may have a fraction.
pub(crate) fn seconds(number: &Number) -> Option<UnixTime> {
    const LATEST: f64 = 1e12;
    let whole = number.as_i64().or_else(|| {
        let float = number.as_f64().filter(|float| (0.0..LATEST).contains(float))?;
        #[expect(clippy::cast_possible_truncation, reason = "it is between 0 and 10^12")]
        Some(float as i64)
    })?;
    (whole >= 0).then_some(UnixTime(whole))
}
