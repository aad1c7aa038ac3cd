//! Tests with a clock that is wrong while the server runs: the server answers nothing by it, and resumes once it is
//! right.

mod common;

use std::sync::Arc;

use common::{CALLBACK, NOW, SECRET, ask, text};
use dialect::{Dialect, Dialects};
use http::{Method, StatusCode};
use protocol::line::Write;
use protocol::model::{Client, User, UserKey};
use server::app::{App, Setup};
use server::clock::Clock;
use server::config::settings::Settings;
use server::entropy::Source;
use server::fault::Fault;
use store::Store;
use zeroize::Zeroizing;

const NOW_MS: i64 = NOW.0 * 1000;
const YEAR_MS: i64 = 365 * 86_400_000;
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

async fn open(store: Arc<dyn Store>, clock: Clock) -> Result<Arc<App>, Fault> {
    let settings = Settings::new("https://auth.example");
    let standard = Dialect::load("standard", &[]).expect("the shipped dialect is sound");
    let setup = Setup {
        dialects: Dialects::new(&settings.issuer, vec![standard], &[]).expect("it waives nothing"),
        store,
        policies: Vec::new(),
        master: Zeroizing::new([7; 32]),
        settings,
        clock,
        entropy: Source::seeded([9; 32]),
    };
    App::open(setup).await
}

async fn issue(app: &App) -> (StatusCode, Option<String>, String) {
    let body = format!("grant_type=client_credentials&client_id=web&client_secret={SECRET}");
    let host = ("host", "auth.example");
    let response = ask(app, Method::POST, "/oauth/token", &[host, FORM], &body).await;
    let retry_after = response.headers().get("retry-after").map(|value| value.to_str().expect("text").to_owned());
    (response.status(), retry_after, text(response).await)
}

#[tokio::test]
async fn while_the_clock_is_wrong_everybody_is_asked_to_come_again_and_then_the_server_goes_on() {
    let store = common::memory().await;
    let app = open(Arc::clone(&store), Clock::steered(NOW_MS, 0)).await.expect("the clock is right");
    assert_eq!(issue(&app).await.0, StatusCode::OK);
    let before = store.greatest_id().await.expect("the store works");
    for wrong_ms in [NOW_MS + 74 * YEAR_MS, NOW_MS + YEAR_MS, NOW_MS - YEAR_MS, 0, i64::MAX] {
        app.clock.steer(wrong_ms, 1_000);
        let (status, retry_after, body) = issue(&app).await;
        assert_eq!(
            (status, retry_after.as_deref()),
            (StatusCode::SERVICE_UNAVAILABLE, Some("30")),
            "{wrong_ms}: {body}"
        );
        for path in ["/sign-in", "/account", &format!("/oauth/authorize?client_id=web&redirect_uri={CALLBACK}")] {
            let response = ask(&app, Method::GET, path, &[("host", "auth.example")], "").await;
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{wrong_ms}: {path}");
        }
        assert_eq!(store.greatest_id().await.expect("the store works"), before, "something was written");
    }
    app.clock.steer(NOW_MS + 2_000, 2_000);
    assert_eq!(issue(&app).await.0, StatusCode::OK, "the clock is right again");
}

#[tokio::test]
async fn a_server_does_not_start_by_a_wrong_clock_and_writes_nothing() {
    let store: Arc<dyn Store> = Arc::new(store::Memory::default());
    for wrong_ms in [NOW_MS + 74 * YEAR_MS, 0] {
        let opened = open(Arc::clone(&store), Clock::steered(wrong_ms, 0)).await;
        assert!(matches!(opened, Err(Fault::Clock(_))), "{opened:?}");
        assert!(store.seal_keys().await.expect("the store works").is_empty());
    }
    let overrun = User::new(UserKey(-5), "sub", "Alice", NOW);
    store.commit([Write::PutUser(Box::new(overrun))].into()).await.expect("the store is empty");
    let opened = open(Arc::clone(&store), Clock::steered(NOW_MS, 0)).await;
    let text = opened.expect_err("a row is from the future").to_string();
    assert!(text.contains("grantry db repair"), "{text}");
}

#[tokio::test]
async fn what_is_revoked_until_a_later_time_does_not_lift_the_ids_of_others() {
    let store = common::memory().await;
    let app = open(Arc::clone(&store), Clock::steered(NOW_MS, 0)).await.expect("the clock is right");
    let until_2093 = Client { version: 2, revoked_below: i64::MAX >> 1, ..common::client() };
    store.commit([Write::PutClient(Box::new(until_2093))].into()).await.expect("the client is there");
    let (status, retry_after, body) = issue(&app).await;
    assert_eq!((status, retry_after.as_deref()), (StatusCode::SERVICE_UNAVAILABLE, Some("30")), "{body}");
    let repaired = Client { version: 3, revoked_below: 0, ..common::client() };
    store.commit([Write::PutClient(Box::new(repaired))].into()).await.expect("the client is there");
    assert_eq!(issue(&app).await.0, StatusCode::OK);
    assert!(store.greatest_id().await.expect("the store works") < i64::MAX >> 1);
}
