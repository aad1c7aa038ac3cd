//! Tests of client authentication by secrets.

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
        assert_eq!((hashes, changes.as_str()), (2, "CountFailure, CountFailure, Note client_auth_failed"), "{no:?}");
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
    let all = ["1 failure", "10 failures; refused for 300 s"].map(|own| format!("client_auth_failed {client:?} {own}"));
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
