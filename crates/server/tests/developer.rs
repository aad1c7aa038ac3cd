//! The pages for developers, in a browser without JavaScript, with a clock that the test sets.

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use common::{NOW, ask, text};
use dialect::{Context, Dialect, Dialects, Source as File};
use http::Method;
use http::header::{LOCATION, SET_COOKIE};
use protocol::crypto::entropy::Entropy;
use protocol::endpoint::Endpoint;
use protocol::line::Write;
use protocol::model::{User, UserKey};
use protocol::person::password;
use protocol::refusal::No;
use protocol::secret::Secret;
use serde_json::json;
use server::app::App;
use server::config::settings::Settings;
use store::{Memory, Store};

const PASSWORD: &str = "correct horse battery";
const ISSUER: &str = "https://auth.example";
/// A surface at the issuer's own host on which people make nothing by themselves.
const CLOSED: File<'_> = File::file(
    "closed.toml",
    r#"
grants = ["authorization_code"]
prefix = ""
[endpoint.authorize]
[endpoint.token]
[endpoint.userinfo]
[client]
by = "operator"
"#,
);
const NEW_APPLICATION: &str = "/developer/applications/new";

async fn server(dialects: &[&str], settings: Settings) -> Arc<App> {
    let store: Arc<dyn Store> = Arc::new(Memory::default());
    let hash = password::hash(&Secret::new(PASSWORD), &mut Entropy::seeded([4; 32], 1));
    let alice: User = serde_json::from_value(json!({
        "key": UserKey(1), "sub": "alice", "username": "alice", "name": "Alice Doe", "password": hash,
        "created_at": NOW, "version": 1,
    }))
    .expect("a user");
    store.commit([Write::PutUser(Box::new(alice))].into()).await.expect("the store is empty");
    let loaded = dialects.iter().map(|name| match *name {
        "standard" => Dialect::load("standard", &[]).expect("it is sound"),
        "closed" => Dialect::load("closed", &[CLOSED]).expect("it is sound"),
        other => Dialect::shipped(other, &[]).expect("it is shipped").expect("it is sound"),
    });
    let accept: Vec<String> = dialect::hazard::HAZARDS.iter().map(|hazard| hazard.name.to_owned()).collect();
    let dialects = Dialects::new(ISSUER, loaded.collect(), &accept).expect("they fit together");
    common::speaking(dialects, store, settings).await
}

/// A browser: it keeps cookies, follows redirects, and fills forms.
struct Browser<'a> {
    app: &'a App,
    cookies: RefCell<BTreeMap<String, String>>,
    /// Whether it says with `Sec-Fetch-Site` where a request comes from.
    says_site: bool,
}

/// A page, and where it was.
struct Page {
    status: u16,
    path: String,
    body: String,
}

impl Page {
    /// The value of a hidden field or an input of the page.
    fn value(&self, name: &str) -> String {
        let at = self.body.find(&format!("name=\"{name}\"")).unwrap_or_else(|| panic!("{name} is on {}", self.path));
        let input = self.body[at..].split('>').next().expect("a tag ends");
        let value = input.split("value=\"").nth(1).unwrap_or_default().split('"').next().unwrap_or_default();
        value.replace("&quot;", "\"").replace("&amp;", "&")
    }

    /// The text of the element with this `id`, up to the first tag in it.
    fn shown(&self, id: &str) -> Option<String> {
        let rest = self.body.split(&format!("id=\"{id}\">")).nth(1)?;
        rest.split('<').next().map(ToOwned::to_owned)
    }
}

impl<'a> Browser<'a> {
    fn new(app: &'a App) -> Self {
        Self { app, cookies: RefCell::default(), says_site: true }
    }

    async fn request(&self, method: Method, path: &str, body: &str) -> Page {
        let site = if method == Method::POST { "same-origin" } else { "none" };
        self.request_from(site, method, path, body).await
    }

    /// Sends a request from a page of this site (`same-origin`), of another, or of none.
    async fn request_from(&self, site: &str, method: Method, path: &str, body: &str) -> Page {
        let (mut method, mut path, mut body) = (method, path.to_owned(), body.to_owned());
        for _ in 0..5 {
            let cookies =
                self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
            let headers = [("accept", "text/html"), ("cookie", &*cookies.join("; ")), ("sec-fetch-site", site)];
            let headers = &headers[..if self.says_site { 3 } else { 2 }];
            let response = ask(self.app, method, &path, headers, &body).await;
            for cookie in response.headers().get_all(SET_COOKIE) {
                let pair = cookie.to_str().expect("text").split(';').next().expect("a pair");
                let (name, value) = pair.split_once('=').expect("a pair");
                self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
            }
            let status = response.status().as_u16();
            let Some(location) = response.headers().get(LOCATION) else {
                return Page { status, path, body: text(response).await };
            };
            (method, path, body) = (Method::GET, location.to_str().expect("text").to_owned(), String::new());
        }
        panic!("{path} leads in circles");
    }

