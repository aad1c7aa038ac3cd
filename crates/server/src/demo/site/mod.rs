//! The sample site: a small web application that is a client of the server. It shows what a client does, what it gets,
//! and what happens when a user withdraws access.

mod client;
mod visitor;
mod wire;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use ::http::header::{CONTENT_TYPE, HeaderValue, ORIGIN, SET_COOKIE};
use ::http::{Method, StatusCode};
use data_encoding::BASE32_NOPAD;
use minijinja::value::Serde;
use minijinja::{Environment, context};
use protocol::person::totp;
use protocol::secret::Secret;
use serde_json::Value;

use super::cast::Cast;
use super::ports::Ports;
use super::surfaces::Example;
use crate::clock::Clock;
use crate::config::Fetch;
use crate::config::settings::Limits;
use crate::http::accept::Site;
use crate::http::answer::Form;
use crate::http::{Request, RequestIds, Response, answer};
use crate::outside::fetch::Fetcher;
use client::{OAuthClient, Tokens, Trouble};
use visitor::{COOKIE_NAME, Visitors};
use wire::Trace;

/// The scopes that the site asks for.
const SCOPE: &str = "profile email links:read";
/// The server's own script: it makes buttons that copy.
const SCRIPT: &str = include_str!("../../assets/page.js");
/// The server's own style sheet, and what is different here.
const STYLE: &str = concat!(include_str!("../../assets/style.css"), include_str!("site.css"));
const TEMPLATES: [(&str, &str); 5] = [
    ("frame.html", include_str!("frame.html")),
    ("parts.html", include_str!("parts.html")),
    ("page.html", include_str!("page.html")),
    ("telephone.html", include_str!("telephone.html")),
    ("surfaces.html", include_str!("surfaces.html")),
];

/// The sample site.
#[derive(Debug)]
pub(super) struct SampleSite {
    base_url: String,
    /// The OAuth client of the site.
    web: OAuthClient,
    /// The OAuth client of the API behind the site, with its own credentials.
    api: OAuthClient,
    /// The shared secret of Bob's second factor.
    seed: Vec<u8>,
    pages: Environment<'static>,
    /// The applications of other dialects.
    surfaces: Vec<Example>,
    visitors: Visitors,
    limits: Limits,
    request_ids: RequestIds,
    connections_open: AtomicU64,
}

impl SampleSite {
    /// The sample site for this demo.
    pub(super) fn new(cast: &Cast, ports: &Ports) -> Result<Self, String> {
        let base_url = ports.site_url();
        let allow = vec![format!("localhost:{}", ports.public)];
        let fetcher = Arc::new(Fetcher::new(&Fetch { allow, ca_file: None })?);
        let client = |client_id: &str, secret: &Secret| OAuthClient {
            fetcher: Arc::clone(&fetcher),
            issuer: ports.issuer(),
            client_id: client_id.to_owned(),
            client_secret: secret.clone(),
            redirect_uri: format!("{base_url}/callback"),
            scope: SCOPE,
            resources: vec![ports.resource(), ports.issuer()],
        };
        let seed = BASE32_NOPAD.decode(cast.factor.base32.reveal().as_bytes()).unwrap_or_default();
        let web = client(&cast.web.client.client_id, &cast.web.secret);
        let api = client(&cast.api.client.client_id, &cast.api.secret);
        Ok(Self { surfaces: cast.surfaces.clone(), ..Self::of(web, api, seed, base_url) })
    }

    fn of(web: OAuthClient, api: OAuthClient, seed: Vec<u8>, base_url: String) -> Self {
        let mut pages = Environment::new();
        for (name, text) in TEMPLATES {
            pages.add_template(name, text).expect("the sample site's pages are good; a test renders them");
        }
        Self {
            base_url,
            web,
            api,
            seed,
            pages,
            surfaces: Vec::new(),
            visitors: Visitors::default(),
            limits: Limits::default(),
            request_ids: RequestIds::new(0),
            connections_open: AtomicU64::new(0),
        }
    }

    /// Redirects the browser to the authorization endpoint.
    async fn connect(&self, visitor: &str) -> Response {
        let mut trace = Trace::new();
        match self.web.begin(&mut trace).await {
            Ok((url, pending)) => {
                self.visitors.with(visitor, |own| {
                    own.note(trace);
                    own.pending = Some(pending);
                    own.problem = None;
                    own.step("Your browser went to the server to ask you.");
                });
                answer::redirect(&Method::POST, &url).unwrap_or_else(|| self.home())
            }
            Err(trouble) => self.explain(visitor, &trouble),
        }
    }

