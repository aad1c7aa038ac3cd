//! Tests of the verification of ID tokens.

use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::super::sample::{self, CLIENT_ID, ISSUER, claims, claims_with};
use super::*;
use crate::jose::JWS_BYTES_MAX;
use crate::jose::signed::{self, ED_X, With, sign};

const NOW: UnixTime = UnixTime(1000);

fn judge_at(text: &str, nonce: Option<&str>, now: UnixTime) -> Result<IdToken, No> {
    let expected = Expected { issuer: ISSUER, client_id: CLIENT_ID, nonce };
    UnverifiedIdToken::read(text.to_owned())?.verify(&signed::keys(), &expected, now)
}

fn judge(text: &str) -> Result<IdToken, No> {
    judge_at(text, None, NOW)
}

fn judge_claims(changes: Value) -> Result<IdToken, No> {
    judge(&sample::token(&claims_with(changes)))
}

/// Returns a key set with one key.
fn one(key: &Value) -> KeySet {
    KeySet::parse(json!({"keys": [key]}).to_string().as_bytes()).unwrap()
}

#[test]
fn a_token_by_each_of_the_algorithms_says_who_it_is_about() {
    let headers = [
        (json!({"alg": "RS256", "kid": "rs", "typ": "JWT"}), With::Rs256),
        (json!({"alg": "ES256", "kid": "es"}), With::Es256),
        (json!({"alg": "EdDSA", "kid": "ed", "typ": "jwt"}), With::EdDsa),
        (json!({"alg": "Ed25519", "kid": "ed"}), With::EdDsa),
    ];
    for (header, with) in headers {
        let said = judge(&sign(&header, &claims(), with)).unwrap();
        let expected = IdToken {
            issuer: ISSUER.into(),
            subject: "alice-there".into(),
            email: Some("alice@example.com".into()),
            email_verified: true,
            is_email_current: true,
            is_email_foreign: false,
            hosted_domain: None,
            auth_time: None,
            name: Some("Alice There".into()),
            // `exp`, and 30 seconds for clocks that differ.
            ends_at: UnixTime(2020),
        };
        assert!(said == expected, "{header}");
    }
}

/// RFC 8725 §3.1: "Libraries MUST enable the caller to specify a supported set of algorithms and MUST NOT use any other".
#[test]
fn a_token_without_a_signature_or_by_another_algorithm_is_refused_rfc_8725_3_1() {
    for alg in ["none", "None", "", "HS256", "RS384", "RS512", "PS384", "ES384", "ES256K", "rs256"] {
        let header = json!({"alg": alg, "kid": "rs"});
        let told = judge(&sign(&header, &claims(), With::Rs256)).unwrap_err();
        assert_eq!(told, No::AssertionAlgorithmRefused, "{alg}");
    }
    let bare = format!("{}.", signed::unsigned(&json!({"alg": "none"}), &claims()));
    assert_eq!(judge(&bare).unwrap_err(), No::AssertionAlgorithmRefused);
    let unsigned = format!("{}.", signed::unsigned(&json!({"alg": "RS256", "kid": "rs"}), &claims()));
    assert_eq!(judge(&unsigned).unwrap_err(), No::AssertionForged);
}

/// RFC 8725 §2.1: "the public key would be used as the HMAC shared secret".
#[test]
fn a_public_key_is_no_shared_secret_rfc_8725_2_1() {
    let message = signed::unsigned(&json!({"alg": "HS256", "kid": "rs"}), &claims());
    for secret in [signed::rsa_n().into_bytes(), BASE64URL_NOPAD.decode(signed::rsa_n().as_bytes()).unwrap()] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
        let forged = format!("{message}.{}", BASE64URL_NOPAD.encode(tag.as_ref()));
        assert_eq!(judge(&forged).unwrap_err(), No::AssertionAlgorithmRefused);
    }
}

#[test]
fn a_header_cannot_choose_another_algorithm_for_a_key() {
    for (alg, kid) in [("ES256", "rs"), ("RS256", "es"), ("EdDSA", "rs"), ("RS256", "ed")] {
        let header = json!({"alg": alg, "kid": kid});
        assert_eq!(judge(&sign(&header, &claims(), With::Rs256)).unwrap_err(), No::AssertionKeyUnknown, "{alg} {kid}");
    }
}

