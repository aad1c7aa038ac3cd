//! Request objects, RFC 9101.

use serde_json::{Value, json};

use super::*;
use crate::authorize::pushed::{PushRequest, Reference};
use crate::authorize::{Precheck, RequestObject};
use crate::jose::signed::{self, With};
use crate::line::{Document, DocumentKey, Documents};
use crate::model::Ticket;
use crate::wire::Params;

const KEYS_URL: &str = "https://app.example/keys";

/// `web`, which has keys to sign with, and alice, who is signed in.
fn signing() -> World {
    let mut world = signed_in();
    change(&mut world, |client| client.jwks = Some(signed::published()));
    world
}

fn change(world: &mut World, how: impl FnOnce(&mut Client)) {
    let mut client = Client::clone(world.facts.client.as_ref().unwrap());
    how(&mut client);
    world.facts.client = Some(Arc::new(client));
}

/// The claims of a good request object, with changes. `null` removes a claim.
fn claims(changes: &Value) -> Value {
    let mut all = json!({
        "iss": "web", "aud": "https://auth.example", "exp": 1300, "client_id": "web", "response_type": "code",
        "redirect_uri": "https://app.example/cb", "scope": "email", "state": "of the object", "max_age": 600,
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256",
    });
    for (name, value) in changes.as_object().unwrap() {
        all[name] = value.clone();
    }
    all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    all
}

fn object(changes: &Value) -> String {
    let header = json!({"alg": "ES256", "kid": "es", "typ": "oauth-authz-req+jwt"});
    signed::sign(&header, &claims(changes), With::Es256)
}

/// Judges an object that comes beside other parameters.
fn open(world: &World, text: &str) -> Result<Params, No> {
    let mut params = world.params();
    params.push(Param::Request, text.to_owned()).unwrap();
    let object = RequestObject::take(&mut params).expect("there is one");
    let (verdict, changes) = world.judge(&object);
    assert!(changes.is_empty());
    verdict.map_err(|refusal| refusal.no)
}

fn no(changes: &Value) -> Option<No> {
    open(&signing(), &object(changes)).err()
}

#[test]
fn a_signed_object_is_the_whole_request_rfc_9101_6_3() {
    let world = signing();
    let params = open(&world, &object(&json!({"resource": ["https://api.example/", "https://files.example/"]})));
    let params = params.unwrap();
    let value = |param| params.value(param);
    assert_eq!((value(Param::Scope), value(Param::State)), (Some("email"), Some("of the object")));
    assert_eq!((value(Param::MaxAge), value(Param::Request)), (Some("600"), None));
    assert_eq!(params.values(Param::Resource).count(), 2);
    assert!(params.is_signed);
    // The request beside the object has a state, and the object of this test has none.
    let params = open(&world, &object(&json!({"state": null}))).unwrap();
    assert_eq!(params.value(Param::State), None);
    let visit = Visit {
        pending: PendingVisit::new(Goal::Authorize(Box::new(params)), 4000),
        ..visit(&with_consent(signing(), "email"), None)
    };
    let step = with_consent(signing(), "email").judge(&visit).0.unwrap().step;
    assert!(matches!(step, Step::Return(Return { answer: Ok(_), .. })), "{step:?}");
}

#[test]
fn an_object_of_another_client_or_for_another_server_is_refused_rfc_9101_6_3() {
    for (changes, expected) in [
        (json!({"client_id": "other"}), Some(No::RequestObjectOfOther)),
        (json!({"client_id": null}), Some(No::RequestObjectOfOther)),
        (json!({"iss": "other"}), Some(No::RequestObjectOfOther)),
        (json!({"iss": null}), None),
        (json!({"aud": "https://other.example"}), Some(No::RequestObjectForOther)),
        (json!({"aud": []}), Some(No::RequestObjectForOther)),
        (json!({"aud": ["https://auth.example", "https://other.example"]}), None),
        (json!({"aud": null}), None),
    ] {
        assert_eq!(no(&changes), expected, "{changes}");
    }
}

#[test]
fn an_object_that_expired_or_contains_another_is_refused() {
    for (changes, expected) in [
        (json!({"exp": 970}), Some(No::RequestObjectExpired)),
        (json!({"exp": 971}), None),
        (json!({"exp": null}), None),
        (json!({"nbf": 1031}), Some(No::RequestObjectExpired)),
        (json!({"exp": null, "nbf": 1031}), Some(No::RequestObjectExpired)),
        (json!({"request": "x"}), Some(No::RequestObjectMalformed)),
        (json!({"request_uri": "urn:x"}), Some(No::RequestObjectMalformed)),
        (json!({"scope": ["email"]}), Some(No::RequestObjectMalformed)),
    ] {
        assert_eq!(no(&changes), expected, "{changes}");
    }
    assert_eq!(open(&signing(), "x").unwrap_err(), No::RequestObjectMalformed);
}

