//! Sign in with Google, from end to end: the real binary, and a stand-in for Google with keys of its own.
#![allow(clippy::disallowed_methods, reason = "tests read clocks and wait")]

mod trust;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::google::Google;
use tests::{Answer, Installation, form, form_fields, send};

/// A surface that takes ID tokens of Google, as its own dialect or none.
fn started(google: &Google) -> Installation {
    let mut grantry = Installation::new(&format!(
        "[dialects]\nenable = [\"standard\", \"tinyrebrand\"]\naccept = [\"password-grant\", \"open-introspection\", \"open-revocation\"]\n\
         [dialect.tinyrebrand]\nhosts = [\"api.tinyrebrand.test\", \"app.tinyrebrand.test\"]\nlimit = {{ token = \"off\", api = \"off\" }}\n{}",
        google.configuration()
    ));
    add_client(&grantry);
    grantry.start();
    grantry
}

fn add_client(grantry: &Installation) {
    let words =
        ["client", "add", "--dialect", "tinyrebrand", "--id", "web-client", "--name", "Web", "--kind", "public"];
    let redirect = ["--redirect-uri", "https://app.example/cb"];
    let document = grantry.json(&[&words[..], &redirect].concat(), "");
    assert_eq!(document["client_id"], "web-client");
}

fn add_user(grantry: &Installation, email: &str, more: &[&str]) -> Value {
    let words = ["user", "add", "--email", email, "--name", "Alice Doe", "--password-stdin"];
    grantry.json(&[&words[..], more].concat(), "correct horse battery")
}

fn post(grantry: &Installation, path: &str, body: &Value) -> Answer {
    let headers = [("Host", "api.tinyrebrand.test"), ("Content-Type", "application/json")];
    send(&grantry.address, "POST", path, &headers, &body.to_string()).expect("an answer")
}

fn exchange(grantry: &Installation, token: &str) -> Answer {
    post(grantry, "/api/oauth/google", &json!({"token": token, "client_id": "web-client"}))
}

fn me(grantry: &Installation, token: &Value) -> Answer {
    let bearer = format!("Bearer {}", token.as_str().expect("a token"));
    let headers = [("Host", "api.tinyrebrand.test"), ("Authorization", bearer.as_str())];
    send(&grantry.address, "GET", "/api/user/me", &headers, "").expect("an answer")
}

fn introspect(grantry: &Installation, token: &Value) -> Value {
    post(grantry, "/api/oauth/introspect", &json!({"token": token})).json()["data"]["active"].clone()
}

#[test]
fn an_id_token_becomes_tokens_that_work_everywhere_and_keep_their_form() {
    let google = Google::start();
    let grantry = started(&google);
    let answer = exchange(&grantry, &google.token(&google.claims("g-1", "new@example.com")));
    assert_eq!(answer.status, 200, "{answer:?}");
    let document = answer.json();
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(document["message"], "Google login successful");
    assert_eq!(members(&document["data"]), "access_token refresh_token token_type expires_in scope user");
    assert_eq!(members(&document["data"]["user"]), "id email name");
    let data = &document["data"];
    let has_form = |data: &Value| {
        let starts = |name: &str, prefix: &str| data[name].as_str().unwrap().starts_with(prefix);
        starts("access_token", "at_google_") && starts("refresh_token", "rt_google_")
    };
    assert!(has_form(data));
    assert_eq!(introspect(&grantry, &data["access_token"]), true);
    assert_eq!(me(&grantry, &data["access_token"]).json()["data"]["email"], "new@example.com");
    let refresh = |token: &Value| {
        let body = json!({"grant_type": "refresh_token", "client_id": "web-client", "refresh_token": token});
        post(&grantry, "/api/oauth/token", &body).json()["data"].clone()
    };
    let second = refresh(&data["refresh_token"]);
    let third = refresh(&second["refresh_token"]);
    assert!(has_form(&second) && has_form(&third));
    assert_eq!(me(&grantry, &third["access_token"]).status, 200);
    assert_eq!(post(&grantry, "/api/oauth/revoke", &json!({"token": third["refresh_token"]})).status, 200);
    assert_eq!(introspect(&grantry, &third["access_token"]), false);
    // The same person again is the same account, whatever the address is by now.
    let again = exchange(&grantry, &google.token(&google.claims("g-1", "moved@example.com"))).json();
    assert_eq!(again["data"]["user"]["id"], data["user"]["id"]);
    assert!(!grantry.log().contains("new@example.com") && !grantry.log().contains("eyJ"));
}