#[test]
fn a_token_must_be_signed_by_the_key_that_it_names() {
    let unknown = json!({"alg": "RS256", "kid": "gone"});
    assert_eq!(judge(&sign(&unknown, &claims(), With::Rs256)).unwrap_err(), No::AssertionKeyUnknown);
    let other = json!({"alg": "RS256", "kid": "rs"});
    assert_eq!(judge(&sign(&other, &claims(), With::Es256)).unwrap_err(), No::AssertionForged);
    let token = sample::token(&claims());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = message.split_once('.').unwrap();
    let mallory = signed::unsigned(&json!({}), &claims_with(json!({"sub": "mallory"})));
    let (_, claims) = mallory.split_once('.').unwrap();
    assert_eq!(judge(&format!("{header}.{claims}.{signature}")).unwrap_err(), No::AssertionForged);
}

/// OpenID Connect Core §10.1: "If there are multiple keys in the referenced JWK Set document, a kid value MUST be provided".
#[test]
fn a_token_that_names_no_key_is_taken_where_there_is_only_one_oidc_core_10_1() {
    let token = sign(&json!({"alg": "EdDSA"}), &claims(), With::EdDsa);
    assert_eq!(judge(&token).unwrap_err(), No::AssertionKeyUnknown);
    let keys = one(&json!({"kty": "OKP", "crv": "Ed25519", "x": ED_X}));
    let expected = Expected { issuer: ISSUER, client_id: CLIENT_ID, nonce: None };
    assert!(UnverifiedIdToken::read(token).unwrap().verify(&keys, &expected, NOW).is_ok());
}

/// RFC 8725 §3.10: "Applications that use these headers […] MUST" not trust what they point to.
#[test]
fn a_key_that_the_token_brings_along_is_not_looked_at_rfc_8725_3_10() {
    let header =
        json!({"alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": ED_X}, "jku": "https://evil.example"});
    assert_eq!(judge(&sign(&header, &claims(), With::EdDsa)).unwrap_err(), No::AssertionKeyUnknown);
}

/// RFC 7515 §4.1.11: "If any of the listed extension Header Parameters are not understood and supported by the recipient, then
/// the JWS is invalid."
#[test]
fn a_critical_extension_is_refused_rfc_7515_4_1_11() {
    for crit in [json!(["b64"]), json!([]), json!("exp")] {
        let header = json!({"alg": "EdDSA", "kid": "ed", "crit": crit, "b64": false});
        assert_eq!(judge(&sign(&header, &claims(), With::EdDsa)).unwrap_err(), No::AssertionMalformed);
    }
}

#[test]
fn a_token_of_another_kind_is_refused_rfc_8725_3_11() {
    for typ in ["at+jwt", "logout+jwt", "dpop+jwt"] {
        let header = json!({"alg": "EdDSA", "kid": "ed", "typ": typ});
        assert_eq!(judge(&sign(&header, &claims(), With::EdDsa)).unwrap_err(), No::AssertionMalformed, "{typ}");
    }
}

/// OpenID Connect Core §3.1.3.7, 2.
#[test]
fn another_issuer_is_refused_to_the_last_slash_oidc_core_3_1_3_7() {
    for issuer in ["https://issuer.example/", "https://ISSUER.example", "issuer.example", "https://evil.example", ""] {
        let told = judge_claims(json!({"iss": issuer})).unwrap_err();
        assert_eq!(told, No::AssertionOfOtherIssuer, "{issuer}");
    }
}

/// OpenID Connect Core §3.1.3.7, 3 to 5.
#[test]
fn a_token_for_another_client_is_refused_oidc_core_3_1_3_7() {
    for changes in [
        json!({"aud": "other", "azp": null}),
        json!({"aud": [], "azp": null}),
        json!({"aud": ["other"], "azp": CLIENT_ID}),
        json!({"aud": [CLIENT_ID, "other"]}),
        json!({"aud": [CLIENT_ID, "other"], "azp": null}),
        json!({"azp": "other"}),
        json!({"aud": format!("{CLIENT_ID} ")}),
    ] {
        assert_eq!(judge_claims(changes.clone()).unwrap_err(), No::AssertionForOther, "{changes}");
    }
    assert!(judge_claims(json!({"aud": [CLIENT_ID]})).is_ok());
    assert!(judge_claims(json!({"azp": null})).is_ok());
}