    async fn open(&self, path: &str) -> Page {
        self.request(Method::GET, path, "").await
    }

    /// Posts fields to a path, with the seal of a page.
    async fn send(&self, from: &Page, path: &str, fields: &[(&str, &str)]) -> Page {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", &from.value("csrf")).extend_pairs(fields);
        self.request(Method::POST, path, &form.finish()).await
    }

    /// Signs in at the page where it is asked for.
    async fn sign_in(&self, page: &Page) -> Page {
        assert!(page.path.starts_with("/sign-in?next="), "{}", page.path);
        self.send(page, "/sign-in", &[("username", "alice"), ("password", PASSWORD)]).await
    }

    /// Opens a page and signs in on the way.
    async fn enter(&self, path: &str) -> Page {
        let page = self.open(path).await;
        self.sign_in(&page).await
    }
}

#[tokio::test]
async fn a_secret_comes_once_and_loading_the_page_anew_makes_no_second_application() {
    let app = server(&["standard"], Settings::new(ISSUER)).await;
    let browser = Browser::new(&app);
    let form = browser.enter(NEW_APPLICATION).await;
    let fields = [("action", "create"), ("name", "Importer"), ("redirect_uris", "https://app.example/cb")];
    let made = browser.send(&form, NEW_APPLICATION, &fields).await;
    let secret = made.shown("secret").expect("the secret is shown");
    assert!(secret.starts_with("gcs_") && !made.path.contains("gcs_"), "{}", made.path);
    assert!(browser.cookies.borrow().values().all(|value| !value.contains("gcs_")), "no cookie holds the clear text");
    let again = browser.open(&made.path).await;
    assert_eq!((again.status, again.shown("secret")), (200, None));
    assert_eq!(again.shown("client-id"), made.shown("client-id"));
    assert_eq!(app.store.clients(Some(UserKey(1)), None, 9).await.unwrap().len(), 1);
    let client = &app.store.clients(Some(UserKey(1)), None, 9).await.unwrap()[0];
    assert_eq!(client.secrets[0].hint, secret[secret.len() - 4..]);
}

#[tokio::test]
async fn another_browser_of_the_same_person_does_not_see_the_secret() {
    let app = server(&["standard"], Settings::new(ISSUER)).await;
    let (browser, other) = (Browser::new(&app), Browser::new(&app));
    let form = browser.enter(NEW_APPLICATION).await;
    let fields = [("action", "create"), ("name", "Importer"), ("redirect_uris", "https://app.example/cb")];
    // The redirect is not followed: an attacker copies the cookie with the sealed secret before the page shows it.
    let sealed = {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.append_pair("csrf", &form.value("csrf")).extend_pairs(fields);
        let cookies = browser.cookies.borrow().iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("; ");
        let answer = ask(&app, Method::POST, NEW_APPLICATION, &[("cookie", &cookies)], &body.finish()).await;
        assert_eq!(answer.status(), 303);
        let cookie = answer.headers()[SET_COOKIE].to_str().unwrap().to_owned();
        assert!(
            cookie.starts_with("__Host-grantry-once=") && cookie.contains("; HttpOnly") && cookie.contains("Secure")
        );
        (answer.headers()[LOCATION].to_str().unwrap().to_owned(), cookie)
    };
    let pair = sealed.1.split(';').next().unwrap().split_once('=').unwrap();
    other.cookies.borrow_mut().insert(pair.0.to_owned(), pair.1.to_owned());
    let seen = other.enter(sealed.0.split('?').next().unwrap()).await;
    assert_eq!((seen.status, seen.shown("secret")), (200, None));
    app.clock.set(NOW.plus(121));
    browser.cookies.borrow_mut().insert(pair.0.to_owned(), pair.1.to_owned());
    assert_eq!(browser.open(&sealed.0).await.shown("secret"), None, "too late");
    app.clock.set(NOW.plus(119));
    assert_eq!(browser.request(Method::HEAD, &sealed.0, "").await.status, 200);
    assert!(browser.open(&sealed.0).await.shown("secret").is_some());
}

