//! What the public is answered: host and path give a dialect and an address, or one of this server's own pages.
//!
//! Every answer leaves through [`answer`], which gives it its name, counts it and writes the one line about it.

use std::pin::{Pin, pin};
use std::sync::OnceLock;
use std::time::Instant;

use ::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL, CONTENT_LENGTH, HeaderName, HeaderValue, ORIGIN,
    STRICT_TRANSPORT_SECURITY, VARY,
};
use ::http::{Method, StatusCode};
use bytes::Bytes;
use dialect::rules::LimitBy;
use dialect::{At, Context, Dialect, Incoming, Redirect, Route};
use http_body::Body as _;
use http_body_util::Full;
use protocol::authorize::{Precheck, Visit};
use protocol::endpoint::Endpoint;
use protocol::jose::Jwt;
use protocol::line::Wants;
use protocol::line::{Call, Reply};
use protocol::model::{GrantType, UserKey};
use protocol::person::browser::{Ask, Browse, Goal, Page, Return, Step};
use protocol::refusal::{ErrorKind, No, Refusal};
use protocol::resource::introspect::{AnyToken, IntrospectRequest};
use protocol::resource::revoke::RevokeRequest;
use protocol::resource::userinfo::UserinfoRequest;
use protocol::secret::Secret;
use protocol::time::UnixTime;
use protocol::token::TokenRequest;
use protocol::wire::{Param, Params};

use crate::accounts;
use crate::address::address;
use crate::app::{App, Surface, busy};
use crate::browser::PageRequest;
use crate::fault::{Fault, caught};
use crate::http::answer::Form;
use crate::http::{Request, Response, answer};
use crate::limits::{self, Asker, Claim, Tally};
use crate::observe::metrics::Series;
use crate::observe::{log, refusals};
use crate::pages;

/// Two years, in seconds.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=63072000");
const PUBLIC_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");
const CORS_HEADERS: &str = "authorization, content-type";
/// Maximum length of a list of headers that a preflight asks for and that is repeated, in bytes.
const CORS_ASKED_BYTES_MAX: usize = 1024;
const CORS_EXPOSED: HeaderValue = HeaderValue::from_static("www-authenticate, retry-after, x-request-id");
/// Two hours, in seconds: the longest that browsers keep the answer to a preflight.
const CORS_KEPT_S: HeaderValue = HeaderValue::from_static("7200");

/// Travels with an answer that says no, to be counted and logged.
#[derive(Clone, Debug)]
pub struct Refused {
    refusal: Refusal,
    /// The client ID of the request, if such a client exists.
    client_id: Option<String>,
}

/// Answers a request. Whatever goes wrong, there is an answer, and in time.
pub async fn answer(app: &App, request: &Request) -> Response {
    let begun = Instant::now();
    let route = request.host().map(|host| app.dialects.route(host, request.uri.path()));
    let (mut response, place, series) = match route {
        Some(Route::Endpoint(dialect, at)) => {
            let asked = Asked { app, request, dialect, at, surface: app.surface(dialect), tally: OnceLock::new() };
            let response = in_time(app, pin!(asked.answer())).await;
            let mut response = response.unwrap_or_else(|fault| asked.refuse(&broken(request, &fault)));
            if let Some(tally) = asked.tally.get() {
                tally.tell(response.headers_mut());
            }
            (response, (dialect.name.as_str(), at.endpoint.row().name), app.metrics.of(&dialect.name, at.endpoint))
        }
        Some(Route::UnknownPath(dialect)) => {
            // Boxed, so that a token request does not carry room for what a page needs.
            let response = in_time(app, Box::pin(page(app, request, dialect)).as_mut()).await;
            let response = response
                .unwrap_or_else(|fault| refused(app, &PageRequest::read(app, request), None, &broken(request, &fault)));
            (response, ("", "page"), &app.metrics.pages)
        }
        Some(Route::UnknownHost) => {
            (misdirected(app, StatusCode::MISDIRECTED_REQUEST), ("", "host"), &app.metrics.pages)
        }
        None => (misdirected(app, StatusCode::BAD_REQUEST), ("", "host"), &app.metrics.pages),
    };
    finish(app, request, &mut response, begun, place, series);
    response
}

