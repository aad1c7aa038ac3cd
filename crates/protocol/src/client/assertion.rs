//! Client authentication by an assertion: a JWT that the client signs with its private key (`private_key_jwt`), or with its
//! client secret as the key of an HMAC (`client_secret_jwt`). RFC 7521 §4.2, RFC 7523 §2.2 and §3, OpenID Connect Core §9.
//!
//! An assertion is good once. What depends on the assertion alone is checked first, so those refusals may name the fault.
//! Until the signature is verified, all others have the same text, which does not show whether a client exists.
//!
//! The keys of a client may lie at a URL (`jwks_uri`). Asking for them makes this server send a request before the client is
//! authenticated. The cache of outside documents limits that to one request for each registered URL in a minute.

use std::sync::Arc;

use serde::Deserialize;

use crate::client::keys;
use crate::client::registration::secret_digest;
use crate::crypto::keys::Keys;
use crate::identifiers;
use crate::jose::{Flaw, Jws, Jwt};
use crate::line::{Facts, Key, Turn, Wants, Write};
use crate::model::{AssertionAudience, AuthMethod, Client, ClientSecret, SealedSecret};
use crate::refusal::{No, Refusal};
use crate::secret::{Digest, Secret};
use crate::time::UnixTime;
use crate::wire::Param;

/// The value of `client_assertion_type`, RFC 7523 §2.2.
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The media types that the header of an assertion may name. Most libraries write the first one.
const MEDIA_TYPES: &[&str] = &["JWT", "client-authentication+jwt"];
/// Maximum time from now to the expiry of an assertion, in seconds: one hour, the default of the libraries with the longest
/// one. Used assertions are remembered for that long.
pub const LIFETIME_S_MAX: u64 = 60 * 60;
/// Accepted difference between the clocks of the client and this server, in seconds.
const LEEWAY_S: u64 = 30;
/// Maximum length of `jti`, in bytes.
const JTI_BYTES_MAX: usize = 512;
/// Minimum length of a client secret that is the key of an HMAC, in bytes.
const MAC_SECRET_BYTES_MIN: usize = 32;
/// The purpose under which the texts of client secrets are sealed.
const SECRET_PURPOSE: &str = "client secret";

/// An assertion that was parsed but not yet verified.
#[derive(Clone, Debug)]
pub(crate) struct ClientAssertion {
    jwt: Jwt<Claims>,
    client_id: String,
    /// Digest of the client identifier and `jti`.
    jti: Digest,
}

#[derive(Clone, Deserialize)]
struct Claims {
    jti: Option<String>,
}

/// Returns the client identifier that an unverified assertion claims, if the text is an assertion.
#[must_use]
pub fn claimed_client(text: &str) -> Option<String> {
    let jwt = Jwt::<Claims>::of(Jws::read_any(text.to_owned(), MEDIA_TYPES).ok()?).ok()?;
    jwt.registered().sub.clone().filter(|own| identifiers::id(own).is_ok())
}

impl ClientAssertion {
    /// Parses an assertion. `client_id` is the client that the request names beside it, if any.
    ///
    /// # Errors
    /// One of the `ClientAssertion…` refusals.
    pub(super) fn parse(text: String, kind: Option<&str>, client_id: Option<&str>) -> Result<Self, Refusal> {
        // RFC 7523 §2.2: 'The value of the "client_assertion_type" is
        // "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".'
        if kind != Some(TYPE) {
            return Err(Refusal::of(No::ClientAssertionTypeUnknown, Param::ClientAssertionType));
        }
        let no = |no| Refusal::of(no, Param::ClientAssertion);
        let jws = Jws::read_any(text, MEDIA_TYPES).map_err(|flaw| no(of_flaw(flaw)))?;
        let jwt = Jwt::<Claims>::of(jws).map_err(|flaw| no(of_flaw(flaw)))?;
        let claims = jwt.registered();
        // RFC 7523 §3: "For client authentication, the subject MUST be the "client_id" of the OAuth client." OpenID Connect
        // Core §9 says the same of `iss`.
        let subject =
            claims.sub.as_deref().filter(|own| identifiers::id(own).is_ok() && claims.iss.as_deref() == Some(own));
        let subject = subject.ok_or(no(No::ClientAssertionMalformed))?.to_owned();
        // RFC 7521 §4.2: the client_id "MUST identify the same client as is identified by the client assertion".
        if client_id.is_some_and(|named| named != subject) {
            return Err(no(No::ClientAssertionOfOther));
        }
        let jti = jwt.claims().jti.as_deref().filter(|own| (1..=JTI_BYTES_MAX).contains(&own.len()));
        let jti = jti.ok_or(no(No::ClientAssertionMalformed))?;
        let jti = Digest::of(format!("client assertion\0{subject}\0{jti}").as_bytes());
        Ok(Self { jwt, client_id: subject, jti })
    }