/// RFC 9101 §6.2: "The authorization server MUST validate the signature".
#[test]
fn an_object_without_a_signature_of_its_client_is_refused_rfc_9101_6_2() {
    let world = signing();
    let refused = |world: &World, text: &str| open(world, text).unwrap_err();
    let none = signed::unsigned(&json!({"alg": "none"}), &claims(&json!({}))) + ".";
    assert_eq!(refused(&world, &none), No::RequestObjectAlgorithm);
    let mac = signed::sign(&json!({"alg": "HS256"}), &claims(&json!({})), With::Hs256(sample::SECRET));
    assert_eq!(refused(&world, &mac), No::RequestObjectAlgorithm);
    let unknown = signed::sign(&json!({"alg": "ES256", "kid": "new"}), &claims(&json!({})), With::Es256);
    assert_eq!(refused(&world, &unknown), No::RequestObjectUntrusted);
    let good = object(&json!({}));
    let (head, _) = good.rsplit_once('.').unwrap();
    assert_eq!(refused(&world, &format!("{head}.{}", "A".repeat(86))), No::RequestObjectUntrusted);
    assert_eq!(refused(&signed_in(), &good), No::RequestObjectUntrusted, "a client without keys");
    let mut unknown_client = signing();
    unknown_client.facts.client = None;
    assert_eq!(refused(&unknown_client, &good), No::AuthorizeClientUnknown);
}

#[test]
fn keys_at_a_url_are_asked_for_and_nothing_for_an_object_that_could_not_pass() {
    let mut world = signing();
    change(&mut world, |client| (client.jwks, client.jwks_uri) = (None, Some(KEYS_URL.into())));
    let lacks = |text: String, documents: &Documents| {
        let object = {
            let mut params = world.params();
            params.push(Param::Request, text).unwrap();
            RequestObject::take(&mut params).unwrap()
        };
        let mut turn = world.turn().with_documents(documents);
        let is_good = object.decide(&world.load(&object), &mut turn).is_ok();
        (is_good, turn.take_lacking())
    };
    let key = DocumentKey::KeySet { url: KEYS_URL.into(), kid: Some("es".into()) };
    assert_eq!(lacks(object(&json!({})), Documents::NONE), (false, vec![key.clone()]));
    for changes in [json!({"client_id": "other"}), json!({"exp": 900}), json!({"aud": "x"})] {
        assert_eq!(lacks(object(&changes), Documents::NONE), (false, vec![]), "{changes}");
    }
    let mut documents = Documents::default();
    documents.add(key, Some(Document::KeySet(Arc::new(signed::keys()))));
    assert_eq!(lacks(object(&json!({})), &documents), (true, vec![]));
}

#[test]
fn a_client_that_must_sign_is_refused_plain_parameters_also_when_it_pushes_them_rfc_9101_10_5() {
    let mut world = with_consent(signing(), "profile email");
    change(&mut world, |client| client.is_signature_required = true);
    let refused = |world: &World| match world.judge(&visit(world, None)).0.unwrap().step {
        Step::Return(Return { answer: Err(refusal), .. }) => refusal.no,
        step => panic!("{step:?}"),
    };
    assert_eq!(refused(&world), No::RequestNotSigned);
    assert_eq!(world.judge(&Precheck { params: world.params() }).0.unwrap_err().no, No::RequestNotSigned);
    world.send(Param::ClientSecret, sample::SECRET);
    let push = |world: &World| world.judge(&PushRequest::parse(world.params()).unwrap());
    assert_eq!(push(&world).0.unwrap_err().no, No::RequestNotSigned);

    world.send(Param::Request, &object(&json!({})));
    let (verdict, changes) = push(&world);
    let uri = verdict.unwrap().fields.value(Field::RequestUri).unwrap().as_str().unwrap().to_owned();
    let row = changes.writes.iter().find_map(|write| match write {
        Write::PutTicket(row) => Some(Ticket::clone(row)),
        _ => None,
    });
    let client = world.facts.client.clone();
    world.facts.ticket = row.map(|row| WithOwners { row, client, user: None, is_grant_revoked: false });
    let mut params = Params::default();
    params.push(Param::ClientId, "web".to_owned()).unwrap();
    params.push(Param::RequestUri, uri).unwrap();
    let params = world.judge(&Reference::parse(&params, &world.keys).unwrap()).0.unwrap();
    assert_eq!((params.value(Param::State), params.is_signed), (Some("of the object"), true));
    // The page keeps that the request was signed.
    let pending = PendingVisit::new(Goal::Authorize(Box::new(params)), 4000);
    let seal = pending.seal("standard", &Digest::of(b"browser"), world.now, &world.keys, &mut world.turn().entropy);
    let (pending, _) = PendingVisit::open(&seal, &Digest::of(b"browser"), world.now, &world.keys).unwrap();
    let step = world.judge(&Visit { pending, ..visit(&world, None) }).0.unwrap().step;
    assert!(matches!(step, Step::Return(Return { answer: Ok(_), .. })), "{step:?}");
}
