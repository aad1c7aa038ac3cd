//! Client authentication, RFC 6749 §2.3. It comes before codes and tokens are looked at, so that a wrong secret, or a
//! library that tries another method first, spends nothing.
//!
//! A generated secret has 256 random bits, and its digest is compared. An imported secret may be weak: its password
//! hash is stored, and attempts are limited ([`ClientAttemptLimits`]). The text and time of an answer do not show
//! whether a client exists and how its secret is stored: every failed attempt computes the same number of hashes.

use std::sync::Arc;

use crate::client::assertion::ClientAssertion;
use crate::client::attempts::ClientAttemptLimits;
use crate::client::recalled::{Proven, Recalled};
use crate::client::registration::{SECRETS_LIVE_MAX, secret_digest};
use crate::line::{Facts, Key, Turn, Wants, Write};
use crate::model::{AuthMethod, Client, ClientKind, ClientSecret, StoredSecret};
use crate::person::password;
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::secret::{Digest, Secret};
use crate::time::UnixTime;
use crate::wire::{Param, Params};

/// Precision of the stored last use of a client secret, in seconds: one hour. Each update costs a commit.
pub const SECRET_SEEN_EVERY_S: i64 = 60 * 60;

/// The client credentials of a request.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The claimed identifier.
    pub client_id: String,
    secret: Option<Secret>,
    /// The secret before form-decoding, if that changed it. Many libraries do not encode the secret in the header.
    raw_secret: Option<Secret>,
    /// An assertion in the place of a secret.
    assertion: Option<Box<ClientAssertion>>,
    method: AuthMethod,
}

impl Credentials {
    /// Takes the credentials from the `Authorization` header or from the parameters.
    ///
    /// # Errors
    /// [`No::ClientAuthTwice`], [`No::ClientIdsDiffer`], [`No::ClientMissing`], or a refusal of the assertion.
    pub fn parse(params: &mut Params) -> Result<Self, Refusal> {
        let in_body = params.take(Param::ClientSecret);
        let named = params.take(Param::ClientId);
        let kind = params.take(Param::ClientAssertionType);
        if let Some(text) = params.take(Param::ClientAssertion) {
            // RFC 6749 §2.3: "The client MUST NOT use more than one authentication method in each request."
            if in_body.is_some() || params.basic.take().is_some() {
                return Err(No::ClientAssertionBesideSecret.into());
            }
            // RFC 7521 §4.2: the client_id "is unnecessary for client assertion authentication because the client is
            // identified by the subject within the assertion."
            let assertion = ClientAssertion::parse(text, kind.as_deref(), named.as_deref())?;
            let (client_id, method) = (assertion.client_id().to_owned(), assertion.method());
            return Ok(Self {
                client_id,
                secret: None,
                raw_secret: None,
                assertion: Some(Box::new(assertion)),
                method,
            });
        }
        let Some(basic) = params.basic.take() else {
            let client_id = named.ok_or(No::ClientMissing)?;
            let method = if in_body.is_some() { AuthMethod::ClientSecretPost } else { AuthMethod::None };
            return Ok(Self { client_id, secret: in_body.map(Secret::new), raw_secret: None, assertion: None, method });
        };
        // RFC 6749 §2.3: "The client MUST NOT use more than one authentication method in each request."
        if in_body.is_some() {
            return Err(No::ClientAuthTwice.into());
        }
        if named.is_some_and(|named| named != basic.client_id) {
            return Err(No::ClientIdsDiffer.into());
        }
        // Some libraries send the `client_id` of a public client in a Basic header with an empty password.
        let is_empty = basic.secret.reveal().is_empty();
        let method = if is_empty { AuthMethod::None } else { AuthMethod::ClientSecretBasic };
        let (secret, raw_secret) = if is_empty { (None, None) } else { (Some(basic.secret), basic.raw_secret) };
        Ok(Self { client_id: basic.client_id, secret, raw_secret, assertion: None, method })
    }

    /// Adds the keys of the rows by which the client is authenticated.
    pub fn want(&self, wants: &mut Wants) {
        wants.add(Key::Client(self.client_id.clone()));
        if let Some(assertion) = &self.assertion {
            assertion.want(wants);
        }
    }

