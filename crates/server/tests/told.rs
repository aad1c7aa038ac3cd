//! What the standard surface tells a developer whose request is wrong: the value at fault, and the next step.

mod common;

use common::{SECRET, ask, text, usual};
use http::Method;
use http::header::LOCATION;
use server::app::App;

/// The `error_description` of the answer to a request of the token endpoint.
async fn token(app: &App, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    described(&text(ask(app, Method::POST, path, headers, body).await).await)
}

fn described(body: &str) -> String {
    let document: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{body}"));
    let told = document["error_description"].as_str().expect("it has a description").to_owned();
    assert!(told.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "RFC 6749 §5.2: {told}");
    told
}

#[tokio::test]
async fn the_token_endpoint_names_the_value_at_fault_and_the_next_step() {
    let app = usual().await;
    let own = format!("client_id=web&client_secret={SECRET}");
    for (body, words) in [
        ("grant_type=client_credentials&scope=profile+calendar", &["calendar", "may ask for: profile"][..]),
        ("grant_type=client_credentials&scope=email", &["email", "may ask for: profile"]),
        ("grant_type=device_code", &["device_code", "authorization_code", "refresh_token", "client_credentials"]),
        ("grant_type=authorization_code", &["code is missing"]),
        ("grant_type=client_credentials&scope=%22%5C%E6%97%A5", &["???", "may ask for"]),
    ] {
        let told = token(&app, "/oauth/token", &[], &format!("{own}&{body}")).await;
        assert!(words.iter().all(|word| told.contains(word)), "{body}: {told}");
    }
    let get = described(&text(ask(&app, Method::GET, "/oauth/token?x=y", &[], "").await).await);
    assert!(get.contains("GET") && get.contains("Use POST"), "{get}");
    let query = format!("/oauth/token?grant_type=client_credentials&{own}");
    let told = token(&app, &query, &[], "").await;
    assert_eq!(
        told,
        "The parameter grant_type is in the query of the URL, where this endpoint does not read it. Send it in the request body."
    );
    let told = token(&app, &format!("/oauth/token?{own}"), &[], "grant_type=client_credentials").await;
    assert!(told.contains("credentials are in the query"), "{told}");
    let told = token(&app, "/oauth/token?code=x", &[], &format!("{own}&grant_type=authorization_code")).await;
    assert!(told.contains("code is in the query"), "{told}");
    let told = token(&app, "/oauth/token", &[("content-type", "application/json")], "{}").await;
    assert!(told.contains("application/json") && told.contains("application/x-www-form-urlencoded"), "{told}");
    let told = token(&app, "/oauth/token", &[("content-type", "")], "grant_type=x").await;
    assert!(told.contains("Content-Type header") && told.contains("application/x-www-form-urlencoded"), "{told}");
}

#[tokio::test]
async fn strangers_are_told_no_more_about_a_code_or_a_client_than_before() {
    let app = usual().await;
    let own = format!("client_id=web&client_secret={SECRET}&grant_type=authorization_code");
    let told = token(&app, "/oauth/token", &[], &format!("{own}&code=unknown")).await;
    assert!(told.starts_with("The code is invalid, expired, used before, or was issued to another client."), "{told}");
    assert!(told.ends_with("send the user to the authorization endpoint for a new one."), "{told}");
    for client in ["client_id=web&client_secret=wrong", "client_id=nobody&client_secret=wrong"] {
        let told = token(&app, "/oauth/token", &[], &format!("{client}&grant_type=client_credentials")).await;
        assert_eq!(told, "Client authentication failed.");
    }
}

#[tokio::test]
async fn the_application_is_told_of_its_authorization_request_by_redirect() {
    let app = usual().await;
    let challenge = "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    for (query, words) in [
        ("scope=profile+calendar", &["calendar", "may ask for: profile"][..]),
        ("prompt=create", &["create", "select_account"]),
        ("response_mode=cookie", &["cookie", "query, form_post"]),
        ("state=a&state=b", &["state", "more than once"]),
        ("state=%E6%97", &["state", "malformed"]),
    ] {
        let path =
            format!("/oauth/authorize?response_type=code&client_id=web&{challenge}&code_challenge_method=S256&{query}");
        let response = ask(&app, Method::GET, &path, &[("accept", "text/html")], "").await;
        let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).expect("it is a redirect").to_owned();
        let (to, query) = to.split_once('?').expect("it has a query");
        assert_eq!(to, common::CALLBACK);
        let told = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "error_description");
        let told = told.expect("it is described").1.into_owned();
        assert!(words.iter().all(|word| told.contains(word)), "{query}: {told}");
    }
    let plain = format!("/oauth/authorize?response_type=code&client_id=web&{challenge}&code_challenge_method=plain");
    let response = ask(&app, Method::GET, &plain, &[("accept", "text/html")], "").await;
    let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).expect("it is a redirect");
    assert!(to.contains("must%20be%20S256") && to.contains("has%20plain"), "{to}");
}

#[tokio::test]
async fn an_unknown_host_is_named_to_programs_and_on_a_page_and_no_known_host_is() {
    let app = usual().await;
    let host = ("host", "auth.internal:8080");
    let program = ask(&app, Method::GET, "/oauth/token", &[host], "").await;
    assert_eq!(program.status(), 421);
    let told = described(&text(program).await);
    assert!(told.contains("auth.internal:8080") && told.contains("does the proxy pass on the Host header"), "{told}");
    let page = ask(&app, Method::GET, "/oauth/authorize", &[host, ("accept", "text/html")], "").await;
    assert_eq!(page.status(), 421);
    assert!(page.headers().get("set-cookie").is_none());
    let page = text(page).await;
    assert!(page.starts_with("<!doctype html>") && page.contains("auth.internal:8080"), "{page}");
    assert!(!page.contains("auth.example"), "{page}");
    let style = page.split("rel=\"stylesheet\" href=\"").nth(1).and_then(|rest| rest.split('"').next());
    let style = ask(&app, Method::GET, style.expect("it has a style"), &[host], "").await;
    assert_eq!(style.status(), 200);
}
