//! Tests of unusual but legitimate browsing: reloading and going back, forms sent after another user signed in, several
//! tabs, and a pending visit (`pending visit`) that is too long for a URL.

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use common::{NOW, ask, text};
use http::Method;
use http::header::{LOCATION, SET_COOKIE};
use protocol::crypto::entropy::Entropy;
use protocol::line::Write;
use protocol::model::{User, UserKey};
use protocol::person::password;
use protocol::secret::Secret;
use serde_json::json;
use server::app::App;
use server::config::settings::Settings;

const PASSWORD: &str = "correct horse battery";

async fn server() -> Arc<App> {
    let store = common::memory().await;
    let hash = password::hash(&Secret::new(PASSWORD), &mut Entropy::seeded([4; 32], 1));
    for (key, name) in [(1, "alice"), (2, "bob")] {
        let user: User = serde_json::from_value(json!({
            "key": UserKey(key), "sub": name, "username": name, "name": name, "password": hash,
            "created_at": NOW, "version": 1,
        }))
        .expect("a user");
        store.commit([Write::PutUser(Box::new(user))].into()).await.expect("the name is free");
    }
    common::app(store, Settings::new("https://auth.example")).await
}

fn authorize(more: &str) -> String {
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    let redirect_uri = "https%3A%2F%2Fapp.example%2Fcb";
    format!(
        "/oauth/authorize?response_type=code&client_id=web&redirect_uri={redirect_uri}&scope=profile&code_challenge={challenge}{more}"
    )
}

/// A browser that follows nothing by itself.
struct Browser<'a> {
    app: &'a App,
    cookies: RefCell<BTreeMap<String, String>>,
}

#[derive(Debug)]
struct Page {
    status: u16,
    location: Option<String>,
    body: String,
}

impl Page {
    fn csrf(&self) -> String {
        let rest = self.body.split("name=\"csrf\" value=\"").nth(1).unwrap_or_else(|| panic!("no form: {self:?}"));
        rest.split('"').next().expect("an attribute ends").to_owned()
    }

    fn location(&self) -> &str {
        self.location.as_deref().unwrap_or_else(|| panic!("it leads nowhere: {self:?}"))
    }
}

impl<'a> Browser<'a> {
    fn new(app: &'a App) -> Self {
        Self { app, cookies: RefCell::default() }
    }

    fn cookie(&self, name: &str) -> String {
        self.cookies.borrow().get(&format!("__Host-grantry-{name}")).cloned().unwrap_or_default()
    }

    async fn request(&self, method: Method, path: &str, body: &str) -> Page {
        let cookies: Vec<String> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let headers = [("accept", "text/html"), ("cookie", &*cookies.join("; "))];
        let response = ask(self.app, method, path, &headers, body).await;
        for cookie in response.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().expect("text").split(';').next().expect("a pair");
            let (name, value) = pair.split_once('=').expect("a pair");
            self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
        }
        let location = response.headers().get(LOCATION).map(|value| value.to_str().expect("text").to_owned());
        Page { status: response.status().as_u16(), location, body: text(response).await }
    }

    async fn get(&self, path: &str) -> Page {
        self.request(Method::GET, path, "").await
    }

    async fn post(&self, from: &Page, path: &str, fields: &[(&str, &str)]) -> Page {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", &from.csrf()).extend_pairs(fields);
        self.request(Method::POST, path, &form.finish()).await
    }

    async fn sign_in(&self, page: &Page, name: &str) -> Page {
        self.post(page, "/sign-in", &[("username", name), ("password", PASSWORD)]).await
    }

    async fn signed_in(app: &'a App, name: &str) -> Self {
        let browser = Self::new(app);
        let page = browser.get("/sign-in?next=/account").await;
        assert_eq!(browser.sign_in(&page, name).await.location(), "/account");
        browser
    }
}