/// Carries out `work`, but not for ever, and not beyond a panic.
async fn in_time(app: &App, work: Pin<&mut impl Future<Output = Response>>) -> Result<Response, Fault> {
    let limit = app.settings.limits.request_time;
    match tokio::time::timeout(limit, caught(work)).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(panic)) => {
            app.metrics.panicked();
            Err(panic)
        }
        Err(_) => Err(Fault::Late(limit.as_secs())),
    }
}

fn finish(app: &App, request: &Request, response: &mut Response, begun: Instant, place: (&str, &str), series: &Series) {
    let refused = response.extensions_mut().remove::<Refused>();
    let took = begun.elapsed();
    series.count(refused.as_ref().map(|refused| refused.refusal.no), took);
    app.forwarding.look(request, &app.settings);
    match &refused {
        None => log::answered(request, place, response.status(), took),
        Some(Refused { refusal, client_id }) => {
            app.metrics.refused(refusal.no);
            app.refusals.refused(&refusals::Refused {
                request,
                place,
                address: &address(request, &app.settings),
                refusal,
                client_id: client_id.as_deref(),
                status: response.status(),
                took,
            });
        }
    }
    answer::name(response, request.id);
    if app.settings.is_https() {
        response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HSTS);
    }
    if request.method == Method::HEAD {
        let length = response.body().size_hint().exact().unwrap_or_default();
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        *response.body_mut() = Full::new(Bytes::new());
    }
}

/// A request to an address of a dialect.
struct Asked<'a> {
    app: &'a App,
    request: &'a Request,
    dialect: &'a Dialect,
    at: At,
    surface: &'a Surface,
    /// Where the request stands, once it was counted: each answer tells it, also that of a fault.
    tally: OnceLock<Tally<'a>>,
}

