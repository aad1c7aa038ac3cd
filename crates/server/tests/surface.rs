//! Answers of the public endpoints, to requests that are given to the server without a socket.

mod common;

use std::sync::Arc;

use common::troubled::{Trouble, Troubled};
use common::{CALLBACK, SECRET, ask, credentials, text};
use dialect::{Dialect, Dialects};
use http::Method;
use protocol::line::Write;
use protocol::model::SealKey;
use protocol::refusal::No;
use serde_json::Value;
use server::config::settings::Settings;
use store::Store;

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[tokio::test]
async fn a_token_is_issued_introspected_and_revoked() {
    let app = common::usual().await;
    let issued = ask(&app, Method::POST, "/oauth/token", &[], &credentials()).await;
    assert_eq!(issued.status(), 200);
    assert_eq!(issued.headers()["cache-control"], "no-store");
    assert_eq!(issued.headers()["strict-transport-security"], "max-age=63072000");
    let token = json(&text(issued).await)["access_token"].as_str().expect("a token").to_owned();
    let about = format!("token={token}&client_id=web&client_secret={SECRET}");
    let live = text(ask(&app, Method::POST, "/oauth/introspect", &[], &about).await).await;
    assert_eq!(json(&live)["active"], true);
    assert_eq!(ask(&app, Method::POST, "/oauth/revoke", &[], &about).await.status(), 200);
    let dead = text(ask(&app, Method::POST, "/oauth/introspect", &[], &about).await).await;
    assert_eq!(json(&dead), json(r#"{"active":false}"#));
}

#[tokio::test]
async fn every_answer_has_a_name_of_its_own_that_no_header_chose() {
    let app = common::usual().await;
    let mut names = Vec::new();
    for path in ["/oauth/token", "/oauth/authorize", "/nowhere", "/.well-known/oauth-authorization-server"] {
        let answer = ask(&app, Method::GET, path, &[("x-request-id", "mine")], "").await;
        names.push(answer.headers()["x-request-id"].to_str().unwrap().to_owned());
    }
    names.sort();
    names.dedup();
    assert!(names.len() == 4 && !names.contains(&"mine".to_owned()), "{names:?}");
}

#[tokio::test]
async fn a_head_request_gets_the_length_and_no_body_rfc_9110_9_3_2() {
    let app = common::usual().await;
    let path = "/.well-known/oauth-authorization-server";
    let whole = text(ask(&app, Method::GET, path, &[], "").await).await;
    let head = ask(&app, Method::HEAD, path, &[], "").await;
    assert_eq!(head.headers()["content-length"], whole.len().to_string());
    assert_eq!(text(head).await, "");
}

#[tokio::test]
async fn another_host_is_misdirected_and_the_port_of_https_need_not_be_said() {
    let app = common::usual().await;
    assert_eq!(ask(&app, Method::GET, "/", &[("host", "evil.example")], "").await.status(), 421);
    assert_eq!(ask(&app, Method::GET, "/nowhere", &[("host", "auth.example:443")], "").await.status(), 404);
}

#[tokio::test]
async fn another_method_is_told_which_are_allowed_rfc_9110_15_5_6() {
    let app = common::usual().await;
    let answer = ask(&app, Method::DELETE, "/oauth/token", &[], "").await;
    assert_eq!((answer.status().as_u16(), answer.headers()["allow"].to_str().unwrap()), (405, "POST"));
    assert_eq!(ask(&app, Method::OPTIONS, "/oauth/token", &[], "").await.status(), 405);
}

#[tokio::test]
async fn scripts_may_read_what_the_dialect_shares_and_nothing_else() {
    let app = common::usual().await;
    let origin = ("origin", "https://spa.example");
    let shared = ask(&app, Method::GET, "/.well-known/oauth-authorization-server", &[origin], "").await;
    assert_eq!(shared.headers()["access-control-allow-origin"], "*");
    let preflight = [origin, ("access-control-request-method", "GET")];
    let asked = ask(&app, Method::OPTIONS, "/.well-known/oauth-authorization-server", &preflight, "").await;
    assert_eq!(
        (asked.status().as_u16(), asked.headers()["access-control-allow-methods"].to_str().unwrap()),
        (204, "GET")
    );
    let token = ask(&app, Method::POST, "/oauth/token", &[origin], &credentials()).await;
    assert_eq!(token.headers()["access-control-allow-origin"], "*");
    let own = ask(&app, Method::POST, "/oauth/introspect", &[origin], &credentials()).await;
    assert!(!own.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn the_key_set_is_public_cacheable_and_the_same_on_every_node() {
    let store = common::memory().await;
    let settings = || Settings::new("https://auth.example");
    let (one, two) = (common::app(Arc::clone(&store), settings()).await, common::app(store, settings()).await);
    assert_eq!(ask(&one, Method::POST, "/oauth/jwks", &[], "").await.status(), 405);
    let origin = ("origin", "https://spa.example");
    let told = ask(&one, Method::GET, "/oauth/jwks", &[origin], "").await;
    assert_eq!(told.status(), 200);
    assert_eq!(told.headers()["cache-control"], "public, max-age=3600");
    assert_eq!(told.headers()["access-control-allow-origin"], "*");
    let set = text(told).await;
    let keys = json(&set)["keys"].as_array().expect("a list").clone();
    let algorithms: Vec<&str> = keys.iter().map(|key| key["alg"].as_str().expect("a name")).collect();
    assert_eq!(algorithms, ["RS256", "PS256", "ES256", "EdDSA"]);
    for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
        assert!(keys.iter().all(|key| key.get(private).is_none()), "{private} is private");
    }
    assert_eq!(text(ask(&two, Method::GET, "/oauth/jwks", &[], "").await).await, set);
    let metadata = text(ask(&one, Method::GET, "/.well-known/oauth-authorization-server", &[], "").await).await;
    assert_eq!(json(&metadata)["jwks_uri"], "https://auth.example/oauth/jwks");
}

#[tokio::test]
async fn without_a_store_that_takes_the_first_keys_nobody_is_told_an_empty_key_set() {
    let store = Arc::new(Troubled::new(common::memory().await, Trouble::Unavailable));
    let app = common::app(Arc::clone(&store) as Arc<dyn Store>, Settings::new("https://auth.example")).await;
    store.begin();
    assert_eq!(ask(&app, Method::GET, "/oauth/jwks", &[], "").await.status(), 503);
    store.end();
    assert_eq!(ask(&app, Method::GET, "/oauth/jwks", &[], "").await.status(), 200);
    store.begin();
    assert_eq!(ask(&app, Method::GET, "/oauth/jwks", &[], "").await.status(), 200, "they are known from now on");
}

#[tokio::test]
async fn a_preflight_allows_the_headers_that_it_asks_for_and_no_cookies() {
    let app = common::usual().await;
    let allowed = async |asked: &str| {
        let headers = [
            ("origin", "https://spa.example"),
            ("access-control-request-method", "GET"),
            ("access-control-request-headers", asked),
        ];
        let answer = ask(&app, Method::OPTIONS, "/.well-known/oauth-authorization-server", &headers, "").await;
        assert!(!answer.headers().contains_key("access-control-allow-credentials"), "{asked}");
        answer.headers()["access-control-allow-headers"].to_str().unwrap().to_owned()
    };
    let usual = "authorization, content-type";
    assert_eq!(allowed("mcp-protocol-version").await, format!("{usual}, mcp-protocol-version"));
    assert_eq!(allowed("Authorization,x-a , x-b").await, format!("{usual}, x-a, x-b"));
    for wrong in ["", "x a", "x-a, b:c", &"x-a,".repeat(300)] {
        assert_eq!(allowed(wrong).await, usual, "{wrong}");
    }
}

#[tokio::test]
async fn a_page_keeps_its_status_whatever_the_dialect_tells_programs() {
    let text_of = "[error]\ninvalid_request = { status = 200 }\n";
    let sources = [dialect::Source::file("o.toml", text_of)];
    let odd = Dialect::load("standard", &sources).expect("it is sound");
    let dialects = Dialects::new("https://auth.example", vec![odd], &[]).expect("it fits");
    let app = common::speaking(dialects, common::memory().await, Settings::new("https://auth.example")).await;
    let path = "/oauth/authorize?response_type=code&client_id=web&redirect_uri=https%3A%2F%2Fevil.example%2F";
    assert_eq!(ask(&app, Method::GET, path, &[], "").await.status(), 200);
    assert_eq!(ask(&app, Method::GET, path, &[("accept", "text/html")], "").await.status(), 400);
}

#[tokio::test]
async fn a_state_comes_back_byte_for_byte_and_faults_go_to_the_application_rfc_6749_4_1_2_1() {
    let app = common::usual().await;
    let back = async |more: &str| {
        let path =
            format!("/oauth/authorize?response_type=code&client_id=web&redirect_uri={CALLBACK}&prompt=none{more}");
        let answer = ask(&app, Method::GET, &path, &[("accept", "text/html")], "").await;
        assert_eq!(answer.status(), 302, "{more}");
        answer.headers()["location"].to_str().unwrap().to_owned()
    };
    for state in ["%E6%97%A5", "%00", "a%0D%0Ab", "%2B%20%25", "~"] {
        let location = back(&format!("&state={state}")).await;
        assert!(location.contains(&format!("&state={state}")), "{location}");
    }
    let long = format!("&state={}", "s".repeat(8193));
    for more in ["&state=%FF", "&state=%zz", "&scope=a&scope=b", "&nonce=%00", "&max_age=x", "&scope=%22", &long] {
        let location = back(more).await;
        assert!(location.contains("error=invalid_") && !location.contains("state="), "{location}");
    }
}

#[tokio::test]
async fn cookies_are_bound_to_the_host_where_the_issuer_is_encrypted() {
    let app = common::usual().await;
    let answer = ask(&app, Method::GET, "/oauth/authorize?client_id=web", &[("accept", "text/html")], "").await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-grantry-browser="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
    let local = common::app(common::memory().await, Settings::new("http://localhost:8080")).await;
    let answer = ask(&local, Method::GET, "/oauth/authorize?client_id=web", &[("accept", "text/html")], "").await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("grantry-browser=") && !cookie.contains("Secure"), "{cookie}");
}

#[tokio::test]
async fn a_browser_keeps_its_cookie() {
    let app = common::usual().await;
    let path = "/oauth/authorize?client_id=nobody&response_type=code";
    let html = ("accept", "text/html");
    let first = ask(&app, Method::GET, path, &[html], "").await;
    let cookie = first.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let second = ask(&app, Method::GET, path, &[html, ("cookie", &cookie)], "").await;
    assert!(!second.headers().contains_key("set-cookie"));
    let forged = ask(&app, Method::GET, path, &[html, ("cookie", "__Host-grantry-browser=x")], "").await;
    assert!(forged.headers().contains_key("set-cookie"), "a short cookie is no secret");
}

#[tokio::test]
async fn a_refusal_that_must_not_redirect_is_a_page_for_people_and_json_for_programs() {
    let app = common::usual().await;
    let path = "/oauth/authorize?response_type=code&client_id=web&redirect_uri=https%3A%2F%2Fevil.example%2F";
    let program = ask(&app, Method::GET, path, &[], "").await;
    assert_eq!(program.status(), 400);
    assert_eq!(json(&text(program).await)["error"], "invalid_request");
    let person = ask(&app, Method::GET, path, &[("accept", "text/html,*/*")], "").await;
    assert_eq!(person.status(), 400);
    assert!(!person.headers().contains_key("location"));
    assert!(person.headers()["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
    assert!(text(person).await.contains("redirect_uri"));
}

#[tokio::test]
async fn an_error_goes_back_to_the_application_without_a_referrer() {
    let app = common::usual().await;
    let path = "/oauth/authorize?response_type=code&client_id=web&state=s1";
    let answer = ask(&app, Method::GET, path, &[], "").await;
    let location = answer.headers()["location"].to_str().unwrap();
    assert!(location.starts_with(CALLBACK) && location.contains("state=s1"), "{location}");
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["referrer-policy"]),
        (302, &"no-referrer".parse().unwrap())
    );
}

#[tokio::test]
async fn a_request_posted_by_another_site_is_asked_again_by_get_so_that_cookies_come_along() {
    let app = common::usual().await;
    let answer =
        ask(&app, Method::POST, "/oauth/authorize", &[("sec-fetch-site", "cross-site")], "client_id=web&state=s").await;
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["location"], "/oauth/authorize?client_id=web&state=s");
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let app = common::usual().await;
    for site in ["cross-site", "same-site"] {
        let answer = ask(&app, Method::POST, "/account", &[("sec-fetch-site", site)], "name=Mallory").await;
        assert_eq!(answer.status(), 400, "{site}");
        assert!(text(answer).await.contains("another browser"));
    }
}

#[tokio::test]
async fn a_page_sealed_with_a_new_key_opens_at_once() {
    let store = common::memory().await;
    let old = common::app(Arc::clone(&store), Settings::new("https://auth.example")).await;
    let number = 2;
    store.commit([Write::PutSealKey(SealKey { number, created_at: common::NOW })].into()).await.unwrap();
    let new = common::app(store, Settings::new("https://auth.example")).await;
    let browser = protocol::secret::Digest::of(b"browser");
    let pending = new.pending_visit(protocol::person::browser::Goal::Authorize(Box::default()));
    let seal = pending.seal("standard", &browser, common::NOW, &new.keys(), &mut new.draw());
    assert_eq!(old.open_pending_visit(&seal, &browser).await.expect("it takes over the new key").1, "standard");
    let other = protocol::secret::Digest::of(b"other");
    assert_eq!(old.open_pending_visit(&seal, &other).await.unwrap_err(), No::PageStale);
}

#[tokio::test]
async fn pages_sealed_with_a_new_key_open_also_when_somebody_else_took_it_over_meanwhile() {
    let store: Arc<dyn Store> = Arc::new(Troubled::new(common::memory().await, Trouble::Lost));
    let old = common::app(Arc::clone(&store), Settings::new("https://auth.example")).await;
    store.commit([Write::PutSealKey(SealKey { number: 2, created_at: common::NOW })].into()).await.unwrap();
    let new = common::app(store, Settings::new("https://auth.example")).await;
    let browser = protocol::secret::Digest::of(b"browser");
    let pending = new.pending_visit(protocol::person::browser::Goal::Authorize(Box::default()));
    let seal = pending.seal("standard", &browser, common::NOW, &new.keys(), &mut new.draw());
    // Both fail with the old key before either has read the new one.
    let (one, other) = tokio::join!(old.open_pending_visit(&seal, &browser), old.open_pending_visit(&seal, &browser));
    assert!(one.is_ok() && other.is_ok(), "{:?} {:?}", one.err(), other.err());
}

#[tokio::test]
async fn what_happened_is_counted_by_name() {
    let app = common::usual().await;
    ask(&app, Method::POST, "/oauth/token", &[], &credentials()).await;
    ask(&app, Method::POST, "/oauth/token", &[], "grant_type=client_credentials&client_id=web&client_secret=no").await;
    let text = server::observe::exposition::text(&app);
    for line in [
        r#"grantry_requests_total{dialect="standard",endpoint="token",outcome="ok"} 1"#,
        r#"grantry_requests_total{dialect="standard",endpoint="token",outcome="ClientSecretWrong"} 1"#,
        r#"grantry_request_duration_seconds_count{dialect="standard",endpoint="token"} 2"#,
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
}

#[tokio::test]
async fn trouble_with_the_store_is_a_clear_answer_and_the_server_lives() {
    for (trouble, status, error) in [
        (Trouble::Unavailable, 503, "temporarily_unavailable"),
        (Trouble::Lost, 503, "temporarily_unavailable"),
        (Trouble::Broken, 500, "server_error"),
        (Trouble::Panic, 500, "server_error"),
    ] {
        let store = Arc::new(Troubled::new(common::memory().await, trouble));
        let app = common::app(Arc::clone(&store) as Arc<dyn Store>, Settings::new("https://auth.example")).await;
        store.begin();
        let answer = ask(&app, Method::POST, "/oauth/token", &[], &credentials()).await;
        assert_eq!(answer.status(), status, "{trouble:?}");
        assert_eq!(answer.headers().contains_key("retry-after"), status == 503, "{trouble:?}");
        let body = text(answer).await;
        assert!(json(&body)["error"] == error && !body.contains("secret/path"), "{trouble:?}: {body}");
        store.end();
        assert_eq!(ask(&app, Method::POST, "/oauth/token", &[], &credentials()).await.status(), 200, "{trouble:?}");
    }
}

#[tokio::test]
async fn a_program_of_the_operators_own_keeps_attributes_of_an_account_and_nobody_else_does() {
    let store = common::memory().await;
    let own = protocol::model::Client {
        key: protocol::model::ClientKey(2),
        client_id: "billing".into(),
        is_first_party: true,
        ..common::client()
    };
    let alice = serde_json::from_value(serde_json::json!({
        "key": 1, "sub": "sub-alice", "name": "Alice", "created_at": 0, "version": 1
    }));
    let changes = vec![Write::PutClient(Box::new(own)), Write::PutUser(Box::new(alice.unwrap()))];
    store.commit(changes.into()).await.expect("the rows are new");
    let app = common::app(Arc::clone(&store), Settings::new("https://auth.example")).await;
    let basic = |client: &str| {
        let text = format!("{client}:{SECRET}");
        format!("Basic {}", data_encoding::BASE64.encode(text.as_bytes()))
    };
    let path = "/api/accounts/sub-alice/attributes";
    let patch = async |client: &str, path: &str, media_type: &str, body: &str| {
        let headers = [("authorization", basic(client)), ("content-type", media_type.to_owned())];
        let headers: Vec<(&'static str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = ask(&app, Method::PATCH, path, &headers, body).await;
        (answer.status().as_u16(), text(answer).await)
    };
    let merge = "application/merge-patch+json";
    let set = patch("billing", path, merge, r#"{"limits":{"links":{"used":2}}}"#).await;
    assert_eq!(set, (200, r#"{"limits":{"links":{"used":2}}}"#.to_owned()));
    let authorization = basic("billing");
    let read = ask(&app, Method::GET, path, &[("authorization", &authorization)], "").await;
    assert_eq!(read.headers()["cache-control"], "no-store");
    assert_eq!(text(read).await, r#"{"limits":{"links":{"used":2}}}"#);
    assert_eq!(patch("web", path, merge, "{}").await.0, 403);
    assert_eq!(patch("billing", "/api/accounts/nobody/attributes", merge, "{}").await.0, 404);
    assert_eq!(patch("billing", path, "text/plain", "{}").await.0, 400);
    assert_eq!(patch("billing", path, merge, "[]").await.0, 400);
    let unknown = ask(&app, Method::GET, path, &[], "").await;
    assert_eq!((unknown.status().as_u16(), unknown.headers().contains_key("www-authenticate")), (401, true));
    let put = ask(&app, Method::PUT, path, &[("authorization", &authorization)], "{}").await;
    assert_eq!((put.status().as_u16(), put.headers()["allow"].to_str().unwrap()), (405, "GET, HEAD, PATCH"));
}

#[tokio::test]
async fn a_script_of_another_origin_may_redeem_and_ask_who_the_user_is_but_not_introspect() {
    let app = common::usual().await;
    let asked = [("origin", "https://spa.example"), ("access-control-request-method", "POST")];
    for (path, is_shared) in [("/oauth/token", true), ("/oauth/userinfo", true), ("/oauth/introspect", false)] {
        let preflight = ask(&app, Method::OPTIONS, path, &asked, "").await;
        let origin = preflight.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap());
        assert_eq!(origin, is_shared.then_some("*"), "{path}");
        // Without this header browsers send no cookies, so a script of another origin cannot act as the signed-in user.
        assert!(!preflight.headers().contains_key("access-control-allow-credentials"), "{path}");
    }
}

#[tokio::test]
async fn a_garbage_token_is_refused_without_touching_the_store() {
    let store = Arc::new(Troubled::new(common::memory().await, Trouble::Panic));
    let open = Dialect::shipped("tinyrebrand", &[]).expect("it is shipped").expect("it is sound");
    let standard = Dialect::load("standard", &[]).expect("the shipped dialect is sound");
    let accept: Vec<String> = open.waives.clone();
    let dialects = Dialects::new("https://auth.example", vec![standard, open], &accept).expect("they fit together");
    let app =
        common::speaking(dialects, Arc::clone(&store) as Arc<dyn Store>, Settings::new("https://auth.example")).await;
    store.begin();
    let status = async |method, path: &str, headers: &[(&str, &str)], body: &str| {
        ask(&app, method, path, headers, body).await.status().as_u16()
    };
    let host = ("host", "api.tinyrebrand.com");
    // Of the right length and alphabet as well: what is wrong with it is its checksum.
    for garbage in ["nonsense".to_owned(), format!("at_{}", "0123456789abcdef".repeat(4)), "A".repeat(43)] {
        let bearer = format!("Bearer {garbage}");
        let asked = status(Method::GET, "/oauth/userinfo", &[("authorization", &bearer)], "").await;
        assert_eq!(asked, 401, "{garbage}");
        let asked = status(Method::GET, "/api/user/me", &[host, ("authorization", &bearer)], "").await;
        assert_eq!(asked, 401, "{garbage}");
        for path in ["/api/oauth/introspect", "/api/oauth/revoke"] {
            assert_eq!(status(Method::POST, path, &[host], &format!("token={garbage}")).await, 200, "{garbage}");
        }
    }
    // The store is as bad as it was said to be.
    assert_eq!(status(Method::POST, "/oauth/token", &[], &credentials()).await, 500);
}
