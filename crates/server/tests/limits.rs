//! Rate limits as programs meet them: which requests count, and which answers have rate limit headers.

mod common;

use std::sync::Arc;

use common::troubled::{Trouble, Troubled};
use common::{NOW, ask, request, text};
use dialect::{Dialect, Dialects, Source};
use http::Method;
use protocol::crypto::entropy::Entropy;
use protocol::crypto::keys::TokenKind;
use protocol::line::Write;
use protocol::model::{Personal, PersonalId, User, UserKey};
use protocol::refusal::No;
use protocol::scope::Scope;
use protocol::time::UnixTime;
use server::app::App;
use server::config::settings::Settings;
use server::front;
use server::http::Response;
use store::{Memory, Store};

const ISSUER: &str = "https://auth.example";
const HOST: (&str, &str) = ("host", "api.tinyrebrand.com");

/// A server that speaks tinyrebrand, with a limit for what is no token request.
async fn limited(api: &str, store: Arc<dyn Store>) -> Arc<App> {
    let text = format!("[limit]\napi = \"{api}\"\n");
    let own = Dialect::shipped("tinyrebrand", &[Source::file("limit", &text)]).expect("it is shipped");
    let own = own.expect("it is sound");
    let accept = own.waives.clone();
    let dialects = Dialects::new(ISSUER, vec![own], &accept).expect("it is accepted");
    common::speaking(dialects, store, Settings::new(ISSUER)).await
}

/// The status, and how many requests the four headers say were made.
fn used(response: &Response) -> (u16, Option<String>) {
    let header = |name| response.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
    let of_all = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-used"].map(header);
    (response.status().as_u16(), of_all.into_iter().collect::<Option<Vec<_>>>().and_then(|mut all| all.pop()))
}

#[tokio::test]
async fn every_answer_of_the_surface_counts_and_says_where_its_caller_stands() {
    let store = Arc::new(Troubled::new(common::memory().await, Trouble::Panic));
    let app = limited("5/min/ip", Arc::clone(&store) as Arc<dyn Store>).await;
    let stands = |count: &str| Some(count.to_owned());
    let missing = ask(&app, Method::GET, "/api/nowhere", &[HOST], "").await;
    assert_eq!(used(&missing), (404, stands("1")));
    let method = ask(&app, Method::DELETE, "/api/user/me", &[HOST], "").await;
    assert_eq!(used(&method), (405, stands("2")));
    for (path, count) in [("/api/oauth/revoke", "3"), ("/api/nowhere", "4")] {
        let mut unread = request(&app, Method::POST, path, &[HOST], "");
        unread.unread = Some(No::RequestTooLarge);
        let answer = front::answer(&app, &unread).await;
        let out = app.dialects.named("tinyrebrand").unwrap().refuse(
            None,
            &No::RequestTooLarge.into(),
            &dialect::Context::default(),
        );
        assert_eq!(used(&answer), (out.status, stands(count)), "{path}");
    }
    store.begin();
    let token = app.keys().mint(
        TokenKind::Access,
        &app.surface(app.dialects.named("tinyrebrand").unwrap()).policy.access.spelling,
        &mut Entropy::seeded([1; 32], 1),
    );
    let body = format!("token={}", token.text.reveal());
    let broken = ask(&app, Method::POST, "/api/oauth/introspect", &[HOST], &body).await;
    assert_eq!(used(&broken), (500, stands("5")));
    for path in ["/api/nowhere", "/api/user/me"] {
        let late = ask(&app, Method::GET, path, &[HOST], "").await;
        assert_eq!(used(&late), (429, stands("5")), "{path}");
        assert_eq!(late.headers()["retry-after"], "60", "{path}");
    }
}

#[tokio::test]
async fn pages_do_not_count_and_neither_does_what_is_no_surface_of_the_limit() {
    let app = limited("1/min/ip", common::memory().await).await;
    for path in ["/sign-in", "/oauth/authorize?client_id=nobody", "/assets/nothing"] {
        let page = ask(&app, Method::GET, path, &[HOST, ("accept", "text/html")], "").await;
        // A path that does not exist is refused as the surface's endpoints refuse, and counts.
        assert_eq!(used(&page).1.is_some(), path == "/assets/nothing", "{path}: {}", text(page).await);
    }
    let other = ask(&app, Method::GET, "/api/nowhere", &[("host", "evil.example")], "").await;
    assert_eq!(used(&other), (421, None));
}

