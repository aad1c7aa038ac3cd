//! Authorization server metadata, RFC 8414: a description of the surface for programs.

use protocol::authorize::PROMPTS;
use protocol::endpoint::{self, Endpoint};
use protocol::jose::{Algorithm, MAC_ALGORITHM};
use protocol::model::{AuthMethod, GrantType};
use protocol::openid::{Claim, LEVELS, id_token};
use protocol::policy::Policy;
use serde_json::{Map, Value, json};

use crate::rules::{Auth, Dialect};

impl Dialect {
    /// Returns the metadata document of RFC 8414 §2, as the policy of this surface defines it.
    #[must_use]
    pub fn metadata(&self, policy: &Policy) -> Value {
        let mut document = Map::new();
        let mut put = |name: &str, value: Value| drop(document.insert(name.to_owned(), value));
        // RFC 8414 §3.3: "The "issuer" value returned MUST be identical to the authorization server's issuer identifier
        // value into which the well-known URI string was inserted".
        put("issuer", json!(policy.issuer));
        for row in endpoint::TABLE {
            if let (Some(name), Some(url)) = (row.metadata, self.url(row.endpoint)) {
                put(name, json!(url));
            }
        }
        let has = |grant| policy.grants.contains(&grant);
        let offered = GrantType::ALL.iter().filter(|grant| has(**grant));
        let response_types: Vec<&str> = offered.filter_map(|grant| grant.row().response_type).collect();
        let mut response_modes = vec!["query"];
        if has(GrantType::Implicit) {
            response_modes.push("fragment");
        }
        response_modes.push("form_post");
        put("scopes_supported", policy.scope.list.iter().map(|(word, _)| word.as_str()).collect());
        put("response_types_supported", json!(response_types));
        if self.at(Endpoint::Authorize).is_some() {
            put("response_modes_supported", json!(response_modes));
        }
        let words = policy.grants.iter().map(|grant| {
            let own = self.words_of(*grant).and_then(|own| own.word.as_deref());
            own.unwrap_or_else(|| grant.as_str())
        });
        put("grant_types_supported", words.collect());
        for row in endpoint::TABLE {
            if let (Some(name), Some(at)) = (row.metadata_auth, self.at(row.endpoint)) {
                let auth = self.address(at).auth;
                put(name, json!(methods(auth)));
                // RFC 8414 §2: "This metadata entry MUST be present if either of these authentication methods are specified […].
                // The value "none" MUST NOT be used."
                if auth.assertion {
                    let signatures = Algorithm::ALL.iter().map(|own| own.as_str());
                    let algorithms: Vec<&str> = signatures.chain([MAC_ALGORITHM]).collect();
                    put(&name.replace("_methods_supported", "_signing_alg_values_supported"), json!(algorithms));
                }
            }
        }
        let takes_objects = self.at(Endpoint::Par).is_some();
        if takes_objects || policy.scope.is_openid {
            put("request_parameter_supported", json!(takes_objects));
            // OpenID Connect Discovery §3: "If omitted, the default value is true."
            put("request_uri_parameter_supported", json!(false));
        }
        if takes_objects {
            let algorithms: Vec<&str> = Algorithm::ALL.iter().map(|own| own.as_str()).collect();
            put("request_object_signing_alg_values_supported", json!(algorithms));
        }
        if has(GrantType::AuthorizationCode) {
            put("code_challenge_methods_supported", json!(["S256"]));
        }
        put("authorization_response_iss_parameter_supported", json!(policy.is_iss_sent));
        if policy.scope.is_openid {
            document.append(&mut provider());
        }
        Value::Object(document)
    }
}

