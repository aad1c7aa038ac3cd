//! Rate limits as programs meet them: what counts, and which answers say where their caller stands.

mod common;

use std::sync::Arc;

use common::troubled::{Trouble, Troubled};
use common::{NOW, ask, request, text};
use dialect::{Dialect, Dialects, Source};
use http::Method;
use protocol::keys::TokenKind;
use protocol::model::{Personal, PersonalId, User, UserKey};
use protocol::refusal::No;
use protocol::scope::Scope;
use protocol::time::UnixTime;
use protocol::turn::{Change, Entropy};
use server::app::App;
use server::http::Response;
use server::settings::Settings;
use server::surface;
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
        let answer = surface::answer(&app, &unread).await;
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
        // What is not there is refused for programs and people alike, and counts.
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
        store.commit(vec![Change::PutUser(Box::new(user))]).await.expect("the user is new");
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
            store.commit(vec![Change::PutPersonal(Box::new(personal))]).await.expect("the token is new");
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
    // Who found a token that is over uses up nothing of its user's.
    assert_eq!([me(over).await, me(over).await, me(over).await, me(of_another).await], [401, 401, 429, 200]);
    // What is said of a token is counted by its user as well.
    let body = format!("token={}", &another["Bearer ".len()..]);
    assert_eq!(ask(&app, Method::POST, "/api/oauth/introspect", &[HOST], &body).await.status(), 429);
}
