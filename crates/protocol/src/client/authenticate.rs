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
            return Ok(Self { client_id, secret: None, raw_secret: None, assertion: Some(Box::new(assertion)), method });
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
mod tests {
    use super::*;
    use crate::line::Changes;
    use crate::model::Attempts;
    use crate::sample::{self, Rows, World};
    use crate::wire::Basic;

    fn params(client_id: Option<&str>, secret: Option<&str>, basic: Option<(&str, &str)>) -> Params {
        let mut params = Params::default();
        params.push(Param::ClientId, client_id.unwrap_or_default().into()).unwrap();
        params.push(Param::ClientSecret, secret.unwrap_or_default().into()).unwrap();
        params.basic = basic.map(|(client_id, secret)| Basic::new(client_id, Secret::new(secret)));
        params
    }

    fn outcome(client: Client, mut params: Params) -> Result<(), No> {
        let world = World::new();
        let credentials = Credentials::parse(&mut params).map_err(|refusal| refusal.no)?;
        let facts = load(&rows(Some(client)), &credentials);
        credentials.verify(&facts, &mut world.turn()).map(drop).map_err(|refusal| refusal.no)
    }

    #[test]
    fn a_confidential_client_proves_itself_by_header_or_by_parameters() {
        assert_eq!(outcome(sample::client(), params(None, None, Some(("web", sample::SECRET)))), Ok(()));
        assert_eq!(outcome(sample::client(), params(Some("web"), Some(sample::SECRET), None)), Ok(()));
    }

    #[test]
    fn two_methods_at_once_are_refused_rfc_6749_2_3() {
        let twice = params(Some("web"), Some(sample::SECRET), Some(("web", sample::SECRET)));
        assert_eq!(outcome(sample::client(), twice), Err(No::ClientAuthTwice));
        let other_name = params(Some("other"), None, Some(("web", sample::SECRET)));
        assert_eq!(outcome(sample::client(), other_name), Err(No::ClientIdsDiffer));
        let same_name = params(Some("web"), None, Some(("web", sample::SECRET)));
        assert_eq!(outcome(sample::client(), same_name), Ok(()));
    }

    #[test]
    fn a_wrong_or_missing_secret_is_refused() {
        assert_eq!(outcome(sample::client(), params(Some("web"), Some("no"), None)), Err(No::ClientSecretWrong));
        assert_eq!(outcome(sample::client(), params(Some("web"), None, None)), Err(No::ClientSecretMissing));
        assert_eq!(outcome(sample::client(), params(None, None, None)), Err(No::ClientMissing));
    }

    #[test]
    fn both_of_two_live_secrets_work() {
        let mut client = sample::client();
        client.secrets.push(sample::secret("second"));
        assert_eq!(outcome(client.clone(), params(Some("web"), Some("second"), None)), Ok(()));
        assert_eq!(outcome(client, params(Some("web"), Some(sample::SECRET), None)), Ok(()));
    }

    #[test]
    fn a_public_client_names_itself_and_may_send_an_empty_password() {
        assert_eq!(outcome(sample::public_client(), params(Some("spa"), None, None)), Ok(()));
        assert_eq!(outcome(sample::public_client(), params(None, None, Some(("spa", "")))), Ok(()));
        let secret = params(Some("spa"), Some("x"), None);
        assert_eq!(outcome(sample::public_client(), secret), Err(No::ClientAuthMethodRefused));
    }

    #[test]
    fn a_client_of_another_dialect_is_unknown_and_a_disabled_one_is_refused() {
        let foreign = Client { dialect: "paced".into(), ..sample::client() };
        assert_eq!(outcome(foreign, params(Some("web"), Some(sample::SECRET), None)), Err(No::ClientUnknown));
        let disabled = Client { is_disabled: true, ..sample::client() };
        assert_eq!(outcome(disabled, params(Some("web"), Some(sample::SECRET), None)), Err(No::ClientDisabled));
    }

    #[test]
    fn a_right_secret_by_another_method_is_told_the_method_and_a_wrong_one_is_not() {
        let client = |method| Client { auth_methods: vec![method], ..sample::client() };
        let (post, basic) = (client(AuthMethod::ClientSecretPost), client(AuthMethod::ClientSecretBasic));
        let by_header = |secret| params(None, None, Some(("web", secret)));
        let by_body = |secret| params(Some("web"), Some(secret), None);
        assert_eq!(outcome(post.clone(), by_header(sample::SECRET)), Err(No::ClientRegisteredForPost));
        assert_eq!(outcome(basic.clone(), by_body(sample::SECRET)), Err(No::ClientRegisteredForBasic));
        let told = |no: No| (no.row().kind, no.row().text);
        for no in [outcome(post, by_header("no")), outcome(basic, by_body("no"))].map(Result::unwrap_err) {
            assert_eq!(told(no), told(No::ClientUnknown));
        }
    }