// OWASP ASVS 5.0 V7.5.1
#[tokio::test]
async fn a_form_that_needs_a_confirmation_is_done_after_it_without_being_sent_again() {
    let app = server(&["standard"], Settings::new(ISSUER)).await;
    let browser = Browser::new(&app);
    let form = browser.enter(NEW_APPLICATION).await;
    app.clock.set(NOW.plus(16 * 60));
    let fields = [
        ("action", "create"),
        ("name", "Importer \"2\""),
        ("redirect_uris", "https://app.example/cb\nhttps://b.example/"),
        ("kind", "public"),
    ];
    let asked = browser.send(&form, NEW_APPLICATION, &fields).await;
    assert!(asked.path.contains("&again=1") && !asked.path.contains("Importer"), "{}", asked.path);
    let back = browser.sign_in(&asked).await;
    assert!(back.path.starts_with("/developer/applications/") && back.path.ends_with("?done=create"), "{}", back.path);
    assert_eq!(back.value("name"), "Importer \"2\"");
    assert!(back.body.contains(">\nhttps://app.example/cb\nhttps://b.example/</textarea>"));
    assert_eq!(app.store.clients(Some(UserKey(1)), None, 9).await.unwrap().len(), 1);
    // The query of a link does not fill in the form.
    let link =
        browser.open("/developer/applications/new?typed=name&name=Evil&redirect_uris=https%3A%2F%2Fevil.example").await;
    assert!(!link.body.contains("vil"), "{}", link.body);
}

// OWASP ASVS 5.0 V7.5.1
#[tokio::test]
async fn the_page_that_asks_for_a_confirmation_knows_the_user_and_has_a_way_back() {
    let app = server(&["standard"], Settings::new(ISSUER)).await;
    let browser = Browser::new(&app);
    let form = browser.enter("/developer/tokens/new").await;
    app.clock.set(NOW.plus(16 * 60));
    let fields = [("action", "create"), ("name", "Laptop"), ("expires", "7d")];
    let asked = browser.send(&form, "/developer/tokens/new", &fields).await;
    assert!(asked.body.contains("<h1>Confirm that it is you</h1>"), "{}", asked.body);
    assert!(asked.body.contains("class=\"person\"") && !asked.body.contains("<label for=\"username\""));
    assert!(
        asked.body.contains("name=\"username\"") && asked.body.contains("href=\"/developer/tokens/new\">Cancel</a>")
    );
    // A page that was left by its link has changed nothing.
    assert_eq!(browser.open("/developer/tokens/new").await.status, 200);
    assert_eq!(app.store.personals(Some(UserKey(1))).await.unwrap().len(), 0);
    let back = browser.sign_in(&asked).await;
    assert!(back.shown("secret").is_some(), "{}", back.body);
    assert_eq!(app.store.personals(Some(UserKey(1))).await.unwrap().len(), 1);
}

// OWASP ASVS 5.0 V3.5.3
#[tokio::test]
async fn a_browser_that_does_not_say_where_it_comes_from_is_asked_before_a_form_goes_on() {
    let app = server(&["standard"], Settings::new(ISSUER)).await;
    let browser = Browser { says_site: false, ..Browser::new(&app) };
    let form = browser.enter("/developer/tokens/new").await;
    app.clock.set(NOW.plus(16 * 60));
    let fields = [("action", "create"), ("name", "Laptop"), ("expires", "7d")];
    let asked = browser.send(&form, "/developer/tokens/new", &fields).await;
    let back = browser.sign_in(&asked).await;
    assert!(back.body.contains(">Continue</button>") && back.path.contains("?resume="), "{}", back.body);
    assert_eq!(app.store.personals(Some(UserKey(1))).await.unwrap().len(), 0);
    // The form is for its own page alone.
    let sealed = back.path.split('?').nth(1).expect("a query");
    let elsewhere = browser.open(&format!("/developer/applications/new?{sealed}")).await;
    assert!(!elsewhere.body.contains("Laptop"), "{}", elsewhere.body);
    let made = browser.send(&back, "/developer/tokens/new", &fields).await;
    assert!(made.shown("secret").is_some(), "{}", made.body);
}

