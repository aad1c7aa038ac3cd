//! OpenID Connect at the public endpoints: what the discovery document advertises is what the server does.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::{CALLBACK, NOW, SECRET, ask, text};
use data_encoding::BASE64URL_NOPAD;
use http::Method;
use protocol::crypto::entropy::Entropy;
use protocol::crypto::keys::{Alphabet, Keys, Spelling, TokenKind};
use protocol::jose::sign::half_hash;
use protocol::jose::{Algorithm, Jws, KeySet};
use protocol::line::Write;
use protocol::model::{
    Amr, Authorization, Circumstances, Client, ClientKey, Code, CodeId, GrantId, GrantType, Permission, SessionId,
    User, UserKey,
};
use protocol::openid::{Claim, RequestedClaims};
use protocol::scope::Scope;
use serde_json::{Map, Value, json};
use server::app::App;
use server::config::settings::Settings;
use store::{Memory, Store};

/// A server whose client `web` has its ID tokens signed by this algorithm, and a user with every standard claim.
struct World {
    app: Arc<App>,
    store: Arc<dyn Store>,
    codes: i64,
}

impl World {
    async fn new(algorithm: Option<Algorithm>) -> Self {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let scope = Scope::of(["openid", "profile", "email", "address", "phone"]);
        let client = Client { id_token_alg: algorithm, scope, ..common::client() };
        let texts = ["family_name", "given_name", "middle_name", "nickname", "profile", "picture", "website", "gender"];
        let more = ["birthdate", "zoneinfo", "locale", "phone_number"];
        let mut attributes: Map<String, Value> =
            texts.iter().chain(&more).map(|name| ((*name).to_owned(), json!(format!("the {name}")))).collect();
        attributes.insert("address".into(), json!({"country": "Utopia"}));
        attributes.insert("phone_number_verified".into(), json!(true));
        let user = User {
            username: Some("alice".into()),
            email: Some("alice@example.com".into()),
            email_verified: true,
            attributes,
            ..User::new(UserKey(1), "sub-alice", "Alice Doe", NOW)
        };
        let writes = [Write::PutClient(Box::new(client)), Write::PutUser(Box::new(user))];
        store.commit(writes.into()).await.expect("the store is empty");
        let app = common::app(Arc::clone(&store), Settings::new("https://auth.example")).await;
        Self { app, store, codes: 0 }
    }

    /// Returns the JSON document at a path.
    async fn read(&self, path: &str) -> Value {
        let answer = ask(&self.app, Method::GET, path, &[], "").await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["cache-control"], "public, max-age=3600", "{path}");
        serde_json::from_str(&text(answer).await).expect("JSON")
    }

    /// Returns the token answer for a new code of this scope, whose authorization asked for these claims.
    async fn redeem(&mut self, scope: &str, claims: RequestedClaims) -> Value {
        self.codes += 1;
        let keys = Keys::derive(&[7; 32], &[1]);
        let spelling = Spelling { prefix: String::new(), alphabet: Alphabet::Url };
        let minted = keys.mint(TokenKind::Code, &spelling, &mut Entropy::seeded([3; 32], 10 + self.codes));
        let code = Code {
            id: CodeId(minted.id),
            digest: minted.digest,
            grant: GrantId(1000 + self.codes),
            authorization: Authorization {
                user: UserKey(1),
                client: ClientKey(1),
                permission: Permission { scope: Scope::parse(scope).unwrap(), audience: vec![] },
                auth_time: NOW,
                circumstances: Circumstances {
                    session: Some(SessionId(7)),
                    amr: vec![Amr::Pwd],
                    nonce: Some("n-0S6".into()),
                    claims,
                    ..Circumstances::of(GrantType::AuthorizationCode)
                },
            },
            redirect_uri: CALLBACK.into(),
            is_redirect_uri_named: true,
            challenge: None,
            issued_at: NOW,
            expires_at: NOW.plus(60),
            is_spent: false,
        };
        self.store.commit([Write::PutCode(Box::new(code))].into()).await.expect("the code is new");
        let body = format!("grant_type=authorization_code&code={}&redirect_uri={CALLBACK}", minted.text.reveal());
        self.token(&body).await
    }

    async fn token(&self, body: &str) -> Value {
        let body = format!("{body}&client_id=web&client_secret={SECRET}");
        let answer = ask(&self.app, Method::POST, "/oauth/token", &[], &body).await;
        assert_eq!(answer.headers()["cache-control"], "no-store");
        serde_json::from_str(&text(answer).await).expect("JSON")
    }

    /// Verifies the ID token of a token answer as a client does, and returns its header and its claims.
    async fn verified(&self, answer: &Value) -> (Value, Map<String, Value>) {
        let discovery = self.read("/.well-known/openid-configuration").await;
        let path = discovery["jwks_uri"].as_str().unwrap().strip_prefix("https://auth.example").unwrap().to_owned();
        let keys = KeySet::parse(self.read(&path).await.to_string().as_bytes()).unwrap();
        let id_token = answer["id_token"].as_str().unwrap_or_else(|| panic!("no ID token: {answer}"));
        let jws = Jws::read(id_token.to_owned(), "JWT").unwrap();
        assert_eq!(jws.check_signature(&keys), Ok(()));
        let header = BASE64URL_NOPAD.decode(id_token.split('.').next().unwrap().as_bytes()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        let claims: Map<String, Value> = jws.payload().unwrap();
        assert_eq!(claims["iss"], discovery["issuer"]);
        let algorithm = Algorithm::from_name(header["alg"].as_str().unwrap()).unwrap();
        assert_eq!(claims["at_hash"], half_hash(algorithm, answer["access_token"].as_str().unwrap()));
        (header, claims)
    }
}

