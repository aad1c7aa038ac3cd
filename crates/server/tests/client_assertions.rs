//! Clients that authenticate by assertions (RFC 7523), over HTTP: at every endpoint, once over all nodes, with keys by value
//! and by URL.
#![allow(clippy::disallowed_methods, reason = "ECDSA draws on randomness, and the keys are served from a socket")]

mod common;

use std::sync::Arc;

use aws_lc_rs::signature::Ed25519KeyPair;
use common::{NOW, ask, text};
use data_encoding::BASE64URL_NOPAD;
use http::Method;
use protocol::line::Write;
use protocol::model::{AuthMethod, Client, ClientKey};
use serde_json::{Value, json};
use server::app::App;
use server::config::settings::{Fetch, Settings};
use store::{Memory, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ISSUER: &str = "https://auth.example";
/// The private and the public key of RFC 8037 A.1 and A.2.
const D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn keys() -> Value {
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": X}]})
}

/// The client `bank`, which signs with its private key.
fn bank() -> Client {
    Client {
        key: ClientKey(2),
        client_id: "bank".into(),
        secrets: Vec::new(),
        auth_methods: vec![AuthMethod::PrivateKeyJwt],
        jwks: Some(keys()),
        ..common::client()
    }
}

/// A JWT with these claims that `bank` signed.
fn signed(claims: &Value) -> String {
    let header = json!({"alg": "EdDSA", "kid": "ed"});
    let [header, claims] = [&header, claims].map(|part| BASE64URL_NOPAD.encode(part.to_string().as_bytes()));
    let message = format!("{header}.{claims}");
    let key = Ed25519KeyPair::from_seed_unchecked(&BASE64URL_NOPAD.decode(D.as_bytes()).unwrap()).unwrap();
    format!("{message}.{}", BASE64URL_NOPAD.encode(key.sign(message.as_bytes()).as_ref()))
}

/// The parameters of an assertion of `bank` with this `jti`.
fn assertion(jti: &str) -> String {
    let own = signed(&json!({"iss": "bank", "sub": "bank", "aud": ISSUER, "jti": jti, "exp": NOW.0 + 60}));
    let kind = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
    format!("client_assertion_type={kind}&client_assertion={own}")
}

async fn server(client: Client, settings: Settings) -> (Arc<App>, Arc<dyn Store>) {
    let store: Arc<dyn Store> = Arc::new(Memory::default());
    store.commit([Write::PutClient(Box::new(client))].into()).await.expect("the store is empty");
    (common::app(Arc::clone(&store), settings).await, store)
}

async fn post(app: &App, path: &str, body: &str) -> (u16, Value) {
    let response = ask(app, Method::POST, path, &[], body).await;
    let status = response.status().as_u16();
    (status, serde_json::from_str(&text(response).await).expect("the answer is JSON"))
}

#[tokio::test]
async fn every_endpoint_that_authenticates_clients_takes_assertions() {
    let (app, _) = server(bank(), Settings::new(ISSUER)).await;
    let own = format!("grant_type=client_credentials&{}", assertion("1"));
    let (status, token) = post(&app, "/oauth/token", &own).await;
    assert_eq!(status, 200, "{token}");
    let token = token["access_token"].as_str().unwrap();
    let (status, told) = post(&app, "/oauth/introspect", &format!("token={token}&{}", assertion("2"))).await;
    assert_eq!((status, &told["active"]), (200, &json!(true)), "{told}");
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    let request = format!("response_type=code&code_challenge={challenge}&{}", assertion("3"));
    let (status, pushed) = post(&app, "/oauth/par", &request).await;
    assert_eq!((status, &pushed["expires_in"]), (201, &json!(90)), "{pushed}");
    let (status, _) = post(&app, "/oauth/revoke", &format!("token={token}&{}", assertion("4"))).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn an_assertion_is_good_once_over_all_nodes_and_endpoints() {
    let (one, store) = server(bank(), Settings::new(ISSUER)).await;
    let other = common::app(store, Settings::new(ISSUER)).await;
    let own = format!("grant_type=client_credentials&token=x&{}", assertion("1"));
    let both = tokio::join!(post(&one, "/oauth/token", &own), post(&other, "/oauth/token", &own));
    let mut statuses = [both.0.0, both.1.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
    let (status, told) = post(&other, "/oauth/introspect", &own).await;
    let why = "The client_assertion was used before. Make a new one, with a new jti, for each request.";
    assert_eq!((status, told), (401, json!({"error": "invalid_client", "error_description": why})));
}

#[tokio::test]
async fn two_methods_at_once_are_refused_and_burn_nothing_rfc_6749_2_3() {
    let (app, _) = server(bank(), Settings::new(ISSUER)).await;
    let own = format!("grant_type=client_credentials&{}", assertion("1"));
    let (status, told) = post(&app, "/oauth/token", &format!("{own}&client_secret=x")).await;
    assert_eq!((status, &told["error"]), (400, &json!("invalid_request")));
    let basic = [("authorization", "Basic YmFuazp4")];
    let response = ask(&app, Method::POST, "/oauth/token", &basic, &own).await;
    assert_eq!(response.status().as_u16(), 400);
    assert_eq!(post(&app, "/oauth/token", &own).await.0, 200);
}

/// Serves the keys at a loopback address. Returns the URL, and the number of requests so far.
async fn served() -> (String, Arc<std::sync::atomic::AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let body = keys().to_string();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes()).await;
        }
    });
    (format!("http://{address}/keys"), asked)
}

