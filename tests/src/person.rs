//! A person with a browser: signs in, keeps the cookie, and is sent to an application with a code.

use crate::load::Client;
use crate::{form, form_fields, send};

/// Who signs in.
pub const NAME: &str = "alice";
/// With what.
pub const PASSWORD: &str = "correct horse battery";
/// Where an application waits for its code.
pub const REDIRECT_URI: &str = "https://app.example/cb";
/// RFC 7636 appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Person {
    address: String,
    cookie: String,
}

/// The page of the sign-in form: its cookie and its seal. `None` when there is no answer.
fn page(address: &str) -> Option<(String, String)> {
    let page = send(address, "GET", "/sign-in?next=/account", &[], "")?;
    let cookie = page.header("set-cookie")?.split(';').next()?.to_owned();
    let seal = page.body.split("name=\"csrf\"").nth(1)?.split("value=\"").nth(1)?.split('"').next()?;
    Some((cookie, seal.to_owned()))
}

/// Signs in as [`NAME`]; gives the status and, from a success, the session.
#[must_use]
pub fn sign_in(address: &str, password: &str) -> Option<(u16, Option<Person>)> {
    sign_in_as(address, NAME, password)
}

/// Signs in under some name; gives the status and, from a success, the session.
#[must_use]
pub fn sign_in_as(address: &str, name: &str, password: &str) -> Option<(u16, Option<Person>)> {
    let (cookie, seal) = page(address)?;
    let origin = format!("http://{address}");
    let headers = [FORM, ("Cookie", cookie.as_str()), ("Origin", origin.as_str())];
    let body = form(&[("csrf", &seal), ("username", name), ("password", password)]);
    let answer = send(address, "POST", "/sign-in", &headers, &body)?;
    let cookies = answer.head.lines().filter_map(|line| line.split_once(':'));
    let session = cookies
        .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
        .filter_map(|(_, value)| value.trim().split(';').next())
        .find(|pair| pair.contains("session=") && !pair.ends_with('='));
    let person = session.map(|cookie| Person { address: address.to_owned(), cookie: cookie.to_owned() });
    Some((answer.status, person))
}

impl Person {
    /// Signs in.
    ///
    /// # Panics
    /// When it does not work.
    #[must_use]
    pub fn signed_in(address: &str) -> Self {
        let answer = sign_in(address, PASSWORD);
        answer.and_then(|(_, person)| person).expect("the user can sign in")
    }

    /// The same session at a server that was moved.
    #[must_use]
    pub fn at(&self, address: &str) -> Self {
        Self { address: address.to_owned(), cookie: self.cookie.clone() }
    }

    /// Looks at a page of this server.
    #[must_use]
    pub fn look(&self, path: &str) -> Option<crate::Answer> {
        send(&self.address, "GET", path, &[("Cookie", &self.cookie)], "")
    }

    /// The session, as a `Cookie` header has it.
    #[must_use]
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Where an application sends people.
    #[must_use]
    pub fn authorize_path(client: &Client) -> String {
        let query = form(&[
            ("response_type", "code"),
            ("client_id", &client.id),
            ("redirect_uri", REDIRECT_URI),
            ("scope", "profile"),
            ("state", "s"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]);
        format!("/oauth/authorize?{query}")
    }

    /// Goes to the authorization page for an application of the operator's own.
    #[must_use]
    pub fn authorize(&self, client: &Client) -> Option<crate::Answer> {
        self.look(&Self::authorize_path(client))
    }

    /// A code for an application of the operator's own.
    #[must_use]
    pub fn code(&self, client: &Client) -> Option<String> {
        Self::code_of(&self.authorize(client)?)
    }

    /// The code with which a browser is sent back.
    #[must_use]
    pub fn code_of(answer: &crate::Answer) -> Option<String> {
        let query = answer.header("location")?.strip_prefix(REDIRECT_URI)?.strip_prefix('?')?;
        form_fields(query).into_iter().find_map(|(name, value)| (name == "code").then_some(value))
    }
}