    /// Handles the browser's return to the redirect URI.
    async fn callback(&self, visitor: &str, query: &str) -> Response {
        let Some(pending) = self.visitors.with(visitor, |own| own.pending.take()) else {
            return self.explain(visitor, &Trouble::Suspicious("this browser had not asked for anything"));
        };
        let mut trace = Trace::new();
        let finished = self.web.finish(query, pending, &mut trace).await;
        self.visitors.with(visitor, |own| own.note(trace));
        match finished {
            Ok(tokens) => {
                self.visitors.with(visitor, |own| {
                    own.step("The site exchanged the code for tokens.");
                    own.tokens = Some(tokens.clone());
                });
                self.fetch(visitor, &tokens).await
            }
            Err(trouble) => self.explain(visitor, &trouble),
        }
    }

    /// Fetches the user's claims, and what introspection says about the access token.
    async fn fetch(&self, visitor: &str, tokens: &Tokens) -> Response {
        let mut trace = Trace::new();
        let profile = self.web.profile(tokens, &mut trace).await;
        let facts = self.api.introspect(&tokens.access, &mut trace).await.ok().map(with_readable_time);
        self.visitors.with(visitor, |own| own.note(trace));
        match profile {
            Ok(profile) => {
                self.visitors.with(visitor, |own| {
                    own.step("The site fetched your profile with the access token.");
                    own.profile = Some(profile);
                    own.facts = facts;
                    own.problem = None;
                });
                self.home()
            }
            Err(Trouble::Refused(401, _)) => {
                self.visitors.with(visitor, |own| {
                    own.step("The server refused the access token.");
                    own.profile = None;
                    own.facts = facts;
                    own.problem = Some((
                        "The access token is no longer good".to_owned(),
                        "Either you removed this site's access, or the token has expired. Refresh asks for a new one; \
                         if that fails as well, connect again."
                            .to_owned(),
                    ));
                });
                self.home()
            }
            Err(trouble) => self.explain(visitor, &trouble),
        }
    }

    async fn refresh(&self, visitor: &str, tokens: &Tokens) -> Response {
        let Some(refresh) = &tokens.refresh else { return self.home() };
        let mut trace = Trace::new();
        let refreshed = self.web.refresh(refresh, &mut trace).await;
        self.visitors.with(visitor, |own| own.note(trace));
        match refreshed {
            Ok(tokens) => {
                self.visitors.with(visitor, |own| {
                    own.step("The site got new tokens for the refresh token; the old one is dead once they are used.");
                    own.tokens = Some(tokens.clone());
                });
                self.fetch(visitor, &tokens).await
            }
            Err(Trouble::Refused(400, _)) => {
                self.visitors.with(visitor, |own| {
                    own.step("The server refused the refresh token.");
                    own.forget();
                    own.problem = Some((
                        "This site may not act for you any more".to_owned(),
                        "You removed its access, or it was not used for too long. Connect to allow it again."
                            .to_owned(),
                    ));
                });
                self.home()
            }
            Err(trouble) => self.explain(visitor, &trouble),
        }
    }

    async fn revoke(&self, visitor: &str, tokens: &Tokens) -> Response {
        let mut trace = Trace::new();
        let revoked = self.web.revoke(tokens, &mut trace).await;
        self.visitors.with(visitor, |own| own.note(trace));
        if let Err(trouble) = revoked {
            return self.explain(visitor, &trouble);
        }
        self.visitors.with(visitor, |own| {
            own.step("The site gave its tokens back: they are dead.");
            own.forget();
            own.problem = None;
        });
        self.home()
    }

    /// Shows the user what went wrong.
    fn explain(&self, visitor: &str, trouble: &Trouble) -> Response {
        let (heading, text) = match trouble {
            Trouble::Denied => {
                ("You said no", "Nothing was shared with this site. Connect when you change your mind.".to_owned())
            }
            Trouble::Suspicious(why) => {
                ("That answer was not for you", format!("It was thrown away: {why}. Connect again."))
            }
            Trouble::Refused(status, text) => ("The server said no", format!("{text} (status {status})")),
            Trouble::Unreachable(text) => {
                ("The server cannot be reached", format!("{text}. Is the demo still running?"))
            }
        };
        self.visitors.with(visitor, |own| {
            own.step(heading);
            own.problem = Some((heading.to_owned(), text));
        });
        self.home()
    }

    fn home(&self) -> Response {
        answer::redirect(&Method::POST, &format!("{}/", self.base_url))
            .unwrap_or_else(|| answer::plain(StatusCode::INTERNAL_SERVER_ERROR, "the sample site has no address"))
    }