#[tokio::test]
async fn a_form_goes_on_by_itself_once_however_often_the_address_is_asked_for() {
    let app = server(&["standard"], Settings::new(ISSUER)).await;
    let browser = Browser::new(&app);
    let form = browser.enter(NEW_APPLICATION).await;
    app.clock.set(NOW.plus(16 * 60));
    let fields = [("action", "create"), ("name", "Importer"), ("redirect_uris", "https://app.example/cb")];
    let asked = browser.send(&form, NEW_APPLICATION, &fields).await;
    let mut query = form_urlencoded::parse(asked.path.split_once('?').unwrap().1.as_bytes());
    let next = query.find_map(|(name, value)| (name == "next").then(|| value.into_owned())).expect("the way back");
    let clients = || async { app.store.clients(Some(UserKey(1)), None, 9).await.unwrap().len() };
    browser.sign_in(&asked).await;
    assert_eq!(clients().await, 1);
    let again = browser.request_from("same-origin", Method::GET, &next, "").await;
    assert!(again.body.contains(">Continue</button>") && clients().await == 1, "{}: {}", again.path, again.body);
}

// Reloading a page that shows a secret must not make another one.
#[tokio::test]
async fn a_form_whose_answer_shows_a_secret_goes_on_at_a_button() {
    let app = server(&["standard"], Settings::new(ISSUER)).await;
    let browser = Browser::new(&app);
    let page = "/account/second-factor";
    let form = browser.enter(page).await;
    app.clock.set(NOW.plus(16 * 60));
    let asked = browser.send(&form, page, &[("action", "enrol-totp")]).await;
    let back = browser.sign_in(&asked).await;
    assert!(back.path.starts_with(page) && back.body.contains(">Continue</button>"), "{}: {}", back.path, back.body);
    let shown = browser.send(&back, page, &[("action", &back.value("action"))]).await;
    assert!(shown.body.contains("name=\"otp\""), "{}", shown.body);
}

#[tokio::test]
async fn a_sign_in_leads_nowhere_but_to_pages_of_ones_own() {
    let app = server(&["standard"], Settings::new(ISSUER)).await;
    for next in [
        "//evil.example/developer",
        "https://evil.example/developer",
        "/developer/../logout",
        "/developer/x",
        "/oauth/authorize?client_id=web",
        "/account?%0d%0aSet-Cookie:%20a=b",
        "/developer?a=\u{e9}",
    ] {
        let encoded: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let page = Browser::new(&app).enter(&format!("/sign-in?next={encoded}")).await;
        assert_eq!((page.status, page.path.as_str()), (200, "/account"), "{next}");
    }
    let page = Browser::new(&app).enter("/sign-in?next=%2Fdeveloper%2Ftokens%2Fnew%3Fdialect%3Dstandard").await;
    assert_eq!(page.path, "/developer/tokens/new?dialect=standard");
}

#[tokio::test]
async fn an_area_that_is_switched_off_is_not_there() {
    let settings = Settings { has_developer_pages: false, ..Settings::new(ISSUER) };
    let app = server(&["standard"], settings).await;
    let browser = Browser::new(&app);
    let account = browser.enter("/account").await;
    assert!(!account.body.contains("/developer"));
    for path in ["/developer", NEW_APPLICATION, "/developer/tokens/new", "/developer/applications/web"] {
        assert_eq!(browser.open(path).await.status, 404, "{path}");
        assert_eq!(browser.send(&account, path, &[("action", "create"), ("name", "x")]).await.status, 404, "{path}");
    }
    let page = Browser::new(&app).enter("/sign-in?next=/developer").await;
    assert_eq!(page.path, "/account");
}

#[tokio::test]
async fn only_surfaces_that_let_people_do_so_are_offered() {
    let app = server(&["standard", "paced", "tinyemail"], Settings::new(ISSUER)).await;
    let browser = Browser::new(&app);
    let form = browser.enter(NEW_APPLICATION).await;
    assert!(form.body.contains("<option value=\"standard\"") && form.body.contains("<option value=\"paced\""));
    assert!(!form.body.contains("tinyemail"), "its operator registers applications");
    let register = |dialect| {
        [("action", "create"), ("name", "Importer"), ("redirect_uris", "https://app.example/cb"), ("dialect", dialect)]
    };
    for dialect in ["tinyemail", "nothing"] {
        let refused = browser.send(&form, NEW_APPLICATION, &register(dialect)).await;
        assert_eq!(refused.status, 400, "{dialect}");
        assert!(refused.body.contains("id=\"dialect-fault\""), "{dialect}");
    }
    let made = browser.send(&form, NEW_APPLICATION, &register("paced")).await;
    assert_eq!(made.shown("at-token").as_deref(), Some("https://www.paced.email/oauth/token"));
    assert_eq!(made.shown("at-userinfo").as_deref(), Some("https://www.paced.email/api/v1/me"));
    let client = &app.store.clients(Some(UserKey(1)), None, 9).await.unwrap()[0];
    assert_eq!((client.dialect.as_str(), client.pkce), ("paced", protocol::model::Pkce::Optional));
}

