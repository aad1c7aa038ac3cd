//! The server that a transcript is told to, its users and applications, and the browser of the file.

use std::collections::BTreeMap;
use std::sync::Arc;

use data_encoding::BASE64;
use dialect::{Dialect, Dialects, Source};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body_util::BodyExt;
use protocol::login::password;
use protocol::model::{
    AuthMethod, Client, ClientKey, ClientKind, ClientSecret, GrantType, Pkce, RefreshMode, StoredSecret, User, UserKey,
};
use protocol::scope::Scope;
use protocol::secret::{Digest, Secret};
use protocol::time::UnixTime;
use protocol::turn::{Change, Entropy};
use server::app::{App, Setup};
use server::clock::Clock;
use server::entropy;
use server::http::{Peer, Request, Response};
use server::settings::Settings;
use server::surface;
use store::{Memory, Store};
use zeroize::Zeroizing;

use super::story::{Exchange, Message};
use super::{Known, Story, filled, matches};

const ISSUER: &str = "https://auth.example";
const NOW: UnixTime = UnixTime(1_780_000_000);
const FORM: &str = "application/x-www-form-urlencoded";

/// A server, and what is known of it.
pub struct World {
    app: Arc<App>,
    host: String,
    cookies: BTreeMap<String, String>,
    passwords: BTreeMap<String, String>,
    /// Names and their values.
    pub known: Known,
}

