//! Tests of client authentication by assertions, at the token endpoint.

use serde_json::{Value, json};

use super::*;
use crate::client::authenticate::Credentials;
use crate::client::registration;
use crate::crypto::entropy::Entropy;
use crate::jose::signed::{self, With};
use crate::line::{Call, Changes, Document, DocumentKey, Documents, Reply};
use crate::model::GrantType;
use crate::sample::{self, World};
use crate::token::TokenRequest;
use crate::wire::Basic;

const ISSUER: &str = "https://auth.example";
const ENDPOINT: &str = "https://auth.example/oauth/token";
const KEYS_URL: &str = "https://app.example/keys";

/// A client that signs with its private keys, which are registered by value.
fn signing() -> Client {
    let auth_methods = vec![AuthMethod::PrivateKeyJwt];
    Client { auth_methods, secrets: vec![], jwks: Some(signed::published()), ..sample::client() }
}

/// The claims of a good assertion at the time 1000, with changes. `null` removes a claim.
fn claims(changes: &Value) -> Value {
    let mut all = json!({"iss": "web", "sub": "web", "aud": ISSUER, "jti": "j1", "iat": 990, "exp": 1050});
    for (name, value) in changes.as_object().unwrap() {
        all[name] = value.clone();
    }
    all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    all
}

fn es256(changes: &Value) -> String {
    signed::sign(&json!({"alg": "ES256", "kid": "es"}), &claims(changes), With::Es256)
}

/// A good assertion.
fn good() -> String {
    es256(&json!({}))
}

/// A world in which `client` asks for a token of its own by this assertion.
fn asking(client: Client, assertion: &str) -> World {
    let mut world = World::new();
    world.unsend(Param::ClientSecret);
    world.unsend(Param::ClientId);
    world.facts.client = Some(Arc::new(client));
    world.send(Param::GrantType, GrantType::ClientCredentials.as_str());
    world.send(Param::ClientAssertionType, TYPE);
    world.send(Param::ClientAssertion, assertion);
    world
}

fn judge(world: &World) -> (Result<Reply, Refusal>, Changes) {
    match TokenRequest::parse(world.params(), &world.policy, &world.keys, sample::ADDRESS) {
        Ok(request) => world.judge(&request),
        Err(refusal) => (Err(refusal), Changes::default()),
    }
}

/// Returns the refusal. A refused assertion writes nothing.
fn no(world: &World) -> No {
    let (verdict, changes) = judge(world);
    let no = verdict.expect_err("it is refused").no;
    assert_eq!(changes, Changes::default(), "{no:?}");
    no
}

fn outcome(client: Client, assertion: &str) -> Result<(), No> {
    let (verdict, changes) = judge(&asking(client, assertion));
    let is_burnt = changes.writes.iter().any(|write| matches!(write, Write::BurnJti { .. }));
    assert_eq!(is_burnt, verdict.is_ok(), "{verdict:?}");
    verdict.map(drop).map_err(|refusal| refusal.no)
}

/// RFC 7523 §3: "The JWT MUST be digitally signed or have a Message Authentication Code (MAC) applied by the issuer."
#[test]
fn a_client_proves_itself_by_its_signature_and_needs_no_client_id() {
    for (alg, kid, with) in [("RS256", "rs", With::Rs256), ("ES256", "es", With::Es256), ("EdDSA", "ed", With::EdDsa)] {
        for typ in ["JWT", "client-authentication+jwt"] {
            let header = json!({"alg": alg, "kid": kid, "typ": typ});
            assert_eq!(outcome(signing(), &signed::sign(&header, &claims(&json!({})), with)), Ok(()), "{alg}");
        }
    }
    let mut world = asking(signing(), &good());
    world.send(Param::ClientId, "web");
    let (verdict, changes) = judge(&world);
    assert!(verdict.is_ok());
    let burnt = changes.writes.iter().find_map(|write| match write {
        Write::BurnJti { until, .. } => Some(*until),
        _ => None,
    });
    assert_eq!(burnt, Some(UnixTime(1050 + 30)), "until the assertion cannot be presented any more");
}

