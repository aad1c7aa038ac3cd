//! Lockout as browsers see it: known devices, unknown devices, and what the account's owner and the operator see of
//! failed sign-ins.

mod common;

use std::net::IpAddr;
use std::sync::Arc;

use common::{NOW, memory, text};
use http::{Method, StatusCode};
use protocol::crypto::entropy::Entropy;
use protocol::line::Write;
use protocol::model::{EventKind, User, UserKey};
use protocol::person::password;
use protocol::secret::Secret;
use server::app::App;
use server::config::settings::Settings;
use server::front;
use server::http::{Peer, Response};
use server::observe::exposition;
use store::EventFilter;

const PASSWORD: &str = "correct horse battery";
const HOME: &str = "198.51.100.7";
const ELSEWHERE: &str = "203.0.113.9";

/// A browser with its cookies, at a network address.
struct Browser<'a> {
    app: &'a App,
    address: IpAddr,
    cookies: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    fn at(app: &'a App, address: &str) -> Self {
        Self { app, address: address.parse().expect("an address"), cookies: Vec::new() }
    }

    async fn ask(&mut self, method: Method, path: &str, body: &str) -> Response {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut request = common::request(self.app, method, path, &[("cookie", &cookies)], body);
        request.peer = Peer::Ip(self.address);
        let response = front::answer(self.app, &request).await;
        for set in response.headers().get_all("set-cookie") {
            let set = set.to_str().expect("a cookie is text");
            let (name, value) = set.split(';').next().and_then(|pair| pair.split_once('=')).expect("it has a name");
            assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Secure"), "{set}");
            self.cookies.retain(|(own, _)| own != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        response
    }

    async fn sign_in(&mut self, name: &str, password: &str) -> StatusCode {
        let page = text(self.ask(Method::GET, "/sign-in", "").await).await;
        let csrf = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let mut form = form_urlencoded::Serializer::new(String::new());
        let form = form.append_pair("csrf", csrf.expect("the form has a seal"));
        let form = form.append_pair("username", name).append_pair("password", password).finish();
        self.ask(Method::POST, "/sign-in", &form).await.status()
    }

    async fn fail(&mut self, times: usize) -> StatusCode {
        let mut status = StatusCode::OK;
        for _ in 0..times {
            status = self.sign_in("alice", "wrong").await;
        }
        status
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The user signs out, or closes the browser: the device stays known.
    fn forget_session(&mut self) {
        self.cookies.retain(|(name, _)| !name.ends_with("session"));
    }
}

fn alice() -> User {
    User {
        username: Some("alice".into()),
        password: Some(password::hash(&Secret::new(PASSWORD), &mut Entropy::seeded([1; 32], 1))),
        ..User::new(UserKey(1), "sub-alice", "Alice", NOW)
    }
}

async fn site() -> Arc<App> {
    let store = memory().await;
    store.commit([Write::PutUser(Box::new(alice()))].into()).await.expect("the name is free");
    common::app(store, Settings::new("https://auth.example")).await
}

#[tokio::test]
async fn a_stranger_locks_out_themselves_and_the_owner_signs_in() {
    let app = site().await;
    assert_eq!(Browser::at(&app, ELSEWHERE).fail(11).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(Browser::at(&app, HOME).sign_in("alice", PASSWORD).await, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_known_device_signs_in_whatever_strangers_do_at_its_own_address() {
    let app = site().await;
    let mut own = Browser::at(&app, HOME);
    assert_eq!(own.sign_in("alice", PASSWORD).await, StatusCode::SEE_OTHER);
    let device = own.cookie("__Host-grantry-device").expect("the browser is a known device").to_owned();
    own.forget_session();
    assert_eq!(Browser::at(&app, HOME).fail(11).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(Browser::at(&app, HOME).sign_in("alice", PASSWORD).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(own.sign_in("alice", PASSWORD).await, StatusCode::SEE_OTHER);
    // A device cookie that was tampered with is ignored.
    let mut forged = Browser::at(&app, HOME);
    forged.cookies.push(("__Host-grantry-device".into(), device.to_uppercase()));
    assert_eq!(forged.sign_in("alice", PASSWORD).await, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_failed_sign_in_makes_no_known_device() {
    let app = site().await;
    let mut stranger = Browser::at(&app, ELSEWHERE);
    stranger.fail(3).await;
    assert_eq!(stranger.cookie("__Host-grantry-device"), None);
}

#[tokio::test]
async fn an_unlocked_account_is_open_at_once() {
    let app = site().await;
    Browser::at(&app, HOME).fail(10).await;
    app.store.commit([Write::ForgetFailures(UserKey(1))].into()).await.expect("it always can");
    assert_eq!(Browser::at(&app, HOME).sign_in("alice", PASSWORD).await, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_owner_sees_who_tried_and_the_operator_sees_it_counted() {
    let app = site().await;
    Browser::at(&app, ELSEWHERE).fail(10).await;
    let mut own = Browser::at(&app, HOME);
    own.sign_in("alice", PASSWORD).await;
    let page = text(own.ask(Method::GET, "/account/sessions", "").await).await;
    assert!(page.contains("10 wrong passwords were typed") && page.contains("203.0.113.*"), "{page}");
    let metrics = exposition::text(&app);
    for line in [
        "grantry_sign_ins_total{outcome=\"failed\"} 10",
        "grantry_sign_ins_total{outcome=\"ok\"} 1",
        "grantry_lockouts_total{by=\"account\"} 1",
        "grantry_lockouts_total{by=\"address\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    let filter = EventFilter { kinds: vec![EventKind::LockedOut], rows_max: 9, ..EventFilter::default() };
    let noted = app.store.events(filter).await.expect("the store works");
    assert_eq!(noted.len(), 1);
    assert_eq!((noted[0].event.user, noted[0].event.address.as_str()), (Some(UserKey(1)), ELSEWHERE));
}