impl Asked<'_> {
    async fn answer(&self) -> Response {
        if self.request.method == Method::OPTIONS
            && let Some(response) = self.preflight()
        {
            return response;
        }
        // Metadata depends on no time.
        if self.at.endpoint != Endpoint::Metadata
            && let Err(refusal) = self.app.check_clock()
        {
            let mut response = self.refuse(&refusal);
            self.share(&mut response);
            return response;
        }
        let mut response = match (self.at.endpoint, self.request.unread) {
            (_, Some(no)) => self.unread(no).await,
            (Endpoint::Metadata, None) => self.metadata(),
            // Boxed: what a browser needs is large, and a token request should not carry room for it.
            (Endpoint::Authorize, None) => Box::pin(self.authorize()).await,
            (_, None) => match self.judge().await {
                Ok(response) => response,
                Err(fault) => self.refuse(&broken(self.request, &fault)),
            },
        };
        self.share(&mut response);
        response
    }

    async fn judge(&self) -> Result<Response, Fault> {
        self.within_limits(async |params, address| self.judge_params(params, address).await).await
    }

    /// A request whose body could not be read counts like any other.
    async fn unread(&self, no: No) -> Response {
        let address = address(self.request, &self.app.settings);
        let allowed = if self.dialect.address(self.at).has_screens { Ok(()) } else { self.count(None, &address).await };
        // Not judged as failed: a connection that was cut off leaves such requests behind, and they cost no look into the store.
        self.refuse(&allowed.err().unwrap_or_else(|| no.into()))
    }

    /// Reads the request, counts it against the dialect's limits if it has any, and answers it, or refuses to.
    async fn within_limits(
        &self,
        answer: impl AsyncFnOnce(Params, &str) -> Result<Response, Fault>,
    ) -> Result<Response, Fault> {
        let address = address(self.request, &self.app.settings);
        let decoded = self.dialect.decode(self.at, &self.incoming());
        let response = match self.count(decoded.as_ref().ok(), &address).await.and(decoded) {
            Ok(params) => answer(params, &address).await?,
            Err(refusal) => self.refuse(&refusal),
        };
        Ok(self.judged(response, &address))
    }

    /// Counts how the request came out, if that matters to any limit.
    fn judged(&self, response: Response, address: &str) -> Response {
        let no = response.extensions().get::<Refused>().map(|refused| refused.refusal.no);
        let (limiter, now) = (&self.app.limiter, self.app.clock.now());
        if no.is_none() && !limiter.has_failures(now) {
            return response;
        }
        let params = self.dialect.decode(self.at, &self.incoming()).unwrap_or_default();
        let asker = (address, Claim::of(&params));
        match limiter.judged(self.dialect, self.at.endpoint, asker, no, now) {
            Ok(()) => response,
            Err(refusal) => self.refuse(&refusal),
        }
    }

    /// Counts the request. `address` is that of the caller, as it is counted for brute force.
    async fn count(&self, params: Option<&Params>, address: &str) -> Result<(), Refusal> {
        let (none, now) = (Params::default(), self.app.clock.now());
        let params = params.unwrap_or(&none);
        self.app.limiter.check_failed(self.dialect, address, Claim::of(params), now)?;
        let Some((_, limit)) = limits::class(self.dialect, Some(self.at.endpoint)) else { return Ok(()) };
        let text = params.bearer.as_ref().map(Secret::reveal).or(params.value(Param::Token));
        let policy = &self.surface.policy;
        let read = text.map(|text| (text, AnyToken::read_widely(text, policy, &self.app.keys())));
        let token = read.filter(|(_, token)| *token != AnyToken::Foreign);
        let owner = match token {
            // Users have many tokens, so that one whose user has a limit costs a look at the store.
            Some((_, token)) if limit.by == LimitBy::User => self.owner(token, now).await,
            _ => None,
        };
        let asker = Asker { address, params, token: token.map(|(text, _)| text), owner };
        match self.app.limiter.count(self.dialect, Some(self.at.endpoint), &asker, now) {
            Some(tally) => self.tally.get_or_init(|| tally).check(now),
            None => Ok(()),
        }
    }

    /// Whose live token it is. A store that does not answer is told to the caller later, by the judge's turn.
    async fn owner(&self, token: AnyToken, now: UnixTime) -> Option<UserKey> {
        let mut wants = Wants::default();
        token.want(&mut wants);
        let facts = self.app.store.load(wants).await.ok()?;
        token.owner(&facts, &self.surface.policy, now)
    }

    async fn judge_params(&self, mut params: Params, address: &str) -> Result<Response, Fault> {
        let grant = params.value(Param::GrantType).and_then(GrantType::from_name);
        let (policy, keys) = (&*self.surface.policy, self.app.keys());
        let verdict = match self.at.endpoint {
            Endpoint::Token => {
                let request = TokenRequest::parse(params, policy, &keys, address);
                match request {
                    // Boxed: few requests need it.
                    Ok(request) if request.assertion().is_some() => {
                        Box::pin(self.redeem_assertion(request, address)).await?
                    }
                    request => self.turn(request, address).await?,
                }
            }
            Endpoint::Introspect => self.turn(IntrospectRequest::parse(params, policy, &keys), address).await?,
            Endpoint::Revoke => self.turn(RevokeRequest::parse(params, policy, &keys), address).await?,
            Endpoint::Userinfo => {
                let required = self.dialect.address(self.at).scope.clone();
                self.turn(UserinfoRequest::parse(params, required, policy, &keys), address).await?
            }
            Endpoint::Authorize | Endpoint::Metadata => {
                params.bearer = None;
                Err(No::AddressUnknown.into())
            }
        };
        Ok(match verdict {
            Ok(reply) => answer::outgoing(self.dialect.encode(self.at, &reply, &self.context(grant))),
            Err(refusal) => self.refuse(&refusal),
        })
    }

    /// Two turns: the judge fetches nothing, and nothing is fetched for a client that may not ask.
    async fn redeem_assertion(
        &self,
        mut request: TokenRequest,
        address: &str,
    ) -> Result<Result<Reply, Refusal>, Fault> {
        if let Err(refusal) = self.app.turn(&self.surface.policy, address, request.applicant().clone()).await? {
            return Ok(Err(refusal));
        }
        let issuer = self.app.trusted_issuer(request.assertion().and_then(Jwt::kid)).await;
        request.trust(issuer);
        self.turn(Ok(request), address).await
    }

    async fn turn<C: Call<Yes = Reply>>(
        &self,
        call: Result<C, Refusal>,
        address: &str,
    ) -> Result<Result<Reply, Refusal>, Fault> {
        let call = match call {
            Ok(call) => call,
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.app.turn(&self.surface.policy, address, call).await
    }

    async fn authorize(&self) -> Response {
        if !self.dialect.address(self.at).has_screens {
            return self.hand_off().await.unwrap_or_else(|fault| self.refuse(&broken(self.request, &fault)));
        }
        let page = PageRequest::read(self.app, self.request);
        if let Some(response) = self.posted_from_elsewhere(&page) {
            return response;
        }
        match self.dialect.decode(self.at, &self.incoming()) {
            Ok(params) => {
                let visit = Visit {
                    errand: self.app.errand(Goal::Authorize(Box::new(params))),
                    caller: page.caller.clone(),
                    address: page.address.clone(),
                    answer: None,
                };
                browse(self.app, &page, &self.dialect.name, visit).await
            }
            Err(refusal) => refused(self.app, &page, Some((self.dialect, Some(self.at))), &refusal),
        }
    }

    /// Sends the browser on to the page, or tells the program that asked what is wrong with the request.
    async fn hand_off(&self) -> Result<Response, Fault> {
        self.within_limits(async |params, address| self.hand_off_params(params, address).await).await
    }

    async fn hand_off_params(&self, params: Params, address: &str) -> Result<Response, Fault> {
        let is_query_all = self.request.body.is_empty();
        let query = match self.request.uri.query() {
            Some(query) if is_query_all => query.to_owned(),
            _ => self.dialect.page_query(&params),
        };
        if let Err(refusal) = self.app.turn(&self.surface.policy, address, Precheck { params }).await? {
            return Ok(self.refuse(&refusal));
        }
        let out = self.dialect.hand_off(self.at, &query, &self.context(None));
        Ok(out.map_or_else(|| self.refuse(&No::AddressUnknown.into()), answer::outgoing))
    }

    /// A form that another site posts here comes without our cookies, which are `SameSite=Lax`. Asked again by GET, the
    /// browser sends them, and whoever is signed in stays so.
    fn posted_from_elsewhere(&self, page: &PageRequest<'_>) -> Option<Response> {
        let may_get = self.dialect.address(self.at).methods.iter().any(|method| method == "GET");
        if !page.is_cross_site() || !may_get || self.request.body.is_empty() || !self.request.has_form() {
            return None;
        }
        let query = std::str::from_utf8(&self.request.body).ok()?;
        answer::redirect(&self.request.method, &format!("{}?{query}", self.request.uri.path()))
    }

    fn metadata(&self) -> Response {
        if !matches!(self.request.method, Method::GET | Method::HEAD) {
            return self.refuse(&No::MethodUnknown.into());
        }
        let mut response = answer::json(StatusCode::OK, self.surface.metadata.clone());
        response.headers_mut().insert(CACHE_CONTROL, PUBLIC_HOUR);
        response
    }

    fn incoming(&self) -> Incoming<'_> {
        Incoming {
            method: self.request.method.as_str(),
            query: self.request.uri.query(),
            headers: &self.request.headers,
            body: &self.request.body,
        }
    }

    fn context(&self, grant: Option<GrantType>) -> Context<'_> {
        let had_authorization = dialect::decode::has_authorization(&self.request.headers);
        Context { request_id: self.request.id.as_str(), grant, had_authorization }
    }

    fn refuse(&self, refusal: &Refusal) -> Response {
        let out = self.dialect.refuse(Some(self.at), refusal, &self.context(None));
        // Read once more, so that a request that is answered with yes does not pay for it.
        let params =
            is_of_known_client(refusal.no).then(|| self.dialect.decode(self.at, &self.incoming()).ok()).flatten();
        marked_of(answer::outgoing(out), *refusal, params.as_ref().and_then(claimed_client))
    }

    /// The answer to a browser that asks whether a script of another origin may ask; `None` where no script may.
    fn preflight(&self) -> Option<Response> {
        self.request.headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
        let address = self.dialect.address(self.at);
        if address.cors.is_empty() {
            return None;
        }
        let mut response = answer::plain(StatusCode::NO_CONTENT, Bytes::new());
        let methods = HeaderValue::from_str(&address.methods.join(", ")).ok()?;
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_HEADERS, self.allowed_headers());
        response.headers_mut().insert(ACCESS_CONTROL_MAX_AGE, CORS_KEPT_S);
        self.share(&mut response);
        Some(response)
    }

    /// The headers that scripts may send: those that every script may, and those that this one asks for. No cookie means
    /// anything at these addresses, so a header of a script's choice cannot speak for anybody.
    fn allowed_headers(&self) -> HeaderValue {
        let asked = self.request.headers.get(ACCESS_CONTROL_REQUEST_HEADERS).and_then(|value| value.to_str().ok());
        let usual = HeaderValue::from_static(CORS_HEADERS);
        let Some(asked) = asked.filter(|asked| asked.len() <= CORS_ASKED_BYTES_MAX) else { return usual };
        let mut all: Vec<&str> = CORS_HEADERS.split(", ").collect();
        for name in asked.split(',').map(|name| name.trim_matches([' ', '\t'])).filter(|name| !name.is_empty()) {
            // RFC 9110 §5.1: the name of a header is a token. A list with anything else is no list.
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                return usual;
            }
            if !all.iter().any(|own| own.eq_ignore_ascii_case(name)) {
                all.push(name);
            }
        }
        HeaderValue::from_str(&all.join(", ")).unwrap_or(usual)
    }

    /// The headers that scripts may read, the dialect's own about its limits among them.
    fn exposed(&self) -> HeaderValue {
        let own = &self.dialect.limits.headers;
        let names: Vec<&str> =
            [&own.limit, &own.remaining, &own.reset, &own.used].into_iter().flatten().map(String::as_str).collect();
        if names.is_empty() {
            return CORS_EXPOSED;
        }
        let all = format!("{}, {}", CORS_EXPOSED.to_str().unwrap_or_default(), names.join(", "));
        HeaderValue::from_str(&all).unwrap_or(CORS_EXPOSED)
    }

    /// Lets scripts of the dialect's origins read the answer.
    fn share(&self, response: &mut Response) {
        let cors = &self.dialect.address(self.at).cors;
        if cors.is_empty() {
            return;
        }
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed());
        if cors.iter().any(|origin| origin == "*") {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            return;
        }
        headers.insert(VARY, HeaderValue::from_static("origin"));
        // The header is given back only when it is, byte for byte, one that the dialect lists.
        let asked = self.request.headers.get(ORIGIN);
        if let Some(origin) = asked.filter(|asked| cors.iter().any(|own| own.as_bytes() == asked.as_bytes())) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
    }
}