#[tokio::test]
async fn keys_at_a_url_are_fetched_once_through_the_guard() {
    let (url, asked) = served().await;
    let client = Client { jwks: None, jwks_uri: Some(url.clone()), ..bank() };
    let own = |jti| format!("grant_type=client_credentials&{}", assertion(jti));
    let host = url["http://".len()..].split('/').next().unwrap().to_owned();
    let fetch = Fetch { allow: vec![host], ..Fetch::default() };
    let (app, _) = server(client.clone(), Settings { fetch, ..Settings::new(ISSUER) }).await;
    for jti in ["1", "2"] {
        let (status, told) = post(&app, "/oauth/token", &own(jti)).await;
        assert_eq!(status, 200, "{told}");
    }
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 1);
    let (guarded, _) = server(client, Settings::new(ISSUER)).await;
    let (status, told) = post(&guarded, "/oauth/token", &own("3")).await;
    assert_eq!((status, &told["error_description"]), (401, &json!("Client authentication failed.")));
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 1, "a loopback address is private");
}

#[tokio::test]
async fn a_public_client_cannot_fill_the_table_with_pushed_requests() {
    let kind = protocol::model::ClientKind::Public;
    let auth_methods = vec![AuthMethod::None];
    let spa = Client { client_id: "spa".into(), kind, auth_methods, jwks: None, ..bank() };
    let (app, _) = server(spa, Settings::new(ISSUER)).await;
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    let request = format!("client_id=spa&response_type=code&code_challenge={challenge}");
    for _ in 0..120 {
        assert_eq!(post(&app, "/oauth/par", &request).await.0, 201);
    }
    assert_eq!(post(&app, "/oauth/par", &request).await.0, 429);
}

#[tokio::test]
async fn a_browser_brings_a_signed_request_and_the_application_hears_of_a_bad_one_rfc_9101_6() {
    let (app, _) = server(bank(), Settings::new(ISSUER)).await;
    let object = |client_id: &str| {
        signed(&json!({
            "client_id": client_id, "response_type": "code", "redirect_uri": common::CALLBACK, "prompt": "none", "state": "s",
            "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256",
        }))
    };
    let location = async |query: String| {
        let response = ask(&app, Method::GET, &format!("/oauth/authorize?client_id=bank&{query}"), &[], "").await;
        let to = response.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        (response.status().as_u16(), to.unwrap_or_default())
    };
    let (_, to) = location(format!("request={}&state=other", object("bank"))).await;
    assert!(to.starts_with(common::CALLBACK) && to.contains("error=login_required") && to.contains("state=s&"), "{to}");
    let bad = format!("request={}", object("other"));
    assert_eq!(location(bad.clone()).await.0, 400);
    let (_, to) = location(format!("{bad}&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&state=t")).await;
    assert!(to.starts_with(common::CALLBACK) && to.contains("error=invalid_request_object"), "{to}");
    assert_eq!(location(format!("{bad}&request_uri=urn%3Ax")).await.0, 400);
}
