//! Client secrets over HTTP: every endpoint that takes one limits the attempts before it hashes; a flood of wrong
//! secrets keeps no user from signing in; uses and failures are recorded.

mod common;

use std::sync::Arc;

use common::{NOW, SECRET, ask, text};
use http::Method;
use protocol::client::registration::secret_digest;
use protocol::crypto::entropy::Entropy;
use protocol::line::Write;
use protocol::model::Introspection;
use protocol::model::{Client, ClientKey, ClientSecret, EventKind, StoredSecret, UserKey};
use protocol::person::password;
use protocol::secret::Secret;
use protocol::time::UnixTime;
use server::app::App;
use server::config::settings::Settings;
use server::front;
use server::http::{Peer, Response};
use store::{EventFilter, Store};

const IMPORTED: &str = "summer2026";

/// A client imported from another server, with a weak secret that is stored as an Argon2 hash.
fn old() -> Client {
    let stored = StoredSecret::Argon2(password::hash(&Secret::new(IMPORTED), &mut Entropy::seeded([3; 32], 1)));
    let secret = ClientSecret { stored, hint: String::new(), created_at: NOW };
    let (key, client_id) = (ClientKey(2), "old".to_owned());
    Client { key, client_id, is_first_party: true, secrets: vec![secret], ..common::client() }
}

/// A server with the clients `web`, `old` and `another`, which has a secret like `web` and belongs to a user.
async fn server() -> (Arc<App>, Arc<dyn Store>) {
    let store = common::memory().await;
    let owner = Some(UserKey(1));
    let another = Client { key: ClientKey(3), client_id: "another".into(), owner, ..common::client() };
    let rows = vec![Write::PutClient(Box::new(old())), Write::PutClient(Box::new(another))];
    store.commit(rows.into()).await.expect("the rows are new");
    (common::app(Arc::clone(&store), Settings::new("https://auth.example")).await, store)
}

fn form(client: &str, secret: &str) -> String {
    format!("grant_type=client_credentials&token=x&client_id={client}&client_secret={secret}")
}

async fn post(app: &App, path: &str, client: &str, secret: &str) -> Response {
    ask(app, Method::POST, path, &[], &form(client, secret)).await
}

/// As [`post`] to the token endpoint, from another network address.
async fn from_elsewhere(app: &App, client: &str, secret: &str) -> u16 {
    let mut request = common::request(app, Method::POST, "/oauth/token", &[], &form(client, secret));
    request.peer = Peer::Ip([203, 0, 113, 9].into());
    front::answer(app, &request).await.status().as_u16()
}

fn basic(client: &str, secret: &str) -> String {
    format!("Basic {}", data_encoding::BASE64.encode(format!("{client}:{secret}").as_bytes()))
}

async fn accounts(app: &App, client: &str, secret: &str) -> Response {
    let basic = basic(client, secret);
    ask(app, Method::GET, "/api/accounts/x/attributes", &[("authorization", &basic)], "").await
}

#[tokio::test]
async fn wrong_secrets_are_counted_together_at_every_address_and_a_shut_door_says_when_to_come_back() {
    let (app, store) = server().await;
    assert_eq!(post(&app, "/oauth/token", "old", IMPORTED).await.status(), 200, "from now on it is remembered");
    for round in 0..3 {
        for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke"] {
            assert_eq!(post(&app, path, "old", "wrong-secret").await.status(), 401, "{path} {round}");
        }
    }
    assert_eq!(accounts(&app, "old", "wrong-secret").await.status(), 401);
    for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke"] {
        let shut = post(&app, path, "old", IMPORTED).await;
        assert_eq!((shut.status().as_u16(), &shut.headers()["retry-after"]), (429, &http::HeaderValue::from(900)));
    }
    let shut = accounts(&app, "old", IMPORTED).await;
    assert_eq!((shut.status().as_u16(), shut.headers().contains_key("retry-after")), (429, true));
    assert_eq!(from_elsewhere(&app, "old", IMPORTED).await, 200, "a stranger does not shut the client out elsewhere");
    assert_eq!(post(&app, "/oauth/token", "web", SECRET).await.status(), 200, "nor another client at the same address");
    let events =
        store.events(EventFilter { rows_max: 100, ..EventFilter::default() }).await.expect("events can be listed");
    let failed = events.iter().filter(|event| event.event.kind == EventKind::ClientAuthFailed);
    let details: Vec<&str> = failed.map(|event| event.event.detail.as_str()).collect();
    assert_eq!(details, ["10 failures; refused for 900 s", "1 failure"]);
}