/// RFC 9110 §15.4.4: a 303 leads from an answer to a page that can be loaded anew.
#[tokio::test]
async fn the_page_after_the_password_has_an_address_of_its_own_and_is_found_there_again() {
    let app = server().await;
    let browser = Browser::new(&app);
    let asked = browser.sign_in(&browser.get(&authorize("&state=s")).await, "alice").await;
    assert_eq!(asked.status, 303, "{asked:?}");
    let address = asked.location().to_owned();
    assert!(address.starts_with("/consent?errand=") && !address.contains("app.example"), "{address}");
    for _ in 0..2 {
        let page = browser.get(&address).await;
        assert!(page.status == 200 && page.body.contains("value=\"approve\""), "{page:?}");
    }
    let allowed = browser.post(&browser.get(&address).await, "/consent", &[("decision", "approve")]).await;
    assert!(allowed.status == 303 && allowed.location().starts_with("https://app.example/cb?code="), "{allowed:?}");
    // The browser's Back button: the page loads again, and the user can decide again.
    let back = browser.get(&address).await;
    assert!(back.status == 200 && back.body.contains("value=\"approve\""), "{back:?}");
    let denied = browser.post(&back, "/consent", &[("decision", "deny")]).await;
    assert!(denied.location().contains("error=access_denied"), "{denied:?}");
    // The address is of no use in another browser, signed in or not, and not for ever.
    for other in [Browser::new(&app), Browser::signed_in(&app, "bob").await] {
        assert_eq!(other.get(&address).await.status, 400);
    }
    app.clock.set(NOW.plus(30 * 60));
    assert_eq!(browser.get(&address).await.status, 400);
}

#[tokio::test]
async fn every_wish_on_the_way_leads_to_an_address_and_a_wrong_password_to_none() {
    let app = server().await;
    let browser = Browser::new(&app);
    let wrong = browser
        .post(&browser.get(&authorize("")).await, "/sign-in", &[("username", "alice"), ("password", "no")])
        .await;
    assert_eq!((wrong.status, wrong.location.as_deref()), (400, None));
    let consent = browser.get(browser.sign_in(&wrong, "alice").await.location()).await;
    let undecided = browser.post(&consent, "/consent", &[]).await;
    assert!(undecided.status == 303 && undecided.location().starts_with("/consent?errand="), "{undecided:?}");
    let switched = browser.post(&consent, "/consent", &[("decision", "switch")]).await;
    assert!(switched.status == 303 && switched.location().starts_with("/sign-in?errand="), "{switched:?}");
    let page = browser.get(switched.location()).await;
    let asked = browser.sign_in(&page, "bob").await;
    assert!(asked.location().starts_with("/consent?errand="), "{asked:?}");
}

#[tokio::test]
async fn a_request_that_does_not_fit_into_an_address_goes_on_all_the_same() {
    let app = server().await;
    let browser = Browser::new(&app);
    let state = "x".repeat(8_000);
    let page = browser.get(&authorize(&format!("&state={state}"))).await;
    let mut asked = browser.sign_in(&page, "alice").await;
    if asked.status == 303 {
        asked = browser.get(asked.location().to_owned().as_str()).await;
    }
    let allowed = browser.post(&asked, "/consent", &[("decision", "approve")]).await;
    assert!(allowed.location().contains(&state), "{allowed:?}");
}

#[tokio::test]
async fn prompt_login_is_satisfied_by_a_sign_in_on_its_own_way_alone() {
    let app = server().await;
    let browser = Browser::signed_in(&app, "alice").await;
    let page = browser.get(&authorize("&prompt=login")).await;
    assert!(page.body.contains("name=\"password\""), "{page:?}");
    // A cookie that is left out when the browser comes, and sent from then on, is no sign-in.
    let session = browser.cookies.borrow_mut().remove("__Host-grantry-session").expect("she is signed in");
    let page = browser.get(&authorize("&prompt=login")).await;
    browser.cookies.borrow_mut().insert("__Host-grantry-session".to_owned(), session);
    let again = browser.get(&format!("/sign-in?errand={}", page.csrf())).await;
    assert!(again.body.contains("name=\"password\""), "{again:?}");
    let asked = browser.sign_in(&again, "alice").await;
    assert!(asked.location().starts_with("/consent?errand="), "{asked:?}");
    assert!(browser.get(asked.location()).await.body.contains("value=\"approve\""));
}