    /// A client with the imported secret `imported-1`.
    fn moved() -> Client {
        Client { secrets: vec![kept_as_hash("imported-1")], ..sample::client() }
    }

    fn kept_as_hash(text: &str) -> ClientSecret {
        let stored = StoredSecret::Argon2(password::hash_for_tests(&Secret::new(text)));
        ClientSecret { stored, ..sample::secret(text) }
    }

    /// Authenticates `web` with this secret in the header. Returns the outcome, the number of hashes computed, and the
    /// changes.
    fn attempt(own: &Rows, world: &World, basic: Basic) -> (Result<(), No>, usize, String) {
        let credentials = read(basic);
        let facts = load(own, &credentials);
        let mut turn = world.turn();
        let before = password::hashes_made();
        let outcome = credentials.verify(&facts, &mut turn).map(drop).map_err(|refusal| refusal.no);
        (outcome, password::hashes_made() - before, sample::names(&turn.into_changes()))
    }

    fn read(basic: Basic) -> Credentials {
        let mut params = Params::default();
        params.basic = Some(basic);
        Credentials::parse(&mut params).unwrap()
    }

    fn rows(client: Option<Client>) -> Rows {
        Rows { client: client.map(Arc::new), ..Rows::default() }
    }

    /// Loads the claimed client and both counters.
    fn load(own: &Rows, credentials: &Credentials) -> Facts {
        let mut wants = Wants::of([Key::Client(credentials.client_id.clone())]);
        credentials.want_counters(&mut wants, &sample::policy(), sample::ADDRESS);
        own.load(wants)
    }

    /// Returns the counters of the client `web`.
    fn counters() -> ClientAttemptLimits {
        read(header("")).limits(&sample::policy(), sample::ADDRESS)
    }

    fn header(secret: &str) -> Basic {
        Basic::new("web", Secret::new(secret))
    }

    #[test]
    fn every_failed_attempt_makes_the_same_number_of_hashes_whatever_the_client_is_asvs_6_3_8() {
        let world = World::new();
        let disabled = Client { is_disabled: true, ..moved() };
        let foreign = Client { dialect: "paced".into(), ..moved() };
        let post_only = Client { auth_methods: vec![AuthMethod::ClientSecretPost], ..moved() };
        let two = Client { secrets: vec![kept_as_hash("imported-1"), kept_as_hash("imported-2")], ..moved() };
        let mixed = Client { secrets: vec![kept_as_hash("imported-1"), sample::secret("x")], ..moved() };
        let clients = [sample::client(), moved(), disabled, foreign, post_only, two, mixed, sample::public_client()];
        for client in clients.into_iter().map(Some).chain([None]) {
            let (outcome, hashes, changes) = attempt(&rows(client.clone()), &world, header("wrong-secret"));
            let no = outcome.unwrap_err();
            assert_eq!(no.row().text, No::ClientUnknown.row().text);
            assert_eq!(
                (hashes, changes.as_str()),
                (2, "CountFailure, CountFailure, Note client_auth_failed"),
                "{no:?}"
            );
        }
        let right_but_disabled = rows(Some(Client { is_disabled: true, ..sample::client() }));
        let (outcome, hashes, _) = attempt(&right_but_disabled, &world, header(sample::SECRET));
        assert_eq!((outcome, hashes), (Err(No::ClientDisabled), 2));
    }

    #[test]
    fn a_generated_secret_costs_no_hash_and_an_imported_one_only_until_it_is_remembered() {
        let mut world = World::new();
        let own = rows(Some(sample::client()));
        assert_eq!(attempt(&own, &world, header(sample::SECRET)), (Ok(()), 0, String::new()));
        let own = rows(Some(moved()));
        let passed = "CounterBelow, CounterBelow".to_owned();
        assert_eq!(attempt(&own, &world, header("imported-1")), (Ok(()), 1, passed.clone()));
        world.recalled.verified = Some(Proven::default());
        assert_eq!(attempt(&own, &world, header("imported-1")), (Ok(()), 0, passed));
    }

