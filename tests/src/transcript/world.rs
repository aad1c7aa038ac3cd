//! The server that a transcript is told to, its users and applications, and the browser of the file.

use std::collections::BTreeMap;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use dialect::{Dialect, Dialects, Source};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body_util::BodyExt;
use protocol::line::{Key, Wants, Write};
use protocol::model::User;
use protocol::person::totp;
use protocol::secret::Digest;
use protocol::time::UnixTime;
use server::app::{App, Setup};
use server::clock::Clock;
use server::config::settings::Settings;
use server::entropy;
use server::front;
use server::http::{Peer, Request, Response};
use store::Store;
use zeroize::Zeroizing;

use super::rows::{Person, Rows, sub_of};
use super::story::{Exchange, Message};
use super::{Known, Story, filled, matches};
use crate::issuer;

const ISSUER: &str = "https://auth.example";
pub(super) const NOW: UnixTime = UnixTime(1_780_000_000);
/// Written as the value of a header that must not be there.
const ABSENT: &str = "{{absent}}";
const FORM: &str = "application/x-www-form-urlencoded";

/// A server, and what is known of it.
pub struct World {
    app: Arc<App>,
    host: String,
    cookies: BTreeMap<String, String>,
    people: BTreeMap<String, Person>,
    /// The page that the browser of the file is on.
    page: String,
    /// Names and their values.
    pub known: Known,
    /// Every answer to a request of the file, to the byte, also what names stand for; of a page, the digest.
    pub heard: String,
}

impl World {
    /// A fresh server for a story in a dialect, with an empty store.
    ///
    /// # Errors
    /// The line of the world that cannot be.
    pub async fn begin(dialect: &str, story: &Story, store: Arc<dyn Store>) -> Result<Self, String> {
        let overrides: String = story
            .world
            .iter()
            .filter_map(|(_, note)| note.strip_prefix("config "))
            .fold(String::new(), |all, line| all + line + "\n");
        let sources = [Source::file("transcript", &overrides)];
        let loaded = Dialect::shipped(dialect, if overrides.is_empty() { &[] } else { &sources });
        let loaded = loaded.ok_or("1: it is not shipped")?.map_err(|problems| format!("1: {}", problems[0]))?;
        Self::of(loaded, story, store).await
    }

    /// A fresh server for a story in a dialect that is not shipped, with an empty store.
    ///
    /// # Errors
    /// The line of the world that cannot be.
    pub async fn of(loaded: Dialect, story: &Story, store: Arc<dyn Store>) -> Result<Self, String> {
        let dialect = loaded.name.clone();
        let waives = loaded.waives.clone();
        let host = loaded.hosts.first().cloned().unwrap_or_else(|| "auth.example".to_owned());
        let dialects =
            Dialects::new(ISSUER, vec![loaded], &waives).map_err(|problems| format!("1: {}", problems[0]))?;
        let has_issuer = story.world.iter().any(|(_, note)| note.starts_with("identity "));
        let settings = Settings { google: has_issuer.then(issuer::configuration), ..Settings::new(ISSUER) };
        let setup = Setup {
            store: Arc::clone(&store),
            dialects,
            policies: Vec::new(),
            master: Zeroizing::new([7; 32]),
            settings,
            clock: Clock::fixed(NOW),
            entropy: entropy::Source::seeded([9; 32]),
        };
        let app = App::open(setup).await.map_err(|fault| format!("1: {fault}"))?;
        reach_issuer(&app);
        let mut rows = Rows::new(&app, &dialect);
        for (line, note) in &story.world {
            if let Some(change) = rows.row(note).map_err(|problem| format!("{line}: {problem}"))? {
                store.commit(change.into()).await.map_err(|error| format!("{line}: {error}"))?;
            }
        }
        let Rows { known, people, .. } = rows;
        Ok(Self { app, host, cookies: BTreeMap::new(), people, page: String::new(), known, heard: String::new() })
    }