/// Judges a visit and answers with what the browser must do next. `dialect` is the name of the dialect in which the
/// errand began, as the page's seal has it.
pub async fn browse(app: &App, page: &PageRequest<'_>, dialect: &str, visit: Visit) -> Response {
    let dialect = app.dialects.named(dialect);
    let policy = dialect.map_or(app.house_policy(), |dialect| &app.surface(dialect).policy);
    let spoken = dialect.map(|dialect| (dialect, dialect.at(Endpoint::Authorize)));
    let client_id = match &visit.errand.goal {
        Goal::Authorize(params) => claimed_client(params).map(ToOwned::to_owned),
        Goal::Page(_) => None,
    };
    let of = |response, refusal: &Refusal| marked_of(response, *refusal, client_id.as_deref());
    let browse = match app.turn(policy, &page.address, visit).await {
        Ok(Ok(browse)) => browse,
        Ok(Err(refusal)) => return of(refused(app, page, spoken, &refusal), &refusal),
        Err(fault) => return refused(app, page, spoken, &broken(page.http, &fault)),
    };
    let Browse { step, cookie } = browse;
    let response = match (step, dialect) {
        (Step::Ask(ask), _) if let Some(address) = pages::address_after(page, &ask) => page.go(app, &address),
        (Step::Ask(ask), _) => {
            let mut response = answer::html(asking_status(&ask), pages::ask(app, page, &ask), Form::Away);
            if let Page::Consent { client, .. } = &ask.page {
                pages::allow_logo(&mut response, client);
            }
            match problem(&ask) {
                Some(refusal) => of(response, refusal),
                None => response,
            }
        }
        (Step::Go(path), _) => page.go(app, &path),
        (Step::Return(back), Some(dialect)) => {
            let response = bring_back(app, page, dialect, &back);
            match &back.answer {
                Ok(_) => response,
                // Nobody is sent back but to an application that exists.
                Err(refusal) => Refused { refusal: *refusal, client_id }.mark(response),
            }
        }
        // An application's errand always names the dialect that it came by.
        (Step::Return(_), None) => return refused(app, page, None, &No::PageStale.into()),
    };
    page.renewed(app, response, &cookie)
}