    /// Returns the client identifier that the assertion claims.
    pub(super) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The authentication method, by the algorithm in the header. A client that is not registered for it is refused.
    pub(super) fn method(&self) -> AuthMethod {
        if self.jwt.jws().has_mac() { AuthMethod::ClientSecretJwt } else { AuthMethod::PrivateKeyJwt }
    }

    /// Adds the key by which a used assertion is found.
    pub(super) fn want(&self, wants: &mut Wants) {
        wants.add(Key::UsedJti(self.jti));
    }

    /// Authenticates the client that the assertion claims; `None` if there is no such client.
    ///
    /// # Errors
    /// One of the `Client…` refusals.
    pub(super) fn verify<'f>(
        &self,
        client: Option<&'f Arc<Client>>,
        facts: &Facts,
        turn: &mut Turn<'_>,
    ) -> Result<&'f Arc<Client>, Refusal> {
        let ends_at = self.check_claims(turn)?;
        let client = client.ok_or(No::ClientUnknown)?;
        if client.is_disabled {
            return Err(No::ClientDisabled.into());
        }
        if !client.auth_methods.contains(&self.method()) {
            return Err(No::ClientAuthMethodRefused.into());
        }
        match self.method() {
            AuthMethod::ClientSecretJwt => self.check_mac(client, turn)?,
            _ => self.check_signature(client, turn)?,
        }
        let is_issuer = |aud: &str| aud == turn.policy.issuer;
        let names_endpoint = !self.jwt.registered().aud.as_ref().is_some_and(|aud| aud.is_among(is_issuer));
        if names_endpoint && client.assertion_audience == AssertionAudience::Issuer {
            return Err(wrong_audience(No::ClientAssertionForEndpoint, turn));
        }
        // OpenID Connect Core §9, jti: "A unique identifier for the token, which can be used to prevent reuse of the token.
        // These tokens MUST only be used once, unless conditions for reuse were negotiated between the parties".
        if facts.is_jti_used(self.jti) {
            return Err(Refusal::of(No::ClientAssertionReplayed, Param::ClientAssertion));
        }
        // ◆ Of two requests with the same assertion, the second is judged again and finds the assertion used.
        turn.write(Write::BurnJti { jti: self.jti, until: ends_at });
        Ok(client)
    }

    /// Checks the claims, except for what depends on the client. Returns the time from which the assertion has expired.
    fn check_claims(&self, turn: &Turn<'_>) -> Result<UnixTime, Refusal> {
        let no = |no| Refusal::of(no, Param::ClientAssertion);
        let claims = self.jwt.registered();
        // RFC 7523 §3: "The JWT MUST contain an "aud" (audience) claim containing a value that identifies the authorization
        // server as an intended audience." An audience that is not this server could present the assertion here.
        let is_ours =
            |aud: &str| aud == turn.policy.issuer || turn.policy.assertion_endpoints.iter().any(|own| own == aud);
        if !claims.aud.as_ref().is_some_and(|aud| aud.is_among(is_ours)) {
            return Err(wrong_audience(No::ClientAssertionForOther, turn));
        }
        // RFC 7523 §3: "The JWT MUST contain an "exp" (expiration time) claim that limits the time window during which the JWT
        // can be used. The authorization server MUST reject any JWT with an expiration time that has passed".
        let ends_at = claims.check_time(LEEWAY_S, LIFETIME_S_MAX, turn.now).map_err(|flaw| no(of_flaw(flaw)))?;
        // RFC 7523 §3: "The authorization server may reject JWTs with an "exp" claim value that is unreasonably far in the
        // future."
        let exp = claims.exp.as_ref().and_then(crate::jose::seconds).ok_or(no(No::ClientAssertionMalformed))?;
        if exp > turn.now.plus(LIFETIME_S_MAX + LEEWAY_S) {
            return Err(no(No::ClientAssertionTooLong));
        }
        Ok(ends_at)
    }

    /// Checks the signature with the public keys of the client.
    fn check_signature(&self, client: &Client, turn: &mut Turn<'_>) -> Result<(), No> {
        let jws = self.jwt.jws();
        let keys = keys::find(client, jws.kid(), turn).ok_or(No::ClientKeysUnavailable)?;
        jws.check_signature(&keys).map_err(|flaw| match flaw {
            Flaw::KeyUnknown => No::ClientKeyUnknown,
            _ => No::ClientAssertionForged,
        })
    }

    /// Checks the message authentication code with each secret whose text is kept.
    fn check_mac(&self, client: &Client, turn: &Turn<'_>) -> Result<(), No> {
        let mut texts = client.secrets.iter().filter_map(|own| kept_text(client, own, turn)).peekable();
        texts.peek().ok_or(No::ClientSecretNotKept)?;
        if texts.any(|text| self.jwt.jws().check_mac(&text).is_ok()) { Ok(()) } else { Err(No::ClientAssertionForged) }
    }
}