    /// Takes the steps, asks, and compares.
    pub(super) async fn exchange(&mut self, exchange: &Exchange) -> Result<(), String> {
        let mut decision = None;
        for (line, step) in &exchange.steps {
            let (word, rest) = step.split_once(' ').unwrap_or((step, ""));
            let done = match word {
                "wait" => self.wait(rest),
                "sign-in" => self.sign_in(rest.trim()).await,
                "second-factor" => self.second_factor(rest.trim()).await,
                "disable" => self.disable(rest.trim()).await,
                "approve" | "deny" => {
                    decision = Some((*line, word));
                    Ok(())
                }
                other => Err(format!("there is no step @{other}")),
            };
            done.map_err(|problem| format!("{line}: {problem}"))?;
        }
        self.tell_codes();
        let line = exchange.request.line;
        let mut response = self.ask(&exchange.request).await.map_err(|problem| format!("{line}: {problem}"))?;
        if let Some((line, decision)) = decision {
            let page = text(response).await;
            let csrf = csrf(&page).ok_or_else(|| format!("{line}: there is no page to answer, but {page}"))?;
            response = self.post("/consent", &[("csrf", &csrf), ("decision", decision)]).await;
        }
        self.heard.push_str(&format!("### {}\n\n", exchange.request.first));
        self.compare(&exchange.answer, response).await.map_err(|problem| format!("{}: {problem}", exchange.answer.line))
    }

