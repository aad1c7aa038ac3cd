//! Tests with the signatures and keys of the RFCs.

use serde_json::{Value, json};

use super::algorithm::Algorithm;
use super::signed::{self, ED_X, ES_X, ES_Y, With};
use super::{Flaw, Jws, KeySet};
use crate::secret::Secret;

/// Returns a key set with one key.
fn one(key: &Value) -> KeySet {
    KeySet::parse(json!({"keys": [key]}).to_string().as_bytes()).unwrap()
}

fn has_signed(keys: &KeySet, algorithm: Algorithm, jws: &str) -> bool {
    let (message, signature) = jws.rsplit_once('.').unwrap();
    keys.candidates(None, algorithm).any(|key| key.has_signed(message.as_bytes(), signature))
}

#[test]
fn the_signature_of_rfc_7515_a_2_is_its_key_s() {
    let key = json!({"kty": "RSA", "e": "AQAB", "n": concat!(
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgN",
        "MsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmt",
        "dVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
    )});
    let jws = concat!(
        "eyJhbGciOiJSUzI1NiJ9.",
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dn",
        "ZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC",
        "-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    );
    assert!(has_signed(&one(&key), Algorithm::Rs256, jws));
    assert!(!has_signed(&one(&key), Algorithm::Rs256, &jws.replacen("eyJpc3Mi", "eyJpc3Mj", 1)));
}

#[test]
fn the_signature_of_rfc_7515_a_3_is_its_key_s() {
    let key = json!({"kty": "EC", "crv": "P-256", "x": ES_X, "y": ES_Y});
    let jws = concat!(
        "eyJhbGciOiJFUzI1NiJ9.",
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    );
    assert!(has_signed(&one(&key), Algorithm::Es256, jws));
    assert!(!has_signed(&one(&key), Algorithm::Es256, &jws.replacen("Mi", "Mj", 1)));
}

#[test]
fn the_signature_of_rfc_8037_a_4_is_its_key_s() {
    let key = json!({"kty": "OKP", "crv": "Ed25519", "x": ED_X});
    let jws = concat!(
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.",
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    );
    assert!(has_signed(&one(&key), Algorithm::EdDsa, jws));
    assert!(!has_signed(&one(&key), Algorithm::EdDsa, &jws.replacen("RXhh", "RXhi", 1)));
}

/// RFC 7518 §3.5. The RFCs have no signature by PS256, so the test makes one.
#[test]
fn a_key_that_names_ps256_verifies_no_other_algorithm_rfc_8725_3_1() {
    let key = |alg| one(&json!({"kty": "RSA", "kid": "rs", "alg": alg, "n": signed::rsa_n(), "e": "AQAB"}));
    let jws = |name: &str, with| signed::sign(&json!({"alg": name, "kid": "rs"}), &json!({}), with);
    let check = |alg, text: String| Jws::read(text, "JWT").unwrap().check_signature(&key(alg));
    assert_eq!(check("PS256", jws("PS256", With::Ps256)), Ok(()));
    assert_eq!(check("RS256", jws("RS256", With::Rs256)), Ok(()));
    assert_eq!(check("PS256", jws("RS256", With::Rs256)), Err(Flaw::KeyUnknown));
    assert_eq!(check("RS256", jws("PS256", With::Ps256)), Err(Flaw::KeyUnknown));
    assert_eq!(check("PS256", jws("PS256", With::Rs256)), Err(Flaw::Forged));
}

#[test]
fn a_mac_is_checked_with_its_secret_and_no_key_set_verifies_it_rfc_8725_3_1() {
    let secret = "a-secret-of-at-least-thirty-two-bytes";
    let text = signed::sign(&json!({"alg": "HS256", "typ": "JWT"}), &json!({"iss": "joe"}), With::Hs256(secret));
    assert_eq!(Jws::read(text.clone(), "JWT").unwrap_err(), Flaw::AlgorithmRefused);
    let jws = Jws::read_any(text, &["JWT"]).unwrap();
    assert!(jws.has_mac() && jws.check_mac(&Secret::new(secret)).is_ok());
    assert_eq!(jws.check_mac(&Secret::new("another-secret-of-at-least-32-bytes")), Err(Flaw::Forged));
    assert_eq!(jws.check_signature(&signed::keys()), Err(Flaw::KeyUnknown));
    // RFC 8725 §2.1: the public key of an RSA signature must not become the secret of an HMAC.
    let signed = Jws::read_any(signed::sign(&json!({"alg": "RS256"}), &json!({}), With::Rs256), &["JWT"]).unwrap();
    assert_eq!(signed.check_mac(&Secret::new(signed::rsa_n())), Err(Flaw::AlgorithmRefused));
}

#[test]
fn the_keys_of_rfc_7517_a_1_are_taken_apart_and_the_one_for_encryption_is_left_out_rfc_7517_5() {
    let set = json!({"keys": [
        {"kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
         "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM", "use": "enc", "kid": "1"},
        {"kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29", "n": signed::rsa_n()},
        {"kty": "EC", "crv": "P-521", "x": ES_X, "y": ES_Y, "kid": "curve"},
        {"kty": "RSA", "e": "AQAB", "alg": "RS512", "kid": "algorithm", "n": signed::rsa_n()},
        {"kty": "RSA", "e": "AQAB", "kid": "incomplete"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"},
        {"kty": "RSA", "e": "AQAB", "kid": "signing only", "key_ops": ["sign"], "n": signed::rsa_n()},
        "not a key",
    ]});
    let keys = KeySet::parse(set.to_string().as_bytes()).unwrap();
    assert_eq!(format!("{keys:?}"), "KeySet { keys: [Rs256 Some(\"2011-04-29\")] }");
    assert!(keys.has(Some("2011-04-29")) && !keys.has(Some("1")));
    assert!(KeySet::parse(b"{}").is_err() && KeySet::parse(b"[]").is_err());
}