#[test]
fn an_account_is_linked_by_an_address_that_both_sides_verified() {
    let google = Google::start();
    let grantry = started(&google);
    let verified = add_user(&grantry, "alice@example.com", &["--email-verified"]);
    add_user(&grantry, "bob@example.com", &[]);
    let linked = exchange(&grantry, &google.token(&google.claims("g-1", "Alice@Example.com"))).json();
    assert_eq!(linked["data"]["user"]["id"], verified["id"]);
    let squatted = exchange(&grantry, &google.token(&google.claims("g-2", "bob@example.com")));
    assert_eq!((squatted.status, squatted.json()["code"].clone()), (401, json!("INVALID_OR_EXPIRED_TOKEN")));
    let mut unverified = google.claims("g-3", "alice@example.com");
    unverified["email_verified"] = json!(false);
    assert_eq!(exchange(&grantry, &google.token(&unverified)).status, 401);
    let disabled = grantry.run(&["user", "disable", "alice@example.com"], "");
    assert!(disabled.status.success());
    assert_eq!(exchange(&grantry, &google.token(&google.claims("g-1", "alice@example.com"))).status, 401);
    let deleted = grantry.run(&["user", "delete", "alice@example.com"], "");
    assert!(deleted.status.success(), "{}", String::from_utf8_lossy(&deleted.stderr));
    // The link is gone with the account: now it is somebody new.
    let fresh = exchange(&grantry, &google.token(&google.claims("g-1", "alice@example.com"))).json();
    assert_ne!(fresh["data"]["user"]["id"], verified["id"]);
}

#[test]
fn a_second_factor_is_asked_for_here_as_well() {
    let google = Google::start();
    let grantry = started(&google);
    add_user(&grantry, "carol@example.com", &["--email-verified"]);
    let factor = grantry.json(&["user", "totp", "carol@example.com", "--enable"], "");
    let token = google.token(&google.claims("g-1", "carol@example.com"));
    let asked = exchange(&grantry, &token);
    assert_eq!((asked.status, asked.json()["code"].clone()), (400, json!("VALIDATION_ERROR")));
    let with = |otp: &str| {
        let body = json!({"token": token, "client_id": "web-client", "otp": otp});
        post(&grantry, "/api/oauth/google", &body).status
    };
    assert_eq!(with("not a code"), 400);
    let code = factor["recovery_codes"][0].as_str().expect("a code");
    // A token is used up by the exchange, and not by the question for the code.
    assert_eq!((with(code), with(code)), (200, 401));
}

/// RFC 7523 §3: JWTs "are not replayed".
#[test]
fn an_id_token_is_exchanged_once_also_by_two_at_a_time_and_after_a_restart_rfc_7523_3() {
    let google = Google::start();
    let mut grantry = started(&google);
    let token = google.token(&google.claims("g-1", "new@example.com"));
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..4).map(|_| scope.spawn(|| exchange(&grantry, &token).status)).collect();
        racers.into_iter().map(|racer| racer.join().expect("it answers")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 3, "{statuses:?}");
    grantry.kill();
    grantry.start();
    assert_eq!(exchange(&grantry, &token).status, 401);
}