/// Returns the members that an OpenID provider has beside those of RFC 8414: OpenID Connect Discovery §3.
fn provider() -> Map<String, Value> {
    let claims = id_token::CLAIMS.iter().copied().chain(Claim::ALL.iter().map(|claim| claim.as_str()));
    let members = [
        ("subject_types_supported", json!(["public"])),
        ("id_token_signing_alg_values_supported", Algorithm::ALL.iter().map(|own| own.as_str()).collect()),
        ("acr_values_supported", json!(LEVELS)),
        ("claim_types_supported", json!(["normal"])),
        ("claims_supported", claims.collect()),
        ("claims_parameter_supported", json!(true)),
        ("prompt_values_supported", json!(PROMPTS)),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The names of the accepted client authentication methods, by RFC 7591 §2.
fn methods(auth: Auth) -> Vec<&'static str> {
    let ways = [
        (auth.basic, AuthMethod::ClientSecretBasic),
        (auth.params, AuthMethod::ClientSecretPost),
        (auth.assertion, AuthMethod::ClientSecretJwt),
        (auth.assertion, AuthMethod::PrivateKeyJwt),
        (auth.none || auth.anybody, AuthMethod::None),
    ];
    ways.iter().filter(|(is_open, _)| *is_open).map(|(_, method)| method.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Dialects, Route};
    use crate::sample::{loaded, standard, standard_with};
    use expect_test::{expect, expect_file};

    /// Returns the document of the standard surface: what RFC 8414 has, and what only OpenID Connect has.
    fn of_standard() -> [String; 2] {
        let issuer = "https://auth.example";
        let dialects = Dialects::new(issuer, vec![standard()], &[]).unwrap();
        let dialect = dialects.named("standard").unwrap();
        let Value::Object(document) = dialect.metadata(&dialect.policy(issuer)) else { panic!("it is an object") };
        let is_of_oauth = |(name, _): &(String, Value)| !provider().contains_key(name);
        let (oauth, more): (Map<_, _>, Map<_, _>) = document.into_iter().partition(is_of_oauth);
        [oauth, more].map(|own| serde_json::to_string_pretty(&own).unwrap())
    }

    #[test]
    fn the_standard_surface_says_what_it_can_do_under_its_own_issuer_rfc_8414_3_3() {
        expect_file!["metadata/standard.json"].assert_eq(&(of_standard()[0].clone() + "\n"));
    }

    #[test]
    fn an_openid_provider_says_what_it_can_do_openid_connect_discovery_3() {
        expect![[r#"
            {
              "subject_types_supported": [
                "public"
              ],
              "id_token_signing_alg_values_supported": [
                "RS256",
                "PS256",
                "ES256",
                "EdDSA"
              ],
              "acr_values_supported": [
                "urn:grantry:acr:1fa",
                "urn:grantry:acr:2fa"
              ],
              "claim_types_supported": [
                "normal"
              ],
              "claims_supported": [
                "iss",
                "sub",
                "aud",
                "exp",
                "iat",
                "auth_time",
                "nonce",
                "acr",
                "amr",
                "azp",
                "at_hash",
                "sid",
                "name",
                "family_name",
                "given_name",
                "middle_name",
                "nickname",
                "preferred_username",
                "profile",
                "picture",
                "website",
                "gender",
                "birthdate",
                "zoneinfo",
                "locale",
                "updated_at",
                "email",
                "email_verified",
                "address",
                "phone_number",
                "phone_number_verified"
              ],
              "claims_parameter_supported": true,
              "prompt_values_supported": [
                "none",
                "login",
                "select_account",
                "consent"
              ]
            }"#]]
        .assert_eq(&of_standard()[1]);
    }

    #[test]
    fn a_surface_without_an_endpoint_or_grant_does_not_name_it() {
        let odd = loaded("odd", "grants = [\"implicit\"]\nwaives = [\"implicit-grant\"]\n[endpoint.authorize]\n");
        let dialects = Dialects::new("https://auth.example", vec![odd], &["implicit-grant".to_owned()]).unwrap();
        let dialect = dialects.named("odd").unwrap();
        let document = dialect.metadata(&dialect.policy(&dialect.base_url));
        expect![[r#"
            {
              "issuer": "https://auth.example/odd",
              "authorization_endpoint": "https://auth.example/odd/oauth/authorize",
              "scopes_supported": [
                "profile",
                "email"
              ],
              "response_types_supported": [
                "token"
              ],
              "response_modes_supported": [
                "query",
                "fragment",
                "form_post"
              ],
              "grant_types_supported": [
                "implicit"
              ],
              "authorization_response_iss_parameter_supported": false
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&document).unwrap());
    }

    /// OpenID Connect Discovery §4.1: "If the Issuer value contains a path component, any terminating / MUST be removed before
    /// appending /.well-known/openid-configuration."
    #[test]
    fn discovery_is_where_openid_connect_and_rfc_8414_5_look_for_it() {
        let dialects = Dialects::new("https://auth.example/sso/", vec![standard()], &[]).unwrap();
        for path in ["/sso/.well-known/openid-configuration", "/.well-known/openid-configuration/sso"] {
            assert!(
                matches!(dialects.route("auth.example", path), Route::Endpoint(_, at) if at.endpoint == Endpoint::Discovery)
            );
        }
    }

    #[test]
    fn a_surface_that_lost_the_grant_for_codes_is_no_openid_provider() {
        let machines = standard_with("grants = [\"client_credentials\"]\n");
        let dialects = Dialects::new("https://auth.example", vec![machines], &[]).unwrap();
        let path = "/.well-known/openid-configuration";
        assert!(matches!(dialects.route("auth.example", path), Route::UnknownPath(_)));
        let dialect = dialects.named("standard").unwrap();
        let document = dialect.metadata(&dialect.policy("https://auth.example"));
        assert_eq!((document.get("claims_supported"), dialect.at(Endpoint::Discovery)), (None, None));
    }

    /// The judges use the same tables as the document. OpenID Connect Discovery §3 requires these members.
    #[test]
    fn an_openid_provider_says_what_it_must_openid_connect_discovery_3() {
        let dialects = Dialects::new("https://auth.example", vec![standard()], &[]).unwrap();
        let dialect = dialects.named("standard").unwrap();
        let document = dialect.metadata(&dialect.policy("https://auth.example"));
        for name in [
            "issuer",
            "authorization_endpoint",
            "token_endpoint",
            "userinfo_endpoint",
            "jwks_uri",
            "id_token_signing_alg_values_supported",
            "response_types_supported",
            "subject_types_supported",
            "scopes_supported",
            "claims_supported",
        ] {
            assert!(document.get(name).is_some_and(|value| !value.is_null()), "{name}");
        }
    }
}