#[tokio::test]
async fn thirty_guesses_at_once_on_two_nodes_get_no_further_than_ten_in_a_row() {
    let (one, store) = server().await;
    let two = common::app(store, Settings::new("https://auth.example")).await;
    let guesses: Vec<_> = (0..30)
        .map(|at| {
            let app = Arc::clone(if at % 2 == 0 { &one } else { &two });
            tokio::spawn(async move { post(&app, "/oauth/token", "old", "wrong-secret").await.status().as_u16() })
        })
        .collect();
    let mut told = Vec::new();
    for guess in guesses {
        told.push(guess.await.expect("it is answered"));
    }
    let count = |status| told.iter().filter(|own| **own == status).count();
    assert_eq!((count(401), count(429)), (10, 20), "{told:?}");
    for app in [&one, &two] {
        assert_eq!(post(app, "/oauth/token", "old", IMPORTED).await.status(), 429);
    }
}

#[tokio::test]
async fn an_unknown_client_and_a_generated_secret_are_refused_just_as_an_imported_one() {
    let (app, _) = server().await;
    let mut told = Vec::new();
    for client in ["old", "web", "nobody"] {
        let mut own = Vec::new();
        for _ in 0..12 {
            let answer = post(&app, "/oauth/token", client, "wrong-secret").await;
            own.push((answer.status().as_u16(), text(answer).await));
        }
        told.push(own);
    }
    assert_eq!((&told[0], &told[0]), (&told[1], &told[2]));
    assert_eq!((told[0][9].0, told[0][10].0), (401, 429));
    assert_eq!(post(&app, "/oauth/token", "web", SECRET).await.status(), 200, "nobody guesses a generated secret");
}

#[tokio::test]
async fn a_flood_of_wrong_secrets_takes_no_place_from_people_and_a_known_secret_needs_no_hash() {
    let (app, _) = server().await;
    assert_eq!(post(&app, "/oauth/token", "old", IMPORTED).await.status(), 200);
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = Arc::new(std::sync::Mutex::new(gate));
    let mut flood = Vec::new();
    loop {
        let (own, gate) = (Arc::clone(&app), Arc::clone(&gate));
        let waits = tokio::spawn(async move {
            own.slow_clients.run(move || gate.lock().expect("nobody panics").recv().is_ok()).await
        });
        tokio::task::yield_now().await;
        if waits.is_finished() {
            assert_eq!(waits.await.expect("it ends").expect("nothing breaks"), Err(server::slow::Full));
            break;
        }
        flood.push(waits);
    }
    let busy = post(&app, "/oauth/token", "web", "wrong-secret").await;
    assert_eq!((busy.status().as_u16(), busy.headers().contains_key("retry-after")), (503, true));
    assert_eq!(app.slow.run(|| "signed in").await.expect("nothing breaks"), Ok("signed in"));
    assert_eq!(post(&app, "/oauth/token", "web", SECRET).await.status(), 200);
    assert_eq!(post(&app, "/oauth/token", "old", IMPORTED).await.status(), 200, "it was right before");
    assert_eq!(from_elsewhere(&app, "old", IMPORTED).await, 503, "it is remembered for its own address alone");
    for _ in &flood {
        open.send(()).expect("they wait");
    }
    for one in flood {
        one.await.expect("it ends").expect("nothing breaks").expect("it had a place");
    }
}

#[tokio::test]
async fn the_last_use_of_a_secret_is_noted_to_the_hour() {
    let (app, store) = server().await;
    assert_eq!(store.secret_uses(ClientKey(1)).await.expect("uses can be listed"), []);
    for _ in 0..3 {
        assert_eq!(post(&app, "/oauth/introspect", "web", SECRET).await.status(), 200);
        assert_eq!(post(&app, "/oauth/introspect", "web", "wrong-secret").await.status(), 401);
    }
    let secret = secret_digest(&common::client().secrets[0]);
    let hour = UnixTime(NOW.0 - NOW.0 % 3_600);
    assert_eq!(store.secret_uses(ClientKey(1)).await.expect("uses can be listed"), [(secret, hour)]);
}

