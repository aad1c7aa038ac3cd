//! ID tokens of an upstream identity provider, OpenID Connect Core §2: their verification and their claims.

use serde::Deserialize;
use serde_json::Value;

use crate::jose::{self, Flaw, Jwt, KeySet, Registered};
use crate::refusal::No;
use crate::secret::Digest;
use crate::time::UnixTime;

/// Accepted difference between the clocks of the identity provider and this server, in seconds.
pub(crate) const LEEWAY_S: u64 = 30;
/// Maximum age of an ID token by its `iat` claim, in seconds, whatever its `exp` claim says. OpenID Connect Core
/// §3.1.3.7: "The iat Claim can be used to reject tokens that were issued too far away from the current time".
const AGE_S_MAX: u64 = 24 * 60 * 60;
/// Replaces an `auth_time` that proves nothing. It is too old for every demand.
const LONG_AGO: UnixTime = UnixTime(1);
/// Maximum length of a `sub` claim. OpenID Connect Core §2: "It MUST NOT exceed 255 ASCII characters in length."
const SUBJECT_BYTES_MAX: usize = 255;
/// The media type of an ID token, in the `typ` of its header.
const TYP: &str = "JWT";

/// The claims of a verified ID token.
#[derive(Clone, PartialEq, Eq)]
pub struct IdToken {
    /// The issuer identifier of the identity provider (`iss`).
    pub issuer: String,
    /// The user's identifier at the identity provider (`sub`), which is never reassigned there.
    pub subject: String,
    /// The user's e-mail address (`email`), if it has only ASCII characters.
    pub email: Option<String>,
    /// True if the identity provider verified the address at some time (`email_verified`).
    pub email_verified: bool,
    /// True if the identity provider knows that the address still belongs to this user. Only then may the address lead
    /// to an account.
    pub is_email_current: bool,
    /// True if the token has an address with characters outside of ASCII. [`IdToken::email`] is `None` then.
    pub is_email_foreign: bool,
    /// The domain that manages the account, by Google's claim `hd`.
    pub hosted_domain: Option<String>,
    /// The time at which the identity provider authenticated the user (`auth_time`), if it says so. Never in the
    /// future.
    pub auth_time: Option<UnixTime>,
    /// The user's display name (`name`).
    pub name: Option<String>,
    /// The time from which the token is refused as expired.
    pub ends_at: UnixTime,
}

/// Shows the user's identifier alone, and no personal data.
impl std::fmt::Debug for IdToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdToken").field("issuer", &self.issuer).field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// An ID token that was parsed but not yet verified.
#[derive(Clone, Debug)]
pub struct UnverifiedIdToken(Jwt<Claims>);

/// What an ID token is verified against.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The issuer identifier that the token must have.
    pub issuer: &'a str,
    /// The client identifier of this server at the identity provider.
    pub client_id: &'a str,
    /// The nonce of the authentication request, if this server made one.
    pub nonce: Option<&'a str>,
}

#[derive(Clone, Deserialize)]
struct Claims {
    azp: Option<String>,
    nonce: Option<String>,
    auth_time: Option<Value>,
    email: Option<String>,
    email_verified: Option<Value>,
    /// Google's claim for the domain that manages the account.
    hd: Option<String>,
    name: Option<String>,
}

/// Returns the refusal for a token with this flaw.
fn refused(flaw: Flaw) -> No {
    match flaw {
        Flaw::Malformed => No::AssertionMalformed,
        Flaw::AlgorithmRefused => No::AssertionAlgorithmRefused,
        Flaw::KeyUnknown => No::AssertionKeyUnknown,
        Flaw::Forged => No::AssertionForged,
        Flaw::OtherIssuer => No::AssertionOfOtherIssuer,
        Flaw::OtherAudience => No::AssertionForOther,
        Flaw::Expired => No::AssertionExpired,
        Flaw::TooEarly => No::AssertionTooEarly,
    }
}

impl UnverifiedIdToken {
    /// Parses an ID token without verifying it.
    ///
    /// # Errors
    /// [`No::AssertionMalformed`] if the text is not a JWT with the claims that an ID token must have;
    /// [`No::AssertionAlgorithmRefused`].
    pub fn read(text: String) -> Result<Self, No> {
        let jwt = Jwt::read(text, TYP).map_err(refused)?;
        let Registered { iss: Some(_), sub: Some(subject), aud: Some(_), exp: Some(_), iat: Some(_), .. } =
            jwt.registered()
        else {
            return Err(No::AssertionMalformed);
        };
        if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX || !subject.is_ascii() {
            return Err(No::AssertionMalformed);
        }
        Ok(Self(jwt))
    }