    fn page(&self, visitor: &str) -> Response {
        let body = self.visitors.with(visitor, |own| {
            self.render(
                "page.html",
                context! {
                    issuer => self.web.issuer.as_str(),
                    is_connected => own.tokens.is_some(),
                    can_refresh => own.tokens.as_ref().is_some_and(|tokens| tokens.refresh.is_some()),
                    profile => Serde(&own.profile),
                    facts => Serde(&own.facts),
                    problem => Serde(&own.problem),
                    access_token => own.tokens.as_ref().map(|tokens| tokens.access.reveal()),
                    refresh_token => own.tokens.as_ref().and_then(|tokens| Some(tokens.refresh.as_ref()?.reveal())),
                    steps => Serde(&own.steps),
                    exchanges => Serde(&own.exchanges),
                },
            )
        });
        answer::html(StatusCode::OK, body, Form::Away)
    }

    /// The page with the current code of Bob's second factor, so that nobody needs an authenticator to try the demo.
    fn telephone(&self) -> Response {
        let now = u64::try_from(Clock::System.now().0).unwrap_or_default();
        let step = now / totp::STEP_S;
        let code = totp::code(&self.seed, step, 6);
        let left_s = (step + 1) * totp::STEP_S - now;
        let body = self.render("telephone.html", context! { code, left_s });
        answer::html(StatusCode::OK, body, Form::Here)
    }

    /// The page about the other dialects.
    fn surfaces(&self) -> Response {
        let body = self.render("surfaces.html", context! { surfaces => Serde(&self.surfaces) });
        answer::html(StatusCode::OK, body, Form::Here)
    }

    /// Handles the browser's return to the application of another dialect.
    fn arrived(&self, name: &str, query: &str) -> Response {
        let Some(own) = self.surfaces.iter().find(|own| own.dialect == name) else { return self.home() };
        let received: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let value = |name: &str| received.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
        let commands = own.commands_with(value("code"), value("access_token"));
        let values = context! { arrived => name, received => Serde(&received), commands => Serde(&commands) };
        answer::html(StatusCode::OK, self.render("surfaces.html", values), Form::Here)
    }

    fn render(&self, name: &str, values: minijinja::Value) -> String {
        let rendered = self.pages.get_template(name).and_then(|page| page.render(values));
        rendered.unwrap_or_else(|error| format!("the page cannot be shown: {error}"))
    }

    /// Returns true if another site made the browser post the form.
    fn is_foreign(&self, request: &Request) -> bool {
        request.headers.get(ORIGIN).is_some_and(|origin| origin.as_bytes() != self.base_url.as_bytes())
    }

    async fn post(&self, path: &str, visitor: &str) -> Response {
        let tokens = self.visitors.with(visitor, |own| own.tokens.clone());
        match (path, &tokens) {
            ("/connect", _) => self.connect(visitor).await,
            ("/fetch", Some(tokens)) => self.fetch(visitor, tokens).await,
            ("/refresh", Some(tokens)) => self.refresh(visitor, tokens).await,
            ("/revoke", Some(tokens)) => self.revoke(visitor, tokens).await,
            _ => self.home(),
        }
    }
}

