//! Tests of the signing side, with the keys and vectors of the RFCs.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value, json};

use super::{PrivateKey, SIGNED_TTL_S_MAX, ToSign, half_hash};
use crate::jose::signed::{self, ED_X, ES_X, ES_Y};
use crate::jose::{Algorithm, Jws, KeySet, thumbprint};
use crate::time::UnixTime;

/// An RSA key of 1,024 bits in PKCS#8, made for these tests.
const RSA_1024: &str = concat!(
    "MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBALdLMWvMlhAV0obu7o7YYWuYPmajEaYPN_v5YAZjwGKS2IdWlvtPne3dM4XiBW",
    "xsGmMb9srAPKfBnLxy0jbyE2z8Arjow6g7AliNJ3nhxuangkEdcO_Le6QnMMl6JTicsb6hIxn8N37EQ9Jh4McYNC9aSTszco1PX-t9i8ij0sfR",
    "AgMBAAECgYB40aC2_PkhizDlbpNjJzA4Gvdu8ihM_JUbi4qHS7Nhhogh1arZ5uYkB33Rz2VhzXQrRiCMDuEsdwvYkBsOysyQGYX2Q6cLMwzK5J",
    "Vz3Q31UbppWer_ljsaDd9IhvqKt4CUN887RWniS3bvQ2v9amH61NqYkXpsOhbYk6VkixmGnQJBANwK0mEXatcz-aNTmM-VlbI0kF4T3gCQxRaw",
    "Tt9EIkAYSXn33jWsvlFfHDKfE7BwvjMaIINLHHNBNKwvtsFfT4cCQQDVPwtNsL0SgCcqKLC6qm5P1mj_q85dUpx_RRRigRM4e_igV6SXiRmgyJ",
    "IFiqVLDKCrUiF2DhQ9BcRzZWuJfRPnAkEAyNjn5s-lKgG7H6WymegD18G69ORVg1ahT3Bmzcw3JyIED1x8a6ndnhCegGZLZoXCVorGmpD4ywr9",
    "tR1oR2FkCQJAf-12RoFErBidZjlK7HDaBKNIEjlrb6jjoaY7eGyer0AQA4EQiKgC6-XnU9O9HazRpnV7BWuk0IbpN6EcRjr2-QJAHvvjZeJr-C",
    "6h8rnQXTTiHAY45C3ZNTCGNwLnFwhEcmDXnHgsg5ZO1v1TBiE8seJguTh49VGtk2JfHkZEaCNIfg",
);

/// Returns a private key for each algorithm in PKCS#8. ES256 and EdDSA have the keys of RFC 7515 A.3 and RFC 8037 A.
fn private_keys() -> Vec<(Algorithm, Vec<u8>)> {
    let bytes = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
    let public = [&[4][..], &bytes(ES_X), &bytes(ES_Y)].concat();
    let own = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let es = EcdsaKeyPair::from_private_key_and_public_key(own, &bytes(signed::ES_D), &public).unwrap();
    let ed = Ed25519KeyPair::from_seed_unchecked(&bytes(signed::ED_D)).unwrap();
    let rsa: Pkcs8V1Der<'_> = signed::rsa().as_der().unwrap();
    let rsa = rsa.as_ref().to_vec();
    vec![
        (Algorithm::Rs256, rsa.clone()),
        (Algorithm::Ps256, rsa),
        (Algorithm::Es256, es.to_pkcs8v1().unwrap().as_ref().to_vec()),
        (Algorithm::EdDsa, ed.to_pkcs8().unwrap().as_ref().to_vec()),
    ]
}

fn key(algorithm: Algorithm) -> PrivateKey {
    let (_, pkcs8) = private_keys().into_iter().find(|(own, _)| *own == algorithm).unwrap();
    PrivateKey::parse(algorithm, &pkcs8).unwrap()
}

fn claims() -> Map<String, Value> {
    json!({"sub": "alice", "nonce": "n-0S6_WzA2Mj"}).as_object().unwrap().clone()
}

#[expect(clippy::disallowed_methods, reason = "signatures of ECDSA and RSA draw on it")]
fn signed_by(key: &PrivateKey, message: &ToSign) -> Option<String> {
    key.sign(message, &SystemRandom::new()).map(|text| text.reveal().to_owned())
}