/// OpenID Connect Discovery §3, `id_token_signing_alg_values_supported`: "The algorithm RS256 MUST be included."
#[tokio::test]
async fn a_client_gets_id_tokens_by_each_advertised_algorithm_and_by_rs256_unless_it_chose() {
    let discovery = World::new(None).await.read("/.well-known/openid-configuration").await;
    let advertised: Vec<&str> =
        discovery["id_token_signing_alg_values_supported"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
    assert_eq!(advertised, Algorithm::ALL.iter().map(|own| own.as_str()).collect::<Vec<_>>());
    assert!(advertised.contains(&"RS256"));
    for algorithm in [None].into_iter().chain(Algorithm::ALL.iter().copied().map(Some)) {
        let mut provider = World::new(algorithm).await;
        let answer = provider.redeem("openid", RequestedClaims::default()).await;
        let (header, claims) = provider.verified(&answer).await;
        assert_eq!(header["alg"], algorithm.unwrap_or(Algorithm::Rs256).as_str());
        assert_eq!(
            (&claims["sub"], &claims["aud"], &claims["nonce"]),
            (&json!("sub-alice"), &json!("web"), &json!("n-0S6"))
        );
    }
}

/// OpenID Connect Core §12.2: "its iss Claim Value MUST be the same as in the ID Token issued when the original authentication
/// occurred", and so must `sub`, `aud` and `auth_time`.
#[tokio::test]
async fn a_refresh_gives_a_new_id_token_of_the_same_sign_in() {
    let mut provider = World::new(Some(Algorithm::Es256)).await;
    let first = provider.redeem("openid", RequestedClaims::default()).await;
    let (_, before) = provider.verified(&first).await;
    let second = provider
        .token(&format!("grant_type=refresh_token&refresh_token={}", first["refresh_token"].as_str().unwrap()))
        .await;
    let (_, after) = provider.verified(&second).await;
    for name in ["iss", "sub", "aud", "auth_time", "azp", "acr", "amr", "sid"] {
        assert_eq!(before[name], after[name], "{name}");
    }
    assert_eq!(after.get("nonce"), None);
    let narrowed =
        format!("grant_type=refresh_token&refresh_token={}&scope=", second["refresh_token"].as_str().unwrap());
    assert!(provider.token(&narrowed).await["id_token"].is_string(), "an empty scope is all that was granted");
}

#[tokio::test]
async fn a_grant_of_oauth_alone_has_no_id_token() {
    let mut provider = World::new(None).await;
    let answer = provider.redeem("profile", RequestedClaims::default()).await;
    assert!(answer["access_token"].is_string() && answer.get("id_token").is_none(), "{answer}");
    let own = provider.token("grant_type=client_credentials").await;
    assert!(own["access_token"].is_string() && own.get("id_token").is_none(), "{own}");
}

/// OpenID Connect Discovery §3, `claims_supported`: "a list of the Claim Names of the Claims that the OpenID Provider MAY be able to
/// supply values for."
#[tokio::test]
async fn every_advertised_claim_is_told_and_every_told_one_is_advertised() {
    let mut provider = World::new(Some(Algorithm::EdDsa)).await;
    let discovery = provider.read("/.well-known/openid-configuration").await;
    let advertised: BTreeSet<String> =
        discovery["claims_supported"].as_array().unwrap().iter().map(|own| own.as_str().unwrap().to_owned()).collect();
    let by_scope = provider.redeem("openid profile email address phone", RequestedClaims::default()).await;
    let all = RequestedClaims { userinfo: Claim::ALL.to_vec(), id_token: Claim::ALL.to_vec() };
    let by_claim = provider.redeem("openid", all).await;
    let (_, mut told) = provider.verified(&by_claim).await;
    for answer in [&by_scope, &by_claim] {
        let token = answer["access_token"].as_str().unwrap();
        let bearer = format!("Bearer {token}");
        let by_header =
            text(ask(&provider.app, Method::GET, "/oauth/userinfo", &[("authorization", &bearer)], "").await).await;
        // OpenID Connect Core §5.3: "The UserInfo Endpoint MUST support the use of the HTTP GET and HTTP POST methods".
        let by_form =
            text(ask(&provider.app, Method::POST, "/oauth/userinfo", &[], &format!("access_token={token}")).await)
                .await;
        assert_eq!(by_header, by_form);
        let userinfo: Map<String, Value> = serde_json::from_str(&by_header).unwrap();
        for claim in Claim::ALL {
            assert_eq!(userinfo.get(claim.as_str()), told.get(claim.as_str()), "{claim}");
        }
        told.extend(userinfo);
    }
    assert_eq!(told.keys().cloned().collect::<BTreeSet<_>>(), advertised);
}

#[tokio::test]
async fn both_well_known_places_have_the_same_document() {
    let provider = World::new(None).await;
    for _ in 0..2 {
        let discovery = provider.read("/.well-known/openid-configuration").await;
        assert_eq!(discovery, provider.read("/.well-known/oauth-authorization-server").await);
    }
}