#[test]
fn nothing_is_fetched_for_a_client_that_may_not_ask() {
    let google = Google::start();
    let grantry = started(&google);
    let words = ["client", "add", "--dialect", "tinyrebrand", "--id", "other", "--name", "Other", "--kind", "public"];
    let more = ["--redirect-uri", "https://app.example/cb", "--grant", "authorization_code"];
    assert_eq!(grantry.json(&[&words[..], &more].concat(), "")["client_id"], "other");
    let token = google.token(&google.claims("g-1", "new@example.com"));
    let ask = |client_id: &str| {
        let answer = post(&grantry, "/api/oauth/google", &json!({"token": token, "client_id": client_id}));
        (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(ask("nobody"), (401, "INVALID_CLIENT".to_owned()));
    assert_eq!(ask("other"), (403, "INSUFFICIENT_PERMISSIONS".to_owned()));
    assert_eq!((google.keys_asked(), exchange(&grantry, &token).status, google.keys_asked()), (0, 200, 1));
}

#[test]
fn what_is_not_google_s_word_opens_nothing() {
    let (google, mallory) = (Google::start(), Google::start());
    let grantry = started(&google);
    let said = google.claims("g-1", "new@example.com");
    let with = |name: &str, value: Value| {
        let mut claims = said.clone();
        claims[name] = value;
        google.token(&claims)
    };
    let old = said["iat"].as_i64().unwrap() - 4000;
    for token in [
        mallory.token(&said),
        with("aud", json!("another client")),
        with("iss", json!("https://accounts.google.com")),
        with("exp", json!(old)),
        "eyJhbGciOiJub25lIn0.e30.".to_owned(),
        "nonsense".to_owned(),
    ] {
        let answer = exchange(&grantry, &token);
        let document = answer.json();
        assert_eq!((answer.status, document["code"].as_str()), (401, Some("INVALID_OR_EXPIRED_TOKEN")), "{answer:?}");
    }
    let missing = post(&grantry, "/api/oauth/google", &json!({"client_id": "web-client"})).json();
    assert_eq!(missing["meta"]["errors"][0]["name"], "token");
}

#[test]
fn a_new_key_is_fetched_when_a_token_names_it_and_strangers_cannot_make_it_be_fetched_often() {
    let google = Google::start();
    let grantry = started(&google);
    assert_eq!(exchange(&grantry, &google.token(&google.claims("g-1", "a@example.com"))).status, 200);
    assert_eq!(exchange(&grantry, &google.token(&google.claims("g-2", "b@example.com"))).status, 200);
    assert_eq!(google.keys_asked(), 1);
    google.rotate();
    for _ in 0..5 {
        // Within the minute it is an unknown key, and no reason to ask again.
        assert_eq!(exchange(&grantry, &google.token(&google.claims("g-1", "a@example.com"))).status, 401);
    }
    assert_eq!(google.keys_asked(), 1);
}

#[test]
fn an_issuer_that_does_not_answer_is_no_fault_of_the_caller_s() {
    let google = Google::start();
    let grantry = started(&google);
    google.set_down(true);
    let answer = exchange(&grantry, &google.token(&google.claims("g-1", "a@example.com")));
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(grantry.log().contains("does not answer as it should"));
}

#[test]
fn without_the_section_the_grant_says_that_it_is_not_configured_and_check_warns() {
    let google = Google::start();
    let mut grantry = Installation::new(
        "[dialects]\nenable = [\"standard\", \"tinyrebrand\"]\naccept = [\"password-grant\", \"open-introspection\", \"open-revocation\"]\n\
         [dialect.tinyrebrand]\nhosts = [\"api.tinyrebrand.test\", \"app.tinyrebrand.test\"]\n",
    );
    add_client(&grantry);
    let checked = String::from_utf8(grantry.run(&["check"], "").stdout).unwrap();
    assert!(checked.contains("there is no [upstream.google]"), "{checked}");
    grantry.start();
    let answer = exchange(&grantry, &google.token(&google.claims("g-1", "a@example.com")));
    assert!(answer.status == 400 && answer.body.contains("not configured"), "{answer:?}");
    let page = send(&grantry.address, "GET", "/sign-in", &[], "").expect("an answer");
    assert!(!page.body.contains("/login/google"));
    assert_eq!(send(&grantry.address, "GET", "/login/google", &[], "").expect("an answer").status, 404);
}

/// A browser without scripts: it keeps cookies and follows what it is told to.
struct Browser<'a> {
    grantry: &'a Installation,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    fn new(grantry: &'a Installation) -> Self {
        Self { grantry, cookies: BTreeMap::new() }
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut headers = vec![("Cookie", cookies.as_str()), ("Accept", "text/html")];
        if method == "POST" {
            headers.push(("Content-Type", "application/x-www-form-urlencoded"));
        }
        let answer = send(&self.grantry.address, method, path, &headers, body).expect("an answer");
        for line in answer.head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")) {
            let (name, value) = line.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, "")
    }

    /// Presses the button of a sign-in page, and gives where it leads.
    fn press(&mut self, page: &Answer) -> String {
        let link = page.body.split("href=\"").find(|rest| rest.starts_with("/login/google")).expect("the button");
        let path = link.split('"').next().unwrap().to_owned();
        let answer = self.get(&path);
        assert_eq!(answer.status, 302, "{answer:?}");
        answer.header("location").expect("a location").to_owned()
    }

    /// Comes back from the issuer, and follows where that leads on this server.
    fn back(&mut self, query: &str) -> Answer {
        let answer = self.get(&format!("/login/google/callback?{query}"));
        match answer.header("location").filter(|to| to.starts_with('/')).map(ToOwned::to_owned) {
            Some(path) if path != "/account" => self.get(&path),
            _ => answer,
        }
    }

    /// Posts the form of a page.
    fn post(&mut self, page: &Answer, path: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = page.body.split("name=\"csrf\" value=\"").nth(1).expect("a form").split('"').next().unwrap();
        self.ask("POST", path, &form(&[&[("csrf", csrf)], fields].concat()))
    }
}