#[test]
fn the_thumbprint_of_rfc_7638_3_1_is_that_of_its_key() {
    let key = json!({"kty": "RSA", "alg": "RS256", "kid": "2011-04-29", "e": "AQAB", "n": concat!(
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs",
        "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5haj",
        "rn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    )});
    assert_eq!(thumbprint(&key).as_deref(), Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"));
}

#[test]
fn the_thumbprint_of_rfc_8037_a_3_is_that_of_its_key() {
    let key = json!({"kty": "OKP", "crv": "Ed25519", "x": ED_X});
    assert_eq!(thumbprint(&key).as_deref(), Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    assert_eq!(thumbprint(&json!({"kty": "oct", "k": "c2VjcmV0"})), None);
    assert_eq!(thumbprint(&json!({"kty": "OKP", "crv": "Ed25519"})), None);
}

#[test]
fn what_is_signed_is_verified_by_the_published_key_and_names_it() {
    for algorithm in Algorithm::ALL.iter().copied() {
        let key = key(algorithm);
        let text = signed_by(&key, &ToSign::new("JWT", algorithm, claims())).unwrap();
        let header: Value =
            serde_json::from_slice(&BASE64URL_NOPAD.decode(text.split('.').next().unwrap().as_bytes()).unwrap())
                .unwrap();
        assert_eq!(header, json!({"typ": "JWT", "alg": algorithm.as_str(), "kid": key.kid()}));
        assert_eq!(thumbprint(key.public()).as_deref(), Some(key.kid()));
        let set = KeySet::parse(json!({"keys": [key.public()]}).to_string().as_bytes()).unwrap();
        let jws = Jws::read(text.clone(), "JWT").unwrap();
        assert_eq!(jws.check_signature(&set), Ok(()), "{algorithm}");
        assert_eq!(jws.payload::<Map<String, Value>>(), Ok(claims()));
        assert!(Jws::read(text, "at+jwt").is_err(), "a token of one kind is none of another");
    }
}

#[test]
fn an_rsa_key_of_fewer_than_2048_bits_is_refused_rfc_7518_3_3() {
    let small = BASE64URL_NOPAD.decode(RSA_1024.as_bytes()).unwrap();
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256] {
        assert!(PrivateKey::parse(algorithm, &small).is_none());
    }
}

#[test]
fn the_public_part_has_no_private_member() {
    for (algorithm, pkcs8) in private_keys() {
        let key = PrivateKey::parse(algorithm, &pkcs8).unwrap();
        let names: Vec<&str> = key.public().as_object().unwrap().keys().map(String::as_str).collect();
        let known = ["kty", "crv", "x", "y", "n", "e", "kid", "use", "alg"];
        assert!(names.iter().all(|name| known.contains(name)), "{names:?}");
        assert!(!format!("{key:?}").contains("pkcs8") && format!("{key:?}").len() < 80, "{key:?}");
    }
}

#[test]
fn a_key_signs_for_its_own_algorithm_only_rfc_8725_3_1() {
    let rs = key(Algorithm::Rs256);
    assert_eq!(signed_by(&rs, &ToSign::new("JWT", Algorithm::Ps256, claims())), None);
    for (algorithm, pkcs8) in private_keys() {
        for other in Algorithm::ALL.iter().copied() {
            let is_rsa = |own: Algorithm| matches!(own, Algorithm::Rs256 | Algorithm::Ps256);
            let is_fit = algorithm == other || (is_rsa(algorithm) && is_rsa(other));
            assert_eq!(PrivateKey::parse(other, &pkcs8).is_some(), is_fit, "{algorithm} as {other}");
        }
    }
    assert!(PrivateKey::parse(Algorithm::Es256, b"no key").is_none());
    // The public key of PS256 does not verify RS256, although both are RSA keys.
    let text = signed_by(&rs, &ToSign::new("JWT", Algorithm::Rs256, claims())).unwrap();
    let set = json!({"keys": [key(Algorithm::Ps256).public()]}).to_string();
    let set = KeySet::parse(set.as_bytes()).unwrap();
    assert!(Jws::read(text, "JWT").unwrap().check_signature(&set).is_err());
}

/// RFC 8037 A.4 signs this payload with this header; Ed25519 gives the same signature every time.
#[test]
fn the_signature_of_a_message_by_the_key_of_rfc_8037_a_4_is_the_same_every_time() {
    let message = ToSign::new("JWT", Algorithm::EdDsa, claims());
    let (one, two) = (signed_by(&key(Algorithm::EdDsa), &message), signed_by(&key(Algorithm::EdDsa), &message));
    assert_eq!(one, two);
    assert_eq!(key(Algorithm::EdDsa).kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn no_signed_token_lives_longer_than_its_key_stays_published() {
    let at = UnixTime(1_000);
    let exp = |ttl_s| ToSign::new("JWT", Algorithm::Es256, claims()).lasting(at, ttl_s).claims()["exp"].clone();
    assert_eq!(exp(600), json!(1_600));
    assert_eq!(exp(u64::MAX), json!(at.plus(SIGNED_TTL_S_MAX).0));
}

#[test]
fn the_hash_of_a_token_is_the_left_half_of_the_digest_of_its_algorithm_openid_connect_core_3_1_3_6() {
    // The examples of OpenID Connect Core A.3 and A.4.
    let access = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
    assert_eq!(half_hash(Algorithm::Rs256, access), "77QmUPtjPfzWtF2AnpK9RQ");
    let code = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk";
    assert_eq!(half_hash(Algorithm::Rs256, code), "LDktKdoQak3Pk0cnXxCltA");
    assert_eq!(half_hash(Algorithm::EdDsa, access).len(), 43, "Ed25519 is defined with SHA-512");
}

#[test]
fn a_message_shows_no_claim_when_it_is_printed() {
    assert_eq!(format!("{:?}", ToSign::new("JWT", Algorithm::Es256, claims())), "ToSign(JWT, ES256)");
}