#[tokio::test]
async fn the_cookie_of_the_browser_is_another_one_after_signing_in_and_out() {
    let app = server().await;
    let browser = Browser::new(&app);
    let page = browser.get("/sign-in?next=/account").await;
    let first = browser.cookie("browser");
    browser.sign_in(&page, "alice").await;
    let second = browser.cookie("browser");
    let leaving = browser.get("/logout").await;
    assert_eq!(browser.post(&leaving, "/logout", &[("decision", "sign-out")]).await.status, 303);
    let third = browser.cookie("browser");
    assert!(!first.is_empty() && first != second && second != third && first != third);
    assert_eq!(first.len(), second.len());
    // A form sealed for the previous `browser` cookie is refused with the new one.
    assert_eq!(browser.sign_in(&page, "bob").await.status, 400);
}

#[tokio::test]
async fn a_form_that_was_shown_to_alice_is_not_sent_by_bob() {
    let app = server().await;
    // A second session of Alice, which the form `end-other-sessions` would end.
    Browser::signed_in(&app, "alice").await;
    let browser = Browser::signed_in(&app, "alice").await;
    let forms = [
        ("/account", vec![("action", "profile"), ("name", "Mallory")]),
        (
            "/account/password",
            vec![("action", "password"), ("current_password", PASSWORD), ("new_password", "a violet harbour")],
        ),
        ("/account/sessions", vec![("action", "end-other-sessions")]),
        (
            "/developer/applications/new",
            vec![("action", "create"), ("name", "Hers"), ("redirect_uris", "https://a.example/cb")],
        ),
        ("/logout", vec![("decision", "sign-out")]),
    ];
    let mut shown = Vec::new();
    for (path, fields) in forms {
        shown.push((path, browser.get(path).await, fields));
    }
    let switch = browser.get("/sign-in?next=/account&switch=1").await;
    assert_eq!(browser.sign_in(&switch, "bob").await.location(), "/account");
    for (path, page, fields) in &shown {
        let refused = browser.post(page, path, fields).await;
        assert!(
            refused.status == 400 && refused.body.contains("Somebody else is signed in now"),
            "{path}: {refused:?}"
        );
        assert!(!refused.body.contains("Hers"), "Bob does not see what Alice typed");
    }
    assert!(browser.get("/account").await.body.contains("value=\"bob\""), "nothing was changed");
    // Alice signs in again, and finds what she typed.
    let (path, page, fields) = &shown[3];
    let refused = browser.post(page, path, fields).await;
    let way = refused.body.split("href=\"/sign-in?next=").nth(1).expect("a way on").split('"').next().unwrap();
    let way = format!("/sign-in?next={}", way.replace("&amp;", "&"));
    let back = browser.sign_in(&browser.get(&way).await, "alice").await;
    assert!(browser.get(back.location()).await.body.contains("value=\"Hers\""), "{back:?}");
}

#[tokio::test]
async fn a_tab_from_before_a_sign_in_in_another_goes_on_from_there() {
    let app = server().await;
    let browser = Browser::new(&app);
    let one = browser.get(&authorize("&state=one")).await;
    let two = browser.get(&authorize("&state=two")).await;
    assert!(browser.sign_in(&one, "alice").await.location().starts_with("/consent?errand="));
    // The credentials typed into the second tab are ignored: it continues as Alice, who is signed in already.
    let session = browser.cookie("session");
    let asked = browser.sign_in(&two, "bob").await;
    assert_eq!((asked.status, browser.cookie("session")), (303, session));
    let allowed = browser.post(&browser.get(asked.location()).await, "/consent", &[("decision", "approve")]).await;
    assert!(allowed.location().contains("state=two"), "{allowed:?}");
}