#[tokio::test]
async fn people_register_applications_themselves_on_every_surface_that_offers_it_and_see_each_secret_once() {
    let names: Vec<&str> = dialect::shipped::names().collect();
    let app = server(&names, Settings::new(ISSUER)).await;
    let browser = Browser::new(&app);
    let form = browser.enter(NEW_APPLICATION).await;
    let mut offered = Vec::new();
    for name in names {
        let own = app.dialects.named(name).expect("it is spoken");
        let wish =
            [("action", "create"), ("name", name), ("redirect_uris", "https://app.example/cb"), ("dialect", name)];
        let made = browser.send(&form, NEW_APPLICATION, &wish).await;
        let is_listed = form.body.contains(&format!("<option value=\"{name}\""));
        assert_eq!(is_listed, own.client.is_self_service, "{name}");
        if !is_listed {
            assert!(made.status == 400 && made.body.contains("id=\"dialect-fault\""), "{name}: {}", made.status);
            continue;
        }
        let secret = made.shown("secret").unwrap_or_else(|| panic!("{name}: {}", made.body));
        let id = made.shown("client-id").expect("it is shown");
        assert_eq!(browser.open(&made.path).await.shown("secret"), None, "{name} shows it once");
        for endpoint in [Endpoint::Token, Endpoint::Userinfo] {
            let shown = made.shown(&format!("at-{}", endpoint.row().name));
            assert_eq!(shown, own.url(endpoint), "{name}");
        }
        // The secret opens the token endpoint: what is wrong is the code, and not who asks.
        let at = own.at(Endpoint::Token).expect("it has one");
        let body = format!(
            "grant_type=authorization_code&client_id={id}&client_secret={secret}&code=none&redirect_uri=https%3A%2F%2Fapp.example%2Fcb"
        );
        let host = own.hosts.first().map_or("auth.example", String::as_str);
        for (body, no) in [(body.clone(), No::CodeUnknown), (body.replace("gcs_", "gcs_x"), No::ClientSecretWrong)] {
            let answer = text(ask(&app, Method::POST, &own.address(at).path, &[("host", host)], &body).await).await;
            let out = own.refuse(Some(at), &no.into(), &Context::default());
            assert_eq!(answer.as_bytes(), out.body, "{name}: {answer}");
        }
        offered.push(name);
    }
    offered.sort_unstable();
    assert_eq!(offered, ["paced", "php-endpoints", "standard", "tinyrebrand"]);
}