#[tokio::test]
async fn a_user_has_one_limit_however_many_tokens_there_are() {
    let store: Arc<dyn Store> = Arc::new(Memory::default());
    let app = limited("2/min/user", Arc::clone(&store)).await;
    let spelling =
        app.surface(app.dialects.named("tinyrebrand").expect("it is spoken")).policy.personal.spelling.clone();
    let mut entropy = Entropy::seeded([2; 32], 100);
    let mut tokens = Vec::new();
    for key in [UserKey(1), UserKey(2)] {
        let user = User::new(key, format!("sub-{}", key.0), "Somebody", NOW);
        store.commit([Write::PutUser(Box::new(user))].into()).await.expect("the user is new");
        for expires_at in [UnixTime::NEVER, UnixTime::NEVER, NOW] {
            let minted = app.keys().mint(TokenKind::Personal, &spelling, &mut entropy);
            let personal = Personal {
                id: PersonalId(minted.id),
                digest: minted.digest,
                user: key,
                dialect: "tinyrebrand".into(),
                name: "ci".into(),
                scope: Scope::of(["user:read"]),
                is_by_operator: true,
                created_at: NOW,
                expires_at,
                used_at: None,
            };
            store.commit([Write::PutPersonal(Box::new(personal))].into()).await.expect("the token is new");
            tokens.push(format!("Bearer {}", minted.text.reveal()));
        }
    }
    let me = async |token: &str| {
        let answer = ask(&app, Method::GET, "/api/user/me", &[HOST, ("authorization", token)], "").await;
        answer.status().as_u16()
    };
    let [one, another, over, of_another, ..] = &tokens[..] else { panic!("there are six") };
    assert_eq!([me(one).await, me(another).await, me(one).await, me(another).await], [200, 200, 429, 429]);
    assert_eq!(me(of_another).await, 200, "another user has another limit");
    // Requests with an expired token are not counted against its user.
    assert_eq!([me(over).await, me(over).await, me(over).await, me(of_another).await], [401, 401, 429, 200]);
    // An introspection counts against the user of the token that it asks about.
    let body = format!("token={}", &another["Bearer ".len()..]);
    assert_eq!(ask(&app, Method::POST, "/api/oauth/introspect", &[HOST], &body).await.status(), 429);
}

/// The statuses of token requests by clients that do not exist, another one each time. They present no secret: attempts
/// with a secret have a limit of their own, which is lower.
async fn guesses(app: &App, dialect_path: &str, headers: &[(&str, &str)], times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for at in 0..times {
        let body = format!("grant_type=client_credentials&client_id=guess-{at}");
        statuses.push(ask(app, Method::POST, dialect_path, headers, &body).await.status().as_u16());
    }
    statuses
}

#[tokio::test]
async fn another_client_id_with_each_request_is_counted_by_address_and_who_proves_itself_goes_on() {
    let app = common::usual().await;
    let introspect = format!("token=nonsense&client_id=web&client_secret={}", common::SECRET);
    let ask_web = async || ask(&app, Method::POST, "/oauth/introspect", &[], &introspect).await.status().as_u16();
    assert_eq!(guesses(&app, "/oauth/token", &[], 1).await, [401]);
    assert_eq!(ask_web().await, 200);
    let statuses = guesses(&app, "/oauth/token", &[], 300).await;
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 119, "{statuses:?}");
    assert!(statuses[119..].iter().all(|status| *status == 429), "{statuses:?}");
    // Requests with the right secret are not limited.
    for _ in 0..1_000 {
        assert_eq!(ask_web().await, 200);
    }
    // Guesses at the secret of a client that has authenticated are limited as any other client's.
    let mut wrong = Vec::new();
    for _ in 0..300 {
        let body = "grant_type=client_credentials&client_id=web&client_secret=wrong";
        wrong.push(ask(&app, Method::POST, "/oauth/token", &[], body).await.status().as_u16());
    }
    assert_eq!(wrong.iter().filter(|status| **status == 401).count(), 10, "{wrong:?}");
    assert_eq!(ask_web().await, 200);
}

#[tokio::test]
async fn clients_that_do_not_exist_share_one_counter_of_a_limit_by_client() {
    let own = Dialect::load("standard", &[Source::file("limit", "[limit]\ntoken = \"20/min/client\"\n")])
        .expect("it is sound");
    let dialects = Dialects::new(ISSUER, vec![own], &[]).expect("it waives nothing");
    let app = common::speaking(dialects, common::memory().await, Settings::new(ISSUER)).await;
    let statuses = guesses(&app, "/oauth/token", &[], 60).await;
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 20, "{statuses:?}");
    assert!(statuses[20..].iter().all(|status| *status == 429), "{statuses:?}");
    let right = ask(&app, Method::POST, "/oauth/token", &[], &common::credentials()).await;
    assert_eq!(right.status(), 200, "a client that exists has a counter of its own");
}

#[tokio::test]
async fn a_network_of_ipv6_has_a_limit_however_many_addresses_it_has() {
    let store = common::memory().await;
    let mut settings = Settings::new(ISSUER);
    settings.trusted = vec!["192.0.2.0/24".parse().expect("a network")];
    let app = common::app(store, settings).await;
    let mut allowed = 0;
    for network in 0..3_000 {
        let address = format!("2001:db8:7:{network:x}::1");
        allowed += guesses(&app, "/oauth/token", &[("x-forwarded-for", &address)], 1)
            .await
            .iter()
            .filter(|own| **own == 401)
            .count();
    }
    assert_eq!(allowed, 120 * 16);
    assert_eq!(guesses(&app, "/oauth/token", &[("x-forwarded-for", "2001:db8:8::1")], 1).await, [401]);
}

#[tokio::test]
async fn requests_that_a_connection_left_behind_when_it_was_cut_off_have_not_failed() {
    let app = common::usual().await;
    for path in ["/oauth/token", "/.well-known/oauth-authorization-server"] {
        for _ in 0..300 {
            let mut cut = request(&app, Method::POST, path, &[], "");
            cut.unread = Some(No::BodyMalformed);
            assert_ne!(front::answer(&app, &cut).await.status(), 429, "{path}");
        }
    }
    let honest = ask(&app, Method::POST, "/oauth/token", &[], &common::credentials()).await;
    assert_eq!(honest.status(), 200);
}