fn bring_back(app: &App, page: &PageRequest<'_>, dialect: &Dialect, back: &Return) -> Response {
    let response = match dialect.redirect(back) {
        Redirect::Location(location) => answer::redirect(&page.http.method, &location),
        Redirect::FormPost { inputs, .. } => {
            let body = pages::form_post(app, page, &back.to, inputs);
            Some(answer::html(StatusCode::OK, body, Form::Away))
        }
    };
    response.unwrap_or_else(|| answer::plain(StatusCode::INTERNAL_SERVER_ERROR, ""))
}

/// What was wrong with the last answer, where a page asks the same question again.
fn problem(ask: &Ask) -> Option<&Refusal> {
    match &ask.page {
        Page::SignIn { problem, .. } | Page::SecondFactor { problem, .. } => problem.as_ref(),
        Page::Consent { .. } => None,
    }
    // That a password is needed as well is a question, and no refusal.
    .filter(|refusal| refusal.no != No::PasswordNeeded)
}

/// A wrong password is no success, for whoever counts statuses; browsers show the page all the same.
fn asking_status(ask: &Ask) -> StatusCode {
    match &ask.page {
        Page::SignIn { problem: Some(problem), .. } | Page::SecondFactor { problem: Some(problem), .. } => {
            match problem.no {
                No::LockedOut => StatusCode::TOO_MANY_REQUESTS,
                // Nothing was wrong with what was answered; there is one more question.
                No::PasswordNeeded | No::UpstreamNotFresh => StatusCode::OK,
                _ => StatusCode::BAD_REQUEST,
            }
        }
        _ => StatusCode::OK,
    }
}

