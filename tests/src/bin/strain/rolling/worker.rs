//! A person with a browser, and the applications that the person uses. Every step of a story goes to a node at random.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};
use tests::Answer;
use tests::fixture::application::{Application, Asking, RESOURCE, bearer, code_of, member, rebrand};
use tests::fixture::browser::{Browser, Page};
use tests::fixture::{HOST, REBRAND};
use tests::person::{PASSWORD, REDIRECT_URI, VERIFIER};

use super::{Load, Told, message};

/// After so many stories the person signs in anew.
const STORIES_A_SESSION: usize = 40;
/// Every so many stories a password or a client's secret is wrong. More would lock the account or the client.
const STORIES_A_SLIP: usize = 50;
const METADATA: &str = "/.well-known/oauth-authorization-server";

/// A weight, a name, and what is done.
type Story<W> = (usize, &'static str, fn(&mut W));

/// A person.
pub(crate) struct Worker<'a> {
    load: &'a Load,
    name: &'a str,
    /// The state of the generator of random numbers.
    random: u64,
    browser: Option<Browser>,
    stories: usize,
    requests: u64,
    crossings: u64,
    /// Was the last request to a node of this version?
    was_new: Option<bool>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(load: &'a Load, name: &'a str, seed: usize) -> Self {
        let random = 0x9e37_79b9_7f4a_7c15 ^ (seed as u64 + 1);
        Self { load, name, random, browser: None, stories: 0, requests: 0, crossings: 0, was_new: None }
    }

    /// What a person does, with a weight that says how often in relation to the others.
    const STORIES: [Story<Self>; 10] = [
        (6, "a code flow", Self::code_flow),
        (2, "a code that two redeem", Self::race_for_a_code),
        (2, "a refresh token that two use", Self::race_for_a_refresh),
        (3, "a token of a client's own", Self::own_token),
        (2, "a personal token", Self::personal_token),
        (1, "signing in and out", Self::sign_in_and_out),
        (1, "disconnecting", Self::disconnect),
        (1, "a password grant", Self::password_grant),
        (1, "an ID token that two exchange", Self::race_for_an_id_token),
        (1, "metadata", Self::metadata),
    ];

    /// Does something.
    pub(crate) fn story(&mut self) -> Told {
        (self.requests, self.crossings, self.was_new) = (0, 0, None);
        self.stories += 1;
        if self.stories.is_multiple_of(STORIES_A_SESSION) {
            self.browser = None;
        }
        let whole: usize = Self::STORIES.iter().map(|(weight, ..)| weight).sum();
        let mut at = self.draw() % whole;
        let chosen = Self::STORIES.into_iter().find(|(weight, ..)| {
            let is_it = at < *weight;
            at = at.saturating_sub(*weight);
            is_it
        });
        let (_, name, act) = chosen.expect("the weights add up");
        let done = catch_unwind(AssertUnwindSafe(|| act(self)));
        let wrong = done.err().map(|panic| {
            self.browser = None;
            message(&*panic)
        });
        Told { name, requests: self.requests, crossings: self.crossings, wrong }
    }

    /// A random number: xorshift64.
    fn draw(&mut self) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random >> 33).unwrap_or_default()
    }

    /// The address of a node, for one request.
    fn node(&mut self) -> String {
        let random = self.draw();
        let node = self.load.node(random);
        self.requests += 1;
        self.crossings += u64::from(self.was_new.is_some_and(|was_new| was_new != node.is_new));
        self.was_new = Some(node.is_new);
        node.address
    }

    /// An application at a node, for one request.
    fn application(&mut self, name: &str) -> Application {
        let node = self.node();
        self.load.applications[name].at(&node)
    }

    fn get(&mut self, browser: &mut Browser, path: &str) -> Page {
        browser.move_to(&self.node());
        browser.get(path)
    }

    fn post(&mut self, browser: &mut Browser, page: &Page, path: &str, fields: &[(&str, &str)]) -> Page {
        browser.move_to(&self.node());
        browser.post(page, path, fields)
    }

    fn signed_in(&mut self, password: &str) -> (Browser, Page) {
        let mut browser = Browser::at_host("", HOST);
        let form = self.get(&mut browser, "/sign-in?next=/account");
        let name = self.name;
        let fields = [("username", name), ("password", password)];
        let page = self.post(&mut browser, &form, "/sign-in", &fields);
        (browser, page)
    }

    /// The browser in which the person is signed in.
    fn browser(&mut self) -> Browser {
        if let Some(browser) = self.browser.take() {
            return browser;
        }
        let (mut browser, page) = self.signed_in(PASSWORD);
        assert_eq!(page.location(), "/account", "signing in");
        assert_eq!(self.get(&mut browser, "/account").status, 200, "the account of a new session");
        browser
    }

    /// A code for an application, allowed if the person is asked.
    fn code(&mut self, name: &str, has_resource: bool) -> String {
        let mut browser = self.browser();
        let client = self.load.applications[name].id().to_owned();
        let path = Asking { has_resource, ..Asking::of(&client) }.path();
        let mut page = self.get(&mut browser, &path);
        if page.location.as_deref().is_some_and(|to| to.starts_with("/consent")) {
            let to = page.location().to_owned();
            page = self.get(&mut browser, &to);
        }
        if page.location.is_none() {
            page = self.post(&mut browser, &page, "/consent", &[("decision", "approve")]);
        }
        self.browser = Some(browser);
        code_of(&page)
    }

    fn redeem(&mut self, name: &str, code: &str) -> Answer {
        self.application(name).redeem(code, Some(REDIRECT_URI), Some(VERIFIER))
    }

    /// The answer to a code, and the name of the application that has it.
    fn grant(&mut self, has_resource: bool) -> (&'static str, String, Answer) {
        let name = ["web", "own", "native"][self.draw() % 3];
        let code = self.code(name, has_resource);
        let answer = self.redeem(name, &code);
        assert_members(&answer);
        (name, code, answer)
    }

    /// What a node says about a token.
    fn described(&mut self, token: &str) -> Value {
        self.application("api").introspect(token)
    }

    /// A token of the person is good, but at userinfo only if it is not limited to a resource.
    fn assert_alive(&mut self, token: &str) {
        let described = self.described(token);
        assert_eq!((&described["active"], &described["username"]), (&json!(true), &json!(self.name)), "{described}");
        if described["aud"] == RESOURCE {
            assert_eq!(bearer(&self.node(), HOST, "/oauth/userinfo", token).status, 401, "a token for a resource");
            return;
        }
        let answer = bearer(&self.node(), HOST, "/oauth/userinfo", token);
        assert_eq!((answer.status, &answer.json()["preferred_username"]), (200, &json!(self.name)), "{answer:?}");
    }

    fn assert_dead(&mut self, token: &str, why: &str) {
        let described = self.described(token);
        assert_eq!(described, json!({"active": false}), "{why}");
        let answer = bearer(&self.node(), HOST, "/oauth/userinfo", token);
        assert_eq!(answer.status, 401, "{why}: {answer:?}");
    }

    /// A code, refreshes with answers that get lost, and an end.
    fn code_flow(&mut self) {
        let has_resource = self.draw().is_multiple_of(3);
        let (name, code, first) = self.grant(has_resource);
        self.assert_alive(&member(&first, "access_token"));
        let mut tokens = vec![member(&first, "refresh_token")];
        let mut access = member(&first, "access_token");
        for _ in 0..2 {
            let current = tokens.last().expect("there is one").clone();
            let answer = self.application(name).refresh(&current);
            assert_members(&answer);
            let again = self.application(name).refresh(&current);
            assert_eq!(member(&again, "refresh_token"), member(&answer, "refresh_token"), "the lost answer");
            access = member(&answer, "access_token");
            tokens.push(member(&answer, "refresh_token"));
        }
        self.assert_alive(&access);
        let audience = self.described(&access).get("aud").cloned();
        assert_eq!(audience, has_resource.then(|| json!(RESOURCE)), "the resource of the grant");
        let last = tokens.last().expect("there is one").clone();
        match self.draw() % 4 {
            0 => {
                let revoked = self.application(name).post("/oauth/revoke", &[("token", &last)]);
                assert_eq!(revoked.status, 200, "{revoked:?}");
            }
            1 => assert_refused(&self.redeem(name, &code), "a spent code"),
            2 => assert_refused(&self.application(name).refresh(&tokens[0]), "a refresh token that is too old"),
            _ => return self.assert_alive(&access),
        }
        self.assert_dead(&access, "its grant ended");
        assert_refused(&self.application(name).refresh(&last), "the grant ended");
    }

    /// Asks two nodes at once.
    fn both(&mut self, name: &str, ask: impl Fn(&Application) -> Answer + Sync) -> [Answer; 2] {
        let (one, other) = (self.application(name), self.application(name));
        std::thread::scope(|scope| {
            let racer = scope.spawn(|| ask(&one));
            let answer = ask(&other);
            [racer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), answer]
        })
    }

    fn race_for_a_code(&mut self) {
        let code = self.code("web", false);
        let answers = self.both("web", |web| web.redeem(&code, Some(REDIRECT_URI), Some(VERIFIER)));
        let mut statuses = answers.each_ref().map(|answer| answer.status);
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400], "{answers:?}");
        let given = answers.iter().find(|answer| answer.status == 200).expect("one of them");
        self.assert_dead(&member(given, "access_token"), "its code was used twice");
    }

    fn race_for_a_refresh(&mut self) {
        let (name, _, first) = self.grant(false);
        let token = member(&first, "refresh_token");
        let [one, other] = self.both(name, |application| application.refresh(&token));
        assert_eq!(member(&one, "refresh_token"), member(&other, "refresh_token"), "two successors");
        assert_members(&self.application(name).refresh(&member(&one, "refresh_token")));
    }

    fn own_token(&mut self) {
        let token = member(&self.application("web").own_token(), "access_token");
        assert_eq!(self.described(&token)["active"], true);
        assert_eq!(self.application("web").post("/oauth/revoke", &[("token", &token)]).status, 200);
        assert_eq!(self.described(&token), json!({"active": false}), "it was revoked");
        if self.stories.is_multiple_of(STORIES_A_SLIP) {
            let refused = self.application("web").with_secret("gcs_wrong").own_token();
            // Everybody shares the client and the address: from the eleventh wrong secret on, more are not looked at.
            assert!([401, 429].contains(&refused.status), "a wrong secret: {refused:?}");
        }
    }

    fn personal_token(&mut self) {
        let mut browser = self.browser();
        let path = "/developer/tokens/new";
        let form = self.get(&mut browser, &format!("{path}?dialect=standard"));
        let fields =
            [("action", "create"), ("dialect", "standard"), ("name", "t"), ("scope", "profile"), ("expires", "7d")];
        let made = self.post(&mut browser, &form, path, &fields);
        let page = self.get(&mut browser, made.location());
        let token = page.shown("secret").unwrap_or_else(|| panic!("no token: {page:?}")).to_owned();
        self.assert_alive(&token);
        let page = self.get(&mut browser, "/developer");
        let reference = page.field("token").unwrap_or_else(|| panic!("no token is listed: {page:?}")).to_owned();
        let ended = self.post(&mut browser, &page, "/developer", &[("action", "revoke"), ("token", &reference)]);
        assert_eq!(ended.status, 303, "{ended:?}");
        self.assert_dead(&token, "its owner revoked it");
        self.browser = Some(browser);
    }

    fn sign_in_and_out(&mut self) {
        if self.stories.is_multiple_of(STORIES_A_SLIP) {
            let (_, page) = self.signed_in("a wrong password");
            assert!(page.location.is_none(), "a wrong password works");
        }
        let (mut browser, page) = self.signed_in(PASSWORD);
        assert_eq!(page.location(), "/account");
        let session = browser.session();
        let page = self.get(&mut browser, "/logout");
        assert_eq!(self.post(&mut browser, &page, "/logout", &[("decision", "sign-out")]).status, 303);
        let mut copy = Browser::at_host("", HOST).with(&session);
        assert_ne!(self.get(&mut copy, "/account").status, 200, "the session was ended");
    }

    fn disconnect(&mut self) {
        let code = self.code("web", false);
        let access = member(&self.redeem("web", &code), "access_token");
        let waiting = self.code("web", false);
        let mut browser = self.browser();
        let client = self.load.applications["web"].id().to_owned();
        let page = self.get(&mut browser, "/account/applications");
        let fields = [("action", "disconnect"), ("client", client.as_str())];
        let done = self.post(&mut browser, &page, "/account/applications", &fields);
        assert_eq!(done.status, 303, "{done:?}");
        self.assert_dead(&access, "the application was disconnected");
        assert_refused(&self.redeem("web", &waiting), "a code from before the application was disconnected");
        let path = Asking::of(&client).path();
        let page = self.get(&mut browser, &path);
        assert!(page.location.is_none_or(|to| to.starts_with("/consent")), "the consent was withdrawn");
        self.browser = Some(browser);
    }

    fn password_grant(&mut self) {
        let client = self.load.applications["mobile"].id().to_owned();
        let body = json!({"grant_type": "password", "client_id": client, "username": self.name, "password": PASSWORD});
        let first = rebrand(&self.node(), "/api/oauth/token", &body);
        let refresh = member(&first, "refresh_token");
        let body = json!({"grant_type": "refresh_token", "client_id": client, "refresh_token": refresh});
        let access = member(&rebrand(&self.node(), "/api/oauth/token", &body), "access_token");
        let answer = rebrand(&self.node(), "/api/oauth/introspect", &json!({"token": access}));
        assert_eq!(answer.json()["data"]["active"], true, "{answer:?}");
        let revoked = rebrand(&self.node(), "/api/oauth/revoke", &json!({"token": access}));
        assert_eq!(revoked.status, 200, "{revoked:?}");
        let answer = rebrand(&self.node(), "/api/oauth/introspect", &json!({"token": access}));
        assert_eq!(answer.json()["data"]["active"], false, "{answer:?}");
    }

    /// RFC 7523 §3: an ID token is good for one exchange.
    fn race_for_an_id_token(&mut self) {
        let number = self.draw();
        let google = &self.load.google;
        let mut claims = google.claims(self.name, &format!("{}@example.com", self.name));
        claims["jti"] = json!(number.to_string());
        let token = google.token(&claims);
        let body = json!({"token": token, "client_id": self.load.applications["mobile"].id()});
        let (one, other) = (self.node(), self.node());
        let exchange = |address: &str| rebrand(address, "/api/oauth/google", &body);
        let mut answers = std::thread::scope(|scope| {
            let racer = scope.spawn(|| exchange(&one));
            let answer = exchange(&other);
            [racer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), answer]
        });
        answers.sort_by_key(|answer| answer.status);
        assert_eq!(answers.each_ref().map(|answer| answer.status), [200, 401], "{answers:?}");
        let access = member(&answers[0], "access_token");
        assert_eq!(bearer(&self.node(), REBRAND, "/api/user/me", &access).status, 200);
        assert_eq!(rebrand(&self.node(), "/api/oauth/google", &body).status, 401, "an ID token that was exchanged");
    }

    /// The metadata document is the same to the byte at all nodes.
    fn metadata(&mut self) {
        let documents = self.load.nodes().into_iter().map(|node| {
            self.requests += 1;
            tests::send(&node.address, "GET", METADATA, &[("Host", HOST)], "").expect("the node answers").body
        });
        let documents: Vec<String> = documents.collect();
        assert!(documents.iter().all(|document| *document == documents[0]), "{documents:?}");
    }
}

/// A token answer has the members that clients know, in their order.
fn assert_members(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let document = answer.json();
    let names: Vec<&str> = document.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["access_token", "token_type", "expires_in", "refresh_token", "scope"], "{answer:?}");
}

fn assert_refused(answer: &Answer, what: &str) {
    assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("invalid_grant")), "{what}: {answer:?}");
}