#[test]
fn an_assertion_is_good_once_openid_connect_core_9() {
    let mut world = asking(signing(), &good());
    world.facts.is_jti_used = true;
    assert_eq!(no(&world), No::ClientAssertionReplayed);
    let jti = |changes: &Value| {
        let assertion = ClientAssertion::parse(es256(changes), Some(TYPE), None);
        assertion.unwrap().jti
    };
    assert_ne!(jti(&json!({})), jti(&json!({"jti": "j2"})));
    assert_eq!(jti(&json!({})), jti(&json!({"exp": 1051})), "the number counts, and not the text");
}

#[test]
fn claims_that_are_missing_or_of_another_are_refused_rfc_7523_3() {
    for name in ["iss", "sub", "jti", "exp"] {
        assert_eq!(outcome(signing(), &es256(&json!({name: null}))), Err(No::ClientAssertionMalformed), "{name}");
    }
    for changes in [json!({"jti": ""}), json!({"jti": "j".repeat(513)}), json!({"iss": "other"})] {
        assert_eq!(outcome(signing(), &es256(&changes)), Err(No::ClientAssertionMalformed), "{changes}");
    }
    assert_eq!(outcome(signing(), "a.b.c"), Err(No::ClientAssertionMalformed));
    // RFC 7521 §4.2.
    let mut world = asking(signing(), &good());
    world.send(Param::ClientId, "other");
    assert_eq!(no(&world), No::ClientAssertionOfOther);
    world.send(Param::ClientId, "web");
    world.send(Param::ClientAssertionType, "urn:ietf:params:oauth:client-assertion-type:saml2-bearer");
    assert_eq!(no(&world), No::ClientAssertionTypeUnknown);
}

/// RFC 7523 §3: "The authorization server MUST reject any JWT that does not contain its own identity as the intended audience."
#[test]
fn the_audience_is_the_issuer_and_an_endpoint_only_where_registered_so_rfc_7523_3() {
    let endpoint = || Client { assertion_audience: AssertionAudience::Endpoint, ..signing() };
    for (aud, of_issuer, of_endpoint) in [
        (json!(ISSUER), Ok(()), Ok(())),
        (json!([ISSUER]), Ok(()), Ok(())),
        (json!(ENDPOINT), Err(No::ClientAssertionForEndpoint), Ok(())),
        (json!([ISSUER, ENDPOINT]), Err(No::ClientAssertionForEndpoint), Ok(())),
        (json!([ISSUER, "https://other.example"]), Err(No::ClientAssertionForOther), Err(No::ClientAssertionForOther)),
        (json!([]), Err(No::ClientAssertionForOther), Err(No::ClientAssertionForOther)),
        (json!("https://auth.example/"), Err(No::ClientAssertionForOther), Err(No::ClientAssertionForOther)),
        (Value::Null, Err(No::ClientAssertionForOther), Err(No::ClientAssertionForOther)),
    ] {
        let text = es256(&json!({"aud": aud}));
        assert_eq!((outcome(signing(), &text), outcome(endpoint(), &text)), (of_issuer, of_endpoint), "{aud}");
    }
}

#[test]
fn an_assertion_is_valid_for_at_most_an_hour_rfc_7523_3() {
    for (changes, expected) in [
        (json!({"exp": 1000 - 30}), Err(No::ClientAssertionExpired)),
        (json!({"exp": 1000 - 29}), Ok(())),
        (json!({"exp": 1000 + 3600 + 30}), Ok(())),
        (json!({"exp": 1000 + 3600 + 31}), Err(No::ClientAssertionTooLong)),
        (json!({"exp": 4_000_000_000_i64, "iat": null}), Err(No::ClientAssertionTooLong)),
        (json!({"iat": null}), Ok(())),
        (json!({"iat": 1030}), Ok(())),
        (json!({"iat": 1031}), Err(No::ClientAssertionEarly)),
        (json!({"nbf": 1031}), Err(No::ClientAssertionEarly)),
    ] {
        assert_eq!(outcome(signing(), &es256(&changes)), expected, "{changes}");
    }
}

