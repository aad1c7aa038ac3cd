//! A server in this process: a store in memory, a clock that stands still, randomness from a seed.
#![allow(dead_code, reason = "each test crate uses its own part")]

pub(crate) mod troubled;

use std::sync::Arc;

use dialect::{Dialect, Dialects};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body_util::BodyExt;
use protocol::client::registration;
use protocol::line::Write;
use protocol::model::{Client, ClientKey, ClientKind, ClientSecret, GrantType, StoredSecret};
use protocol::policy::Policy;
use protocol::scope::Scope;
use protocol::secret::Digest;
use protocol::time::UnixTime;
use server::app::{App, Setup};
use server::clock::Clock;
use server::config::settings::Settings;
use server::entropy::Source;
use server::front;
use server::http::{Peer, Request, Response};
use store::{Memory, Store};
use zeroize::Zeroizing;

/// The current time in all tests: 2026-05-28, 20:26:40 UTC.
pub(crate) const NOW: UnixTime = UnixTime(1_780_000_000);
/// The secret of the client `web`.
pub(crate) const SECRET: &str = "gcs_a-secret-with-more-than-160-bits-of-entropy";
/// The redirect URI of the client `web`.
pub(crate) const CALLBACK: &str = "https://app.example/cb";

/// An application with a server of its own.
pub(crate) fn client() -> Client {
    Client {
        key: ClientKey(1),
        client_id: "web".into(),
        name: "Web".into(),
        secrets: vec![ClientSecret {
            stored: StoredSecret::Sha256(Digest::of(SECRET.as_bytes())),
            hint: "ropy".into(),
            created_at: NOW,
        }],
        redirect_uris: vec![CALLBACK.into()],
        grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials],
        scope: Scope::of(["profile"]),
        created_at: NOW,
        ..registration::client(ClientKind::Confidential, &Policy::standard(""))
    }
}

/// A store in memory with the client `web`.
pub(crate) async fn memory() -> Arc<dyn Store> {
    let store: Arc<dyn Store> = Arc::new(Memory::default());
    store.commit([Write::PutClient(Box::new(client()))].into()).await.expect("the store is empty");
    store
}

/// A server on `store`.
pub(crate) async fn app(store: Arc<dyn Store>, settings: Settings) -> Arc<App> {
    let standard = Dialect::load("standard", &[]).expect("the shipped dialect is sound");
    let dialects = Dialects::new(&settings.issuer, vec![standard], &[]).expect("it waives nothing");
    speaking(dialects, store, settings).await
}

/// A server on `store` that speaks these dialects.
pub(crate) async fn speaking(dialects: Dialects, store: Arc<dyn Store>, settings: Settings) -> Arc<App> {
    let setup = Setup {
        store,
        dialects,
        policies: Vec::new(),
        master: Zeroizing::new([7; 32]),
        settings,
        clock: Clock::fixed(NOW),
        entropy: Source::seeded([9; 32]),
    };
    App::open(setup).await.expect("the store works")
}

/// A server with the client `web`, found at `https://auth.example`.
pub(crate) async fn usual() -> Arc<App> {
    app(memory().await, Settings::new("https://auth.example")).await
}

/// Asks.
pub(crate) async fn ask(app: &App, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
    front::answer(app, &request(app, method, path, headers, body)).await
}

/// A request as it comes from the network.
pub(crate) fn request(app: &App, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let mut map = HeaderMap::new();
    let host = app.settings.issuer.split_once("://").map_or("", |(_, host)| host);
    map.insert("host", HeaderValue::from_str(host).expect("a host"));
    if method == Method::POST {
        map.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    }
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        map.insert(name, HeaderValue::from_str(value).expect("a value"));
    }
    Request {
        method,
        uri: path.parse().expect("a path"),
        headers: map,
        body: body.to_owned().into(),
        unread: None,
        peer: Peer::Ip([192, 0, 2, 1].into()),
        id: app.request_ids.next(),
    }
}

/// The body of an answer as text.
pub(crate) async fn text(response: Response) -> String {
    let body = response.into_body().collect().await.expect("it is there").to_bytes();
    String::from_utf8(body.to_vec()).expect("it is text")
}

/// A request of `client_credentials` by the client `web`.
pub(crate) fn credentials() -> String {
    format!("grant_type=client_credentials&client_id=web&client_secret={SECRET}")
}