fn authorize(grantry: &Installation) -> String {
    let words = ["--kind", "public", "--first-party", "--redirect-uri", "https://app.example/cb"];
    let client = grantry.json(&[&["client", "add", "--name", "App"][..], &words].concat(), "");
    let query = form(&[
        ("response_type", "code"),
        ("client_id", client["client_id"].as_str().unwrap()),
        ("redirect_uri", "https://app.example/cb"),
        ("scope", "profile"),
        ("state", "s-1"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ]);
    format!("/oauth/authorize?{query}")
}

#[test]
fn the_button_leads_to_google_and_back_to_what_the_browser_came_for() {
    let google = Google::start();
    let grantry = started(&google);
    let mut browser = Browser::new(&grantry);
    let page = browser.get(&authorize(&grantry));
    let location = browser.press(&page);
    let query = google.allow(&location, google.claims("g-1", "new@example.com"));
    let answer = browser.back(&query);
    assert_eq!(answer.status, 302, "{answer:?}");
    let location = answer.header("location").unwrap().to_owned();
    assert!(location.starts_with("https://app.example/cb?code=") && location.contains("state=s-1"), "{location}");
    let account = browser.get("/account");
    assert!(account.status == 200 && account.body.contains("Person g-1"), "{}", account.head);
    // The same answer once more: the code is used up there, and nobody is signed in by it.
    let mut thief = Browser::new(&grantry);
    thief.cookies.clone_from(&browser.cookies);
    thief.cookies.remove("grantry-session");
    let replayed = thief.back(&query);
    assert!(replayed.status == 400 && replayed.body.contains("did not say who you are"), "{replayed:?}");
    assert!(!thief.cookies.contains_key("grantry-session"));
}

/// RFC 6749 §10.12: what came of another browser's request is not taken.
#[test]
fn another_browser_cannot_be_given_the_answer_rfc_6749_10_12() {
    let google = Google::start();
    let grantry = started(&google);
    let mut mallory = Browser::new(&grantry);
    let page = mallory.get("/sign-in");
    let location = mallory.press(&page);
    let query = google.allow(&location, google.claims("mallory", "mallory@example.com"));
    let mut alice = Browser::new(&grantry);
    alice.get("/sign-in");
    let answer = alice.back(&query);
    assert!(answer.status == 400 && answer.body.contains("began in another browser"), "{answer:?}");
    assert!(answer.body.contains("name=\"username\"") && !alice.cookies.contains_key("grantry-session"));
    // It is still good in the browser for which it was made, and only with its own state.
    let other = form_fields(&mallory.press(&page)).into_iter().find(|(name, _)| name == "state").unwrap().1;
    let code = form_fields(&query).into_iter().find(|(name, _)| name == "code").unwrap().1;
    let mixed = mallory.back(&form(&[("state", &other), ("code", &code)]));
    assert_eq!(mixed.status, 400, "the verifier of another request does not fit");
}

#[test]
fn whatever_goes_wrong_comes_back_to_the_sign_in_page_with_the_pending_visit() {
    let google = Google::start();
    let grantry = started(&google);
    add_user(&grantry, "bob@example.com", &[]);
    let mut browser = Browser::new(&grantry);
    let path = authorize(&grantry);
    let mut page = browser.get(&path);
    let state = |location: &str| {
        form_fields(location.split_once('?').unwrap().1).into_iter().find(|(name, _)| name == "state").unwrap().1
    };
    let refused = |browser: &mut Browser<'_>, page: &Answer, more: &[(&str, &str)], words: &str| {
        let state = state(&browser.press(page));
        let answer = browser.back(&form(&[&[("state", state.as_str())], more].concat()));
        assert!(answer.status == 400 && answer.body.contains(words), "{words}: {answer:?}");
        assert!(answer.body.contains("to continue to"), "the pending visit is still there");
        answer
    };
    page = refused(&mut browser, &page, &[("error", "access_denied")], "You did not let Google");
    page = refused(&mut browser, &page, &[("error", "server_error")], "Google did not say who you are");
    page = refused(&mut browser, &page, &[("code", "never given")], "Google did not say who you are");
    page = refused(&mut browser, &page, &[], "Google did not say who you are");
    page = refused(
        &mut browser,
        &page,
        &[("code", "x"), ("iss", "https://evil.example")],
        "Google did not say who you are",
    );
    let location = browser.press(&page);
    let taken = browser.back(&google.allow(&location, google.claims("g-1", "bob@example.com")));
    assert!(taken.body.contains("nothing proves that both are yours"), "{taken:?}");
    let location = browser.press(&taken);
    let mut claims = google.claims("g-2", "eve@example.com");
    claims["aud"] = json!("another client");
    let forged = browser.back(&google.allow(&location, claims));
    assert!(forged.body.contains("could not be verified"), "{forged:?}");
    google.set_down(true);
    let state = state(&browser.press(&forged));
    let down = browser.back(&form(&[("state", state.as_str()), ("code", "x")]));
    assert!(down.body.contains("cannot be reached"), "{down:?}");
    google.set_down(false);
    let location = browser.press(&down);
    let answer = browser.back(&google.allow(&location, google.claims("g-3", "good@example.com")));
    assert!(answer.header("location").is_some_and(|to| to.starts_with("https://app.example/cb?code=")), "{answer:?}");
    assert!(!grantry.log().contains("code-0") && !grantry.log().contains(tests::google::CLIENT_SECRET));
}

