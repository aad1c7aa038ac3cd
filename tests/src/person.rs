//! A person with a browser: signs in, keeps the cookie, and is sent to an application with a code.

use crate::http::Door;
use crate::load::Client;
use crate::{Installation, form, form_fields};

/// Who signs in.
pub const NAME: &str = "alice";
/// With what.
pub const PASSWORD: &str = "correct horse battery";
/// Where an application waits for its code.
pub const REDIRECT_URI: &str = "https://app.example/cb";
/// RFC 7636 appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Person {
    door: Door,
    cookie: String,
}

/// The page with the sign-in form, in a browser that nobody is signed in with.
#[derive(Clone, Debug)]
pub struct SignInPage {
    cookie: String,
    seal: String,
}

impl SignInPage {
    /// Opens the page at a server. `None` when there is no answer.
    #[must_use]
    pub fn at(server: &Installation) -> Option<Self> {
        Self::open(&server.door())
    }

    fn open(door: &Door) -> Option<Self> {
        let page = door.send("GET", "/sign-in?next=/account", &[], "")?;
        let cookie = page.header("set-cookie")?.split(';').next()?.to_owned();
        let seal = page.body.split("name=\"csrf\"").nth(1)?.split("value=\"").nth(1)?.split('"').next()?;
        Some(Self { cookie, seal: seal.to_owned() })
    }

    /// Posts the page to a server, which need not be the one that it is of.
    #[must_use]
    pub fn post(&self, server: &Installation, name: &str, password: &str) -> Option<(u16, Option<Person>)> {
        self.answer(&server.door(), name, password)
    }

    fn answer(&self, door: &Door, name: &str, password: &str) -> Option<(u16, Option<Person>)> {
        let origin = format!("http://{}", door.host());
        let headers = [("Cookie", self.cookie.as_str()), ("Origin", origin.as_str())];
        let fields = [("csrf", self.seal.as_str()), ("username", name), ("password", password)];
        let answer = door.post("/sign-in", &headers, &fields)?;
        let cookies = answer.head.lines().filter_map(|line| line.split_once(':'));
        let session = cookies
            .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
            .filter_map(|(_, value)| value.trim().split(';').next())
            .find(|pair| pair.contains("session=") && !pair.ends_with('='));
        let person = session.map(|cookie| Person { door: door.clone(), cookie: cookie.to_owned() });
        Some((answer.status, person))
    }
}

/// Signs in as [`NAME`]; gives the status and, from a success, the session.
#[must_use]
pub fn sign_in(address: &str, password: &str) -> Option<(u16, Option<Person>)> {
    sign_in_as(address, NAME, password)
}

/// Signs in under some name; gives the status and, from a success, the session.
#[must_use]
pub fn sign_in_as(address: &str, name: &str, password: &str) -> Option<(u16, Option<Person>)> {
    let door = Door::new(address, address);
    SignInPage::open(&door)?.answer(&door, name, password)
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
        Self { door: Door::new(address, address), cookie: self.cookie.clone() }
    }

    /// The same session at another server of the same name.
    #[must_use]
    pub fn at_node(&self, server: &Installation) -> Self {
        Self { door: server.door(), cookie: self.cookie.clone() }
    }

    /// The same session at several servers of the same name, which are asked in turn.
    #[must_use]
    pub fn among(&self, servers: &[Installation]) -> Self {
        Self { door: Door::among(servers), cookie: self.cookie.clone() }
    }

    /// Looks at a page of this server.
    #[must_use]
    pub fn look(&self, path: &str) -> Option<crate::Answer> {
        self.door.send("GET", path, &[("Cookie", &self.cookie)], "")
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