    /// Returns the same keys, for a call without others.
    #[must_use]
    pub fn wants(&self) -> Wants {
        let mut wants = Wants::default();
        self.want(&mut wants);
        wants
    }

    /// Authenticates the client.
    ///
    /// # Errors
    /// One of the `Client…` refusals. They have the same text unless the secret was right, so that the answer does not
    /// show which clients exist.
    pub fn verify<'f>(&self, facts: &'f Facts, turn: &mut Turn<'_>) -> Result<&'f Arc<Client>, Refusal> {
        let client = self.claimed(facts, turn.policy);
        if let Some(assertion) = &self.assertion {
            return assertion.verify(client, facts, turn);
        }
        if self.secret.is_none() {
            return self.verify_without_secret(client).map_err(Refusal::from);
        }
        let usable = client.filter(|client| !client.is_disabled);
        let right = match usable.and_then(|client| self.generated(client)) {
            // A secret of 256 bits cannot be guessed, so the counters are not checked. Failures of another instance or
            // client at the same address do not lock this client out.
            Some(proven) => Some(proven),
            None => self.verify_imported(usable, facts, turn)?,
        };
        let (Some(client), Some(proven)) = (usable, right) else {
            self.limits(turn.policy, turn.address).fail(client.map(|client| client.key), facts, turn);
            return Err(self.refusal(client).into());
        };
        turn.proven = Some(proven);
        if turn.recalled.unnoted.contains(&proven.at) {
            let used_at = UnixTime(turn.now.0 - turn.now.0.rem_euclid(SECRET_SEEN_EVERY_S));
            let secret = secret_digest(&client.secrets[proven.at]);
            turn.write(Write::TouchSecret { client: client.key, secret, used_at });
        }
        if client.auth_methods.contains(&self.method) { Ok(client) } else { Err(other_method(client).into()) }
    }