#[tokio::test]
async fn a_header_s_secret_is_also_compared_as_it_came_and_another_method_is_named_once_it_was_right() {
    let (app, store) = server().await;
    let text_of_secret = "abc+def%41ghi/jklmnopqrstuvwxyz012345";
    let stored = StoredSecret::Argon2(password::hash(&Secret::new(text_of_secret), &mut Entropy::seeded([4; 32], 1)));
    let secrets = vec![ClientSecret { stored, hint: String::new(), created_at: NOW }];
    let moved = Client { key: ClientKey(9), client_id: "a+b".into(), secrets, ..common::client() };
    let post_only = protocol::model::AuthMethod::ClientSecretPost;
    let other =
        Client { key: ClientKey(8), client_id: "post".into(), auth_methods: vec![post_only], ..common::client() };
    let rows = vec![Write::PutClient(Box::new(moved)), Write::PutClient(Box::new(other))];
    store.commit(rows.into()).await.expect("the rows are new");
    let by_header = async |client: &str, secret: &str| {
        let header = basic(client, secret);
        let headers = [("authorization", header.as_str())];
        let answer = ask(&app, Method::POST, "/oauth/token", &headers, "grant_type=client_credentials").await;
        (answer.status().as_u16(), text(answer).await)
    };
    assert_eq!(by_header("a+b", text_of_secret).await.0, 200, "raw");
    assert_eq!(by_header("a%2Bb", "abc%2Bdef%2541ghi%2Fjklmnopqrstuvwxyz012345").await.0, 200, "form-encoded");
    assert_eq!(by_header("a+b", "abc+def%41ghi/jklmnopqrstuvwxyz01234").await.0, 401);
    let (status, told) = by_header("post", SECRET).await;
    assert!(status == 401 && told.contains("registered for client_secret_post"), "{told}");
    let (status, told) = by_header("post", "wrong-secret").await;
    assert!(status == 401 && !told.contains("registered"), "{told}");
    let header = basic("web", SECRET);
    let body = "grant_type=client_credentials&client_id=other";
    let twice = text(ask(&app, Method::POST, "/oauth/token", &[("authorization", &header)], body).await).await;
    assert!(twice.contains("differ"), "{twice}");
}

#[tokio::test]
async fn introspection_tells_an_application_of_a_user_s_nothing_about_tokens_of_others() {
    let (app, store) = server().await;
    let issued = text(post(&app, "/oauth/token", "web", SECRET).await).await;
    let issued: serde_json::Value = serde_json::from_str(&issued).expect("JSON");
    let token = issued["access_token"].as_str().expect("a token").to_owned();
    let told = async |client: &str, secret: &str| {
        let body = format!("token={token}&client_id={client}&client_secret={secret}");
        text(ask(&app, Method::POST, "/oauth/introspect", &[], &body).await).await
    };
    let inactive = r#"{"active":false}"#;
    assert_eq!(told("another", SECRET).await, inactive);
    assert!(told("web", SECRET).await.contains("\"active\":true"));
    assert!(told("old", IMPORTED).await.contains("\"active\":true"), "registered by the operator before the setting");
    let own = Client { version: 2, introspection: Some(Introspection::Own), ..old() };
    store.commit([Write::PutClient(Box::new(own))].into()).await.expect("it is the next version");
    assert_eq!(told("old", IMPORTED).await, inactive);
}

#[tokio::test]
async fn the_accounts_api_needs_its_own_right_and_each_use_is_an_event() {
    let (app, store) = server().await;
    let alice = serde_json::json!({"key": 1, "sub": "x", "name": "Alice", "created_at": 0, "version": 1});
    let alice = serde_json::from_value(alice).expect("an account");
    store.commit([Write::PutUser(Box::new(alice))].into()).await.expect("the row is new");
    assert_eq!(accounts(&app, "old", IMPORTED).await.status(), 200, "first-party, and older than the right");
    let kinds = store
        .events(EventFilter { user: Some(UserKey(1)), rows_max: 9, ..EventFilter::default() })
        .await
        .expect("events can be listed");
    assert_eq!(kinds.first().map(|event| event.event.kind), Some(EventKind::AccountRead));
    for (version, right, status) in [(2, false, 403), (3, true, 200)] {
        let own = Client { version, accounts_api: Some(right), is_first_party: !right, ..old() };
        store.commit([Write::PutClient(Box::new(own))].into()).await.expect("it is the next version");
        assert_eq!(accounts(&app, "old", IMPORTED).await.status(), status);
    }
}