#[test]
fn a_wrong_signature_an_unknown_key_and_an_unknown_client_look_alike() {
    let other_key = signed::sign(&json!({"alg": "ES256", "kid": "ed"}), &claims(&json!({})), With::Es256);
    let new_key = signed::sign(&json!({"alg": "ES256", "kid": "new"}), &claims(&json!({})), With::Es256);
    let good = good();
    let (head, _) = good.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", "A".repeat(86));
    let other_method = Client { auth_methods: vec![AuthMethod::ClientSecretBasic], ..signing() };
    let no_keys = Client { jwks: None, ..signing() };
    let disabled = Client { is_disabled: true, ..signing() };
    let foreign = Client { dialect: "paced".into(), ..signing() };
    let told = |no: No| (no.row().kind, no.row().text, no.row().detail);
    for (client, text, expected) in [
        (signing(), &other_key, No::ClientKeyUnknown),
        (signing(), &new_key, No::ClientKeyUnknown),
        (signing(), &forged, No::ClientAssertionForged),
        (other_method, &good, No::ClientAuthMethodRefused),
        (no_keys, &good, No::ClientKeysUnavailable),
        (disabled, &good, No::ClientDisabled),
        (foreign, &good, No::ClientUnknown),
    ] {
        assert_eq!(outcome(client, text), Err(expected));
        assert_eq!(told(expected), told(No::ClientUnknown));
    }
    let mut world = asking(signing(), &good);
    world.facts.client = None;
    assert_eq!(no(&world), No::ClientUnknown);
}

/// RFC 8725 §2.1 and §3.1.
#[test]
fn no_header_chooses_how_an_assertion_is_verified() {
    let none = signed::unsigned(&json!({"alg": "none"}), &claims(&json!({}))) + ".";
    assert_eq!(outcome(signing(), &none), Err(No::ClientAssertionAlgorithm));
    // A code under what everybody knows, in the place of a signature.
    let both = Client { auth_methods: vec![AuthMethod::PrivateKeyJwt, AuthMethod::ClientSecretJwt], ..signing() };
    let confused = signed::sign(&json!({"alg": "HS256", "kid": "rs"}), &claims(&json!({})), With::Hs256("published"));
    assert_eq!(outcome(signing(), &confused), Err(No::ClientAuthMethodRefused));
    assert_eq!(outcome(both, &confused), Err(No::ClientSecretNotKept));
    let own_key = json!({"alg": "ES256", "kid": "new", "jwk": signed::published()["keys"][1], "jku": KEYS_URL});
    let text = signed::sign(&own_key, &claims(&json!({})), With::Es256);
    assert_eq!(outcome(signing(), &text), Err(No::ClientKeyUnknown));
    let typed = json!({"alg": "ES256", "kid": "es", "typ": "at+jwt"});
    let text = signed::sign(&typed, &claims(&json!({})), With::Es256);
    assert_eq!(outcome(signing(), &text), Err(No::ClientAssertionMalformed));
}

const SECRET: &str = "gcs_secret-of-at-least-thirty-two-bytes";

/// A client that makes message authentication codes with its secret.
fn with_mac() -> Client {
    let world = World::new();
    let kept = sample::secret(SECRET);
    let auth_methods = vec![AuthMethod::ClientSecretJwt];
    let mut client = Client { auth_methods, secrets: vec![kept.clone()], ..sample::client() };
    keep_text(&mut client, &kept, &Secret::new(SECRET), &mut world.turn()).unwrap();
    client
}

fn hs256(secret: &'static str) -> String {
    signed::sign(&json!({"alg": "HS256"}), &claims(&json!({})), With::Hs256(secret))
}

/// OpenID Connect Core §9, client_secret_jwt: the HMAC is "calculated using the octets of the UTF-8 representation of the
/// client_secret as the shared key."
#[test]
fn a_client_proves_itself_by_a_mac_under_its_secret() {
    assert_eq!(outcome(with_mac(), &hs256(SECRET)), Ok(()));
    assert_eq!(outcome(with_mac(), &hs256("another secret of at least 32 bytes")), Err(No::ClientAssertionForged));
    assert_eq!(outcome(with_mac(), &good()), Err(No::ClientAuthMethodRefused));
    let retired = Client { secrets: vec![sample::secret("newer")], ..with_mac() };
    assert_eq!(outcome(retired, &hs256(SECRET)), Err(No::ClientSecretNotKept));
    let moved = Client { client_id: "other".into(), ..with_mac() };
    assert!(kept_text(&moved, &moved.secrets[0], &World::new().turn()).is_none(), "the text is bound to its client");
    assert!(!format!("{:?}", with_mac()).contains(&with_mac().sealed_secrets[0].sealed));
}