impl World {
    /// A fresh server for a story in a dialect.
    ///
    /// # Errors
    /// The line of the world that cannot be.
    pub async fn begin(dialect: &str, story: &Story) -> Result<Self, String> {
        let overrides: String = story
            .world
            .iter()
            .filter_map(|(_, note)| note.strip_prefix("config "))
            .fold(String::new(), |all, line| all + line + "\n");
        let sources = [Source::file("transcript", &overrides)];
        let loaded = Dialect::shipped(dialect, if overrides.is_empty() { &[] } else { &sources });
        let loaded = loaded.ok_or("1: it is not shipped")?.map_err(|problems| format!("1: {}", problems[0]))?;
        let waives = loaded.waives.clone();
        let host = loaded.hosts.first().cloned().unwrap_or_else(|| "auth.example".to_owned());
        let dialects =
            Dialects::new(ISSUER, vec![loaded], &waives).map_err(|problems| format!("1: {}", problems[0]))?;
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let (mut known, mut passwords) = (Known::new(), BTreeMap::new());
        for (key, (line, note)) in story.world.iter().enumerate() {
            let key = i64::try_from(key).unwrap_or_default() + 1;
            let mut words = note.split(' ').filter(|word| !word.is_empty());
            let (kind, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let pairs: Vec<(&str, &str)> = words.filter_map(|word| word.split_once('=')).collect();
            let change = match kind {
                "client" => client(key, name, dialect, &pairs, &mut known),
                "user" => user(key, name, &pairs, &mut passwords),
                "config" => continue,
                other => Err(format!("there is no @{other}")),
            };
            let change = change.map_err(|problem| format!("{line}: {problem}"))?;
            store.commit(vec![change]).await.map_err(|error| format!("{line}: {error}"))?;
        }
        let setup = Setup {
            store,
            dialects,
            policies: Vec::new(),
            master: Zeroizing::new([7; 32]),
            settings: Settings::new(ISSUER),
            clock: Clock::fixed(NOW),
            entropy: entropy::Source::seeded([9; 32]),
        };
        let app = App::open(setup).await.map_err(|fault| format!("1: {fault}"))?;
        Ok(Self { app, host, cookies: BTreeMap::new(), passwords, known })
    }

    /// Takes the steps, asks, and compares.
    pub(super) async fn exchange(&mut self, exchange: &Exchange) -> Result<(), String> {
        let mut decision = None;
        for (line, step) in &exchange.steps {
            let (word, rest) = step.split_once(' ').unwrap_or((step, ""));
            match word {
                "wait" => self.wait(rest).map_err(|problem| format!("{line}: {problem}"))?,
                "sign-in" => self.sign_in(rest.trim()).await.map_err(|problem| format!("{line}: {problem}"))?,
                "approve" | "deny" => decision = Some((*line, word)),
                other => return Err(format!("{line}: there is no step @{other}")),
            }
        }
        let line = exchange.request.line;
        let mut response = self.ask(&exchange.request).await.map_err(|problem| format!("{line}: {problem}"))?;
        if let Some((line, decision)) = decision {
            let page = text(response).await;
            let csrf = csrf(&page).ok_or_else(|| format!("{line}: there is no page to answer, but {page}"))?;
            response = self.post("/consent", &[("csrf", &csrf), ("decision", decision)]).await;
        }
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
        Ok(())
    }

    async fn sign_in(&mut self, name: &str) -> Result<(), String> {
        let password = self.passwords.get(name).cloned().ok_or_else(|| format!("there is no @user {name}"))?;
        let page = self.send(Method::GET, "/sign-in", HeaderMap::new(), String::new()).await;
        let csrf = csrf(&text(page).await).ok_or("there is no sign-in page")?;
        let answer = self.post("/sign-in", &[("csrf", &csrf), ("username", name), ("password", &password)]).await;
        let is_in = answer.status().is_redirection();
        if is_in { Ok(()) } else { Err(format!("{name} cannot sign in: {}", text(answer).await)) }
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
        };
        let response = surface::answer(&self.app, &request).await;
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
        let body = String::from_utf8_lossy(&body).into_owned();
        let seen = || format!("the server answered {} {:?}\n{body}", head.status, head.headers);
        if status != head.status.as_str() {
            return Err(seen());
        }
        for (name, value) in &written.headers {
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

async fn text(response: Response) -> String {
    let body = response.into_body().collect().await.expect("it is there").to_bytes();
    String::from_utf8_lossy(&body).into_owned()
}

/// The seal of a page's form.
fn csrf(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("name=\"csrf\" value=\"")?;
    rest.split('"').next().map(str::to_owned)
}

fn client(key: i64, name: &str, dialect: &str, pairs: &[(&str, &str)], known: &mut Known) -> Result<Change, String> {
    let all = |own: &str| pairs.iter().filter(|(key, _)| *key == own).map(|(_, value)| *value).collect::<Vec<_>>();
    let one = |own: &str| all(own).first().copied();
    if let Some((unknown, _)) =
        pairs.iter().find(|(key, _)| !["kind", "redirect_uri", "grant", "scope", "pkce", "refresh"].contains(key))
    {
        return Err(format!("a client has no {unknown}"));
    }
    let is_public = one("kind") == Some("public");
    let secret = format!("secret-of-{name}-0123456789abcdefghijklmnopqrstuvwxyz");
    let grants = match all("grant") {
        none if none.is_empty() => vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        some => some
            .iter()
            .map(|word| GrantType::from_name(word).ok_or(format!("no grant {word}")))
            .collect::<Result<_, _>>()?,
    };
    if !is_public {
        known.insert(format!("{name}.secret"), secret.clone());
        known.insert(format!("{name}.basic"), BASE64.encode(format!("{name}:{secret}").as_bytes()));
    }
    let secrets = (!is_public).then(|| ClientSecret {
        stored: StoredSecret::Sha256(Digest::of(secret.as_bytes())),
        hint: "wxyz".to_owned(),
        created_at: NOW,
    });
    let confidential = vec![AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost];
    Ok(Change::PutClient(Box::new(Client {
        key: ClientKey(key),
        client_id: name.to_owned(),
        dialect: dialect.to_owned(),
        name: name.to_owned(),
        publisher: None,
        homepage: None,
        logo_uri: None,
        kind: if is_public { ClientKind::Public } else { ClientKind::Confidential },
        auth_methods: if is_public { vec![AuthMethod::None] } else { confidential },
        secrets: secrets.into_iter().collect(),
        redirect_uris: all("redirect_uri").into_iter().map(str::to_owned).collect(),
        grants,
        scope: Scope::of(one("scope").unwrap_or("profile").split(',')),
        audience: Vec::new(),
        pkce: if one("pkce") == Some("optional") { Pkce::Optional } else { Pkce::Required },
        refresh: if one("refresh") == Some("reuse") { RefreshMode::Reuse } else { RefreshMode::Rotate },
        access_ttl_s: None,
        refresh_ttl_s: None,
        is_first_party: false,
        owner: None,
        is_disabled: false,
        revoked_below: 0,
        created_at: NOW,
        version: 1,
    })))
}

fn user(
    key: i64,
    name: &str,
    pairs: &[(&str, &str)],
    passwords: &mut BTreeMap<String, String>,
) -> Result<Change, String> {
    let one = |own: &str| pairs.iter().find(|(key, _)| *key == own).map(|(_, value)| (*value).to_owned());
    let password = one("password").ok_or("a user needs a password")?;
    let hash = password::hash(&Secret::new(password.clone()), &mut Entropy::seeded([1; 32], 1));
    passwords.insert(name.to_owned(), password);
    Ok(Change::PutUser(Box::new(User {
        key: UserKey(key),
        sub: format!("sub-of-{name}"),
        username: Some(name.to_owned()),
        email: one("email"),
        email_verified: true,
        name: one("name").unwrap_or_else(|| name.to_owned()),
        password: Some(hash),
        totp: None,
        attributes: serde_json::Map::new(),
        is_disabled: false,
        revoked_below: 0,
        created_at: NOW,
        version: 1,
    })))
}