/// Says no to a browser: on a page for a person, in the dialect's words for a program.
#[must_use]
pub fn refused(
    app: &App,
    page: &PageRequest<'_>,
    dialect: Option<(&Dialect, Option<At>)>,
    refusal: &Refusal,
) -> Response {
    let context = Context { request_id: page.http.id.as_str(), ..Context::default() };
    let out = match dialect.or_else(|| Some((usual(app)?, None))) {
        Some((dialect, at)) => answer::outgoing(dialect.refuse(at, refusal, &context)),
        None => answer::plain(StatusCode::BAD_REQUEST, refusal.text()),
    };
    let response = if page.http.wants_html() {
        // A page is for people: its status says what happened, whatever a dialect tells programs.
        let status = StatusCode::from_u16(refusal.row().kind.page_status()).unwrap_or(StatusCode::BAD_REQUEST);
        page.html(app, status, pages::refusal(app, page, None, refusal))
    } else {
        out
    };
    marked(response, *refusal)
}

/// Says no to a person at one of this server's own pages, and shows a way on: a path below the issuer's.
#[must_use]
pub fn refused_with_way(app: &App, page: &PageRequest<'_>, refusal: &Refusal, way: &str) -> Response {
    let response = refused(app, page, None, refusal);
    if !page.http.wants_html() {
        return response;
    }
    let body = pages::refusal(app, page, Some(way), refusal);
    marked(page.html(app, response.status(), body), *refusal)
}

