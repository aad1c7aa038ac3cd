//! ID tokens of an upstream identity provider, OpenID Connect Core §2: how they are verified, and what they say.

use serde::Deserialize;
use serde_json::Value;

use crate::jose::{self, Flaw, Jwt, KeySet, Registered};
use crate::refusal::No;
use crate::secret::Digest;
use crate::time::UnixTime;

/// The clocks of the identity provider and of this server may differ by so many seconds.
pub(crate) const LEEWAY_S: u64 = 30;
/// A token that was made longer ago is refused, whatever it says about its end. OpenID Connect Core §3.1.3.7: "The iat Claim
/// can be used to reject tokens that were issued too far away from the current time".
const AGE_S_MAX: u64 = 24 * 60 * 60;
/// The time of an authentication that was none.
const LONG_AGO: UnixTime = UnixTime(1);
/// OpenID Connect Core §2: "It MUST NOT exceed 255 ASCII characters in length."
const SUBJECT_BYTES_MAX: usize = 255;
/// The media type of an ID token, in the `typ` of its header.
const TYP: &str = "JWT";

/// What a verified ID token says.
#[derive(Clone, PartialEq, Eq)]
pub struct IdToken {
    /// Who says it.
    pub issuer: String,
    /// About whom: never reassigned there.
    pub subject: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// Was the address verified by the issuer, at some time?
    pub email_verified: bool,
    /// Does the issuer know that the address is still this person's? Only then is it worth an account.
    pub is_email_current: bool,
    /// True if the token has an address with characters outside of ASCII. [`IdToken::email`] is `None` then.
    pub is_email_foreign: bool,
    /// The domain that manages the account, as Google says it (`hd`).
    pub hosted_domain: Option<String>,
    /// When the issuer authenticated the person, if it says so. Never a time to come.
    pub auth_time: Option<UnixTime>,
    /// The name to show.
    pub name: Option<String>,
    /// From then on it is too old.
    pub ends_at: UnixTime,
}

/// Shows the user's identifier alone, and no personal data.
impl std::fmt::Debug for IdToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdToken").field("issuer", &self.issuer).field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// An ID token that was read and not yet verified.
#[derive(Clone, Debug)]
pub struct UnverifiedIdToken(Jwt<Claims>);

/// What an ID token must be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The identity provider that must have made it.
    pub issuer: &'a str,
    /// This server's client identifier there.
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
    /// The domain that manages the account, in the word of Google.
    hd: Option<String>,
    name: Option<String>,
}

/// The refusal of a token with this flaw.
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
    /// Reads an ID token.
    ///
    /// # Errors
    /// [`No::AssertionMalformed`] if the text is no JWT with the claims that an ID token must have,
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

    /// The name of the key that signed the token, as the token says.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.0.kid()
    }

    /// The digest of the signed part of the token.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.0.digest()
    }

    /// The subject, as the token says: a key to look for a row, and nothing to rely on.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.0.registered().sub.as_deref().unwrap_or_default()
    }

    /// The e-mail address, as the token says: a key to look for a row, and nothing to rely on. An address by which nobody can
    /// be found is none: the store compares names in lower case, and there `\u{212a}` (the Kelvin sign) is a `k`.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.0.claims().email.as_deref().filter(|email| is_address(email))
    }

    /// Verifies the token, OpenID Connect Core §3.1.3.7, and gives what it says.
    ///
    /// # Errors
    /// One of the `Assertion…` refusals, all of which tell the client the same.
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

/// The time at which the identity provider authenticated the user, from the `auth_time` claim of OpenID Connect Core §2. A
/// value that is no time of the past counts as long ago: it proves nothing.
fn auth_time(said: &Value, now: UnixTime) -> UnixTime {
    let said = match said {
        Value::Number(said) => jose::seconds(said),
        _ => None,
    };
    // A clock that is a little ahead is no lie; here nothing was ever proven later than now.
    let at = said.filter(|at| at.0 > 0 && *at <= now.plus(LEEWAY_S)).map(|at| at.min(now));
    at.unwrap_or(LONG_AGO)
}

/// True if the issuer knows whose the address is today. Google says that an address was verified once. It knows whose the
/// address is now only of its own addresses, and of those of domains that it manages.
fn is_authority(issuer: &str, hd: Option<&str>, email: &str) -> bool {
    if issuer != "https://accounts.google.com" {
        return true;
    }
    let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain).to_ascii_lowercase();
    domain == "gmail.com" || hd.is_some_and(|hd| hd.eq_ignore_ascii_case(&domain))
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
mod tests;
