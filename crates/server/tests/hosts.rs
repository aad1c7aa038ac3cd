//! Request headers such as Host never get into links, and made-up key numbers in sealed forms cost hardly any store
//! reads.
#![allow(clippy::disallowed_methods, reason = "a test looks at the clock")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use common::{ask, text};
use dialect::{Dialect, Dialects, Source};
use http::Method;
use protocol::jose::KeySet;
use protocol::line::{Changes, Facts, Wants, Write};
use protocol::person::browser::Goal;
use protocol::person::upstream::SignUp;
use protocol::refusal::No;
use protocol::secret::{Digest, Secret};
use protocol::time::UnixTime;
use server::app::App;
use server::config::settings::{Google, Settings};
use store::{CommitError, Fault, Query, Rows, Store};

const ISSUER: &str = "https://auth.example/sso";
const HTML: (&str, &str) = ("accept", "text/html");

/// A server with a Google button that speaks `standard`, one dialect on a host of its own, and one on every host.
async fn with_google() -> Arc<App> {
    let of = |name: &str, more: &str| {
        let text = format!("grants = [\"authorization_code\"]\n{more}\n[endpoint.authorize]\n[endpoint.token]\n");
        Dialect::load(name, &[Source::file("x.toml", &text)]).unwrap_or_else(|problems| panic!("{problems:?}"))
    };
    let standard = Dialect::load("standard", &[]).expect("it is shipped");
    let all = vec![standard, of("own", "hosts = [\"login.own.example\"]"), of("anywhere", "prefix = \"\"")];
    let dialects = Dialects::new(ISSUER, all, &[]).expect("they waive nothing");
    let mut settings = Settings::new(ISSUER);
    let issuer = "https://issuer.example".to_owned();
    settings.google = Some(Google {
        issuer,
        client_id: "us".to_owned(),
        client_secret: Some(Secret::new("a-secret-of-ours")),
        sign_up: SignUp::Anybody,
    });
    let app = common::speaking(dialects, common::memory().await, settings).await;
    let keys = KeySet::parse(br#"{"keys":[]}"#).expect("it is a key set");
    app.upstream.as_ref().expect("it is configured").learn(keys, app.clock.now());
    app
}

#[tokio::test]
async fn a_redirect_uri_is_made_of_a_configured_host_and_never_of_the_one_that_came() {
    let app = with_google().await;
    for (host, expected) in [
        ("auth.example", Some("https%3A%2F%2Fauth.example%2Fsso%2Flogin%2Fgoogle%2Fcallback")),
        ("AUTH.example:443", Some("https%3A%2F%2Fauth.example%2Fsso%2Flogin%2Fgoogle%2Fcallback")),
        ("login.own.example", Some("https%3A%2F%2Flogin.own.example%2Fsso%2Flogin%2Fgoogle%2Fcallback")),
        ("evil.example", None),
        ("auth.example.evil.example", None),
        ("auth.example:8443", None),
    ] {
        let page = ask(&app, Method::GET, "/sso/sign-in?next=/account", &[("host", host), HTML], "").await;
        assert_eq!(page.status(), 200, "{host}");
        let cookie = page.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let body = text(page).await;
        assert!(!body.contains("evil.example") && !body.contains("8443"), "{host}: {body}");
        let path = body.split("href=\"").find(|rest| rest.contains("/login/google?errand="));
        let path = path.and_then(|rest| rest.split('"').next()).map(ToOwned::to_owned);
        assert_eq!(path.is_some(), expected.is_some(), "{host}");
        let seal = body.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let path = path.unwrap_or_else(|| format!("/sso/login/google?errand={seal}"));
        let way = ask(&app, Method::GET, &path, &[("host", host), ("cookie", &cookie), HTML], "").await;
        match expected {
            Some(expected) => {
                let location = way.headers()["location"].to_str().unwrap();
                assert!(location.contains(&format!("redirect_uri={expected}&")), "{host}: {location}");
            }
            None => assert_eq!(way.status(), 404, "{host}: somebody asks for what is not offered"),
        }
    }
}

/// A store that counts how often its sealing keys are read.
struct Counted {
    inner: Arc<dyn Store>,
    reads: AtomicU32,
}

#[async_trait]
impl Store for Counted {
    async fn load(&self, wants: Wants) -> Result<Facts, Fault> {
        self.inner.load(wants).await
    }

    async fn commit(&self, changes: Changes) -> Result<(), CommitError> {
        self.inner.commit(changes).await
    }

    async fn list(&self, query: &Query) -> Result<Rows, Fault> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.list(query).await
    }

    async fn sweep(&self, now: UnixTime, rows_max: usize) -> Result<usize, Fault> {
        self.inner.sweep(now, rows_max).await
    }
}

#[tokio::test]
async fn a_seal_that_does_not_open_asks_the_store_only_if_its_key_is_unknown_and_once_a_second() {
    let store = Arc::new(Counted { inner: common::memory().await, reads: AtomicU32::new(0) });
    let app = common::app(Arc::clone(&store) as Arc<dyn Store>, Settings::new("https://auth.example")).await;
    let reads = || store.reads.load(Ordering::Relaxed);
    let before = reads();
    // The first byte of a seal is the number of its key, which is 1 here: "AQ" in base64url.
    for nonsense in ["", "%", "nonsense!", "AQ", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        assert_eq!(app.open_form(nonsense).await, Err(No::PageStale), "{nonsense}");
    }
    assert_eq!(reads(), before, "no other key can open these");
    let begun = Instant::now();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let app = Arc::clone(&app);
        waiting.spawn(async move { app.open_form("_wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await });
    }
    for answer in waiting.join_all().await {
        assert_eq!(answer, Err(No::PageStale));
    }
    let seconds = u32::try_from(begun.elapsed().as_secs()).unwrap();
    assert!(reads() - before <= seconds + 1, "{} reads in {seconds} s", reads() - before);
    // A form sealed with a key that is newer than the last read of the keys opens all the same.
    let key = protocol::model::SealKey { number: 2, created_at: common::NOW };
    store.commit([Write::PutSealKey(key)].into()).await.unwrap();
    let new = common::app(Arc::clone(&store.inner), Settings::new("https://auth.example")).await;
    let pending = new.pending_visit(Goal::Page("/account".to_owned()));
    let seal = pending.seal("standard", &Digest::of(b"browser"), common::NOW, &new.keys(), &mut new.draw());
    assert!(app.open_pending_visit(&seal, &Digest::of(b"browser")).await.is_ok());
}