/// Keeps the text of a new client secret, sealed, if the client makes message authentication codes with it. Drops the texts of
/// secrets that the client no longer has.
///
/// # Errors
/// [`No::SecretTooShortToSign`].
pub(crate) fn keep_text(
    client: &mut Client,
    secret: &ClientSecret,
    text: &Secret,
    turn: &mut Turn<'_>,
) -> Result<(), No> {
    let live: Vec<Digest> = client.secrets.iter().map(secret_digest).collect();
    client.sealed_secrets.retain(|own| live.contains(&own.of));
    if !client.auth_methods.contains(&AuthMethod::ClientSecretJwt) {
        return Ok(());
    }
    // RFC 7518 §3.2: "A key of the same size as the hash output (for instance, 256 bits for "HS256") or larger MUST be used
    // with this algorithm."
    if text.reveal().len() < MAC_SECRET_BYTES_MIN {
        return Err(No::SecretTooShortToSign);
    }
    let sealed =
        turn.keys.keep(SECRET_PURPOSE, client.client_id.as_bytes(), text.reveal().as_bytes(), &mut turn.entropy);
    client.sealed_secrets.push(SealedSecret { of: secret_digest(secret), sealed });
    Ok(())
}

/// Seals the kept texts of a client's secrets with the keys of another master key. A text that does not open with the keys
/// `before` stays as it is: it is already sealed with the new ones, or lost.
pub(crate) fn reseal(client: &mut Client, before: &Keys, after: &Keys, turn: &mut Turn<'_>) {
    let context = client.client_id.as_bytes();
    for own in &mut client.sealed_secrets {
        if let Some(text) = before.open_kept(SECRET_PURPOSE, context, &own.sealed).map(zeroize::Zeroizing::new) {
            own.sealed = after.keep(SECRET_PURPOSE, context, &text, &mut turn.entropy);
        }
    }
}

/// Returns the text of a client secret, if it is kept.
fn kept_text(client: &Client, secret: &ClientSecret, turn: &Turn<'_>) -> Option<Secret> {
    let digest = secret_digest(secret);
    let own = client.sealed_secrets.iter().find(|own| own.of == digest)?;
    let text = turn.keys.open_kept(SECRET_PURPOSE, client.client_id.as_bytes(), &own.sealed)?;
    String::from_utf8(text).ok().map(Secret::new)
}

fn wrong_audience(no: No, turn: &Turn<'_>) -> Refusal {
    Refusal::of(no, Param::ClientAssertion).with_choices([turn.policy.issuer.as_str()])
}

/// The refusal of an assertion whose signature is not verified yet.
fn of_flaw(flaw: Flaw) -> No {
    match flaw {
        Flaw::AlgorithmRefused => No::ClientAssertionAlgorithm,
        Flaw::Expired => No::ClientAssertionExpired,
        Flaw::TooEarly => No::ClientAssertionEarly,
        Flaw::Malformed | Flaw::KeyUnknown | Flaw::Forged | Flaw::OtherIssuer | Flaw::OtherAudience => {
            No::ClientAssertionMalformed
        }
    }
}

#[cfg(test)]
mod tests;