    #[test]
    fn a_shut_door_refuses_before_any_hash_and_tells_when_to_come_back() {
        let world = World::new();
        let limit = world.policy.lockout;
        let attempts = |failures| Attempts { failures, resets_at: UnixTime(1300) };
        for by_address in [false, true] {
            let mut own = rows(Some(moved()));
            if by_address {
                own.attempts = vec![(counters().address, attempts(limit.address_failures))];
            } else {
                own.attempts = vec![(counters().client, attempts(limit.account_failures))];
            }
            for secret in ["imported-1", "wrong-secret"] {
                let shut = (Err(No::ClientLockedOut), 0, String::new());
                assert_eq!(attempt(&own, &world, header(secret)), shut, "{secret}");
            }
            own.client = Some(Arc::new(sample::client()));
            assert_eq!(attempt(&own, &world, header(sample::SECRET)).0, Ok(()), "nobody guesses a generated secret");
            assert_eq!(attempt(&own, &world, header("wrong-secret")).0, Err(No::ClientLockedOut));
        }
        let mut own = rows(Some(moved()));
        own.attempts = vec![(counters().client, attempts(limit.account_failures))];
        let credentials = read(header("imported-1"));
        let verdict = credentials.verify(&load(&own, &credentials), &mut world.turn()).map(drop);
        assert_eq!(verdict.unwrap_err().retry_after_s, Some(300));
        let is_hashed = |own: &Rows| {
            let facts = load(own, &credentials);
            credentials.is_hashed(&facts, Recalled::NOTHING, &world.policy, sample::ADDRESS, world.now)
        };
        assert!(!is_hashed(&own));
        own.attempts = vec![(counters().client, Attempts { failures: 99, resets_at: UnixTime(1000) })];
        assert!(is_hashed(&own), "the window is over");
        assert_eq!(attempt(&own, &world, header("imported-1")).0, Ok(()));
    }

    #[test]
    fn the_auditor_is_told_of_the_first_failure_and_of_the_one_that_shuts_the_door() {
        let world = World::new();
        let mut told = Vec::new();
        for failures in 0..10 {
            let mut own = rows(Some(moved()));
            own.attempts = vec![(counters().client, Attempts { failures, resets_at: UnixTime(1300) })];
            let mut turn = world.turn();
            let credentials = read(header("wrong-secret"));
            let refused = credentials.verify(&load(&own, &credentials), &mut turn).map(drop);
            assert_eq!(refused.unwrap_err().no, No::ClientSecretWrong);
            let notes = turn.into_changes().writes.into_iter().filter_map(|change| match change {
                Write::Note(event) => Some(format!("{} {:?} {}", event.kind, event.client, event.detail)),
                _ => None,
            });
            told.extend(notes);
        }
        let client = Some(sample::client().key);
        let all =
            ["1 failure", "10 failures; refused for 300 s"].map(|own| format!("client_auth_failed {client:?} {own}"));
        assert_eq!(told[..2], all);
        assert_eq!(told[2..], [format!("locked_out {client:?} client, for 300 s")]);
    }

    #[test]
    fn the_header_s_secret_is_compared_decoded_and_as_it_came_rfc_6749_2_3_1() {
        let world = World::new();
        let raw = |decoded: &str, raw: &str| Basic { raw_secret: Some(Secret::new(raw)), ..header(decoded) };
        for secret in [kept_as_hash("abc+def%41"), sample::secret("abc+def%41")] {
            let own = rows(Some(Client { secrets: vec![secret], ..sample::client() }));
            assert_eq!(attempt(&own, &world, header("abc+def%41")).0, Ok(()), "encoded by the library");
            assert_eq!(attempt(&own, &world, raw("abc defA", "abc+def%41")).0, Ok(()), "sent as it is");
            let (outcome, hashes, _) = attempt(&own, &world, raw("abc defB", "abc+def%42"));
            assert_eq!((outcome, hashes), (Err(No::ClientSecretWrong), 4));
        }
    }

    #[test]
    fn a_use_is_noted_to_the_hour_when_it_is_due_and_tags_belong_to_one_stored_secret_and_address() {
        let mut world = World::new();
        world.now = UnixTime(7_300);
        world.recalled.unnoted = vec![0];
        let credentials = read(header(sample::SECRET));
        let mut turn = world.turn();
        credentials.verify(&load(&rows(Some(sample::client())), &credentials), &mut turn).unwrap();
        assert_eq!(turn.proven, Some(Proven::default()));
        let secret = secret_digest(&sample::secret(sample::SECRET));
        let expected = Write::TouchSecret { client: sample::client().key, secret, used_at: UnixTime(7_200) };
        assert_eq!(turn.into_changes(), Changes::from(expected));
        let tags = |client: &Client, address, key| credentials.tags(client, address, &[key; 32]);
        let here = tags(&moved(), "192.0.2.1", 1);
        assert_eq!(here.len(), 1);
        assert_eq!(here, tags(&moved(), "192.0.2.1", 1));
        assert_ne!(here, tags(&moved(), "192.0.2.2", 1));
        assert_ne!(here, tags(&moved(), "192.0.2.1", 2));
        let renewed = Client { secrets: vec![kept_as_hash("imported-2")], ..moved() };
        assert_ne!(here, tags(&renewed, "192.0.2.1", 1), "it is forgotten when the secret changes");
        assert!(tags(&sample::client(), "192.0.2.1", 1).is_empty());
    }
}