    /// Returns the client with the claimed identifier, if it belongs to the surface.
    fn claimed<'f>(&self, facts: &'f Facts, policy: &Policy) -> Option<&'f Arc<Client>> {
        facts.client(&self.client_id).filter(|client| client.dialect == policy.dialect)
    }

    /// Judges a request without a secret. It is no guess, so it is neither counted nor hashed.
    fn verify_without_secret<'f>(&self, client: Option<&'f Arc<Client>>) -> Result<&'f Arc<Client>, No> {
        let client = client.ok_or(No::ClientUnknown)?;
        match client.kind {
            _ if client.is_disabled => Err(No::ClientDisabled),
            ClientKind::Confidential => Err(No::ClientSecretMissing),
            ClientKind::Public if client.auth_methods.contains(&self.method) => Ok(client),
            ClientKind::Public => Err(No::ClientAuthMethodRefused),
        }
    }

    /// Verifies the presented secret against the imported ones, unless a counter is full.
    fn verify_imported(
        &self,
        client: Option<&Arc<Client>>,
        facts: &Facts,
        turn: &mut Turn<'_>,
    ) -> Result<Option<Proven>, Refusal> {
        let limits = self.limits(turn.policy, turn.address);
        let remembered = client.and(turn.recalled.verified);
        // A remembered secret passes without loading the counters. After a lost turn they are loaded, because they may
        // be full.
        if remembered.is_none() || facts.is_wanted(&Key::Failures(limits.client)) {
            limits.check(facts, turn.policy, turn.now)?;
        }
        let right = remembered.or_else(|| self.hashed(client.map(|own| &**own), turn));
        if right.is_some() {
            limits.pass(turn);
        }
        Ok(right)
    }

    /// Returns the reason for the log why an attempt with a secret failed.
    fn refusal(&self, client: Option<&Arc<Client>>) -> No {
        match client {
            None => No::ClientUnknown,
            Some(client) if client.is_disabled => No::ClientDisabled,
            Some(client) if client.kind == ClientKind::Public => No::ClientAuthMethodRefused,
            Some(_) => No::ClientSecretWrong,
        }
    }

    /// Returns the counters that an attempt from `address` must pass.
    #[must_use]
    pub fn limits(&self, policy: &Policy, address: &str) -> ClientAttemptLimits {
        ClientAttemptLimits::new(&policy.dialect, &self.client_id, address)
    }

    /// Adds the keys of the counters to `wants`.
    pub fn want_counters(&self, wants: &mut Wants, policy: &Policy, address: &str) {
        let limits = self.limits(policy, address);
        wants.add(Key::Failures(limits.client));
        wants.add(Key::Failures(limits.address));
    }

    /// Returns true if judging the attempt needs its counters: the secret is neither a right generated one nor one that
    /// the process remembers.
    #[must_use]
    pub fn is_counted(&self, facts: &Facts, recalled: &Recalled, policy: &Policy) -> bool {
        let usable = self.claimed(facts, policy).filter(|client| !client.is_disabled);
        let is_known = |client: &Arc<Client>| recalled.verified.is_some() || self.generated(client).is_some();
        self.secret.is_some() && !usable.is_some_and(is_known)
    }

    /// Returns true if judging the attempt computes password hashes: for every wrong secret while no counter is full,
    /// and for a right imported secret that the process does not remember.
    #[must_use]
    pub fn is_hashed(&self, facts: &Facts, recalled: &Recalled, policy: &Policy, address: &str, now: UnixTime) -> bool {
        self.is_counted(facts, recalled, policy) && self.limits(policy, address).check(facts, policy, now).is_ok()
    }

    /// Returns tags that identify the presented text as each of the client's imported secrets: digests under `key`. A
    /// tag covers the stored hash, so a replaced secret is no longer recognised.
    #[must_use]
    pub fn tags(&self, client: &Client, address: &str, key: &[u8; 32]) -> Vec<(Proven, Digest)> {
        let limits = ClientAttemptLimits::new(&client.dialect, &self.client_id, address);
        let mut tags = Vec::new();
        for (at, stored) in imported(client) {
            for (form, text) in self.texts().enumerate() {
                let length = (stored.len() as u64).to_be_bytes();
                let parts: [&[u8]; 5] = [key, &limits.client.0, &length, stored.as_bytes(), text.reveal().as_bytes()];
                tags.push((Proven { at, form }, Digest::of(&zeroize::Zeroizing::new(parts.concat()))));
            }
        }
        tags
    }

    /// Returns the presented secret in each form that is compared. RFC 6749 §2.3.1 requires form-encoding in the
    /// header, but many libraries send the secret unencoded.
    fn texts(&self) -> impl Iterator<Item = &Secret> {
        self.secret.iter().chain(&self.raw_secret)
    }

    /// Returns the generated secret that equals the presented one.
    fn generated(&self, client: &Client) -> Option<Proven> {
        self.texts().enumerate().find_map(|(form, text)| {
            let digest = text.digest();
            let is_it = |own: &ClientSecret| matches!(&own.stored, StoredSecret::Sha256(own) if *own == digest);
            client.secrets.iter().position(is_it).map(|at| Proven { at, form })
        })
    }

    /// Returns the imported secret that equals the presented one. A failure always computes the same number of hashes,
    /// whether or not the client exists and has imported secrets.
    fn hashed(&self, client: Option<&Client>, turn: &Turn<'_>) -> Option<Proven> {
        let imported: Vec<(usize, &str)> = client.map(|client| imported(client).collect()).unwrap_or_default();
        for (form, text) in self.texts().enumerate() {
            if let Some((at, _)) = imported.iter().find(|(_, stored)| turn.is_right_password(stored, text)) {
                return Some(Proven { at: *at, form });
            }
            for _ in imported.len()..SECRETS_LIVE_MAX {
                password::pretend(text);
            }
        }
        None
    }
}

/// Returns the imported secrets of a client: index in the list, and hash.
fn imported(client: &Client) -> impl Iterator<Item = (usize, &str)> {
    client.secrets.iter().enumerate().filter_map(|(at, own)| match &own.stored {
        StoredSecret::Argon2(stored) => Some((at, stored.as_str())),
        StoredSecret::Sha256(_) => None,
    })
}

/// Returns the refusal of a right secret by the wrong method. It may say which method is registered, because the caller
/// knows the secret.
fn other_method(client: &Client) -> No {
    if client.auth_methods.contains(&AuthMethod::ClientSecretPost) {
        No::ClientRegisteredForPost
    } else if client.auth_methods.contains(&AuthMethod::ClientSecretBasic) {
        No::ClientRegisteredForBasic
    } else {
        No::ClientAuthMethodRefused
    }
}

#[cfg(test)]
mod tests;