    fn wait(&self, duration: &str) -> Result<(), String> {
        let (number, unit) = duration.split_at(duration.len().saturating_sub(1));
        let unit_s = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(format!("{duration:?} is no duration")),
        };
        let number: u64 = number.parse().map_err(|_| format!("{duration:?} is no duration"))?;
        self.app.clock.set(self.app.clock.now().plus(number * unit_s));
        reach_issuer(&self.app);
        Ok(())
    }

    async fn sign_in(&mut self, name: &str) -> Result<(), String> {
        let person = self.person(name)?;
        let (login, password) = (person.login.clone(), person.password.clone());
        let has_second_factor = person.seed.is_some();
        let page = self.send(Method::GET, "/sign-in", HeaderMap::new(), String::new()).await;
        let csrf = csrf(&text(page).await).ok_or("there is no sign-in page")?;
        let mut answer = self.post("/sign-in", &[("csrf", &csrf), ("username", &login), ("password", &password)]).await;
        let is_in = answer.status().is_redirection();
        let location = answer.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or_default().to_owned();
        if location.starts_with("/second-factor?") {
            answer = self.send(Method::GET, &location, HeaderMap::new(), String::new()).await;
        }
        self.page = text(answer).await;
        // Whoever has a second factor is asked for it now, and answers with a step of its own.
        let is_asked = has_second_factor && self.page.contains("name=\"otp\"");
        if is_in || is_asked { Ok(()) } else { Err(format!("{name} cannot sign in: {}", self.page)) }
    }

    /// Answers the page that asks for a second factor with the code of this moment.
    async fn second_factor(&mut self, name: &str) -> Result<(), String> {
        let otp = self.otp(self.person(name)?).ok_or_else(|| format!("{name} has no second factor"))?;
        let csrf = csrf(&self.page).ok_or_else(|| format!("there is no page to answer, but {}", self.page))?;
        let answer = self.post("/second-factor", &[("csrf", &csrf), ("otp", &otp)]).await;
        let is_in = answer.status().is_redirection();
        if is_in { Ok(()) } else { Err(format!("{otp} is not taken: {}", text(answer).await)) }
    }

    /// The operator disables an account.
    async fn disable(&self, name: &str) -> Result<(), String> {
        let sub = sub_of(name);
        let wants = Wants::of([Key::Sub(sub.clone())]);
        let facts = self.app.store.load(wants).await.map_err(|error| error.to_string())?;
        let user = facts.subject(&sub).cloned().ok_or_else(|| format!("there is no @user {name}"))?;
        let disabled = User { is_disabled: true, version: user.version + 1, ..User::clone(&user) };
        self.app.store.commit([Write::PutUser(Box::new(disabled))].into()).await.map_err(|error| error.to_string())
    }

    fn person(&self, name: &str) -> Result<&Person, String> {
        self.people.get(name).ok_or_else(|| format!("there is no @user {name}"))
    }

    /// The code that the person's authenticator shows now.
    fn otp(&self, person: &Person) -> Option<String> {
        let step = u64::try_from(self.app.clock.now().0).ok()? / totp::STEP_S;
        person.seed.as_ref().map(|(seed, digits)| totp::code(seed, step, *digits))
    }

    fn tell_codes(&mut self) {
        let shown: Vec<_> =
            self.people.iter().filter_map(|(name, person)| Some((format!("{name}.otp"), self.otp(person)?))).collect();
        self.known.extend(shown);
    }

    async fn ask(&mut self, written: &Message) -> Result<Response, String> {
        let first = filled(&written.first, &self.known)?;
        let mut words = first.split(' ');
        let method = words.next().unwrap_or_default().parse().map_err(|_| "there is no such method")?;
        let target = words.next().unwrap_or_default().to_owned();
        let mut headers = HeaderMap::new();
        for (name, value) in &written.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
            let value = HeaderValue::from_str(&filled(value, &self.known)?).map_err(|error| error.to_string())?;
            headers.append(name, value);
        }
        let body = filled(&written.body, &self.known)?;
        Ok(self.send(method, &target, headers, body).await)
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(FORM));
        headers.insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.send(Method::POST, path, headers, body.join("&")).await
    }

    async fn send(&mut self, method: Method, target: &str, mut headers: HeaderMap, body: String) -> Response {
        if !headers.contains_key("host") {
            headers.insert("host", HeaderValue::from_str(&self.host).expect("hosts are ASCII"));
        }
        for (name, value) in &self.cookies {
            let cookie = HeaderValue::from_str(&format!("{name}={value}")).expect("cookies are ASCII");
            headers.append("cookie", cookie);
        }
        let request = Request {
            method,
            uri: target.parse().expect("a target is a path and a query"),
            headers,
            body: body.into(),
            unread: None,
            peer: Peer::Ip([192, 0, 2, 1].into()),
            id: self.app.request_ids.next(),
            found: Default::default(),
        };
        let response = front::answer(&self.app, &request).await;
        for cookie in response.headers().get_all("set-cookie") {
            let pair = cookie.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        response
    }

    async fn compare(&mut self, written: &Message, response: Response) -> Result<(), String> {
        let status = written.first.split(' ').nth(1).unwrap_or_default().to_owned();
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("it is there").to_bytes();
        self.heard.push_str(&raw(&head, &body));
        let body = String::from_utf8_lossy(&body).into_owned();
        let seen = || format!("the server answered {} {:?}\n{body}", head.status, head.headers);
        if status != head.status.as_str() {
            return Err(seen());
        }
        for (name, value) in &written.headers {
            if value == ABSENT {
                if head.headers.contains_key(name.as_str()) {
                    return Err(format!("there is a {name}; {}", seen()));
                }
                continue;
            }
            let is_there = head
                .headers
                .get_all(name.as_str())
                .iter()
                .any(|own| own.to_str().is_ok_and(|own| matches(value, own, &mut self.known)));
            if !is_there {
                return Err(format!("no such {name}: {value}; {}", seen()));
            }
        }
        if matches(&written.body, &body, &mut self.known) { Ok(()) } else { Err(seen()) }
    }
}

/// An answer to the byte. The headers stand in the order of their names; a page, which has tests of its own, is its digest.
fn raw(head: &http::response::Parts, body: &[u8]) -> String {
    let value = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut headers: Vec<String> = head.headers.iter().map(|(name, own)| format!("{name}: {}\n", value(own))).collect();
    headers.sort();
    let is_page = head.headers.get("content-type").is_some_and(|own| value(own).starts_with("text/html"));
    let body = match is_page {
        true => format!("SHA-256 {}", HEXLOWER.encode(&Digest::of(body).0)),
        false => String::from_utf8_lossy(body).into_owned(),
    };
    format!("HTTP/1.1 {}\n{}\n{body}\n\n", head.status, headers.concat())
}

/// The issuer elsewhere answers at every time, and without a network.
fn reach_issuer(app: &App) {
    if let Some(upstream) = &app.upstream {
        upstream.learn(issuer::keys(), app.clock.now());
    }
}

async fn text(response: Response) -> String {
    let body = response.into_body().collect().await.expect("it is there").to_bytes();
    String::from_utf8_lossy(&body).into_owned()
}

/// The seal of a page's form.
fn csrf(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("name=\"csrf\" value=\"")?;
    rest.split('"').next().map(str::to_owned)
}