/// RFC 7519 §4.1.4, `exp`, and RFC 7519 §4.1.5, `nbf`.
#[test]
fn a_token_lives_from_its_beginning_to_its_end_give_or_take_the_leeway_rfc_7519_4_1_4() {
    let token = sample::token(&claims());
    let leeway = i64::try_from(LEEWAY_S).unwrap();
    let at = |now| judge_at(&token, None, UnixTime(now)).err();
    assert_eq!(at(990 - leeway - 1), Some(No::AssertionTooEarly));
    assert_eq!(at(990 - leeway), None);
    assert_eq!(at(1990 + leeway - 1), None);
    assert_eq!(at(1990 + leeway), Some(No::AssertionExpired));
    assert_eq!(judge_claims(json!({"nbf": 1000 + leeway + 1})).unwrap_err(), No::AssertionTooEarly);
    assert!(judge_claims(json!({"nbf": 900})).is_ok());
    // By its `exp` claim alone the token would never expire.
    let immortal = sample::token(&claims_with(json!({"exp": 9_999_999_999_i64})));
    assert_eq!(judge_at(&immortal, None, UnixTime(990 + 86_400)).unwrap_err(), No::AssertionExpired);
    assert!(judge_claims(json!({"exp": 1990.5, "iat": 990.25})).is_ok());
    for odd in [json!({"exp": -1}), json!({"iat": 1e300}), json!({"nbf": -0.5})] {
        assert_eq!(judge_claims(odd).unwrap_err(), No::AssertionMalformed);
    }
}

/// OpenID Connect Core §3.1.3.7, 11: "If a nonce value was sent in the Authentication Request, a nonce Claim MUST be present
/// and its value checked to verify that it is the same value as the one that was sent".
#[test]
fn a_nonce_that_was_sent_must_come_back_oidc_core_3_1_3_7() {
    let with = sample::token(&claims_with(json!({"nonce": "n-1"})));
    assert!(judge_at(&with, Some("n-1"), NOW).is_ok());
    assert!(judge_at(&with, None, NOW).is_ok());
    assert_eq!(judge_at(&with, Some("n-2"), NOW).unwrap_err(), No::AssertionNonceWrong);
    assert_eq!(judge_at(&sample::token(&claims()), Some("n-1"), NOW).unwrap_err(), No::AssertionNonceWrong);
}

#[test]
fn what_is_missing_or_of_the_wrong_type_is_malformed() {
    for name in ["iss", "sub", "aud", "exp", "iat"] {
        assert_eq!(judge_claims(json!({name: null})).unwrap_err(), No::AssertionMalformed, "{name}");
    }
    for changes in [
        json!({"sub": ""}),
        json!({"sub": "x".repeat(256)}),
        json!({"sub": "ä"}),
        json!({"sub": 7}),
        json!({"exp": "1990"}),
        json!({"aud": {"a": 1}}),
        json!({"email": ["a@b"]}),
    ] {
        assert_eq!(judge_claims(changes.clone()).unwrap_err(), No::AssertionMalformed, "{changes}");
    }
}