impl Site for SampleSite {
    async fn answer(&self, request: Request) -> Response {
        let (cookie, is_new) = match self.visitors.known(&request.headers) {
            Some(cookie) => (cookie, false),
            None => (self.visitors.fresh(), true),
        };
        let path = request.uri.path();
        let mut response = match (&request.method, path) {
            (&Method::GET, "/") => self.page(&cookie),
            (&Method::GET, "/callback") => self.callback(&cookie, request.uri.query().unwrap_or_default()).await,
            (&Method::GET, "/telephone") => self.telephone(),
            (&Method::GET, "/surfaces") => self.surfaces(),
            (&Method::GET, path) if path.starts_with("/arrived/") => {
                self.arrived(path.trim_start_matches("/arrived/"), request.uri.query().unwrap_or_default())
            }
            (&Method::GET, "/style.css") => return asset(STYLE, "text/css; charset=utf-8"),
            (&Method::GET, "/page.js") => return asset(SCRIPT, "text/javascript; charset=utf-8"),
            (&Method::POST, _) if self.is_foreign(&request) => {
                return answer::plain(StatusCode::FORBIDDEN, "the form was posted by another site\n");
            }
            (&Method::POST, path) => self.post(path, &cookie).await,
            _ => return answer::plain(StatusCode::NOT_FOUND, "there is nothing at this address\n"),
        };
        if is_new {
            let text = format!("{COOKIE_NAME}={cookie}; Path=/; HttpOnly; SameSite=Lax");
            let value = HeaderValue::from_str(&text).expect("a cookie of base64url fits a header");
            response.headers_mut().insert(SET_COOKIE, value);
        }
        response
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn request_ids(&self) -> &RequestIds {
        &self.request_ids
    }

    fn connections_open(&self) -> &AtomicU64 {
        &self.connections_open
    }
}

fn asset(text: &'static str, content_type: &'static str) -> Response {
    let mut response = answer::plain(StatusCode::OK, text);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The answer of introspection, with `expires` beside `exp`: the same moment, for people.
fn with_readable_time(mut facts: Value) -> Value {
    let expires = facts["exp"].as_i64().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    if let (Some(expires), Some(members)) = (expires, facts.as_object_mut()) {
        members.insert("expires".to_owned(), expires.strftime("%Y-%m-%d %H:%M UTC").to_string().into());
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Peer;
    use bytes::Bytes;
    use http_body_util::BodyExt;
    use serde_json::json;

    fn site() -> SampleSite {
        let fetcher = Arc::new(Fetcher::new(&Fetch::default()).unwrap());
        let client = |client_id: &str| OAuthClient {
            fetcher: Arc::clone(&fetcher),
            issuer: "http://localhost:1".into(),
            client_id: client_id.into(),
            client_secret: Secret::new("s"),
            redirect_uri: "http://localhost:2/callback".into(),
            scope: SCOPE,
            resources: vec!["http://localhost:2/api".into()],
        };
        SampleSite::of(client("web"), client("api"), b"12345678901234567890".to_vec(), "http://localhost:2".into())
    }

    async fn ask(
        site: &SampleSite,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> (Response, String) {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let request = Request {
            method,
            uri: path.parse().unwrap(),
            headers: headers.collect(),
            body: Bytes::new(),
            unread: None,
            peer: Peer::Unix,
            id: site.request_ids.next(),
            found: Default::default(),
        };
        let response = site.answer(request).await;
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        (Response::from_parts(parts, http_body_util::Full::default()), text)
    }

    #[tokio::test]
    async fn every_page_is_shown_and_nothing_of_it_is_trusted() {
        let site = site();
        let cookie = site.visitors.fresh();
        let header = format!("{COOKIE_NAME}={cookie}");
        let headers = [("cookie", header.as_str())];
        let (_, text) = ask(&site, Method::GET, "/", &headers).await;
        assert!(text.contains("Connect</button>"), "{text}");
        site.visitors.with(&cookie, |own| {
            own.tokens =
                Some(Tokens { access: Secret::new("secret-token-1"), refresh: Some(Secret::new("secret-token-2")) });
            own.profile = Some(json!({"sub": "1", "name": "<b>Alice</b>"}));
            own.facts = Some(json!({"active": true, "scope": "profile", "aud": ["http://a/", "<http://b/>"]}));
            own.problem = Some(("Heading".into(), "Sentence".into()));
            own.step("Step");
        });
        let (_, text) = ask(&site, Method::GET, "/", &headers).await;
        for part in [
            "Hello, &lt;b&gt;Alice",
            "Fetch again",
            "Refresh",
            "Revoke",
            "Heading",
            "Sentence",
            "Step",
            "Scope",
            "<dd>http:&#x2f;&#x2f;a&#x2f;, &lt;http:&#x2f;&#x2f;b&#x2f;&gt;</dd>",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        // Whoever tries the demo wants to see the tokens and to paste them.
        assert!(text.contains("secret-token-1</code>") && text.contains("secret-token-2</code>"), "{text}");
        let (_, text) = ask(&site, Method::GET, "/telephone", &[]).await;
        assert!(text.contains("big-code"), "{text}");
        assert_eq!(ask(&site, Method::GET, "/style.css", &[]).await.0.status(), 200);
        assert_eq!(ask(&site, Method::GET, "/else", &[]).await.0.status(), 404);
    }

    #[tokio::test]
    async fn another_site_cannot_press_the_buttons() {
        let site = site();
        let (response, _) = ask(&site, Method::POST, "/revoke", &[("origin", "http://evil.example")]).await;
        assert_eq!(response.status(), 403);
    }

    #[tokio::test]
    async fn an_answer_that_nobody_waits_for_is_thrown_away() {
        let site = site();
        let (response, _) = ask(&site, Method::GET, "/callback?code=c&state=s", &[]).await;
        let cookie = response.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        let (_, text) = ask(&site, Method::GET, "/", &[("cookie", &cookie)]).await;
        assert!(text.contains("That answer was not for you"), "{text}");
    }
}