#[test]
fn a_second_factor_is_asked_for_after_google_too() {
    let google = Google::start();
    let grantry = started(&google);
    add_user(&grantry, "carol@example.com", &["--email-verified"]);
    let factor = grantry.json(&["user", "totp", "carol@example.com", "--enable"], "");
    let mut browser = Browser::new(&grantry);
    let page = browser.get(&authorize(&grantry));
    let location = browser.press(&page);
    let asked = browser.back(&google.allow(&location, google.claims("g-1", "carol@example.com")));
    assert!(asked.status == 200 && asked.body.contains("name=\"otp\""), "{asked:?}");
    let linked = || grantry.json(&["user", "show", "carol@example.com"], "")["linked"].clone();
    assert_eq!(linked(), json!([]), "nothing is linked before the second factor is right");
    assert_ne!(browser.get("/account").status, 200);
    let csrf = asked.body.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let code = factor["recovery_codes"][0].as_str().unwrap();
    let answer = browser.ask("POST", "/second-factor", &form(&[("csrf", &csrf), ("otp", code)]));
    assert!(answer.header("location").is_some_and(|to| to.starts_with("https://app.example/cb?code=")), "{answer:?}");
    assert_eq!(linked()[0]["subject"], "g-1");
}

#[test]
fn the_operator_sees_links_and_takes_them_away() {
    let google = Google::start();
    let grantry = started(&google);
    let alice = add_user(&grantry, "alice@example.com", &["--email-verified"]);
    let token = |subject: &str| google.token(&google.claims(subject, "alice@example.com"));
    let first = exchange(&grantry, &token("g-1")).json();
    assert_eq!(exchange(&grantry, &token("g-2")).status, 200);
    let issuer = format!("http://{}", google.address);
    let linked = grantry.json(&["user", "show", "alice@example.com"], "")["linked"].clone();
    let named = |at: usize| (linked[at]["issuer"].as_str().unwrap(), linked[at]["subject"].as_str().unwrap());
    assert_eq!((named(0), named(1)), ((issuer.as_str(), "g-1"), (issuer.as_str(), "g-2")));
    assert!(linked[0]["linked_at"].is_string());

    let unlink = |more: &[&str]| grantry.run(&[&["user", "unlink", "alice@example.com", "--json"], more].concat(), "");
    let several = unlink(&[]);
    assert!(!several.status.success() && String::from_utf8_lossy(&several.stderr).contains("--subject"), "{several:?}");
    assert!(!unlink(&["--issuer", "https://other.example"]).status.success());
    let gone = unlink(&["--issuer", &issuer, "--subject", "g-1"]);
    assert!(gone.status.success(), "{gone:?}");
    let gone: Value = serde_json::from_slice(&gone.stdout).unwrap();
    assert_eq!((&gone["unlinked"]["subject"], &gone["links_left"]), (&json!("g-1"), &json!(1)));
    assert_eq!(introspect(&grantry, &first["data"]["access_token"]), false, "what it gave is dead");
    assert!(unlink(&[]).status.success(), "one that is alone needs no name");
    assert!(!unlink(&[]).status.success());
    // The address still belongs to both, so the next sign-in links it anew.
    let again = exchange(&grantry, &google.token(&google.claims("g-3", "alice@example.com"))).json();
    assert_eq!(again["data"]["user"]["id"], alice["id"]);
    // Of somebody who has nothing else, the operator is told what it means.
    assert_eq!(exchange(&grantry, &google.token(&google.claims("g-9", "only@example.com"))).status, 200);
    let only = grantry.run(&["user", "unlink", "only@example.com"], "");
    assert!(String::from_utf8_lossy(&only.stdout).contains("There is no way into the account"), "{only:?}");
}