    /// Returns the identifier of the signing key (`kid`), as the unverified token names it.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.0.kid()
    }

    /// Returns the digest of the signed part of the token.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.0.digest()
    }

    /// Returns the `sub` claim of the unverified token. Use it only to look up a row.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.0.registered().sub.as_deref().unwrap_or_default()
    }

    /// Returns the `email` claim of the unverified token. Use it only to look up a row. `None` for an address outside
    /// of ASCII: the store compares names in lower case, and `\u{212a}` (the Kelvin sign) becomes `k` there.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.0.claims().email.as_deref().filter(|email| is_address(email))
    }

    /// Verifies the token, OpenID Connect Core §3.1.3.7, and returns its claims.
    ///
    /// # Errors
    /// One of the `Assertion…` refusals, which all have the same text for the client.
    pub fn verify(&self, keys: &KeySet, expected: &Expected<'_>, now: UnixTime) -> Result<IdToken, No> {
        let (jwt, claims) = (&self.0, self.0.claims());
        // 2: "The Issuer Identifier for the OpenID Provider […] MUST exactly match the value of the iss (issuer) Claim."
        let registered = jose::Expected {
            issuer: expected.issuer,
            audience: expected.client_id,
            leeway_s: LEEWAY_S,
            age_s_max: AGE_S_MAX,
        };
        let ends_at = jwt.verify(keys, &registered, now).map_err(refused)?;
        // 5: "if an azp (authorized party) Claim is present, the Client SHOULD verify that its client_id is the Claim Value".
        if claims.azp.as_ref().is_some_and(|azp| azp != expected.client_id) {
            return Err(No::AssertionForOther);
        }
        // 11: "If a nonce value was sent in the Authentication Request, a nonce Claim MUST be present and its value checked".
        if expected.nonce.is_some_and(|nonce| claims.nonce.as_deref() != Some(nonce)) {
            return Err(No::AssertionNonceWrong);
        }
        let email = self.email().map(ToOwned::to_owned);
        let is_email_foreign = claims.email.as_deref().is_some_and(|email| !email.is_ascii());
        let email_verified = email.is_some() && claims.email_verified == Some(Value::Bool(true));
        let has_authority =
            email.as_deref().is_some_and(|email| is_authority(expected.issuer, claims.hd.as_deref(), email));
        Ok(IdToken {
            issuer: expected.issuer.to_owned(),
            subject: self.subject().to_owned(),
            email_verified,
            is_email_current: email_verified && has_authority,
            is_email_foreign,
            email,
            hosted_domain: claims.hd.clone(),
            auth_time: claims.auth_time.as_ref().map(|said| auth_time(said, now)),
            ends_at,
            name: claims.name.as_deref().and_then(crate::names::cleaned),
        })
    }
}

/// Reads the `auth_time` claim, OpenID Connect Core §2: the time at which the identity provider authenticated the user.
/// A value that is not a past time becomes [`LONG_AGO`], because it proves nothing.
fn auth_time(said: &Value, now: UnixTime) -> UnixTime {
    let said = match said {
        Value::Number(said) => jose::seconds(said),
        _ => None,
    };
    // Accept a time slightly in the future, because the clock of the identity provider may be ahead, but return at most
    // `now`.
    let at = said.filter(|at| at.0 > 0 && *at <= now.plus(LEEWAY_S)).map(|at| at.min(now));
    at.unwrap_or(LONG_AGO)
}

/// Returns true if the identity provider knows who owns the address today. Google only says that an address was
/// verified once. It knows the present owner only for its own addresses, and for those of domains that it manages.
fn is_authority(issuer: &str, hd: Option<&str>, email: &str) -> bool {
    if issuer != "https://accounts.google.com" {
        return true;
    }
    let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain).to_ascii_lowercase();
    domain == "gmail.com" || hd.is_some_and(|hd| hd.eq_ignore_ascii_case(&domain))
}

/// Returns true if the text can be the e-mail address of an account. RFC 5321 §4.5.3.1.3 limits it to 254 bytes.
///
/// Addresses outside of ASCII (RFC 6531) are refused before anything is normalised. In lower case or in a normal form,
/// some of them become the ASCII address of another user: `\u{212a}`, `\u{17f}`, full-width letters.
fn is_address(text: &str) -> bool {
    text.len() <= 254
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
}

#[cfg(test)]
mod tests;
