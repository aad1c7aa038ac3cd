//! What the issuer's word is worth: when somebody signed in there, whose address it is, and who may have an account.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::google::Google;
use tests::{Installation, form_fields};

use super::{Browser, add_client, add_user, authorize, exchange, started};

/// The parameters of a request to the issuer.
fn asked(location: &str) -> BTreeMap<String, String> {
    form_fields(location.split_once('?').expect("a query").1).into_iter().collect()
}

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_secs().cast_signed()
}

/// OpenID Connect Core §3.1.2.1, `prompt` and `max_age`; OWASP ASVS 5.0 V7.6.1.
#[test]
fn a_fresh_sign_in_that_an_application_asks_for_is_asked_for_at_the_issuer_asvs_7_6_1() {
    let google = Google::start();
    let grantry = started(&google);
    let path = authorize(&grantry);
    for (more, max_age) in [("&prompt=login&max_age=0", "0"), ("&prompt=login", "0"), ("&max_age=60", "60")] {
        for (auth_time, is_fresh) in [
            (json!(now()), true),
            (json!(now() - 30 * 86_400), false),
            (json!(now() + 3_600), false),
            (json!("now"), false),
            (Value::Null, false),
        ] {
            let mut browser = Browser::new(&grantry);
            let page = browser.get(&format!("{path}{more}"));
            let location = browser.press(&page);
            let query = asked(&location);
            assert_eq!((query["prompt"].as_str(), query["max_age"].as_str()), ("login", max_age), "{more}");
            let mut claims = google.claims("g-1", "new@example.com");
            if !auth_time.is_null() {
                claims["auth_time"] = auth_time.clone();
            }
            let answer = browser.back(&google.allow(&location, claims));
            let has_code = answer.header("location").is_some_and(|to| to.contains("code="));
            assert_eq!(has_code, is_fresh, "{more} {auth_time}: {answer:?}");
            if !is_fresh {
                assert!(answer.body.contains("did not say that you signed in there just now"), "{answer:?}");
                // They are signed in, and no more than that.
                assert_eq!(browser.get("/account").status, 200);
                let again = browser.get(&format!("{path}{more}"));
                assert!(again.body.contains("name=\"password\"") || max_age == "60", "{again:?}");
            }
        }
    }
    // Where nothing fresh is wanted, nothing is asked for, and nothing is needed.
    let mut browser = Browser::new(&grantry);
    let page = browser.get(&path);
    let location = browser.press(&page);
    assert!(!asked(&location).contains_key("prompt") && !asked(&location).contains_key("max_age"));
    let answer = browser.back(&google.allow(&location, google.claims("g-1", "new@example.com")));
    assert!(answer.header("location").is_some_and(|to| to.contains("code=")), "{answer:?}");
}

#[test]
fn a_change_of_the_account_is_confirmed_by_a_recent_time_of_the_issuer() {
    let google = Google::start();
    let grantry = started(&google);
    for (auth_time, is_confirmed) in [(now(), true), (now() - 86_400, false), (now() + 3_600, false)] {
        let mut browser = Browser::new(&grantry);
        let page = browser.get("/sign-in?next=/account/second-factor&again=1");
        let location = browser.press(&page);
        assert_eq!((asked(&location)["prompt"].as_str(), asked(&location)["max_age"].as_str()), ("login", "0"));
        let mut claims = google.claims(&format!("g-{auth_time}"), &format!("a{auth_time}@example.com"));
        claims["auth_time"] = json!(auth_time);
        browser.back(&google.allow(&location, claims));
        let page = browser.get("/account/second-factor");
        assert_eq!(page.status, 200, "{page:?}");
        let begun = browser.post(&page, "/account/second-factor", &[("action", "enrol-totp")]);
        assert_eq!(begun.body.contains("name=\"otp\""), is_confirmed, "{auth_time}: {begun:?}");
    }
}

#[test]
fn the_operator_says_whose_first_sign_in_makes_an_account() {
    let google = Google::start();
    let begin = |more: &str| {
        let mut grantry = Installation::new(&format!(
            "[dialects]\nenable = [\"standard\", \"tinyrebrand\"]\naccept = [\"password-grant\", \"open-introspection\", \"open-revocation\"]\n\
             [dialect.tinyrebrand]\nhosts = [\"api.tinyrebrand.test\", \"app.tinyrebrand.test\"]\nlimit = {{ token = \"off\", api = \"off\" }}\n{}{more}",
            google.configuration()
        ));
        add_client(&grantry);
        let checked = String::from_utf8(grantry.run(&["check"], "").stdout).unwrap();
        assert_eq!(checked.contains("gets an account here by signing in"), more.is_empty(), "{checked}");
        grantry.start();
        grantry
    };
    let status = |grantry: &Installation, subject: &str, email: &str| {
        exchange(grantry, &google.token(&google.claims(subject, email))).status
    };
    let open = begin("");
    assert_eq!(status(&open, "g-1", "new@example.com"), 200);

    let closed = begin("sign_up = \"nobody\"\n");
    add_user(&closed, "alice@example.com", &["--email-verified"]);
    assert_eq!(status(&closed, "g-1", "new@example.com"), 401);
    assert_eq!(status(&closed, "g-2", "alice@example.com"), 200, "who has an account signs in");
    let mut browser = Browser::new(&closed);
    let page = browser.get("/sign-in");
    let location = browser.press(&page);
    let refused = browser.back(&google.allow(&location, google.claims("g-1", "new@example.com")));
    assert!(refused.status == 400 && refused.body.contains("ask the people who run this service"), "{refused:?}");
    assert!(!browser.cookies.contains_key("grantry-session"));

    let domains = begin("sign_up = \"domains\"\ndomains = [\"Example.com\"]\n");
    assert_eq!(status(&domains, "g-1", "new@example.com"), 200);
    for (subject, email) in [
        ("g-2", "new@gmail.com"),
        ("g-3", "new@sub.example.com"),
        ("g-4", "new@example.com.evil.example"),
        ("g-5", "new@\u{ff45}xample.com"),
    ] {
        assert_eq!(status(&domains, subject, email), 401, "{email}");
    }
}

/// Unicode Technical Report 36 §2.
#[test]
fn an_address_that_only_becomes_anothers_in_lower_case_opens_nothing() {
    let google = Google::start();
    let grantry = started(&google);
    add_user(&grantry, "mike.s@kite.example", &["--email-verified"]);
    for email in [
        "mi\u{212a}e.s@kite.example",
        "mike.\u{17f}@kite.example",
        "\u{ff4d}ike.s@kite.example",
        "m\u{131}ke.s@kite.example",
    ] {
        assert_eq!(exchange(&grantry, &google.token(&google.claims("g-1", email))).status, 401, "{email}");
        let mut browser = Browser::new(&grantry);
        let page = browser.get("/sign-in");
        let location = browser.press(&page);
        let refused = browser.back(&google.allow(&location, google.claims("g-1", email)));
        assert!(refused.body.contains("characters that are not taken here"), "{email}: {refused:?}");
    }
    assert_eq!(grantry.json(&["user", "show", "mike.s@kite.example"], "")["linked"], json!([]));
    assert_eq!(exchange(&grantry, &google.token(&google.claims("g-1", "MIKE.S@Kite.example"))).status, 200);
}