#[test]
fn what_is_no_compact_jws_is_malformed() {
    let token = sample::token(&claims());
    let parts: Vec<&str> = token.split('.').collect();
    let twice = BASE64URL_NOPAD.encode(br#"{"alg":"EdDSA","kid":"ed","alg":"none"}"#);
    let list = BASE64URL_NOPAD.encode(br#"["EdDSA","ed",null,null]"#);
    for text in [
        String::new(),
        "a.b".to_owned(),
        "..".to_owned(),
        format!("{token}.{}", parts[2]),
        format!("{}=.{}.{}", parts[0], parts[1], parts[2]),
        format!("{} .{}.{}", parts[0], parts[1], parts[2]),
        format!("{twice}.{}.{}", parts[1], parts[2]),
        format!("{list}.{}.{}", parts[1], parts[2]),
        "x".repeat(JWS_BYTES_MAX + 1),
    ] {
        assert_eq!(judge(&text).unwrap_err(), No::AssertionMalformed, "{text}");
    }
    let long = claims_with(json!({"name": "x".repeat(JWS_BYTES_MAX)}));
    assert_eq!(judge(&sample::token(&long)).unwrap_err(), No::AssertionMalformed);
}

#[test]
fn an_address_is_vouched_for_only_by_the_word_true() {
    let verified = |changes| judge_claims(changes).unwrap().email_verified;
    assert!(verified(json!({})));
    for other in [json!(false), json!("true"), json!(1), json!(null)] {
        assert!(!verified(json!({"email_verified": other})));
    }
    for email in ["alice", "@example.com", "alice@", "a b@example.com", "a\n@example.com"] {
        let said = judge_claims(json!({"email": email})).unwrap();
        assert!(said.email.is_none() && !said.email_verified, "{email}");
    }
    assert_eq!(judge_claims(json!({"name": " \u{7} "})).unwrap().name, None);
}

/// Unicode Technical Report 36 §2: characters that look like ASCII letters, or become ASCII letters in lower case or in
/// a normal form.
#[test]
fn an_address_outside_of_ascii_is_none_and_no_row_is_looked_up_by_it() {
    for email in [
        "mi\u{212a}e@example.com",
        "ali\u{17f}e@example.com",
        "alice@\u{131}o.example",
        "\u{ff41}lice@example.com",
        "alice@example\u{3002}com",
        "a\u{301}lice@example.com",
        "alice\u{ad}@example.com",
        "alice@b\u{fc}cher.example",
    ] {
        let claims = claims_with(json!({"email": email}));
        let jwt = UnverifiedIdToken::read(sample::token(&claims)).unwrap();
        assert_eq!(jwt.email(), None, "{email}");
        let said = judge_claims(json!({"email": email})).unwrap();
        assert!(said.email.is_none() && !said.email_verified && said.is_email_foreign, "{email}");
    }
    let said = judge_claims(json!({"email": "Alice+x@EXAMPLE.com"})).unwrap();
    assert_eq!((said.email.as_deref(), said.is_email_foreign), (Some("Alice+x@EXAMPLE.com"), false));
}

#[test]
fn an_auth_time_is_taken_when_it_is_a_time_that_has_been_and_else_counts_as_long_ago() {
    let said = |auth_time: Value| judge_claims(json!({"auth_time": auth_time})).unwrap().auth_time;
    assert_eq!(said(json!(900)), Some(UnixTime(900)));
    assert_eq!(said(json!(900.5)), Some(UnixTime(900)));
    // The clock of the identity provider is slightly ahead.
    assert_eq!(said(json!(1000 + LEEWAY_S)), Some(NOW));
    for other in [json!(1001 + LEEWAY_S), json!(0), json!(-5), json!("900"), json!([900]), json!(1e300)] {
        assert_eq!(said(other.clone()), Some(UnixTime(1)), "{other}");
    }
    assert_eq!(said(json!(null)), None);
}

#[test]
fn neither_token_nor_address_is_printed() {
    let token = sample::token(&claims());
    let jwt = UnverifiedIdToken::read(token.clone()).unwrap();
    assert_eq!(format!("{jwt:?}"), "UnverifiedIdToken(Jwt(Jws(EdDsa, Some(\"ed\"))))");
    assert!(!format!("{:?}", judge(&token).unwrap()).contains('@'));
}

#[test]
fn google_is_no_authority_for_addresses_of_others() {
    let google = "https://accounts.google.com";
    assert!(is_authority(google, None, "alice@gmail.com"));
    assert!(is_authority(google, Some("corp.example"), "alice@Corp.example"));
    assert!(!is_authority(google, None, "alice@corp.example"));
    assert!(!is_authority(google, Some("other.example"), "alice@corp.example"));
    assert!(is_authority("https://id.corp.example", None, "alice@corp.example"));
}