#[tokio::test]
async fn a_form_that_nobody_may_send_is_not_there() {
    let app = server(&["closed"], Settings::new(ISSUER)).await;
    let browser = Browser::new(&app);
    let page = browser.enter("/developer").await;
    assert!(page.body.contains("You have no application yet") && !page.body.contains("/developer/applications/new"));
    for path in [NEW_APPLICATION, "/developer/tokens/new"] {
        assert_eq!(browser.open(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_personal_token_of_a_surface_is_spelled_its_way_and_works_there_alone() {
    let app = server(&["standard", "paced"], Settings::new(ISSUER)).await;
    let browser = Browser::new(&app);
    let form = browser.enter("/developer/tokens/new?dialect=paced").await;
    assert_eq!(form.value("dialect"), "paced");
    assert!(form.body.contains("value=\"profile\" checked"), "what the surface gives when nobody says otherwise");
    let wish = [("action", "create"), ("name", "ci"), ("scope", "profile"), ("dialect", "paced"), ("expires", "never")];
    let made = browser.send(&form, "/developer/tokens/new", &wish).await;
    let token = made.shown("secret").expect("the token is shown");
    assert!(token.starts_with("pt_secret_"), "{token}");
    assert!(made.body.contains("https://www.paced.email/api/v1/me"));
    let bearer = format!("Bearer {token}");
    let me = async |host: &str, path: &str| {
        let headers = [("host", host), ("authorization", &*bearer)];
        ask(&app, Method::GET, path, &headers, "").await.status().as_u16()
    };
    assert_eq!(me("www.paced.email", "/api/v1/me").await, 200);
    assert_eq!(me("auth.example", "/oauth/userinfo").await, 401);
    let list = browser.open("/developer").await;
    let revoked = browser.send(&list, "/developer", &[("action", "revoke"), ("token", &list.value("token"))]).await;
    assert_eq!(revoked.path, "/developer?done=revoke");
    assert_eq!(me("www.paced.email", "/api/v1/me").await, 401);
}

#[tokio::test]
async fn the_limits_of_a_person_hold() {
    let app = server(&["standard"], Settings::new(ISSUER)).await;
    let browser = Browser::new(&app);
    let form = browser.enter(NEW_APPLICATION).await;
    let register = [("action", "create"), ("name", "Importer"), ("redirect_uris", "https://app.example/cb")];
    for _ in 0..25 {
        assert_eq!(browser.send(&form, NEW_APPLICATION, &register).await.status, 200);
    }
    let refused = browser.send(&form, NEW_APPLICATION, &register).await;
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("You have 25 applications"));
    assert_eq!(app.store.clients(Some(UserKey(1)), None, 99).await.unwrap().len(), 25);
    for _ in 0..50 {
        assert_eq!(browser.send(&form, "/developer/tokens/new", &register[..2]).await.status, 200);
    }
    assert_eq!(browser.send(&form, "/developer/tokens/new", &register[..2]).await.status, 400);
    assert_eq!(app.store.personals(Some(UserKey(1))).await.unwrap().len(), 50);
}

/// The page about an authorization request of `client_id` with this redirect URI.
async fn unregistered(browser: &Browser<'_>, client_id: &str, sent: &str) -> Page {
    let uri: String = form_urlencoded::byte_serialize(sent.as_bytes()).collect();
    let page =
        browser.open(&format!("/oauth/authorize?response_type=code&client_id={client_id}&redirect_uri={uri}")).await;
    assert_eq!(page.status, 400, "{}", page.body);
    page
}

#[tokio::test]
async fn the_owner_of_an_application_sees_what_is_registered_and_adds_what_came_and_a_stranger_sees_what_came_only() {
    let app = server(&["standard"], Settings::new(ISSUER)).await;
    let browser = Browser::new(&app);
    let form = browser.enter(NEW_APPLICATION).await;
    let fields = [("action", "create"), ("name", "Importer"), ("redirect_uris", "https://app.example/cb")];
    let made = browser.send(&form, NEW_APPLICATION, &fields).await;
    let client_id = made.shown("client-id").expect("it has a client ID");
    let sent = "https://app.example/cb/";

    let stranger = unregistered(&Browser::new(&app), &client_id, sent).await;
    assert!(stranger.body.contains("<code>https://app.example/cb/</code>"), "{}", stranger.body);
    assert!(stranger.body.contains("Importer") && stranger.body.contains("Sign in to the developer area"));
    assert!(!stranger.body.contains(">https://app.example/cb<"), "{}", stranger.body);
    assert!(!stranger.body.contains("It differs") && !stranger.body.contains("add-redirect-uri"), "{}", stranger.body);

    let owner = unregistered(&browser, &client_id, sent).await;
    assert!(owner.body.contains("<li><code>https://app.example/cb</code></li>"), "{}", owner.body);
    assert!(owner.body.contains("It differs at character 23: the request has a slash at the end"), "{}", owner.body);
    let path = format!("/developer/applications/{client_id}");
    let add = [("action", "add-redirect-uri"), ("redirect_uri", sent)];
    // A sign-in of long ago is confirmed first, and what was to be added is there afterwards.
    app.clock.set(NOW.plus(16 * 60));
    let owner = unregistered(&browser, &client_id, sent).await;
    let asked = browser.send(&owner, &path, &add).await;
    assert!(asked.path.contains("&again=1"), "{}", asked.path);
    let back = browser.sign_in(&asked).await;
    assert!(back.body.contains(">\nhttps://app.example/cb\nhttps://app.example/cb/</textarea>"), "{}", back.body);
    let added = browser.send(&back, &path, &add).await;
    assert!(added.path.ends_with("?done=add-redirect-uri"), "{} {}", added.path, added.body);
    let client = &app.store.clients(Some(UserKey(1)), None, 9).await.unwrap()[0];
    assert_eq!(client.redirect_uris, ["https://app.example/cb", sent]);

    // What cannot be registered has no button, but a reason.
    let never = unregistered(&browser, &client_id, "http://app.example/cb").await;
    assert!(!never.body.contains("add-redirect-uri") && never.body.contains("must use https"), "{}", never.body);
    let script = unregistered(&browser, &client_id, "https://app.example/<script>alert(1)</script>").await;
    assert!(!script.body.contains("<script>alert"), "{}", script.body);
}