#[test]
fn a_short_secret_makes_no_macs_and_texts_of_retired_secrets_are_dropped_rfc_7518_3_2() {
    let world = World::new();
    let mut client = with_mac();
    let short = sample::secret("short");
    let refused = keep_text(&mut client, &short, &Secret::new("short"), &mut world.turn());
    assert_eq!(refused, Err(No::SecretTooShortToSign));
    let (next, text) = registration::secret(world.now, &mut Entropy::seeded([1; 32], 1));
    client.secrets = vec![next.clone()];
    keep_text(&mut client, &next, &text, &mut world.turn()).unwrap();
    assert_eq!(client.sealed_secrets.len(), 1);
    assert_eq!(kept_text(&client, &next, &world.turn()), Some(text));
}

#[test]
fn a_new_master_key_seals_the_texts_again() {
    let (world, mut client) = (World::new(), with_mac());
    let after = Keys::derive(&[9; 32], &[]);
    reseal(&mut client, &world.keys, &after, &mut world.turn());
    let own = &client.sealed_secrets[0].sealed;
    assert_eq!(after.open_kept(SECRET_PURPOSE, b"web", own).as_deref(), Some(SECRET.as_bytes()));
    let once = client.clone();
    reseal(&mut client, &world.keys, &after, &mut world.turn());
    assert_eq!(client, once, "an interrupted run can be repeated");
}

#[test]
fn an_assertion_beside_a_secret_is_refused_rfc_6749_2_3() {
    let mut world = asking(signing(), &good());
    world.send(Param::ClientSecret, sample::SECRET);
    assert_eq!(no(&world), No::ClientAssertionBesideSecret);
    let mut params = asking(signing(), &good()).params();
    params.basic = Some(Basic::new("web", Secret::new("x")));
    assert_eq!(Credentials::parse(&mut params).unwrap_err().no, No::ClientAssertionBesideSecret);
}

/// What an assertion lacks, for a client whose keys lie elsewhere.
fn lacks(world: &World, documents: &Documents) -> (Option<No>, Vec<DocumentKey>) {
    let request = TokenRequest::parse(world.params(), &world.policy, &world.keys, sample::ADDRESS).unwrap();
    let mut turn = world.turn().with_documents(documents);
    let verdict = request.decide(&world.load(&request), &mut turn);
    (verdict.err().map(|refusal| refusal.no), turn.take_lacking())
}

fn elsewhere() -> Client {
    Client { jwks: None, jwks_uri: Some(KEYS_URL.into()), ..signing() }
}

#[test]
fn keys_that_lie_elsewhere_are_asked_for_by_their_name() {
    let world = asking(elsewhere(), &good());
    let key = DocumentKey::KeySet { url: KEYS_URL.into(), kid: Some("es".into()) };
    assert_eq!(lacks(&world, Documents::NONE), (Some(No::ClientKeysUnavailable), vec![key.clone()]));
    let mut documents = Documents::default();
    documents.add(key.clone(), Some(Document::KeySet(Arc::new(signed::keys()))));
    assert_eq!(lacks(&world, &documents), (None, vec![]));
    let mut documents = Documents::default();
    documents.add(key, None);
    assert_eq!(lacks(&world, &documents), (Some(No::ClientKeysUnavailable), vec![]));
}

#[test]
fn nothing_is_fetched_for_an_assertion_that_could_not_pass_anyway() {
    let other_method = Client { auth_methods: vec![AuthMethod::ClientSecretBasic], ..elsewhere() };
    let mac = Client { auth_methods: vec![AuthMethod::ClientSecretJwt], ..elsewhere() };
    let disabled = Client { is_disabled: true, ..elsewhere() };
    let foreign = Client { dialect: "paced".into(), ..elsewhere() };
    for (client, changes) in [
        (other_method, json!({})),
        (mac, json!({})),
        (disabled, json!({})),
        (foreign, json!({})),
        (elsewhere(), json!({"exp": 900})),
        (elsewhere(), json!({"exp": 9_000_000})),
        (elsewhere(), json!({"aud": "https://other.example"})),
    ] {
        let (no, lacking) = lacks(&asking(client, &es256(&changes)), Documents::NONE);
        assert!(no.is_some() && lacking.is_empty(), "{changes} {no:?} {lacking:?}");
    }
}