async fn page(app: &App, request: &Request, dialect: Option<&Dialect>) -> Response {
    if let Err(refusal) = app.check_clock() {
        return refused(app, &PageRequest::read(app, request), dialect.map(|dialect| (dialect, None)), &refusal);
    }
    if let Some(sub) = accounts::account(app, request.uri.path()) {
        return accounts::answer(app, request, dialect, sub).await;
    }
    let page = PageRequest::read(app, request);
    let no = if let Some(no) = request.unread {
        no
    } else if page.is_cross_site() {
        No::PageStale
    } else {
        match pages::route(app, &page).await {
            Some(response) => return response,
            None => No::AddressUnknown,
        }
    };
    nowhere(app, &page, dialect, no)
}

/// Says no to a request for none of the dialect's addresses. Pages are for people and have no limit; this is for programs,
/// and counts.
fn nowhere(app: &App, page: &PageRequest<'_>, dialect: Option<&Dialect>, no: No) -> Response {
    let (params, now) = (Params::default(), app.clock.now());
    let asker = Asker { address: &page.address, params: &params, token: None, owner: None };
    let tally = dialect.and_then(|dialect| app.limiter.count(dialect, None, &asker, now));
    let allowed = tally.as_ref().map_or(Ok(()), |tally| tally.check(now));
    let refusal = allowed.err().unwrap_or_else(|| no.into());
    let mut response = refused(app, page, dialect.map(|dialect| (dialect, None)), &refusal);
    if let Some(tally) = &tally {
        tally.tell(response.headers_mut());
    }
    response
}

/// The answer to a request for a host that is not served here.
fn misdirected(app: &App, status: StatusCode) -> Response {
    let mut response = match usual(app) {
        Some(dialect) => answer::outgoing(dialect.refuse(None, &No::HostUnknown.into(), &Context::default())),
        None => answer::plain(status, No::HostUnknown.row().text),
    };
    *response.status_mut() = status;
    marked(response, No::HostUnknown)
}

/// Whose words are used where no dialect is spoken.
fn usual(app: &App) -> Option<&Dialect> {
    app.dialects.named("standard").or_else(|| app.dialects.iter().next())
}

/// Marks an answer as a refusal, to be counted and logged.
pub(crate) fn marked(response: Response, refusal: impl Into<Refusal>) -> Response {
    Refused { refusal: refusal.into(), client_id: None }.mark(response)
}

/// As [`marked`], for a request that named this client.
fn marked_of(response: Response, refusal: Refusal, client_id: Option<&str>) -> Response {
    let client_id = client_id.filter(|_| is_of_known_client(refusal.no)).map(ToOwned::to_owned);
    Refused { refusal, client_id }.mark(response)
}

impl Refused {
    fn mark(self, mut response: Response) -> Response {
        response.extensions_mut().insert(self);
        response
    }
}

/// The client ID that a request names.
fn claimed_client(params: &Params) -> Option<&str> {
    params.basic.as_ref().map(|basic| basic.client_id.as_str()).or(params.value(Param::ClientId))
}

/// True if a refusal is decided only after the client was found. Before that a client ID is whatever the caller wrote, which
/// may be a secret in the wrong place.
fn is_of_known_client(no: No) -> bool {
    use ErrorKind::{
        InsufficientScope, InvalidRequest, InvalidToken, MethodNotAllowed, NotFound, RateLimited, ServerError,
        TemporarilyUnavailable, UnsupportedGrantType,
    };
    match no {
        No::RedirectUriUnregistered => true,
        No::ClientUnknown | No::ClientHeaderMalformed | No::ClientMissing => false,
        _ => !matches!(
            no.row().kind,
            InvalidRequest
                | UnsupportedGrantType
                | InvalidToken
                | InsufficientScope
                | NotFound
                | MethodNotAllowed
                | RateLimited
                | TemporarilyUnavailable
                | ServerError
        ),
    }
}

/// Writes a fault down, once, and gives what the client is told.
pub(crate) fn broken(request: &Request, fault: &Fault) -> Refusal {
    log::fault(request.id, fault);
    match fault {
        // Nothing is known to be amiss: somebody else is slow, or too much is waiting.
        Fault::Late(_) => busy(),
        _ => No::Broken.into(),
    }
}
